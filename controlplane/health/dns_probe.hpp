// SPDX-License-Identifier: Apache-2.0
// DNS probes: a query for `query` over UDP, an answer with the expected rcode, and with the
// expected address if one is given (RFC 1035; A and AAAA).
//
// Thread rule: the loop's thread; the first two functions are pure.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

/// A query with recursion desired and one question. REQUIRES: probe.query is a domain name, which
/// the parser checks.
[[nodiscard]] std::string make_dns_query(const config::ProbeConfig& probe, std::uint16_t id);

/// What an answer says; nothing if it is not one to this query. Any bytes are fine.
[[nodiscard]] std::optional<ProbeResult>
judge_dns_answer(const config::ProbeConfig& probe, std::uint16_t id, std::string_view answer);

/// Calls `done` once, never from within this call. `id` is random.
void start_dns_probe(
    boost::asio::io_context& loop, const ProbeRequest& request, std::uint16_t id, ProbeDone done
);

} // namespace penstock
