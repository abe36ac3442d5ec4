// SPDX-License-Identifier: Apache-2.0
// A real worker on a real lcore, between two rings that stand for a NIC's queues: net_ring, one
// EAL, no hugepages, no privileges. This file is long because all tests share one EAL and its rings.
#include "dataplane/dpdk/worker.hpp"

#include "dataplane/dpdk/gather_headers.hpp"

#include "dataplane/api/statistics.hpp"
#include "dataplane/core/compile.hpp"
#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/flow_memory.hpp"
#include "dataplane/dpdk/host_cpus.hpp"
#include "dataplane/dpdk/lcore_plan.hpp"
#include "dataplane/dpdk/packet_pool.hpp"

#include <algorithm>
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
constexpr std::uint16_t tail_bytes = 300;
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
        from_kernel_ = make_ring(fmt::format("kernel-says-{}", number));
        to_kernel_ = make_ring(fmt::format("kernel-hears-{}", number));
        port_ = open_port(fmt::format("port-{}", number), to_worker_, from_worker_);
        kernel_port_ = open_port(fmt::format("kernel-{}", number), from_kernel_, to_kernel_);

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
        for (rte_ring* const ring : {to_worker_, from_worker_, from_kernel_, to_kernel_}) {
            drain(ring);
        }
        EXPECT_EQ(::rte_mempool_in_use_count(pool_.get()), 0U) << "buffers leaked";
        for (const std::uint16_t port : {port_, kernel_port_}) {
            ::rte_eth_dev_stop(port);
            ::rte_eth_dev_close(port);
        }
        for (rte_ring* const ring : {to_worker_, from_worker_, from_kernel_, to_kernel_}) {
            ::rte_ring_free(ring);
        }
    }

    void launch(WorkerPort port = {.sends_segments = true}) {
        port.dpdk_port = port_;
        WorkerSetup setup;
        setup.ports = {port};
        setup.port_facts = facts_;
        setup.flow_memory = flows_->bytes();
        setup.stats = statistics_->worker(0);
        setup.pool = pool_.get();
        setup.next_hops = &hops_;
        setup.path_mtus = &path_mtus_;
        setup.publication = &publication_;
        setup.hand_over = &hand_over_;
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
                // Padding, more than is gathered into the first segment.
                std::memset(::rte_pktmbuf_append(tail, tail_bytes), 0, tail_bytes);
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

    /// One frame, cut into segments of these lengths; the last takes the rest.
    void send_frame(
        rte_ring* to,
        std::span<const std::uint8_t> frame,
        std::initializer_list<std::uint16_t> lengths = {}
    ) {
        rte_mbuf* packet = nullptr;
        auto next = lengths.begin();
        do {
            const auto length = static_cast<std::uint16_t>(
                next == lengths.end() ? frame.size() : std::min<std::size_t>(*next++, frame.size())
            );
            rte_mbuf* const segment = ::rte_pktmbuf_alloc(pool_.get());
            ASSERT_NE(segment, nullptr);
            std::memcpy(::rte_pktmbuf_append(segment, length), frame.data(), length);
            frame = frame.subspan(length);
            if (packet == nullptr) {
                packet = segment;
            } else {
                ASSERT_EQ(::rte_pktmbuf_chain(packet, segment), 0);
            }
        } while (!frame.empty());
        ASSERT_EQ(::rte_ring_enqueue(to, packet), 0);
    }

    /// The whole of the next frame on a ring, whatever its segments; empty if there is none.
    static std::vector<std::uint8_t> take_frame(rte_ring* ring) {
        void* entry = nullptr;
        if (::rte_ring_dequeue(ring, &entry) != 0) {
            return {};
        }
        auto* const packet = static_cast<rte_mbuf*>(entry);
        std::vector<std::uint8_t> frame;
        for (const rte_mbuf* at = packet; at != nullptr; at = at->next) {
            const auto* const bytes = rte_pktmbuf_mtod(at, const std::uint8_t*);
            frame.insert(frame.end(), bytes, bytes + at->data_len);
        }
        EXPECT_EQ(frame.size(), packet->pkt_len);
        ::rte_pktmbuf_free(packet);
        return frame;
    }

    rte_ring* from_kernel_ = nullptr;
    rte_ring* to_kernel_ = nullptr;
    std::uint16_t kernel_port_ = 0;
    rte_ring* from_worker_ = nullptr;
    rte_ring* to_worker_ = nullptr;
    HandOver hand_over_{1};
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

    std::uint16_t open_port(const std::string& name, rte_ring* in, rte_ring* out) {
        const int number = ::rte_eth_from_rings(name.c_str(), &in, 1, &out, 1, 0);
        EXPECT_GE(number, 0);
        const auto port = static_cast<std::uint16_t>(number);
        const rte_eth_conf conf{};
        EXPECT_EQ(::rte_eth_dev_configure(port, 1, 1, &conf), 0);
        EXPECT_EQ(::rte_eth_rx_queue_setup(port, 0, ring_size, 0, nullptr, pool_.get()), 0);
        EXPECT_EQ(::rte_eth_tx_queue_setup(port, 0, ring_size, 0, nullptr), 0);
        EXPECT_EQ(::rte_eth_dev_start(port), 0);
        return port;
    }

    PacketPool pool_;
    std::unique_ptr<FlowMemory> flows_;
    std::uint16_t port_ = 0;
    std::unique_ptr<StatisticsWriter> statistics_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    NextHopTable hops_;
    PathMtuTable path_mtus_;
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
    launch({.sends_segments = false});
    send(vip, 2, 2);
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::too_big) == 2; }));
    expect_conservation();
}

