// SPDX-License-Identifier: Apache-2.0
// QUIC services through the pipeline.
#include "tests/unit/core/worker_rig.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

class QuicFlowTest : public testing::Test {
protected:
    void SetUp() override {
        for (int i = 1; i <= 4; ++i) {
            auto backend = test::backend("10.0.1." + std::to_string(i), 443);
            backend.quic_server_id = {0xab, static_cast<std::uint8_t>(i)};
            pool.backends.push_back(backend);
        }
        pool.quic = {{.config_id = 2, .server_id_bytes = 2, .nonce_bytes = 4, .key = {}}};
        apply();
    }

    void apply() { rig.use(test::desired({pool}, ++generation)); }

    static Bytes packet(const char* client, std::uint16_t port, Bytes payload) {
        payload.resize(std::max<std::size_t>(payload.size(), 60), 0x5a);
        return PacketBuilder::udp()
            .from(client, port)
            .to("198.51.100.10", 443)
            .payload(std::move(payload))
            .build();
    }

    // A short header with an id of server `i`, counted from 0.
    static Bytes named(const char* client, std::uint16_t port, std::size_t i) {
        return packet(
            client, port, {0x41, 0x40, 0xab, static_cast<std::uint8_t>(i + 1), 1, 2, 3, 4}
        );
    }

    // As the client's first one: the id is its own.
    static Bytes initial(const char* client, std::uint16_t port, std::size_t i) {
        const auto server = static_cast<std::uint8_t>(i + 1);
        return packet(client, port, {0xc0, 0, 0, 0, 1, 8, 0x40, 0xab, server, 1, 2, 3, 4, 9});
    }

    BackendId id(std::size_t i) { return rig.id_of(pool, i); }

    WorkerRig rig;
    ServiceSpec pool = test::service("198.51.100.10", {}, 443, Protocol::udp);
    std::uint64_t generation = 0;
};

TEST_F(QuicFlowTest, TheIdNamesTheServerWhateverTheTuple) {
    for (std::uint16_t port = 1; port <= 50; ++port) {
        const std::size_t i = port % 4;
        EXPECT_EQ(rig.send(named("192.0.2.1", port, i)).backend, id(i));
    }
}

TEST_F(QuicFlowTest, AClientThatChangesItsAddressStaysAndItsEntryFollows) {
    EXPECT_EQ(rig.send(named("192.0.2.1", 1000, 2)).backend, id(2));
    EXPECT_EQ(rig.send(named("203.0.113.9", 2000, 2)).backend, id(2));
    const Bytes unreadable = packet("203.0.113.9", 2000, {0x41, 0xff, 1, 2, 3, 4, 5, 6});
    EXPECT_EQ(rig.send(unreadable).backend, id(2)) << "by the entry of the new tuple";
    EXPECT_EQ(rig.counters->flows.read(), 2U);
    EXPECT_EQ(rig.backends[id(2).value].flows.read(), 2U);
}

TEST_F(QuicFlowTest, AnEntryFollowsTheNameOfALaterPacket) {
    rig.send(named("192.0.2.1", 1000, 0));
    EXPECT_EQ(rig.send(named("192.0.2.1", 1000, 3)).backend, id(3));
    EXPECT_EQ(rig.backends[id(0).value].flows.read(), 0U);
    EXPECT_EQ(rig.backends[id(3).value].flows.read(), 1U);
    EXPECT_EQ(rig.flows().size(), 1U);
}

TEST_F(QuicFlowTest, AnInitialGoesByTuple) {
    std::size_t as_named = 0;
    for (std::uint16_t port = 1; port <= 200; ++port) {
        as_named += rig.send(initial("192.0.2.1", port, 1)).backend == id(1) ? 1U : 0U;
    }
    EXPECT_GT(as_named, 20U);
    EXPECT_LT(as_named, 80U) << "a quarter by chance";
}

TEST_F(QuicFlowTest, AServerThatIsDownIsNotFollowedADrainingOneIs) {
    pool.backends[1].health = Health::down;
    pool.backends[2].admin = AdminState::drain;
    apply();
    const Verdict verdict = rig.send(named("192.0.2.1", 1000, 1));
    EXPECT_EQ(verdict.kind, VerdictKind::forward);
    EXPECT_NE(verdict.backend, id(1));
    EXPECT_EQ(rig.send(named("192.0.2.1", 1001, 2)).backend, id(2));
}

TEST_F(QuicFlowTest, UntrackedServicesFollowTheNameToo) {
    pool.track = false;
    apply();
    EXPECT_EQ(rig.send(named("192.0.2.1", 1000, 3)).backend, id(3));
    EXPECT_EQ(rig.flows().size(), 0U);
}

TEST_F(QuicFlowTest, ShortPayloadsGoByTuple) {
    for (const std::size_t length : {0U, 1U, 2U, 5U}) {
        const Bytes frame = PacketBuilder::udp()
                                .from("192.0.2.1", 77)
                                .to("198.51.100.10", 443)
                                .payload(length)
                                .build();
        EXPECT_EQ(rig.send(frame).kind, VerdictKind::forward) << length;
    }
}

} // namespace
} // namespace penstock
