// SPDX-License-Identifier: Apache-2.0
// What a service asks of its flows beyond the plain way: affinity, tracking, the end of a server.
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>
#include <set>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr const char* vip = "198.51.100.10";

class ServicePolicyTest : public testing::Test {
protected:
    ServicePolicyTest() {
        for (int i = 1; i <= 16; ++i) {
            spec.backends.push_back(test::backend("10.0.1." + std::to_string(i)));
        }
    }

    void use() { rig.use(test::desired({spec}, ++generation)); }

    BackendId syn(const char* client, std::uint16_t port) {
        return rig
            .send(PacketBuilder::tcp().from(client, port).to(vip).flags(TcpHeader::syn).build())
            .backend;
    }

    Verdict ack(const char* client, std::uint16_t port) {
        return rig.send(PacketBuilder::tcp().from(client, port).to(vip).build());
    }

    BackendSpec& spec_of(BackendId id) {
        for (BackendSpec& backend : spec.backends) {
            if (rig.ids.backend(spec.key, backend.key) == id) {
                return backend;
            }
        }
        std::abort();
    }

    ServiceSpec spec = test::service(vip, {});
    WorkerRig rig;
    std::uint64_t generation = 0;
};

TEST_F(ServicePolicyTest, ClientAffinityIgnoresPortsAndHostBits) {
    spec.affinity = Affinity::client;
    spec.affinity_host_bits = 8;
    use();
    std::set<BackendId> over_all;
    for (int net = 0; net < 64; ++net) {
        std::set<BackendId> chosen;
        for (int host = 1; host < 20; ++host) {
            const std::string client = "203.0." + std::to_string(net) + "." + std::to_string(host);
            chosen.insert(syn(client.c_str(), static_cast<std::uint16_t>(1000 + host)));
        }
        EXPECT_EQ(chosen.size(), 1U);
        over_all.insert(*chosen.begin());
    }
    EXPECT_GT(over_all.size(), 8U);
    EXPECT_EQ(rig.flows().size(), 64U * 19) << "flows are tracked one by one all the same";
}

TEST_F(ServicePolicyTest, ClientPortAffinityIgnoresThePortOfTheVip) {
    spec.affinity = Affinity::client_port;
    spec.key.port = 0;
    for (BackendSpec& backend : spec.backends) {
        backend.key.port = 0;
    }
    use();
    std::set<BackendId> chosen;
    std::set<BackendId> others;
    for (std::uint16_t port = 1; port < 100; ++port) {
        chosen.insert(
            rig.send(PacketBuilder::tcp().from("192.0.2.1", 77).to(vip, port).build()).backend
        );
        others.insert(
            rig.send(PacketBuilder::tcp().from("192.0.2.1", port).to(vip, 80).build()).backend
        );
    }
    EXPECT_EQ(chosen.size(), 1U);
    EXPECT_GT(others.size(), 8U);
}

TEST_F(ServicePolicyTest, AnUntrackedServiceMakesNoEntries) {
    spec.track = false;
    use();
    const BackendId chosen = syn("192.0.2.1", 7);
    EXPECT_EQ(ack("192.0.2.1", 7).backend, chosen);
    EXPECT_EQ(rig.flows().size(), 0U);
    EXPECT_EQ(rig.counters->flow_misses.read(), 2U);
}

TEST_F(ServicePolicyTest, FlowsOfADeadServerGoElsewhereStayOrAreReset) {
    for (const DownPolicy policy : {DownPolicy::rehash, DownPolicy::keep, DownPolicy::reset}) {
        spec.on_down = policy;
        for (BackendSpec& backend : spec.backends) {
            backend.health = Health::up;
        }
        use();
        const auto port = static_cast<std::uint16_t>(100 + static_cast<int>(policy));
        const BackendId dead = syn("192.0.2.1", port);
        ack("192.0.2.1", port);
        spec_of(dead).health = Health::down;
        use();
        const Verdict verdict = ack("192.0.2.1", port);
        switch (policy) {
        case DownPolicy::rehash:
            EXPECT_EQ(verdict.kind, VerdictKind::forward);
            EXPECT_NE(verdict.backend, dead);
            break;
        case DownPolicy::keep:
            EXPECT_EQ(verdict.kind, VerdictKind::forward);
            EXPECT_EQ(verdict.backend, dead);
            EXPECT_NE(syn("192.0.2.1", port), dead) << "a new connection is another matter";
            break;
        case DownPolicy::reset:
            EXPECT_EQ(verdict.kind, VerdictKind::reply);
            EXPECT_NE(syn("192.0.2.1", port), dead);
            break;
        }
    }
}

TEST_F(ServicePolicyTest, TheResetIsWhatTheServersStackWouldSend) {
    spec.on_down = DownPolicy::reset;
    use();
    const BackendId dead = syn("192.0.2.1", 7);
    spec_of(dead).health = Health::down;
    use();
    const std::uint64_t flows = rig.flows().size();
    const Bytes data =
        PacketBuilder::tcp().from("192.0.2.1", 7).to(vip).payload(50).vlan(4).build();
    ASSERT_EQ(rig.send(data).kind, VerdictKind::reply);
    EXPECT_EQ(rig.flows().size(), flows - 1);
    Bytes expected = PacketBuilder::tcp()
                         .from(vip, 80)
                         .to("192.0.2.1", 7)
                         .flags(TcpHeader::rst)
                         .id(0)
                         .ttl(64)
                         .dont_fragment()
                         .vlan(4)
                         .build();
    // Sequence: what the client acknowledged; nothing else.
    Bytes sent = rig.sent[0];
    ASSERT_EQ(sent.size(), expected.size());
    const auto tcp = read_header<TcpHeader>(sent.data() + 38);
    EXPECT_EQ(tcp.sequence.host(), 1U);
    EXPECT_EQ(tcp.acknowledgement.host(), 0U);
    EXPECT_EQ(tcp.flags, TcpHeader::rst);
    EXPECT_TRUE(std::equal(sent.begin() + 18, sent.begin() + 42, expected.begin() + 18));
    const std::uint64_t pseudo = add_to_checksum(
        std::uint64_t{Be16::from_host(6).raw} + Be16::from_host(20).raw, {sent.data() + 30, 8}
    );
    EXPECT_EQ(fold_checksum(add_to_checksum(pseudo, {sent.data() + 38, 20})), 0xffff);
    EXPECT_EQ(rig.counters->replies.read(), 1U);
    // A RST is not answered by one.
    spec_of(dead).health = Health::up;
    use();
}

TEST_F(ServicePolicyTest, SynsAreClampedAndNothingElse) {
    spec.mss_clamp = 1400;
    use();
    const auto with_mss = [](std::uint8_t flags) {
        return PacketBuilder::tcp().to(vip).flags(flags).tcp_options({2, 4, 0x05, 0xb4}).build();
    };
    rig.send(with_mss(TcpHeader::syn));
    EXPECT_EQ(Bytes(rig.sent[0].end() - 4, rig.sent[0].end()), (Bytes{2, 4, 0x05, 0x78}));
    rig.send(with_mss(TcpHeader::ack));
    EXPECT_EQ(Bytes(rig.sent[0].end() - 4, rig.sent[0].end()), (Bytes{2, 4, 0x05, 0xb4}));
}

} // namespace
} // namespace penstock
