// SPDX-License-Identifier: Apache-2.0
// Every tunnel, both families outside and inside: what leaves is taken apart by a reader that knows
// nothing of the writer.
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <random>
#include <tuple>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

struct Mode {
    Forwarding forwarding;
    std::uint8_t gue_variant;
    bool outer_ipv6;
    bool inner_ipv6;
};

std::string name_of(const testing::TestParamInfo<Mode>& info) {
    const Mode& mode = info.param;
    return std::string(to_string(mode.forwarding)) + std::to_string(mode.gue_variant) +
           (mode.inner_ipv6 ? "Six" : "Four") + "In" + (mode.outer_ipv6 ? "Six" : "Four");
}

std::vector<Mode> all_modes() {
    std::vector<Mode> modes;
    for (const bool outer : {false, true}) {
        for (const bool inner : {false, true}) {
            modes.push_back({Forwarding::ipip, 0, outer, inner});
            modes.push_back({Forwarding::gre, 0, outer, inner});
            modes.push_back({Forwarding::gue, 0, outer, inner});
            modes.push_back({Forwarding::gue, 1, outer, inner});
        }
    }
    return modes;
}

class TunnelTest : public testing::TestWithParam<Mode> {
protected:
    void SetUp() override {
        auto spec = test::service(
            vip(), {test::backend(GetParam().outer_ipv6 ? "2001:db8:1::b" : "10.0.1.11")}
        );
        spec.forwarding = GetParam().forwarding;
        spec.gue_variant = GetParam().gue_variant;
        auto state = test::desired({spec});
        state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::1");
        rig.use(state);
    }

    [[nodiscard]] const char* vip() const {
        return GetParam().inner_ipv6 ? "2001:db8::10" : "198.51.100.10";
    }

    [[nodiscard]] const char* client() const {
        return GetParam().inner_ipv6 ? "2001:db8:c::1" : "192.0.2.1";
    }

    [[nodiscard]] PacketBuilder addressed(PacketBuilder builder) const {
        return builder.from(client()).to(vip()).checksums();
    }

    // Reads the outer headers of what was sent and returns what is inside.
    Bytes open(const Bytes& frame, std::uint8_t tos) {
        const Mode& mode = GetParam();
        std::size_t at = 14;
        std::uint8_t protocol = 0;
        Bytes pseudo;
        if (mode.outer_ipv6) {
            const auto ip = read_header<Ipv6Header>(frame.data() + at);
            EXPECT_EQ(read_header<Be16>(frame.data() + 12), ethertype_ipv6);
            EXPECT_EQ(IpAddress::from_ipv6(ip.source), test::ip("2001:db8:f::1"));
            EXPECT_EQ(IpAddress::from_ipv6(ip.destination), test::ip("2001:db8:1::b"));
            EXPECT_EQ(ip.payload_length.host(), frame.size() - at - 40);
            EXPECT_EQ(ip.version_class_flow.host() >> 20U, 0x600U | tos);
            EXPECT_EQ(ip.hop_limit, 64);
            protocol = ip.next_header;
            pseudo.assign(frame.begin() + 22, frame.begin() + 54);
            at += 40;
        } else {
            const auto ip = read_header<Ipv4Header>(frame.data() + at);
            EXPECT_EQ(read_header<Be16>(frame.data() + 12), ethertype_ipv4);
            EXPECT_EQ(test::naive_checksum({frame.data() + at, 20}), 0);
            EXPECT_EQ(IpAddress::from_ipv4(ip.source), test::ip("10.0.0.1"));
            EXPECT_EQ(IpAddress::from_ipv4(ip.destination), test::ip("10.0.1.11"));
            EXPECT_EQ(ip.total_length.host(), frame.size() - at);
            EXPECT_EQ(ip.tos, tos);
            EXPECT_EQ(ip.ttl, 64);
            protocol = ip.protocol;
            at += 20;
        }
        const std::uint8_t inner_protocol = mode.inner_ipv6 ? 41 : 4;
        if (mode.forwarding == Forwarding::ipip) {
            EXPECT_EQ(protocol, inner_protocol);
        } else if (mode.forwarding == Forwarding::gre) {
            EXPECT_EQ(protocol, 47);
            EXPECT_EQ(Bytes(frame.begin() + at, frame.begin() + at + 4), gre());
            at += 4;
        } else {
            EXPECT_EQ(protocol, 17);
            check_udp({frame.begin() + at, frame.end()}, std::move(pseudo));
            at += 8;
            if (mode.gue_variant == 0) {
                EXPECT_EQ(
                    Bytes(frame.begin() + at, frame.begin() + at + 4),
                    (Bytes{0, inner_protocol, 0, 0})
                );
                at += 4;
            }
        }
        return {frame.begin() + at, frame.end()};
    }

    [[nodiscard]] Bytes gre() const {
        return GetParam().inner_ipv6 ? Bytes{0, 0, 0x86, 0xdd} : Bytes{0, 0, 0x08, 0x00};
    }

    // `pseudo`: the addresses; empty over IPv4, where the checksum is 0.
    static void check_udp(const Bytes& datagram, Bytes pseudo) {
        const auto udp = read_header<UdpHeader>(datagram.data());
        EXPECT_GE(udp.source_port.host(), 49152);
        EXPECT_EQ(udp.destination_port.host(), 6080);
        EXPECT_EQ(udp.length.host(), datagram.size());
        if (pseudo.empty()) {
            EXPECT_EQ(udp.checksum.raw, 0);
            return;
        }
        EXPECT_NE(udp.checksum.raw, 0);
        test::append_header(pseudo, Be32::from_host(static_cast<std::uint32_t>(datagram.size())));
        test::append(pseudo, {0, 0, 0, 17});
        test::append(pseudo, datagram);
        EXPECT_EQ(test::naive_checksum(pseudo), 0);
    }

