// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/udp_probe.hpp"

#include "controlplane/health/datagram_exchange.hpp"

#include <fmt/format.h>
#include <utility>

namespace penstock {

void start_udp_probe(boost::asio::io_context& loop, const ProbeRequest& request, ProbeDone done) {
    const SocketAddress address(request.target);
    // The socket is connected: only the server's own datagrams come here. So the first one decides.
    auto judge = [probe = request.probe](std::string_view answer) -> std::optional<ProbeResult> {
        if (probe->expect.empty() || answer.find(probe->expect) != std::string_view::npos) {
            return make_good(fmt::format("udp answer of {} bytes", answer.size()));
        }
        return make_bad(fmt::format("udp answer {} lacks what is expected", quote_untrusted(answer))
        );
    };
    start_datagram_exchange(
        loop,
        request,
        {.what = "udp",
         .fd = open_probe_socket(address.family(), SOCK_DGRAM, 0, request.mark),
         .datagram = request.probe->send,
         .judge = std::move(judge)},
        std::move(done)
    );
}

} // namespace penstock
