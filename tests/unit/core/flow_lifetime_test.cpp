// SPDX-License-Identifier: Apache-2.0
// The model test of docs/design/flow-lifetime.md: pools change at random while workers of different
// speeds keep flows; no flow may ever reach a server that it was not given.
#include "dataplane/core/compile.hpp"
#include "dataplane/core/pipeline.hpp"
#include "dataplane/core/publish.hpp"
#include "tests/unit/core/worker_rig.hpp"

#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

namespace penstock {
namespace {

using test::Bytes;
using test::PacketBuilder;
using test::WorkerRig;

constexpr std::size_t workers = 3;
constexpr std::size_t most_ids = 40; // 30 servers, and retired ones with flows
constexpr const char* vip = "198.51.100.10";

// What a builder thread does with its registry, snapshots and grace periods, one step at a time.
class Builder {
public:
    explicit Builder(Publication<Snapshot>& publication) : publication_(publication) {}

    void publish(const DesiredState& desired) {
        const auto compiled =
            compile_snapshot(desired, ids, snapshots_.empty() ? nullptr : snapshots_.back().get());
        ASSERT_TRUE(compiled);
        snapshots_.push_back(*compiled);
        epoch_ = publication_.publish(compiled->get());
    }

    // After the grace period: old snapshots go, ids that nobody can name are freed.
    void reclaim(std::span<const std::uint64_t> flows) {
        if (epoch_ == 0 || !publication_.grace_period_over(epoch_)) {
            return;
        }
        while (snapshots_.size() > 1) {
            snapshots_.pop_front();
        }
        ids.free_retired(flows);
    }

    IdRegistry ids;

private:
    Publication<Snapshot>& publication_;
    std::deque<std::shared_ptr<const Snapshot>> snapshots_;
    std::uint64_t epoch_ = 0;
};

// A worker that uses what it acquired until it chooses to report, and knows from packets alone
// which server each of its flows was given.
class SlowWorker {
public:
    explicit SlowWorker(std::size_t index) : index_(index) {}

    void work(const Publication<Snapshot>& publication, std::mt19937& random) {
        // A real worker acquires at every burst; this one may also hold on to an older snapshot.
        if (held_ == nullptr || random() % 2 == 0) {
            held_ = publication.acquire();
        }
        if (held_ == nullptr) {
            return;
        }
        for (int i = 0; i < 8; ++i) {
            send(static_cast<std::uint16_t>(1 + (random() % 60)), random() % 4 == 0);
        }
        if (random() % 4 == 0) {
            rig.pass_seconds(static_cast<unsigned>(random() % 300));
            rig.snapshot = std::shared_ptr<const Snapshot>(std::shared_ptr<void>{}, held_);
            rig.expire();
            forget_expired();
        }
    }

    void report(Publication<Snapshot>& publication) {
        held_ = nullptr;
        publication.report_quiescent(index_);
    }

    WorkerRig rig{2000};

private:
    void send(std::uint16_t port, bool opening) {
        rig.snapshot = std::shared_ptr<const Snapshot>(std::shared_ptr<void>{}, held_);
        for (const Snapshot::Target& target : held_->targets()) {
            rig.next_hops->set(target.id, WorkerRig::hop_of(target.id));
        }
        const std::uint64_t hits = rig.counters->flow_hits.read();
        const std::uint8_t flags = opening ? TcpHeader::syn : TcpHeader::ack;
        const Verdict verdict =
            rig.send(PacketBuilder::tcp().from("192.0.2.1", port).to(vip, 80).flags(flags).build());
        if (verdict.kind != VerdictKind::forward) {
            return;
        }
        const auto outer =
            read_header<Ipv4Header>(rig.sent.front().data() + sizeof(EthernetHeader));
        const std::uint32_t server = outer.destination.host();
        if (rig.counters->flow_hits.read() > hits) {
            ASSERT_TRUE(servers_.contains(port)) << "a hit on a flow that was never made";
            EXPECT_EQ(servers_[port], server)
                << "the id of its backend was given to another server";
            ++checked;
        }
        servers_[port] = server;
    }

    void forget_expired() {
        if (rig.flows().size() == 0) {
            servers_.clear();
        }
    }

