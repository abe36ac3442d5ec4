// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/steered_traffic.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace penstock {
namespace {

ServiceSpec service(const char* vip, std::uint8_t host_bits, Forwarding forwarding) {
    ServiceSpec spec;
    spec.key.vip = *IpAddress::parse(vip);
    spec.key.port = 80;
    spec.key.host_bits = host_bits;
    spec.forwarding = forwarding;
    return spec;
}

TEST(SteeredTraffic, HoldsPrefixesAndNatSourcesOnce) {
    DesiredState desired;
    desired.services = {
        service("198.51.100.10", 0, Forwarding::l2dsr),
        service("198.51.100.10", 0, Forwarding::nat),
        service("2001:db8:10::", 64, Forwarding::ipip),
    };
    desired.services[1].key.port = 443;
    desired.nat_sources = {*IpAddress::parse("192.0.2.200")};
    const std::vector<IpPrefix> vips = steered_vips(desired);
    ASSERT_EQ(vips.size(), 3U);
    EXPECT_TRUE(std::ranges::is_sorted(vips));
    for (const char* const text : {"198.51.100.10", "2001:db8:10::/64", "192.0.2.200"}) {
        EXPECT_NE(std::ranges::find(vips, *IpPrefix::parse(text)), vips.end()) << text;
    }
}

TEST(SteeredTraffic, MarksOnlyTunnels) {
    const TunnelSources defaults{.ipv4 = IpPrefix::parse("10.0.1.1"), .ipv6 = std::nullopt};
    DesiredState desired;
    desired.services = {service("198.51.100.10", 0, Forwarding::l2dsr)};
    EXPECT_EQ(tunnel_marks(desired, defaults), TunnelMarks{});
    desired.services.push_back(service("198.51.100.11", 0, Forwarding::gue));
    EXPECT_EQ(
        tunnel_marks(desired, defaults),
        (TunnelMarks{.sources = {*IpPrefix::parse("10.0.1.1")}, .gue_ports = {default_gue_port}})
    );
    desired.tunnel_sources.ipv4 = IpPrefix::parse("10.9.0.0/24");
    EXPECT_EQ(
        tunnel_marks(desired, defaults).sources, std::vector{*IpPrefix::parse("10.9.0.0/24")}
    );
}

} // namespace
} // namespace penstock
