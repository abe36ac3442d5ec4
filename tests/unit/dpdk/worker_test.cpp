// SPDX-License-Identifier: Apache-2.0
// A real worker on a real lcore, between two rings that stand for a NIC's queues: net_ring, one
// EAL, no hugepages, no privileges.
#include "dataplane/dpdk/worker.hpp"

#include "dataplane/api/statistics.hpp"
#include "dataplane/core/compile.hpp"
#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/flow_memory.hpp"
#include "dataplane/dpdk/host_cpus.hpp"
#include "dataplane/dpdk/lcore_plan.hpp"
#include "dataplane/dpdk/packet_pool.hpp"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <thread>
#include <unistd.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;

constexpr unsigned ring_size = 64; // holds 63
constexpr std::uint16_t frame_bytes = 14 + 20 + 20;
const std::string vip = "198.51.100.10";

MemoryPlan small_memory() {
    MemoryPlan plan;
    plan.buffers_per_worker = 1023;
    plan.data_room_bytes = 2048 + packet_headroom_bytes;
    plan.flow_table_bytes = FlowTable::bytes_for(4096);
    return plan;
}

/// One EAL for all tests: DPDK starts once in a process.
class EalEnvironment final : public testing::Environment {
public:
    void SetUp() override {
        folder = testing::TempDir() + "penstock-worker-test-XXXXXX";
        ASSERT_NE(::mkdtemp(folder.data()), nullptr);
        const std::uint16_t cpu = *read_host_cpus()->allowed.rbegin();
        auto started = Eal::start(
            {"worker-test",
             fmt::format("--lcores=0@{0},1@{0}", cpu),
             "--main-lcore=0",
             "--no-huge",
             "--no-shconf",
             "--no-pci",
             "--no-telemetry",
             "-m",
             "64",
             fmt::format("--file-prefix=worker-test-{}", ::getpid())},
            folder
        );
        ASSERT_TRUE(started) << to_string(started.error());
        eal = std::move(*started);
    }

    void TearDown() override {
        eal.reset();
        std::filesystem::remove_all(folder);
    }

    std::string folder;
    std::unique_ptr<Eal> eal;
};

EalEnvironment* const environment =
    static_cast<EalEnvironment*>(testing::AddGlobalTestEnvironment(new EalEnvironment));

DesiredState one_service() {
    BackendSpec backend;
    backend.name = "web-1";
    backend.key = {*IpAddress::parse("10.0.1.11"), 80};
    backend.health = Health::up;
    ServiceSpec service;
    service.name = "web";
    service.key = {*IpAddress::parse(vip), Protocol::tcp, 80};
    service.maglev_size = maglev_sizes[0];
    service.backends = {backend};
    DesiredState desired;
    desired.generation = 7;
    desired.tunnel_sources.ipv4 = IpPrefix::parse("10.0.1.1");
    desired.services = {service};
    return desired;
}

/// A SYN from 192.0.2.`host`; the checksum of the header is right.
std::array<std::uint8_t, frame_bytes> make_syn(const std::string& destination, std::uint8_t host) {
    std::array<std::uint8_t, frame_bytes> frame{};
    frame[12] = 0x08; // EtherType IPv4
    const std::array<std::uint8_t, 10> ip{0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6};
    std::memcpy(&frame[14], ip.data(), ip.size());
    const std::array<std::uint8_t, 4> source{192, 0, 2, host};
    std::memcpy(&frame[26], source.data(), source.size());
    const auto address = IpAddress::parse(destination);
    std::memcpy(&frame[30], address->bytes().data() + 12, 4);
    std::uint32_t sum = 0;
    for (std::size_t i = 14; i < 34; i += 2) {
        sum += static_cast<std::uint32_t>(frame[i] << 8U) + frame[i + 1];
    }
    sum = (sum & 0xffffU) + (sum >> 16U);
    sum = ~((sum & 0xffffU) + (sum >> 16U));
    frame[24] = static_cast<std::uint8_t>(sum >> 8U);
    frame[25] = static_cast<std::uint8_t>(sum);
    frame[34] = 0x10; // source port 4096
    frame[37] = 80;
    frame[46] = 0x50; // data offset
    frame[47] = 0x02; // SYN
    return frame;
}