TEST_F(WorkerTest, PassesSegmentsWhole) {
    publish();
    launch();
    send(vip, 1, 3);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    void* first = nullptr;
    ASSERT_EQ(::rte_ring_dequeue(from_worker_, &first), 0);
    auto* const packet = static_cast<rte_mbuf*>(first);
    EXPECT_EQ(packet->nb_segs, 3U);
    EXPECT_EQ(packet->pkt_len, frame_bytes + 20U + (2U * tail_bytes));
    EXPECT_EQ(packet->data_len, gathered_bytes + 20U);
    ::rte_pktmbuf_free(packet);
}

TEST_F(WorkerTest, ReadsHeadersThatStandInSeveralSegments) {
    publish();
    launch();
    const auto frame = make_syn(vip, 1);
    send_frame(to_worker_, frame, {13, 1, 9, 20}); // even the Ethernet header is cut
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    const auto sent = take_frame(from_worker_);
    ASSERT_EQ(sent.size(), frame_bytes + 20U);
    EXPECT_EQ(std::memcmp(sent.data() + 34, frame.data() + 14, frame_bytes - 14), 0);
    expect_conservation();
}

TEST_F(WorkerTest, GathersNoMoreThanHeaders) {
    publish();
    launch();
    std::vector<std::uint8_t> frame(1000);
    const auto syn = make_syn(vip, 1);
    std::ranges::copy(syn, frame.begin());
    for (std::size_t i = syn.size(); i < frame.size(); ++i) {
        frame[i] = static_cast<std::uint8_t>(i); // beyond the IP packet, as padding is
    }
    send_frame(to_worker_, frame, {40, 300});
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    const auto sent = take_frame(from_worker_);
    ASSERT_EQ(sent.size(), frame.size() + 20U);
    EXPECT_EQ(std::memcmp(sent.data() + 34, frame.data() + 14, frame.size() - 14), 0);
}

TEST_F(WorkerTest, GivesTheKernelWhatIsItsAndSendsWhatItSays) {
    publish();
    launch({.exception_port = kernel_port_});
    send("203.0.113.1", 3);
    send(vip, 2);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(to_kernel_) == 3; }));
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 2; }));
    const auto heard = make_syn("203.0.113.1", 1);
    EXPECT_TRUE(std::ranges::equal(take_frame(to_kernel_), heard)) << "as it came";
    EXPECT_EQ(counters().to_kernel_packets.read(), 3U);
    const auto said = make_syn("203.0.113.9", 7);
    send_frame(from_kernel_, said);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 3; }));
    (void)take_frame(from_worker_);
    (void)take_frame(from_worker_);
    EXPECT_TRUE(std::ranges::equal(take_frame(from_worker_), said)) << "no VIP is looked for in it";
    expect_conservation();
}

