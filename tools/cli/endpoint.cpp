// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/endpoint.hpp"

#include "tools/cli/arguments.hpp"

#include <fmt/format.h>

#include <utility>

namespace penstock::cli {
namespace {

std::unexpected<Failure> refuse(std::string cause, std::string remedy) {
    return std::unexpected(
        Failure{.code = ExitCode::usage, .cause = std::move(cause), .remedy = std::move(remedy)}
    );
}

std::string
text_of(const Invocation& invocation, std::string_view option, const std::string& fallback) {
    return invocation.has(option) ? invocation.text(option) : fallback;
}

std::string find_socket(const Invocation& invocation, const std::string& fallback) {
    if (invocation.has("socket"))
        return invocation.text("socket");
    if (invocation.has("runtime-dir"))
        return fmt::format("{}/{}", invocation.text("runtime-dir"), socket_file);
    return fallback.empty() ? fmt::format("{}/{}", default_runtime_dir, socket_file) : fallback;
}

/// "https://HOST:PORT".
bool is_address(std::string_view url) {
    constexpr std::string_view scheme = "https://";
    if (!url.starts_with(scheme))
        return false;
    url.remove_prefix(scheme.size());
    return !url.empty() && url.find_first_of("/?#@ ") == std::string_view::npos;
}

} // namespace

std::expected<Endpoint, Failure>
find_endpoint(const Invocation& invocation, const Surroundings& surroundings) {
    Endpoint endpoint{.socket = find_socket(invocation, surroundings.socket)};
    const bool is_local = invocation.has("socket") || invocation.has("runtime-dir");
    if (is_local && invocation.has("api"))
        return refuse("--api and a socket are two control planes", "leave out --api, or --socket");
    std::string url = text_of(invocation, "api", is_local ? "" : surroundings.api);
    if (url.empty()) {
        for (const std::string_view name : {"cacert", "cert", "key", "token-file"}) {
            if (invocation.has(name))
                return refuse(
                    fmt::format("--{} is of no use without --api", name),
                    "add --api https://HOST:PORT"
                );
        }
        return endpoint;
    }
    if (url.ends_with('/'))
        url.pop_back();
    if (!is_address(url))
        return refuse(
            fmt::format("'{}' is no address of an API", url),
            "write https://HOST:PORT, as [api] listen says it"
        );
    endpoint.url = std::move(url);
    endpoint.ca = text_of(invocation, "cacert", surroundings.cacert);
    endpoint.cert = text_of(invocation, "cert", surroundings.cert);
    endpoint.key = text_of(invocation, "key", surroundings.key);
    endpoint.token_file = text_of(invocation, "token-file", surroundings.token_file);
    if (endpoint.cert.empty() != endpoint.key.empty())
        return refuse(
            "--cert and --key belong together: one of them is missing", "see: penstock --help"
        );
    return endpoint;
}

} // namespace penstock::cli
