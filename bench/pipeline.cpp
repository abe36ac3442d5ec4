// SPDX-License-Identifier: Apache-2.0
// tools/bench pipeline: cycles per packet on a net_ring loop, of the loop alone (io), of exchanging
// the MAC addresses (macswap) and of Penstock, at several numbers of flows.
//
// Every case runs the same loop: receive a burst, write the next flow's packet into each buffer, do
// the case's work, transmit. So added_cycles = case - macswap is what Penstock costs beyond the
// least that any forwarder does. Cases take turns, round by round, so that a slow moment of the
// machine meets them all; the minimum and the median of the rounds are reported.
#include "dataplane/core/pipeline.hpp"
#include "bench/generator.hpp"
#include "bench/report.hpp"
#include "bench/ring_loop.hpp"
#include "dataplane/core/compile.hpp"

#include <boost/program_options.hpp>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

namespace penstock::bench {
namespace {

constexpr std::uint16_t packets_in_loop = 64;
constexpr std::size_t flow_capacity = std::size_t{1} << 20U;
constexpr std::size_t backend_count = 100;

/// Everything a worker has, made once for each case.
class Subject {
public:
    Subject()
        : table_bytes_(FlowTable::bytes_for(flow_capacity)),
          table_memory_(rte_zmalloc("flows", table_bytes_, 64)),
          table_({static_cast<std::byte*>(table_memory_), table_bytes_}),
          services_(max_services),
          backends_(max_backends) {
        DesiredState desired;
        desired.generation = 1;
        desired.tunnel_source = IpAddress::parse("10.0.0.2");
        ServiceSpec service;
        service.name = "web";
        service.key = {.vip = *IpAddress::parse("198.51.100.10"), .port = 80};
        for (std::size_t i = 0; i < backend_count; ++i) {
            const auto address = Be32::from_host(static_cast<std::uint32_t>(0x0a000100U + i));
            service.backends.push_back(
                {.name = fmt::format("web-{}", i),
                 .key = {.address = IpAddress::from_ipv4(address), .port = 80},
                 .health = Health::up}
            );
        }
        desired.services.push_back(service);
        auto compiled = compile_snapshot(desired, ids_, nullptr);
        if (!compiled) {
            std::fprintf(stderr, "bench: %s\n", compiled.error().cause.c_str());
            std::abort();
        }
        snapshot_ = std::move(*compiled);
        for (const auto& target : snapshot_->targets()) {
            next_hops_.set(target.id, {.mac = {{2, 0, 0, 0, 1, 1}}, .port = {0}});
        }
    }

    ~Subject() { rte_free(table_memory_); }

    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    void process(std::span<Packet> packets, std::span<Verdict> verdicts) {
        process_burst(worker_, snapshot_.get(), CoarseTime::from_seconds(100), packets, verdicts);
    }

    /// Forgets every flow, so that the next packets are of new ones.
    void forget_flows() {
        table_.sweep(table_.bucket_count(), [](const FlowEntry&) { return true; });
    }

    [[nodiscard]] const WorkerCounters& counters() const { return counters_; }

private:
    std::size_t table_bytes_;
    void* table_memory_;
    FlowTable table_;
    NextHopTable next_hops_;
    WorkerCounters counters_;
    std::vector<ServiceCounters> services_;
    std::vector<BackendCounters> backends_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::array<PortFacts, 1> ports_{PortFacts{.mac = {{2, 0, 0, 0, 0, 9}}, .mtu = 1500}};
    WorkerContext worker_{
        .flows = table_,
        .next_hops = next_hops_,
        .ports = ports_,
        .stats = {.worker = &counters_, .services = services_.data(), .backends = backends_.data()},
    };
};

// The work of one case on one burst.

struct Io {
    void operator()(std::span<rte_mbuf*> /*burst*/) const {}
};

struct Macswap {
    void operator()(std::span<rte_mbuf*> burst) const {
        for (rte_mbuf* mbuf : burst) {
            auto* const data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
            const auto source = read_header<MacAddress>(data + sizeof(MacAddress));
            write_header(data + sizeof(MacAddress), read_header<MacAddress>(data));
            write_header(data, source);
        }
    }
};

struct Penstock {
    Subject& subject;

