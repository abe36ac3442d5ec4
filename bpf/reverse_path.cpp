// SPDX-License-Identifier: Apache-2.0
#include "bpf/reverse_path.hpp"

#include "bpf/sysctl.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace penstock::bpf {

namespace {

// Values of rp_filter; the kernel takes the larger of an interface's own and that of "all".
constexpr int off = 0;
constexpr int strict = 1;
constexpr int loose = 2;

std::string path_of(const std::string& interface) {
    return "ipv4/conf/" + interface + "/rp_filter";
}

} // namespace

BpfResult<void> ReversePath::open(unsigned int ifindex, const IpAddress& vip, RouteSocket& routes) {
    if (!vip.is_ipv4())
        return {};
    auto route = routes.ask_route(vip);
    if (!route)
        return std::unexpected(route.error());
    const std::string interface = interface_name(ifindex);
    const int all = read_sysctl(path_of("all")).value_or(off);
    const int own = read_sysctl(path_of(interface)).value_or(off);
    const int effective = std::max(all, own);
    const bool has_route = route->has_value();
    if (effective == off || (effective == loose && has_route))
        return {};
    if (!has_route && all != off)
        return BpfFailure(
            {fmt::format(
                 "the kernel has no route to VIP {}, and rp_filter of all interfaces is {}: it "
                 "would drop the answers to probes",
                 vip.to_string(),
                 all
             ),
             "add a default route, or `sysctl net.ipv4.conf.all.rp_filter=0`"}
        );
    static_assert(strict < loose);
    if (auto set = write_sysctl(path_of(interface), has_route ? loose : off); !set)
        return set;
    before_.emplace(interface, own);
    return {};
}

ReversePath::~ReversePath() {
    for (const auto& [interface, value] : before_) {
        // The interface may be gone; then so is its setting.
        [[maybe_unused]] const auto restored = write_sysctl(path_of(interface), value);
    }
}

} // namespace penstock::bpf
