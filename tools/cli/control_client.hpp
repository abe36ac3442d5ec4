// SPDX-License-Identifier: Apache-2.0
// One HTTP request to penstock-cp, over its Unix socket or over the network with TLS 1.3
// (docs/reference/api.md).
//
// Thread rule: one owner. Bounded: a reply of at most max_reply_bytes, within the time-out. The
// other end is not trusted to be right: what it sends is JSON of the API or a Failure.
#pragma once

#include "tools/cli/endpoint.hpp"
#include "tools/cli/failure.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace penstock::cli {

class Output;

inline constexpr std::size_t max_reply_bytes = 64U << 20U;

class ControlClient {
public:
    /// `output` shows progress when a request takes longer than a second.
    ControlClient(Endpoint endpoint, double timeout_s, Output& output);

    /// `path` is absolute, with escaped segments (escape_segment) and query. A status of 400 and
    /// above is a Failure with the control plane's words.
    [[nodiscard]] std::expected<boost::json::value, Failure> get(std::string_view path);

    /// As get(); `what` is the progress line ("applying penstock.toml").
    [[nodiscard]] std::expected<boost::json::value, Failure> post(
        std::string_view path,
        std::string_view body,
        std::string_view content_type,
        std::string_view what
    );

    /// As post(), for a change of another method: "PUT", "DELETE".
    [[nodiscard]] std::expected<boost::json::value, Failure> change(
        std::string_view method, std::string_view path, std::string_view body, std::string_view what
    );

    /// A document that is no JSON: a configuration.
    [[nodiscard]] std::expected<std::string, Failure> get_text(std::string_view path);

private:
    struct Request {
        std::string path;
        std::string_view body;
        std::string_view content_type;
        std::string_view what;
        std::string method = "GET";
    };

    [[nodiscard]] std::expected<boost::json::value, Failure> send(const Request& request);
    /// The body of a good reply.
    [[nodiscard]] std::expected<std::string, Failure> exchange(const Request& request);

    Endpoint endpoint_;
    double timeout_s_;
    Output& output_;
};

/// Percent-encoded for one segment of a path or one value of a query.
[[nodiscard]] std::string escape_segment(std::string_view text);

} // namespace penstock::cli
