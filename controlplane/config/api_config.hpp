// SPDX-License-Identifier: Apache-2.0
// [api] as values: the optional TCP listener of penstock-cp's API, and who may use it.
//
// Thread rule: plain values that have passed validation (read_api.cpp). Files are named, not read:
// certificates and tokens belong to the node and never travel with a configuration.
#pragma once

#include "controlplane/config/place.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

/// What a client of the network may do; each may do what the ones before it may.
enum class ApiRole : std::uint8_t { viewer, shift, admin };

/// "viewer", "operator", "admin".
[[nodiscard]] std::string_view to_string(ApiRole role);
/// Nothing for any other word.
[[nodiscard]] std::optional<ApiRole> parse_api_role(std::string_view word);

/// A client that is known by its certificate: exactly one of `subject` and `san`.
struct ApiClientConfig {
    std::string name;    ///< what audit log and history call it
    std::string subject; ///< the whole subject as RFC 2253 writes it: "CN=eva,O=Example"
    std::string san;     ///< one subject alternative name: "DNS:…", "URI:…", "email:…" or "IP:…"
    ApiRole role = ApiRole::viewer;

    friend bool operator==(const ApiClientConfig&, const ApiClientConfig&) = default;
};

/// Invariant: a client can prove who it is, by a token or a certificate.
struct ApiConfig {
    IpAddress address;
    std::uint16_t port = 0;
    Origin listen_place;
    std::string certificate; ///< absolute path of a chain in PEM
    Origin certificate_place;
    std::string key; ///< absolute path of its private key in PEM
    Origin key_place;
    std::string client_ca; ///< absolute path; empty: no client certificates
    Origin client_ca_place;
    std::vector<ApiClientConfig> clients; ///< not empty if client_ca is set
    std::string token_file;               ///< absolute path; empty: no tokens
    Origin token_file_place;
    std::vector<IpPrefix> allow;            ///< who may connect; empty: everybody
    std::uint32_t requests_per_second = 50; ///< of one client, kept up; twice as many at once

    friend bool operator==(const ApiConfig&, const ApiConfig&) = default;
};

} // namespace penstock::config
