// SPDX-License-Identifier: Apache-2.0
// ICMP errors: to the backend of the flow that they quote, and about our own tunnels.
#include "dataplane/core/quoted_packet.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "198.51.100.10";
constexpr const char* vip6 = "2001:db8::10";
constexpr const char* client6 = "2001:db8:c::1";

// What a router that lost `frame` sends to `to`; `mtu` stands where too-big messages have it.
Bytes error_about(
    const Bytes& frame,
    const char* from,
    const char* to,
    std::uint8_t type,
    std::uint8_t code,
    std::size_t quoted_bytes = 200,
    std::uint16_t mtu = 0
) {
    const Bytes quoted(
        frame.begin() + 14,
        frame.begin() + 14 + static_cast<long>(std::min(quoted_bytes, frame.size() - 14))
    );
    const bool six = std::string_view(to).find(':') != std::string_view::npos;
    auto builder = six ? PacketBuilder::icmpv6_message() : PacketBuilder::icmp();
    Bytes message = builder.icmp_type(type, code).from(from, 0).to(to).payload(quoted).build();
    // The builder's last word is 1: the MTU takes its place, and the checksum nobody looks at.
    const std::size_t at = six ? 54 + 6 : 34 + 6;
    message[at] = static_cast<std::uint8_t>(mtu >> 8U);
    message[at + 1] = static_cast<std::uint8_t>(mtu & 0xffU);
    return message;
}

class IcmpErrorTest : public testing::Test {
protected:
    void SetUp() override {
        std::vector<BackendSpec> pool;
        std::vector<BackendSpec> pool6;
        for (int i = 1; i <= 8; ++i) {
            pool.push_back(test::backend("10.0.1." + std::to_string(i)));
            pool6.push_back(test::backend("2001:db8:1::" + std::to_string(i)));
        }
        state = test::desired({test::service(vip, pool), test::service(vip6, pool6)});
        state.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8:f::1");
        rig.use(state);
    }

    // What the server answers, which is what errors quote.
    static Bytes answer(std::uint16_t port, std::size_t payload = 100) {
        return PacketBuilder::tcp().from(vip, 80).to("192.0.2.1", port).payload(payload).build();
    }

    WorkerRig rig;
    DesiredState state;
};

TEST_F(IcmpErrorTest, FollowsTheFlowThatItQuotes) {
    for (std::uint16_t port = 1; port <= 200; ++port) {
        const Verdict flow = rig.send(
            PacketBuilder::tcp().from("192.0.2.1", port).to(vip).flags(TcpHeader::syn).build()
        );
        for (const std::uint8_t type : std::array<std::uint8_t, 3>{3, 11, 12}) {
            // Eight bytes of TCP are all that RFC 792 promises.
            const Bytes error = error_about(answer(port), "203.0.113.9", vip, type, 4, 28);
            const Verdict verdict = rig.send(error);
            ASSERT_EQ(verdict.kind, VerdictKind::forward);
            ASSERT_EQ(verdict.backend, flow.backend);
            // It travels whole, inside the tunnel.
            ASSERT_EQ(
                Bytes(rig.sent[0].begin() + 34, rig.sent[0].end()),
                Bytes(error.begin() + 14, error.end())
            );
        }
    }
    EXPECT_EQ(rig.flows().size(), 200U) << "errors make no entries";
}

TEST_F(IcmpErrorTest, Ipv6OnesToo) {
    const Verdict flow =
        rig.send(PacketBuilder::tcp().from(client6, 9).to(vip6).flags(TcpHeader::syn).build());
    const Bytes lost = PacketBuilder::tcp()
                           .from(vip6, 80)
                           .to(client6, 9)
                           .extension(60, Bytes(7))
                           .payload(50)
                           .build();
    for (std::uint8_t type = 1; type <= 4; ++type) {
        const Verdict verdict = rig.send(error_about(lost, "2001:db8:9::9", vip6, type, 0));
        EXPECT_EQ(verdict.kind, VerdictKind::forward);
        EXPECT_EQ(verdict.backend, flow.backend);
    }
}

TEST_F(IcmpErrorTest, WithoutAnEntryItGoesWhereTheFlowWouldGo) {
    const Verdict verdict = rig.send(error_about(answer(77), "203.0.113.9", vip, 3, 1));
    EXPECT_EQ(
        verdict.backend,
        rig.send(PacketBuilder::tcp().from("192.0.2.1", 77).to(vip).build()).backend
    );
}

