// SPDX-License-Identifier: Apache-2.0
// ICMP probes: one echo request (RFC 792, RFC 4443 4.1) with a random payload that the reply must
// bring back. Needs CAP_NET_RAW, or a net.ipv4.ping_group_range that has our group.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <cstdint>

namespace penstock {

/// Calls `done` once, never from within this call. `token` is random: it tells our echo from
/// others'.
void start_icmp_probe(
    boost::asio::io_context& loop, const ProbeRequest& request, std::uint64_t token, ProbeDone done
);

} // namespace penstock