    std::size_t index_;
    const Snapshot* held_ = nullptr;
    std::map<std::uint16_t, std::uint32_t> servers_; // by client port: the outer destination

public:
    std::size_t checked = 0;
};

std::vector<std::uint64_t> sum_of_gauges(std::span<const std::unique_ptr<SlowWorker>> all) {
    std::vector<std::uint64_t> flows(max_backends);
    for (const auto& worker : all) {
        for (std::size_t id = 0; id <= most_ids; ++id) {
            flows[id] += worker->rig.backends[id].flows.read();
        }
    }
    return flows;
}

// No id of two servers at once: neither in the registry nor, through flows, over time.
void expect_ids_unique(const IdRegistry& ids) {
    std::set<BackendId> seen;
    for (const auto& [name, backend] : ids.backends()) {
        ASSERT_TRUE(seen.insert(backend.id).second) << "one id for two backends";
        ASSERT_NE(backend.id, null_backend);
    }
}

TEST(FlowLifetime, NoFlowEverReachesAServerThatItWasNotGiven) {
    std::mt19937 random(1);
    Publication<Snapshot> publication(workers);
    Builder builder(publication);
    std::vector<std::unique_ptr<SlowWorker>> all;
    for (std::size_t i = 0; i < workers; ++i) {
        all.push_back(std::make_unique<SlowWorker>(i));
    }
    std::set<std::uint16_t> ids_given;
    std::size_t freed = 0;
    std::size_t known = 0;
    for (std::uint64_t step = 1; step <= 4000; ++step) {
        if (random() % 3 == 0) {
            auto pool = test::service(vip, {});
            pool.maglev_size = 16381;
            for (std::uint32_t i = 1; i <= 30; ++i) {
                if (random() % 10 == 0) {
                    pool.backends.push_back(test::backend("10.0.1." + std::to_string(i)));
                }
            }
            std::vector<ServiceSpec> services;
            if (random() % 10 != 0) {
                services.push_back(pool);
            }
            builder.publish(test::desired(services, step));
        }
        for (auto& worker : all) {
            if (random() % 2 == 0) {
                worker->work(publication, random);
            }
            if (random() % 3 == 0) {
                worker->report(publication);
            }
        }
        known = builder.ids.backends().size();
        builder.reclaim(sum_of_gauges(all));
        freed += known - builder.ids.backends().size();
        expect_ids_unique(builder.ids);
        for (const auto& [name, backend] : builder.ids.backends()) {
            ids_given.insert(backend.id.value);
        }
        if (HasFailure()) {
            FAIL() << "at step " << step;
        }
    }
    std::size_t checked = 0;
    for (const auto& worker : all) {
        checked += worker->checked;
    }
    EXPECT_GT(checked, 5000U) << "flows were hardly followed";
    EXPECT_GT(freed, 200U) << "ids were hardly given back";
    EXPECT_LE(*ids_given.rbegin(), most_ids) << "ids are not used again";
}

TEST(IdRegistry, IdOfARetiredBackendComesBackWithIt) {
    IdRegistry ids;
    const auto pool = test::service(vip, {test::backend("10.0.1.1"), test::backend("10.0.1.2")});
    ASSERT_TRUE(ids.assign(test::desired({pool})));
    const BackendId id = ids.backend(pool.key, pool.backends[0].key);
    const ServiceId service = ids.service(pool.key);
    ASSERT_TRUE(ids.assign(test::desired({})));
    EXPECT_FALSE(ids.backends().begin()->second.desired);
    ASSERT_TRUE(ids.assign(test::desired({pool})));
    EXPECT_EQ(ids.backend(pool.key, pool.backends[0].key), id);
    EXPECT_EQ(ids.service(pool.key), service);
    EXPECT_TRUE(ids.backends().begin()->second.desired);
}

TEST(IdRegistry, FreesOnlyWhatIsRetiredAndWithoutFlows) {
    IdRegistry ids;
    const auto pool = test::service(
        vip, {test::backend("10.0.1.1"), test::backend("10.0.1.2"), test::backend("10.0.1.3")}
    );
    ASSERT_TRUE(ids.assign(test::desired({pool})));
    auto smaller = pool;
    smaller.backends.resize(1);
    const BackendId busy = ids.backend(pool.key, pool.backends[1].key);
    ASSERT_TRUE(ids.assign(test::desired({smaller})));
    std::vector<std::uint64_t> flows(max_backends);
    flows[busy.value] = 1;
    ids.free_retired(flows);
    EXPECT_EQ(ids.backends().size(), 2U); // the desired one and the busy one
    ASSERT_TRUE(ids.assign(test::desired({})));
    ids.free_retired(flows);
    EXPECT_EQ(ids.backends().size(), 1U);
    EXPECT_EQ(ids.services().size(), 1U) << "a service outlives its backends' flows";
    flows[busy.value] = 0;
    ids.free_retired(flows);
    EXPECT_TRUE(ids.backends().empty());
    EXPECT_TRUE(ids.services().empty());
}

TEST(IdRegistry, RunsOutOnlyOfWhatIsInUse) {
    IdRegistry ids;
    const std::vector<std::uint64_t> no_flows(max_backends);
    for (std::uint32_t round = 0; round < 40; ++round) {
        auto pool = test::service(vip, {});
        for (std::uint32_t i = 0; i < 1000; ++i) {
            BackendSpec spec = test::backend("10.0.0.0");
            spec.key.address =
                IpAddress::from_ipv4(Be32::from_host((10U << 24U) + (round * 1000) + i));
            pool.backends.push_back(spec);
        }
        ASSERT_TRUE(ids.assign(test::desired({pool}))) << round;
        ids.free_retired(no_flows);
    }
    EXPECT_EQ(ids.backends().size(), 1000U);
}

} // namespace
} // namespace penstock