TEST_F(IcmpErrorTest, AsksTheSiblings) {
    // The flow lives at a backend that the hash alone would not choose any more.
    const Verdict flow =
        rig.send(PacketBuilder::tcp().from("192.0.2.1", 5).to(vip).flags(TcpHeader::syn).build());
    auto changed = state;
    changed.generation = 2;
    for (BackendSpec& backend : changed.services[0].backends) {
        const bool is_its = rig.ids.backend(changed.services[0].key, backend.key) == flow.backend;
        backend.admin = is_its ? AdminState::drain : AdminState::ready;
    }
    rig.use(changed);
    WorkerRig other;
    other.snapshot = rig.snapshot;
    for (const Snapshot::Target& target : other.snapshot->targets()) {
        other.next_hops->set(target.id, WorkerRig::hop_of(target.id));
    }
    const Bytes error = error_about(answer(5), "203.0.113.9", vip, 3, 4);
    EXPECT_NE(other.send(error).backend, flow.backend);
    const std::array<WorkerTables, 1> tables{
        WorkerTables{.flows = &rig.worker.flows, .fragments = &rig.worker.fragments}
    };
    other.worker.siblings = tables;
    EXPECT_EQ(other.send(error).backend, flow.backend);
}

TEST_F(IcmpErrorTest, WhatQuotesNoPacketOfTheVipIsDropped) {
    const auto reason_of = [&](const Bytes& frame) {
        const Verdict verdict = rig.send(frame);
        EXPECT_EQ(verdict.kind, VerdictKind::drop);
        return verdict.reason;
    };
    const Bytes foreign = PacketBuilder::tcp().from("198.51.100.9", 80).to("192.0.2.1", 5).build();
    const Bytes other_port = PacketBuilder::tcp().from(vip, 81).to("192.0.2.1", 5).build();
    EXPECT_EQ(
        reason_of(error_about(foreign, "203.0.113.9", vip, 3, 1)), DropReason::bad_icmp_error
    );
    EXPECT_EQ(reason_of(error_about(other_port, "203.0.113.9", vip, 3, 1)), DropReason::no_service);
    for (std::size_t quoted = 0; quoted < 24; ++quoted) {
        EXPECT_EQ(
            reason_of(error_about(answer(5), "203.0.113.9", vip, 3, 1, quoted)),
            DropReason::bad_icmp_error
        );
    }
}

// Every truncation of every kind: nothing outside is read (FrameBuffer and ASan see to it).
TEST_F(IcmpErrorTest, ReadsNothingOutside) {
    const Bytes lost = PacketBuilder::tcp()
                           .from(vip6, 80)
                           .to(client6, 9)
                           .extension(44, Bytes(7))
                           .extension(0, Bytes(7))
                           .build();
    for (const Bytes& whole :
         {error_about(lost, "2001:db8:9::9", vip6, 2, 0),
          error_about(answer(5), "203.0.113.9", vip, 3, 4)}) {
        for (std::size_t length = 14; length <= whole.size(); ++length) {
            rig.send({whole.begin(), whole.begin() + static_cast<long>(length)});
        }
    }
    for (std::size_t length = 0; length < 60; ++length) {
        const Bytes quoted(length, 0x60);
        EXPECT_FALSE(length < 40 && parse_quoted(quoted, Family::ipv6));
        const Bytes four(length, 0x4f);
        EXPECT_FALSE(parse_quoted(four, Family::ipv4)) << "60 bytes of header";
    }
}

class TunnelErrorTest : public IcmpErrorTest {
protected:
    // Sends a large packet, which leaves in the tunnel, and returns it as a router behind us sees it.
    Bytes tunnelled(bool six) {
        auto builder = PacketBuilder::tcp()
                           .from(six ? client6 : "192.0.2.1", 9)
                           .to(six ? vip6 : vip)
                           .payload(six ? 1300 : 1000);
        if (!six) {
            builder.dont_fragment();
        }
        rig.send(builder.build());
        return rig.sent[0];
    }

    static constexpr const char* tunnel_source = "10.0.0.1";

    // What becomes of "fragmentation needed" about the tunnel packet in which `inner` leaves.
    Verdict complain_about(const Bytes& inner, std::uint16_t mtu = 900) {
        rig.send(inner);
        return rig.send(error_about(Bytes(rig.sent[0]), "10.9.9.9", tunnel_source, 3, 4, 500, mtu));
    }
};

