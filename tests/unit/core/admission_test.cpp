// SPDX-License-Identifier: Apache-2.0
// Access lists and limits through the pipeline, and what a desired state may not say of them, of NAT
// and of QUIC.
#include "dataplane/core/admission.hpp"

#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

std::vector<IpPrefix> prefixes(const std::vector<std::string>& texts) {
    std::vector<IpPrefix> list;
    for (const std::string& text : texts) {
        list.push_back(*IpPrefix::parse(text));
    }
    return list;
}

class AdmissionTest : public testing::Test {
protected:
    void apply() {
        auto state = test::desired({pool}, ++generation);
        state.access = global;
        rig.use(state);
    }

    static Bytes
    segment(const std::string& client, std::uint16_t port, std::uint8_t flags = TcpHeader::syn) {
        return PacketBuilder::tcp().from(client, port).to("198.51.100.10", 80).flags(flags).build();
    }

    // "forward", or the name of the drop reason.
    std::string send(const Bytes& frame) {
        const Verdict verdict = rig.send(frame);
        return verdict.kind == VerdictKind::forward ? "forward"
                                                    : std::string(drop_reason_name(verdict.reason));
    }

    WorkerRig rig;
    ServiceSpec pool =
        test::service("198.51.100.10", {test::backend("10.0.1.1"), test::backend("10.0.1.2")});
    AccessSpec global;
    std::uint64_t generation = 0;
};

TEST_F(AdmissionTest, DenyComesBeforeAllow) {
    pool.access = {.allow = prefixes({"192.0.2.0/24"}), .deny = prefixes({"192.0.2.128/25"})};
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "forward");
    EXPECT_EQ(send(segment("192.0.2.129", 1)), "source_denied");
    EXPECT_EQ(send(segment("203.0.113.1", 1)), "source_not_allowed");
    EXPECT_EQ(rig.drops(DropReason::source_denied), 1U);
}

TEST_F(AdmissionTest, TheGlobalListHoldsForEveryServiceAndPacket) {
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "forward");
    global.deny = prefixes({"192.0.2.1", "2001:db8::/32"});
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::ack)), "source_denied") << "established too";
    EXPECT_EQ(send(segment("192.0.2.2", 1)), "forward");
    global = {};
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::ack)), "forward");
}

TEST_F(AdmissionTest, ListsThatDidNotChangeAreShared) {
    pool.access.deny = prefixes({"192.0.2.1"});
    global.deny = prefixes({"192.0.2.2"});
    apply();
    const auto before = rig.snapshot;
    pool.backends[0].weight = 7;
    apply();
    const ServiceId id = rig.ids.service(pool.key);
    EXPECT_EQ(rig.snapshot->access_of(id), before->access_of(id));
    EXPECT_EQ(rig.snapshot->global_access(), before->global_access());
    pool.access.deny = prefixes({"192.0.2.3"});
    apply();
    EXPECT_NE(rig.snapshot->access_of(id), before->access_of(id));
}

TEST_F(AdmissionTest, NewFlowsASecond) {
    pool.limits.new_flows_per_s = 5;
    apply();
    rig.worker.now_ms = 1000;
    for (std::uint16_t port = 1; port <= 5; ++port) {
        EXPECT_EQ(send(segment("192.0.2.1", port)), "forward");
    }
    EXPECT_EQ(send(segment("192.0.2.1", 6)), "service_flow_rate");
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::ack)), "forward") << "established ones pass";
    rig.worker.now_ms = 1200;
    EXPECT_EQ(send(segment("192.0.2.1", 6)), "forward");
    EXPECT_EQ(send(segment("192.0.2.1", 7)), "service_flow_rate");
}

TEST_F(AdmissionTest, NewFlowsASecondOfASourcePrefix) {
    pool.limits.new_flows_per_s_and_source = 2;
    pool.limits.source_host_bits_ipv4 = 8;
    pool.limits.new_flows_per_s = 5;
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "forward");
    EXPECT_EQ(send(segment("192.0.2.200", 1)), "forward");
    for (std::uint16_t port = 2; port <= 20; ++port) {
        EXPECT_EQ(send(segment("192.0.2.7", port)), "source_flow_rate");
    }
    EXPECT_EQ(send(segment("203.0.113.1", 1)), "forward") << "the service's tokens are left";
}

TEST_F(AdmissionTest, FlowsAtOnce) {
    pool.limits.flows = 3;
    apply();
    for (std::uint16_t port = 1; port <= 3; ++port) {
        EXPECT_EQ(send(segment("192.0.2.1", port)), "forward");
    }
    EXPECT_EQ(send(segment("192.0.2.1", 4)), "service_flow_limit");
    EXPECT_EQ(rig.flows().size(), 3U);
    rig.pass_seconds(100); // SYNs are forgotten after 30
    rig.expire();
    EXPECT_EQ(rig.flows().size(), 0U);
    EXPECT_EQ(rig.worker.limits->flows[rig.ids.service(pool.key).value], 0U);
    EXPECT_EQ(send(segment("192.0.2.1", 4)), "forward");
}

