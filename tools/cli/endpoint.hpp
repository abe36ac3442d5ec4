// SPDX-License-Identifier: Apache-2.0
// Where penstock-cp is asked: at its Unix socket, or over the network with TLS 1.3.
//
// Thread rule: plain values, and a pure function of them.
#pragma once

#include "tools/cli/failure.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace penstock::cli {

struct Invocation;

inline constexpr std::string_view default_runtime_dir = "/run/penstock";
inline constexpr std::string_view socket_file = "control.sock";

struct Endpoint {
    std::string socket{}; ///< path; counts while `url` is empty
    std::string url{};    ///< "https://lb-a.example.org:9443", without a path

    // Of the network alone; files in PEM, empty: none.
    std::string ca{};         ///< authorities of the server's certificate; empty: the system's
    std::string cert{};       ///< our certificate …
    std::string key{};        ///< … and its key
    std::string token_file{}; ///< its first word is a bearer token

    [[nodiscard]] bool is_network() const { return !url.empty(); }

    /// For messages.
    [[nodiscard]] const std::string& name() const { return is_network() ? url : socket; }
};

/// What the environment says where flags do not: PENSTOCK_SOCKET, PENSTOCK_API, PENSTOCK_CACERT,
/// PENSTOCK_CERT, PENSTOCK_KEY, PENSTOCK_TOKEN_FILE; empty if unset.
struct Surroundings {
    std::string socket{};
    std::string api{};
    std::string cacert{};
    std::string cert{};
    std::string key{};
    std::string token_file{};
};

/// By the flags of `invocation`. The socket is --socket, else control.sock in --runtime-dir, else the
/// environment's, else the default's. The network counts if --api is given, or PENSTOCK_API is set and none
/// of --socket and --runtime-dir is given. A Failure has ExitCode::usage.
[[nodiscard]] std::expected<Endpoint, Failure>
find_endpoint(const Invocation& invocation, const Surroundings& surroundings);

} // namespace penstock::cli