TEST_F(TunnelErrorTest, TooBigLowersTheMtuAndTellsTheClient) {
    for (const bool six : {false, true}) {
        const Bytes lost = tunnelled(six);
        const std::uint16_t mtu = six ? 1350 : 900;
        const Bytes error =
            six ? error_about(lost, "2001:db8:9::9", "2001:db8:f::1", 2, 0, 500, mtu)
                : error_about(lost, "10.9.9.9", "10.0.0.1", 3, 4, 500, mtu);
        const Verdict verdict = rig.send(error);
        ASSERT_EQ(verdict.kind, VerdictKind::reply);
        const Bytes& message = rig.sent[0];
        const std::size_t ip_bytes = six ? 40 : 20;
        const std::uint8_t* const icmp = message.data() + 14 + ip_bytes;
        EXPECT_EQ(icmp[0], six ? 2 : 3);
        EXPECT_EQ(icmp[6] << 8U | icmp[7], mtu - ip_bytes) << "less the tunnel";
        // It quotes the client's packet.
        const std::size_t quoted = message.size() - 14 - ip_bytes - 8;
        EXPECT_GE(quoted, ip_bytes + 8);
        EXPECT_TRUE(
            std::equal(icmp + 8, icmp + 8 + quoted, lost.begin() + 14 + static_cast<long>(ip_bytes))
        );
        if (six) {
            const auto length = static_cast<std::uint32_t>(8 + quoted);
            const std::uint64_t pseudo = add_pseudo_header_ipv6(0, message.data() + 22, length, 58);
            EXPECT_EQ(fold_checksum(add_to_checksum(pseudo, {icmp, length})), 0xffff);
        } else {
            EXPECT_EQ(test::naive_checksum({icmp, 8 + quoted}), 0);
            EXPECT_EQ(test::naive_checksum({message.data() + 14, 20}), 0);
        }
    }
    // From now on the client is told by ourselves.
    const Bytes large =
        PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).dont_fragment().payload(1000).build();
    EXPECT_EQ(rig.send(large).kind, VerdictKind::reply);
    rig.pass_seconds(604);
    EXPECT_EQ(rig.send(large).kind, VerdictKind::forward) << "forgotten after ten minutes";
}

// RFC 1191: only who asked for it by DF is told. The next such packet is cut.
TEST_F(TunnelErrorTest, WhoMayBeCutIsNotTold) {
    const Bytes soft = PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).payload(1000).build();
    EXPECT_EQ(complain_about(soft).reason, DropReason::tunnel_error);
    const Verdict verdict = rig.send(soft);
    EXPECT_EQ(verdict.kind, VerdictKind::forward);
    EXPECT_EQ(verdict.cut_mtu, 900);
}

TEST_F(TunnelErrorTest, NobodyIsToldOfAnIcmpErrorOrOfWhatFits) {
    Bytes hard = error_about(answer(9, 1000), "203.0.113.9", vip, 3, 4, 1200);
    hard[20] = 0x40; // DF
    const std::span<std::uint8_t> header(hard.data() + 14, 20);
    header[10] = header[11] = 0;
    const std::uint16_t checksum = test::naive_checksum(header);
    header[10] = static_cast<std::uint8_t>(checksum >> 8U);
    header[11] = static_cast<std::uint8_t>(checksum & 0xffU);
    EXPECT_EQ(complain_about(hard).reason, DropReason::tunnel_error);
    const Bytes small =
        PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).dont_fragment().payload(100).build();
    EXPECT_EQ(complain_about(small, 890).reason, DropReason::tunnel_error);
}

// No IPv6 sender believes less than 1,280 (RFC 8201 4), so that is what it is told.
TEST_F(TunnelErrorTest, AnIpv6ClientIsToldOf1280AtLeast) {
    const Bytes lost = tunnelled(true);
    ASSERT_EQ(
        rig.send(error_about(lost, "2001:db8:9::9", "2001:db8:f::1", 2, 0, 500, 1290)).kind,
        VerdictKind::reply
    );
    const std::uint8_t* const icmp = rig.sent[0].data() + 14 + 40;
    EXPECT_EQ(icmp[6] << 8U | icmp[7], 1280);
    const auto of = [](std::size_t payload) {
        return PacketBuilder::tcp().from(client6, 9).to(vip6).payload(payload).build();
    };
    EXPECT_EQ(rig.send(of(1300)).kind, VerdictKind::reply);
    EXPECT_EQ(rig.send(of(1220)).reason, DropReason::too_big) << "1,280 bytes cannot be fewer";
}