TEST_F(AdmissionTest, FlowsAtOnceOfABackend) {
    pool.limits.flows_per_backend = 4;
    apply();
    std::size_t let_in = 0;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        const std::string result = send(segment("192.0.2.1", port));
        let_in += result == "forward" ? 1U : 0U;
        EXPECT_TRUE(result == "forward" || result == "backend_flow_limit") << result;
    }
    EXPECT_EQ(let_in, 8U);
    EXPECT_EQ(rig.backends[rig.id_of(pool, 0).value].flows.read(), 4U);
}

TEST_F(AdmissionTest, AFlowThatMovesIsNotNewASynOnAClosingOneIs) {
    pool.limits.new_flows_per_s = 2;
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "forward");
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::rst)), "forward");
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "forward") << "the second token";
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::rst)), "forward");
    EXPECT_EQ(send(segment("192.0.2.1", 1)), "service_flow_rate");
    const BackendId was = rig.send(segment("192.0.2.1", 1, TcpHeader::ack)).backend;
    pool.backends[was == rig.id_of(pool, 0) ? 0 : 1].health = Health::down;
    apply();
    EXPECT_EQ(send(segment("192.0.2.1", 1, TcpHeader::ack)), "forward");
}

TEST_F(AdmissionTest, AWorkerEnforcesItsShare) {
    pool.limits.flows = 10;
    apply();
    rig.worker.limits->workers = 4;
    std::size_t let_in = 0;
    for (std::uint16_t port = 1; port <= 20; ++port) {
        let_in += send(segment("192.0.2.1", port)) == "forward" ? 1U : 0U;
    }
    EXPECT_EQ(let_in, 3U) << "10 / 4, rounded up";
}

std::string cause_of(const DesiredState& state) {
    IdRegistry ids;
    const auto compiled = compile_snapshot(state, ids, nullptr);
    return compiled ? "" : compiled.error().cause;
}

TEST(PolicyCheck, RefusesWhatCannotWork) {
    const auto nat = [] {
        auto service = test::service("198.51.100.10", {test::backend("10.0.1.1", 8080)});
        service.forwarding = Forwarding::nat;
        auto state = test::desired({service});
        state.nat_sources = {test::ip("10.0.9.1")};
        return state;
    };
    EXPECT_EQ(cause_of(nat()), "");
    auto state = nat();
    state.nat_sources = {test::ip("fd00::1")};
    EXPECT_EQ(cause_of(state), "no IPv4 source address for nat");
    state = nat();
    state.nat_sources.push_back(test::ip("198.51.100.10"));
    EXPECT_EQ(cause_of(state), "it is a VIP, or in the prefix of one");
    state = nat();
    state.nat_sources.push_back(test::ip("10.0.9.1"));
    EXPECT_EQ(cause_of(state), "it is listed twice");
    state = nat();
    state.services[0].track = false;
    EXPECT_EQ(cause_of(state), "nat without flow entries");
    state = nat();
    state.services[0].track = false;
    state.services[0].forwarding = Forwarding::ipip;
    state.services[0].backends[0].key.port = 80;
    state.services[0].limits.flows = 1;
    EXPECT_EQ(cause_of(state), "a limit without flow entries");
}

TEST(PolicyCheck, RefusesQuicThatCannotBeRead) {
    const auto quic = [] {
        auto service = test::service(
            "198.51.100.10",
            {test::backend("10.0.1.1", 443), test::backend("10.0.1.2", 443)},
            443,
            Protocol::udp
        );
        service.quic = {{.config_id = 0, .server_id_bytes = 2, .nonce_bytes = 4, .key = {}}};
        service.backends[0].quic_server_id = {1, 2};
        service.backends[1].quic_server_id = {1, 3};
        return test::desired({service});
    };
    EXPECT_EQ(cause_of(quic()), "");
    auto state = quic();
    state.services[0].backends[1].quic_server_id = {1, 2};
    EXPECT_EQ(cause_of(state), "its QUIC server id is another backend's");
    state = quic();
    state.services[0].backends[1].quic_server_id = {1};
    EXPECT_EQ(cause_of(state), "a QUIC server id of 1 bytes, which no configuration has");
    state = quic();
    state.services[0].quic.push_back(state.services[0].quic[0]);
    EXPECT_EQ(cause_of(state), "QUIC-LB configuration 0 is listed twice");
    state = quic();
    state.services[0].quic[0].config_id = 7;
    EXPECT_EQ(cause_of(state), "QUIC-LB configuration 7");
    state = quic();
    state.services[0].quic[0].nonce_bytes = 18;
    EXPECT_EQ(cause_of(state), "QUIC-LB server id of 2 and nonce of 18 bytes");
    state = quic();
    state.services[0].key.protocol = Protocol::tcp;
    EXPECT_EQ(cause_of(state), "QUIC over another protocol than udp");
}

} // namespace
} // namespace penstock
