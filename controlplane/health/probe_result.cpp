// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_result.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <system_error>
#include <utility>

namespace penstock {

ProbeResult make_good(std::string detail) {
    return {.outcome = ProbeOutcome::good, .detail = std::move(detail), .report = std::nullopt};
}

ProbeResult make_bad(std::string detail) {
    return {.outcome = ProbeOutcome::bad, .detail = std::move(detail), .report = std::nullopt};
}

ProbeResult make_inconclusive(std::string_view cause) {
    return {
        .outcome = ProbeOutcome::inconclusive,
        .detail = fmt::format("this host: {}", cause),
        .report = std::nullopt,
    };
}

ProbeResult describe_socket_error(std::string_view what, int system_errno) {
    switch (system_errno) {
    case ECONNREFUSED:
        return make_bad(fmt::format("{} refused", what));
    case ECONNRESET:
        return make_bad(fmt::format("{} reset", what));
    case ETIMEDOUT:
        return make_bad(fmt::format("{} timeout", what));
    case EHOSTUNREACH:
        return make_bad(fmt::format("{}: no answer from the host (no neighbour or route)", what));
    case ENETUNREACH:
        return make_bad(fmt::format("{}: no route to the network", what));
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
    case EAFNOSUPPORT:
        return make_inconclusive(
            fmt::format("{}: {}", what, std::generic_category().message(system_errno))
        );
    default:
        return make_bad(fmt::format("{}: {}", what, std::generic_category().message(system_errno)));
    }
}

std::string format_timeout(std::chrono::milliseconds timeout) {
    constexpr double ms_per_s = 1000.0;
    return timeout < std::chrono::seconds(1)
               ? fmt::format("{} ms", timeout.count())
               : fmt::format("{:.1f} s", static_cast<double>(timeout.count()) / ms_per_s);
}

std::string quote_untrusted(std::string_view text, std::size_t most) {
    const bool is_cut = text.size() > most;
    std::string out = "'";
    for (const char character : text.substr(0, most)) {
        out += character >= ' ' && character <= '~' && character != '\'' ? character : '?';
    }
    out += is_cut ? "…'" : "'";
    return out;
}

} // namespace penstock