// Services of one backend address, each with a tunnel of its own: the quoted packet says whose.
TEST_F(TunnelErrorTest, TheTunnelIsFoundByWhatIsQuoted) {
    std::vector<ServiceSpec> services;
    std::uint16_t port = 100;
    for (const Forwarding forwarding : {Forwarding::ipip, Forwarding::gre, Forwarding::gue}) {
        for (const char* address : {vip6, vip}) {
            auto one = test::service(address, {test::backend("10.0.1.1", port)}, port);
            one.forwarding = forwarding;
            services.push_back(one);
            ++port;
        }
    }
    DesiredState other = test::desired(services, 2);
    other.tunnel_sources.ipv6 = state.tunnel_sources.ipv6;
    rig.use(other);
    for (std::uint16_t i = 0; i < services.size(); ++i) {
        const bool six = !services[i].key.vip.is_ipv4();
        auto builder = PacketBuilder::tcp()
                           .from(six ? client6 : "192.0.2.1", 9)
                           .to(six ? vip6 : vip, services[i].key.port)
                           .payload(1300);
        if (!six) {
            builder.dont_fragment();
        }
        const Bytes inner = builder.build();
        const auto mtu = static_cast<std::uint16_t>(1330 - i); // each a lower one
        ASSERT_EQ(rig.send(inner).kind, i == 0 ? VerdictKind::forward : VerdictKind::reply);
        rig.worker.path_mtus.forget();
        ASSERT_EQ(complain_about(inner, mtu).kind, VerdictKind::reply) << i;
        EXPECT_EQ(rig.sent[0][12], six ? 0x86 : 0x08) << "the tunnel was over IPv4";
        const std::size_t quoted = 14 + (six ? 40U : 20U) + 8;
        EXPECT_TRUE(std::equal(
            rig.sent[0].begin() + static_cast<long>(quoted), rig.sent[0].end(), inner.begin() + 14
        )) << i;
    }
}

// Coarse time wraps after 8,192 s.
TEST_F(TunnelErrorTest, AnOldMtuDoesNotComeBackWithTheWrap) {
    const Bytes large =
        PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).dont_fragment().payload(1000).build();
    ASSERT_EQ(complain_about(large).kind, VerdictKind::reply);
    for (int i = 0; i < 4; ++i) {
        rig.pass_seconds(8192 / 4);
        rig.expire();
    }
    EXPECT_EQ(rig.send(large).kind, VerdictKind::forward);
}

TEST_F(TunnelErrorTest, WithoutTheInnerHeaderOnlyTheMtuIsNoted) {
    const Bytes lost = tunnelled(false);
    const Verdict verdict = rig.send(error_about(lost, "10.9.9.9", "10.0.0.1", 3, 4, 28, 900));
    EXPECT_EQ(verdict.reason, DropReason::tunnel_error);
    const Bytes large =
        PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).dont_fragment().payload(1000).build();
    EXPECT_EQ(rig.send(large).kind, VerdictKind::reply);
}

TEST_F(TunnelErrorTest, WhatIsNotBelievedChangesNothing) {
    const Bytes lost = tunnelled(false);
    const Bytes foreign =
        PacketBuilder::ip_protocol(4).from("10.0.0.1").to("10.7.7.7").payload(100).build();
    const Bytes not_tunnel =
        PacketBuilder::tcp().from("10.0.0.1").to("10.0.1.1").payload(100).build();
    EXPECT_EQ(
        rig.send(error_about(foreign, "10.9.9.9", "10.0.0.1", 3, 4, 500, 900)).kind,
        VerdictKind::kernel
    );
    EXPECT_EQ(
        rig.send(error_about(not_tunnel, "10.9.9.9", "10.0.0.1", 3, 4, 500, 900)).kind,
        VerdictKind::kernel
    );
    EXPECT_EQ(
        rig.send(error_about(lost, "10.9.9.9", "10.0.0.1", 3, 4, 500, 68)).reason,
        DropReason::tunnel_error
    );
    EXPECT_EQ(
        rig.send(error_about(lost, "10.9.9.9", "10.0.0.1", 3, 1, 500, 900)).reason,
        DropReason::tunnel_error
    );
    const Bytes large =
        PacketBuilder::tcp().from("192.0.2.1", 9).to(vip).dont_fragment().payload(1000).build();
    EXPECT_EQ(rig.send(large).kind, VerdictKind::forward);
}

} // namespace
} // namespace penstock
