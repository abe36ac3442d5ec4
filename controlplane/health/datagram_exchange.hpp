// SPDX-License-Identifier: Apache-2.0
// One datagram there, answers back until one decides: what UDP, DNS and ICMP probes have in common.
//
// Thread rule: the loop's thread.
#pragma once

#include "controlplane/health/probe_request.hpp"
#include "controlplane/health/probe_result.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

struct DatagramExchange {
    std::string what; ///< "udp", "dns", "icmp echo": begins every detail
    int fd = -1;      ///< not connected yet, owned from here on; or a negative errno
    std::string datagram;
    /// What a received datagram says; nothing if it is not the answer. REQUIRES: no call back into
    /// the exchange.
    std::move_only_function<std::optional<ProbeResult>(std::string_view)> judge;
};

/// Connects the socket to `request.target`, sends, and calls `done` once, never from within this
/// call, after at most the timeout or max_datagrams_read foreign answers.
void start_datagram_exchange(
    boost::asio::io_context& loop,
    const ProbeRequest& request,
    DatagramExchange exchange,
    ProbeDone done
);

inline constexpr std::size_t max_datagrams_read = 64;

} // namespace penstock