    void operator()(std::span<rte_mbuf*> burst) const {
        std::array<Packet, max_burst> packets;
        std::array<Verdict, max_burst> verdicts;
        for (std::size_t i = 0; i < burst.size(); ++i) {
            packets[i] = {
                .data = rte_pktmbuf_mtod(burst[i], std::uint8_t*),
                .length = burst[i]->data_len,
                .total_length = burst[i]->pkt_len,
                .headroom = burst[i]->data_off,
                .rx_port = {0},
            };
        }
        subject.process(
            std::span(packets).first(burst.size()), std::span(verdicts).first(burst.size())
        );
        for (std::size_t i = 0; i < burst.size(); ++i) {
            burst[i]->data_off = packets[i].headroom;
            burst[i]->data_len = static_cast<std::uint16_t>(packets[i].length);
            burst[i]->pkt_len = packets[i].total_length;
        }
    }
};

/// Runs `packets` packets through the loop; returns cycles per packet.
template <typename Work>
double run_loop(std::uint16_t port, Generator& generator, std::uint64_t packets, const Work& work) {
    std::array<rte_mbuf*, max_burst> burst{};
    std::uint64_t done = 0;
    const std::uint64_t begin = rte_rdtsc_precise();
    while (done < packets) {
        const std::uint16_t received = rte_eth_rx_burst(port, 0, burst.data(), max_burst);
        for (std::uint16_t i = 0; i < received; ++i) {
            rte_mbuf* const mbuf = burst[i];
            mbuf->data_off = RTE_PKTMBUF_HEADROOM;
            mbuf->data_len = frame_bytes;
            mbuf->pkt_len = frame_bytes;
            generator.write_next(rte_pktmbuf_mtod(mbuf, std::uint8_t*));
        }
        work(std::span(burst).first(received));
        done += rte_eth_tx_burst(port, 0, burst.data(), received);
    }
    const std::uint64_t cycles = rte_rdtsc_precise() - begin;
    return static_cast<double>(cycles) / static_cast<double>(done);
}

struct Plan {
    unsigned rounds = 30;
    std::uint64_t packets = 4'000'000; ///< per round and case, at least one of each flow
};

/// What the counters must say if the case measured what its name says.
bool check(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "bench: the run did not do what it should: %s\n", what);
    }
    return holds;
}

bool measure(std::uint16_t port, std::uint32_t flows, const Plan& plan, Report& report) {
    Generator ack(flows, TcpHeader::ack);
    Generator syn(flows, TcpHeader::syn);
    Generator rst(flows, TcpHeader::rst);
    Subject established;
    Subject opening;
    Subject stateless;
    Rows rows(flows, {"io", "macswap", "tcp4_ipip", "tcp4_ipip_new", "tcp4_ipip_hash"});
    run_loop(port, ack, flows, Penstock{established}); // makes the flows
    for (unsigned round = 0; round < plan.rounds; ++round) {
        rows.add("io", run_loop(port, ack, plan.packets, Io{}));
        rows.add("macswap", run_loop(port, ack, plan.packets, Macswap{}));
        rows.add("tcp4_ipip", run_loop(port, ack, plan.packets, Penstock{established}));
        double opening_cycles = 0;
        const std::uint64_t passes = std::max<std::uint64_t>(1, plan.packets / flows / 4);
        for (std::uint64_t pass = 0; pass < passes; ++pass) {
            opening.forget_flows();
            opening_cycles += run_loop(port, syn, flows, Penstock{opening});
        }
        rows.add("tcp4_ipip_new", opening_cycles / static_cast<double>(passes));
        rows.add("tcp4_ipip_hash", run_loop(port, rst, plan.packets, Penstock{stateless}));
    }
    report.add(rows);
    return check(established.counters().flow_misses.read() <= flows, "hits in tcp4_ipip") &&
           check(
               opening.counters().flow_hits.read() <= max_burst * plan.rounds * 1024,
               "inserts in tcp4_ipip_new"
           ) &&
           check(opening.counters().flows_unplaced.read() == 0, "room in tcp4_ipip_new") &&
           check(stateless.counters().flows_inserted.read() == 0, "no entries in tcp4_ipip_hash");
}

int run(int argc, char** argv) {
    namespace po = boost::program_options;
    po::options_description options("Options");
    options.add_options()("quick", "fewer packets a round; the figures are noisier")(
        "json", po::value<std::string>(), "write the rows to this file"
    )("core", po::value<unsigned>()->default_value(1), "the CPU to measure on")(
        "help", "this text"
    );
    po::variables_map values;
    try {
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
    } catch (const po::error& error) {
        std::fprintf(stderr, "bench: %s\n", error.what());
        return 2;
    }
    if (values.contains("help")) {
        std::cout << "tools/bench pipeline: cycles per packet on a net_ring loop.\n\n"
                  << options << "\nExample: tools/bench pipeline --quick --json pipeline.json\n";
        return 0;
    }
    Plan plan;
    if (values.contains("quick")) {
        plan = {.rounds = 20, .packets = 1'048'576};
    }
    auto eal = start_eal(values["core"].as<unsigned>());
    if (!eal) {
        std::fprintf(stderr, "bench: %s\n", eal.error().c_str());
        return 1;
    }
    const auto loop = RingLoop::make(packets_in_loop);
    if (!loop) {
        std::fprintf(stderr, "bench: %s\n", loop.error().c_str());
        return 1;
    }
    Report report(*eal);
    bool good = true;
    for (const std::uint32_t flows : {1024U, 1048576U}) {
        good = measure(loop->port(), flows, plan, report) && good;
    }
    report.print();
    if (values.contains("json") && !report.write_json(values["json"].as<std::string>())) {
        return 1;
    }
    return good ? 0 : 1;
}

} // namespace
} // namespace penstock::bench

int main(int argc, char** argv) {
    return penstock::bench::run(argc, argv);
}