class WorkerTest : public testing::Test {
protected:
    void SetUp() override {
        static int tests = 0;
        const int number = ++tests;
        pool_ = *make_packet_pool(small_memory(), static_cast<std::size_t>(number));
        flows_ = *FlowMemory::allocate(small_memory(), 0);
        to_worker_ = make_ring(fmt::format("in-{}", number));
        from_worker_ = make_ring(fmt::format("out-{}", number));
        open_port(fmt::format("port-{}", number));

        const std::array<std::uint32_t, 1> lcores{1};
        auto statistics = StatisticsWriter::create(environment->folder + "/stats", lcores);
        ASSERT_TRUE(statistics) << to_string(statistics.error());
        statistics_ = std::move(*statistics);

        auto snapshot = compile_snapshot(one_service(), ids_, nullptr);
        ASSERT_TRUE(snapshot) << snapshot.error().cause;
        snapshot_ = *snapshot;
        hops_.set(
            snapshot_->targets().front().id,
            {.mac = *MacAddress::parse("02:00:00:00:01:11"), .port = PortId{0}}
        );
    }

    void TearDown() override {
        stop();
        drain(to_worker_);
        drain(from_worker_);
        EXPECT_EQ(::rte_mempool_in_use_count(pool_.get()), 0U) << "buffers leaked";
        ::rte_eth_dev_stop(port_);
        ::rte_eth_dev_close(port_);
        ::rte_ring_free(to_worker_);
        ::rte_ring_free(from_worker_);
    }

    void launch(bool sends_segments = true) {
        WorkerSetup setup;
        setup.ports = {
            {.id = PortId{0},
             .dpdk_port = port_,
             .queue = 0,
             .receives = true,
             .sends_segments = sends_segments}
        };
        setup.port_facts = facts_;
        setup.flow_memory = flows_->bytes();
        setup.stats = statistics_->worker(0);
        setup.next_hops = &hops_;
        setup.publication = &publication_;
        setup.is_adaptive = true;
        worker_ = std::make_unique<Worker>(setup);
        const auto run = [](void* worker) {
            static_cast<Worker*>(worker)->run();
            return 0;
        };
        ASSERT_EQ(::rte_eal_remote_launch(run, worker_.get(), lcore_of(0)), 0);
    }

    void stop() {
        if (worker_) {
            worker_->request_stop();
            EXPECT_EQ(::rte_eal_wait_lcore(lcore_of(0)), 0);
            worker_.reset();
        }
    }

    void publish() { epoch_ = publication_.publish(snapshot_.get()); }

    void send(const std::string& destination, unsigned count, std::uint16_t segments = 1) {
        for (unsigned i = 0; i < count; ++i) {
            const auto frame = make_syn(destination, static_cast<std::uint8_t>(i + 1));
            rte_mbuf* const packet = ::rte_pktmbuf_alloc(pool_.get());
            ASSERT_NE(packet, nullptr);
            std::memcpy(::rte_pktmbuf_append(packet, frame_bytes), frame.data(), frame_bytes);
            for (std::uint16_t extra = 1; extra < segments; ++extra) {
                rte_mbuf* const tail = ::rte_pktmbuf_alloc(pool_.get());
                ::rte_pktmbuf_append(tail, 1);
                ASSERT_EQ(::rte_pktmbuf_chain(packet, tail), 0);
            }
            ASSERT_EQ(::rte_ring_enqueue(to_worker_, packet), 0);
        }
    }

    template <typename Condition>
    static bool comes_true(Condition&& condition) {
        for (int i = 0; i < 2000; ++i) {
            if (condition()) {
                return true;
            }
            std::this_thread::sleep_for(5ms);
        }
        return false;
    }

    [[nodiscard]] const WorkerCounters& counters() const { return *statistics_->worker(0).worker; }

    [[nodiscard]] std::uint64_t drops(DropReason reason) const {
        return counters().drops[static_cast<std::size_t>(reason)].read();
    }

    void expect_conservation() const {
        std::uint64_t dropped = 0;
        for (const Counter& drop : counters().drops) {
            dropped += drop.read();
        }
        EXPECT_EQ(
            counters().rx_packets.read(),
            counters().tx_packets.read() + counters().to_kernel_packets.read() + dropped
        );
    }

