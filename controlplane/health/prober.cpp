// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/prober.hpp"

#include "controlplane/health/agent_probe.hpp"
#include "controlplane/health/dns_probe.hpp"
#include "controlplane/health/icmp_probe.hpp"
#include "controlplane/health/udp_probe.hpp"

#include <cstdlib>
#include <utility>

namespace penstock {

using config::ProbeType;

Prober::Prober(boost::asio::io_context& loop)
    : loop_(loop), tcp_(loop), http_(loop), script_(loop) {}

void Prober::start(const ProbeRequest& request, ProbeDone done) {
    switch (request.probe->type) {
    case ProbeType::tcp:
        return tcp_.start(request, std::move(done));
    case ProbeType::http:
    case ProbeType::https:
    case ProbeType::grpc:
        return http_.start(request, std::move(done));
    case ProbeType::udp:
        return start_udp_probe(loop_, request, std::move(done));
    case ProbeType::icmp:
        return start_icmp_probe(
            loop_, request, (std::uint64_t{random_()} << 32U) | random_(), std::move(done)
        );
    case ProbeType::dns:
        return start_dns_probe(
            loop_, request, static_cast<std::uint16_t>(random_()), std::move(done)
        );
    case ProbeType::script:
        return script_.start(request, std::move(done));
    case ProbeType::agent:
        return start_agent_probe(loop_, request, std::move(done));
    case ProbeType::none:
        break;
    }
    std::abort();
}

std::size_t cost_of_start(ProbeType type) {
    switch (type) {
    case ProbeType::http:
    case ProbeType::https:
    case ProbeType::grpc:
        return 8;
    case ProbeType::script:
        return 32;
    default:
        return 1;
    }
}

} // namespace penstock