TEST_F(WorkerTest, ServesTheKernelBeforeThereIsASnapshot) {
    launch({.exception_port = kernel_port_});
    send(vip, 4); // nobody's VIP yet
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(to_kernel_) == 4; }));
    send_frame(from_kernel_, make_syn("203.0.113.9", 7));
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    expect_conservation();
}

TEST_F(WorkerTest, CountsWhatTheKernelDoesNotTake) {
    publish();
    launch({.exception_port = kernel_port_});
    send("203.0.113.1", 60);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(to_kernel_) == 60; }));
    send("203.0.113.1", 10); // its queue holds 63
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::exception_path_full) == 7; }));
    expect_conservation();
}

// A driver stops at a frame that is too large for it, and would leave those behind it.
TEST_F(WorkerTest, TakesNothingForTheKernelThatItsInterfaceDoesNotTake) {
    publish();
    launch({.exception_port = kernel_port_, .exception_frame_bytes = frame_bytes});
    std::vector<std::uint8_t> large(frame_bytes + 1);
    std::ranges::copy(make_syn("203.0.113.1", 1), large.begin());
    send_frame(to_worker_, large);
    send("203.0.113.1", 3);
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::exception_path_full) == 1; }));
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(to_kernel_) == 3; }));
    EXPECT_EQ(counters().to_kernel_packets.read(), 3U);
    expect_conservation();
}

TEST_F(WorkerTest, StandsInItsVlanAlone) {
    publish();
    launch({.exception_port = kernel_port_, .vlan = 100});
    const auto syn = make_syn(vip, 1);
    const auto tagged = [&](const auto& frame, std::uint8_t type, std::uint16_t control) {
        std::vector<std::uint8_t> out(frame.begin(), frame.begin() + 12);
        const auto high = static_cast<std::uint8_t>(control >> 8U);
        const auto low = static_cast<std::uint8_t>(control);
        out.insert(
            out.end(), {type, static_cast<std::uint8_t>(type == 0x81 ? 0 : 0xa8), high, low}
        );
        out.insert(out.end(), frame.begin() + 12, frame.end());
        return out;
    };
    send_frame(to_worker_, tagged(syn, 0x81, 0xa000U | 100U)); // with a priority
    send_frame(to_worker_, tagged(syn, 0x81, 101));
    send_frame(to_worker_, tagged(syn, 0x88, 100));
    send_frame(to_worker_, syn);
    send_frame(to_worker_, tagged(make_syn("203.0.113.1", 1), 0x81, 100));
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(to_kernel_) == 1; }));
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    ASSERT_TRUE(comes_true([&] { return drops(DropReason::foreign_vlan) == 3; }));
    EXPECT_TRUE(std::ranges::equal(take_frame(to_kernel_), make_syn("203.0.113.1", 1)));
    const auto sent = take_frame(from_worker_);
    ASSERT_EQ(sent.size(), frame_bytes + 4U + 20U);
    const std::array<std::uint8_t, 6> tag{0x81, 0, 0, 100, 0x08, 0};
    EXPECT_EQ(std::memcmp(sent.data() + 12, tag.data(), tag.size()), 0);
    EXPECT_EQ(std::memcmp(sent.data() + 38, syn.data() + 14, frame_bytes - 14), 0);
    const auto said = make_syn("203.0.113.9", 7);
    send_frame(from_kernel_, said);
    ASSERT_TRUE(comes_true([&] { return ::rte_ring_count(from_worker_) == 1; }));
    EXPECT_EQ(take_frame(from_worker_), tagged(said, 0x81, 100));
    expect_conservation();
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