    rte_ring* from_worker_ = nullptr;
    rte_ring* to_worker_ = nullptr;
    Publication<Snapshot> publication_{1};
    std::uint64_t epoch_ = 0;

private:
    static rte_ring* make_ring(const std::string& name) {
        return ::rte_ring_create(name.c_str(), ring_size, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
    }

    static void drain(rte_ring* ring) {
        void* packet = nullptr;
        while (::rte_ring_dequeue(ring, &packet) == 0) {
            ::rte_pktmbuf_free(static_cast<rte_mbuf*>(packet));
        }
    }

    void open_port(const std::string& name) {
        const int port = ::rte_eth_from_rings(name.c_str(), &to_worker_, 1, &from_worker_, 1, 0);
        ASSERT_GE(port, 0);
        port_ = static_cast<std::uint16_t>(port);
        const rte_eth_conf conf{};
        ASSERT_EQ(::rte_eth_dev_configure(port_, 1, 1, &conf), 0);
        ASSERT_EQ(::rte_eth_rx_queue_setup(port_, 0, ring_size, 0, nullptr, pool_.get()), 0);
        ASSERT_EQ(::rte_eth_tx_queue_setup(port_, 0, ring_size, 0, nullptr), 0);
        ASSERT_EQ(::rte_eth_dev_start(port_), 0);
    }

    PacketPool pool_;
    std::unique_ptr<FlowMemory> flows_;
    std::uint16_t port_ = 0;
    std::unique_ptr<StatisticsWriter> statistics_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    NextHopTable hops_;
    std::vector<PortFacts> facts_{PortFacts{.mac = *MacAddress::parse("02:00:00:00:00:01")}};
    std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, LeavesPacketsWaitingUntilThereIsASnapshot) {
    launch();
    send(vip, 5);
    ASSERT_TRUE(comes_true([&] { return counters().heartbeat_ns.read() != 0; }));
    EXPECT_EQ(::rte_ring_count(to_worker_), 5U);
    publish();
    ASSERT_TRUE(comes_true([&] { return counters().tx_packets.read() == 5; }));
    expect_conservation();
}

TEST_F(WorkerTest, TunnelsAServicesPacketsToTheBackend) {
    publish();
    launch();
    send(vip, 40); // more than one burst
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 40; }));
    void* first = nullptr;
    ASSERT_EQ(::rte_ring_dequeue(from_worker_, &first), 0);
    auto* const packet = static_cast<rte_mbuf*>(first);
    ASSERT_EQ(packet->pkt_len, frame_bytes + 20U);
    ASSERT_EQ(packet->data_len, packet->pkt_len);
    const auto* const bytes = rte_pktmbuf_mtod(packet, const std::uint8_t*);
    const std::array<std::uint8_t, 6> backend_mac{0x02, 0, 0, 0, 0x01, 0x11};
    EXPECT_EQ(std::memcmp(bytes, backend_mac.data(), 6), 0);
    EXPECT_EQ(bytes[14 + 9], 4); // IP in IP
    const auto inner = make_syn(vip, 1);
    EXPECT_EQ(std::memcmp(bytes + 34, inner.data() + 14, frame_bytes - 14), 0);
    ::rte_pktmbuf_free(packet);

    ASSERT_TRUE(comes_true([&] { return counters().flows.read() == 40; }));
    EXPECT_EQ(counters().rx_bytes.read(), 40U * frame_bytes);
    EXPECT_EQ(counters().tx_bytes.read(), 40U * (frame_bytes + 20U));
    EXPECT_EQ(counters().generation.read(), 7U);
    EXPECT_GT(counters().busy_ns.read(), 0U);
    expect_conservation();
}

TEST_F(WorkerTest, CountsWhatTheDriverDoesNotTake) {
    publish();
    send(vip, 63);
    launch();
    ASSERT_TRUE(comes_true([&] { return counters().rx_packets.read() == 63; }));
    send(vip, 10); // the way out is full: it holds 63
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::tx_queue_full) == 10; }));
    EXPECT_EQ(counters().tx_packets.read(), 63U);
    EXPECT_EQ(counters().tx_bytes.read(), 63U * (frame_bytes + 20U));
    expect_conservation();
}

TEST_F(WorkerTest, DropsWhatIsTheKernels) {
    publish();
    launch();
    send("203.0.113.1", 3);
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::no_exception_path) == 3; }));
    expect_conservation();
}

TEST_F(WorkerTest, SendsSegmentsOnlyWhereTheDriverCan) {
    publish();
    launch(false);
    send(vip, 2, 2);
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::too_big) == 2; }));
    expect_conservation();
}

TEST_F(WorkerTest, PassesSegmentsWhole) {
    publish();
    launch(true);
    send(vip, 1, 3);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    void* first = nullptr;
    ASSERT_EQ(::rte_ring_dequeue(from_worker_, &first), 0);
    auto* const packet = static_cast<rte_mbuf*>(first);
    EXPECT_EQ(packet->nb_segs, 3U);
    EXPECT_EQ(packet->pkt_len, frame_bytes + 20U + 2U);
    EXPECT_EQ(packet->data_len, frame_bytes + 20U);
    ::rte_pktmbuf_free(packet);
}

TEST_F(WorkerTest, ReportsQuiescenceWithAndWithoutTraffic) {
    publish();
    launch();
    ASSERT_TRUE(comes_true([&] { return publication_.grace_period_over(epoch_); }));
    send(vip, 20);
    publish();
    ASSERT_TRUE(comes_true([&] { return publication_.grace_period_over(epoch_); }));
}

TEST_F(WorkerTest, HoldsUpNobodyAfterItsEnd) {
    publish();
    launch();
    stop();
    publish();
    EXPECT_TRUE(publication_.grace_period_over(epoch_));
}

} // namespace
} // namespace penstock
