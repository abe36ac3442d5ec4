// SPDX-License-Identifier: Apache-2.0
#include "bpf/mark_routing.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

namespace penstock::bpf {

namespace {

using Buffer = std::array<char, 512>;

constexpr int leftovers_max = 16; // rules alike that are removed; more than one is an accident
// Room for the largest outer headers (IPv6, UDP, GUE: 52 bytes) in an MTU of 1500.
constexpr std::uint32_t probe_mtu_bytes = 1400;

int change_rule(RouteSocket& routes, std::uint16_t type, std::uint8_t family) {
    alignas(nlmsghdr) Buffer buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    if (type == RTM_NEWRULE)
        message->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
    auto* const body =
        static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(message, sizeof(fib_rule_hdr)));
    body->family = family;
    body->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(message, FRA_PRIORITY, probe_rule_priority);
    mnl_attr_put_u32(message, FRA_FWMARK, probe_mark);
    mnl_attr_put_u32(message, FRA_FWMASK, probe_mark_mask);
    mnl_attr_put_u32(message, FRA_TABLE, probe_table);
    return routes.exchange(message);
}

void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
    const std::size_t skipped = address.is_ipv4() ? 12 : 0;
    mnl_attr_put(message, type, address.bytes().size() - skipped, address.bytes().data() + skipped);
}

struct Route {
    std::uint8_t family = AF_INET;
    unsigned int ifindex = 0;
    const IpAddress* destination = nullptr; ///< nothing: any
    const IpAddress* source = nullptr;      ///< nothing: the kernel's choice
};

int add_route(RouteSocket& routes, const Route& route) {
    alignas(nlmsghdr) Buffer buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_NEWROUTE;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    auto* const body = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    body->rtm_family = route.family;
    body->rtm_protocol = RTPROT_STATIC;
    body->rtm_scope = route.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    body->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(message, RTA_TABLE, probe_table);
    mnl_attr_put_u32(message, RTA_OIF, route.ifindex);
    if (route.destination != nullptr) {
        body->rtm_dst_len = route.family == AF_INET ? 32 : 128;
        put_address(message, RTA_DST, *route.destination);
    }
    if (route.source != nullptr)
        put_address(message, RTA_PREFSRC, *route.source);
    nlattr* const metrics = mnl_attr_nest_start(message, RTA_METRICS);
    mnl_attr_put_u32(message, RTAX_MTU, probe_mtu_bytes);
    mnl_attr_nest_end(message, metrics);
    return routes.exchange(message);
}

void remove_rules(RouteSocket& routes) {
    for (const std::uint8_t family : std::to_array<std::uint8_t>({AF_INET, AF_INET6})) {
        for (int removed = 0; removed < leftovers_max; ++removed) {
            if (change_rule(routes, RTM_DELRULE, family) != 0)
                break;
        }
    }
}

BpfResult<void> start_family(RouteSocket& routes, std::uint8_t family, unsigned int ifindex) {
    int error_number = add_route(routes, {.family = family, .ifindex = ifindex});
    if (error_number == 0)
        error_number = change_rule(routes, RTM_NEWRULE, family);
    if (error_number != 0)
        return kernel_failure(
            fmt::format("cannot route IPv{} probes by their mark", family == AF_INET ? 4 : 6),
            error_number,
            fmt::format(
                "see `ip rule` and `ip route show table {}`; the kernel needs "
                "CONFIG_IP_MULTIPLE_TABLES and CONFIG_IPV6_MULTIPLE_TABLES",
                probe_table
            )
        );
    return {};
}

} // namespace

BpfResult<MarkRouting> MarkRouting::start(unsigned int ifindex, bool with_ipv6) {
    auto socket = RouteSocket::open();
    if (!socket)
        return std::unexpected(socket.error());
    MarkRouting routing(std::make_unique<RouteSocket>(std::move(*socket)), ifindex);
    remove_rules(*routing.routes_);
    if (auto started = start_family(*routing.routes_, AF_INET, ifindex); !started)
        return std::unexpected(started.error());
    if (with_ipv6) {
        if (auto started = start_family(*routing.routes_, AF_INET6, ifindex); !started)
            return std::unexpected(started.error());
    }
    return routing;
}

BpfResult<void> MarkRouting::prefer_source(const IpAddress& vip, const IpAddress& source) {
    const Route route{
        .family = static_cast<std::uint8_t>(vip.is_ipv4() ? AF_INET : AF_INET6),
        .ifindex = ifindex_,
        .destination = &vip,
        .source = &source,
    };
    if (const int error_number = add_route(*routes_, route); error_number != 0)
        return kernel_failure(
            fmt::format("cannot route probes of {} from {}", vip.to_string(), source.to_string()),
            error_number,
            fmt::format("see `ip route show table {}`", probe_table)
        );
    return {};
}

MarkRouting::~MarkRouting() {
    if (routes_)
        remove_rules(*routes_);
}

} // namespace penstock::bpf