    WorkerRig rig;
};

TEST_P(TunnelTest, WhatIsInsideStaysByteForByte) {
    for (std::size_t length = 0; length < 300; length += 7) {
        for (const auto& builder : {PacketBuilder::tcp(), PacketBuilder::tcp().vlan(5)}) {
            const Bytes frame = addressed(builder).tos(0xb9).payload(length).build();
            ASSERT_EQ(rig.send(frame).kind, VerdictKind::forward);
            Bytes sent = rig.sent[0];
            const std::size_t tags = read_header<Be16>(sent.data() + 12) == ethertype_vlan ? 4 : 0;
            ASSERT_TRUE(std::equal(frame.begin() + 12, frame.begin() + 12 + tags, sent.begin() + 12)
            );
            sent.erase(sent.begin() + 12, sent.begin() + 12 + static_cast<int>(tags));
            ASSERT_EQ(open(sent, 0xb9), Bytes(frame.begin() + 14 + tags, frame.end()));
        }
    }
}

// Inner checksums that cannot be used make the outer one no less right.
TEST_P(TunnelTest, UdpChecksumOfGueIsRightForEveryInside) {
    if (GetParam().forwarding != Forwarding::gue) {
        return; // the others have none
    }
    auto any = test::service(
        vip(), {test::backend(GetParam().outer_ipv6 ? "2001:db8:1::b" : "10.0.1.11", 0)}, 0
    );
    any.key.protocol = Protocol::any;
    any.forwarding = Forwarding::gue;
    any.gue_variant = GetParam().gue_variant;
    auto state = test::desired({any}, 2);
    state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::1");
    rig.use(state);
    std::vector<PacketBuilder> packets{
        PacketBuilder::udp().from(client()).to(vip()).payload(33),            // no checksum
        PacketBuilder::udp().from(client()).to(vip()).checksums().payload(8), //
        PacketBuilder::ip_protocol(50).from(client()).to(vip()).payload(31),
    };
    if (GetParam().inner_ipv6) {
        packets.push_back(addressed(PacketBuilder::tcp()).extension(60, Bytes(7)).payload(9));
    } else {
        packets.push_back(addressed(PacketBuilder::tcp()).options(Bytes(8, 1)).payload(9));
    }
    for (const PacketBuilder& packet : packets) {
        const Bytes frame = packet.build();
        ASSERT_EQ(rig.send(frame).kind, VerdictKind::forward);
        EXPECT_EQ(open(rig.sent[0], 0), Bytes(frame.begin() + 14, frame.end()));
    }
}

TEST_P(TunnelTest, AFlowKeepsItsEntropyAndFlowsDiffer) {
    const auto entropy_of = [&](std::uint16_t port) {
        const Bytes frame = PacketBuilder::tcp().from(client(), port).to(vip()).build();
        EXPECT_EQ(rig.send(frame).kind, VerdictKind::forward);
        const std::size_t ip = GetParam().outer_ipv6 ? 40 : 20;
        // IPv6: the flow label; UDP: the source port, too.
        return Bytes(rig.sent[0].begin() + 14, rig.sent[0].begin() + 18 + static_cast<long>(ip));
    };
    const bool varies = GetParam().outer_ipv6 || GetParam().forwarding == Forwarding::gue;
    EXPECT_EQ(entropy_of(1), entropy_of(1));
    if (varies) {
        EXPECT_NE(entropy_of(1), entropy_of(2));
    }
}

INSTANTIATE_TEST_SUITE_P(All, TunnelTest, testing::ValuesIn(all_modes()), name_of);

// A source prefix is filled from the flow hash: same flow, same source; all in the prefix.
TEST(TunnelSource, HostBitsComeFromTheFlow) {
    for (const bool six : {false, true}) {
        WorkerRig rig;
        auto state = test::desired(
            {test::service("198.51.100.10", {test::backend(six ? "2001:db8:1::b" : "10.0.1.11")})}
        );
        state.tunnel_sources.ipv4 = IpPrefix::parse("172.16.0.0/16");
        state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::/64");
        rig.use(state);
        std::set<IpAddress> sources;
        for (std::uint16_t port = 1; port <= 200; ++port) {
            const Bytes frame = PacketBuilder::tcp().from("192.0.2.1", port).build();
            ASSERT_EQ(rig.send(frame).kind, VerdictKind::forward);
            const std::uint8_t* const outer = rig.sent[0].data() + 14;
            const IpAddress source =
                six ? IpAddress::from_ipv6(read_header<Ipv6Header>(outer).source)
                    : IpAddress::from_ipv4(read_header<Ipv4Header>(outer).source);
            const auto& prefix = six ? state.tunnel_sources.ipv6 : state.tunnel_sources.ipv4;
            ASSERT_TRUE(prefix->contains(source)) << source.to_string();
            if (!six) {
                ASSERT_EQ(test::naive_checksum({outer, 20}), 0);
            }
            sources.insert(source);
            const Bytes before = rig.sent[0];
            rig.send(frame);
            ASSERT_EQ(rig.sent[0], before);
        }
        EXPECT_GT(sources.size(), 150U);
    }
}

} // namespace
} // namespace penstock
