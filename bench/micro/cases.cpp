// SPDX-License-Identifier: Apache-2.0
#include "bench/micro/cases.hpp"

#include "bench/generator.hpp"
#include "bench/subject.hpp"
#include "dataplane/core/maglev.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/rewrite.hpp"

#include <array>
#include <benchmark/benchmark.h>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>
#include <random>

namespace penstock::bench {
namespace {

constexpr ForwardingCase ipv4_case{"tcp4", Family::ipv4, Forwarding::ipip, "198.51.100.10"};
constexpr ForwardingCase ipv6_case{"tcp6", Family::ipv6, Forwarding::ipip, "2001:db8:100::10"};

/// A burst of frames with room before them, as a driver hands them over.
class Burst {
public:
    Burst(const ForwardingCase& forwarding, std::uint32_t flows, std::uint8_t flags)
        : generator_(forwarding, flags, flows) {}

    /// The next flows' packets, put back to where they began.
    std::span<Packet> next() {
        for (std::size_t i = 0; i < max_burst; ++i) {
            std::uint8_t* const data = frames_[i].data() + headroom;
            generator_.write_next(data);
            packets_[i] = {
                .data = data,
                .length = generator_.frame_bytes(),
                .total_length = generator_.frame_bytes(),
                .headroom = headroom,
                .rx_port = {0},
            };
        }
        return packets_;
    }

private:
    static constexpr std::uint16_t headroom = 128;
    Generator generator_;
    alignas(64) std::array<std::array<std::uint8_t, 256>, max_burst> frames_{};
    std::array<Packet, max_burst> packets_{};
};

void add_parse(std::vector<MicroCase>& cases) {
    for (const ForwardingCase& forwarding : {ipv4_case, ipv6_case}) {
        auto burst = std::make_shared<Burst>(forwarding, 1024, TcpHeader::ack);
        const std::span<Packet> packets = burst->next();
        cases.push_back({fmt::format("parse/{}", forwarding.name), max_burst, [burst, packets] {
                             for (const Packet& packet : packets) {
                                 ParsedPacket parsed;
                                 parse_packet(packet, parsed);
                                 benchmark::DoNotOptimize(parsed);
                             }
                         }});
    }
}

void add_hash(std::vector<MicroCase>& cases) {
    constexpr std::uint32_t tuples = 32;
    auto hasher = std::make_shared<FlowHasher>(FlowHashKey{1, 2, 3});
    cases.push_back({"hash/ipv4", tuples, [hasher] {
                         for (std::uint32_t i = 0; i < tuples; ++i) {
                             benchmark::DoNotOptimize(hasher->hash_ipv4(
                                 {i}, {0x0a64c633}, Be16::from_host(1024), Be16::from_host(80), 6
                             ));
                         }
                     }});
    auto address = std::make_shared<std::array<std::uint8_t, 16>>();
    cases.push_back({"hash/ipv6", tuples, [hasher, address] {
                         for (std::uint32_t i = 0; i < tuples; ++i) {
                             std::uint8_t* const bytes = address->data();
                             bytes[15] = static_cast<std::uint8_t>(i);
                             benchmark::DoNotOptimize(hasher->hash_ipv6(
                                 bytes, bytes, Be16::from_host(1024), Be16::from_host(80), 6
                             ));
                         }
                     }});
}

struct TableOfFlows {
    explicit TableOfFlows(std::size_t flows)
        : memory(FlowTable::bytes_for(flows)), table(memory.bytes()) {
        std::mt19937_64 random(7);
        while (hashes.size() < flows) {
            hashes.push_back({random()});
            if (table.insert(hashes.back(), {1}, FlowState::tcp_established, {1}) == nullptr) {
                std::abort(); // the table is made for as many
            }
        }
    }

    TableMemory memory;
    FlowTable table;
    std::vector<FlowHash> hashes;
    std::size_t at = 0;
};

void add_flow_table(std::vector<MicroCase>& cases) {
    for (const std::size_t flows : {std::size_t{1024}, std::size_t{1} << 20U}) {
        auto state = std::make_shared<TableOfFlows>(flows);
        cases.push_back({fmt::format("flow_table/find/{}", flows), max_burst, [state] {
                             const std::span burst =
                                 std::span(state->hashes).subspan(state->at, max_burst);
                             state->at = (state->at + max_burst) % state->hashes.size();
                             for (const FlowHash hash : burst) {
                                 state->table.prefetch(hash);
                             }
                             for (const FlowHash hash : burst) {
                                 benchmark::DoNotOptimize(state->table.find(hash, [](BackendId id) {
                                     return id.value == 1;
                                 }));
                             }
                         }});
        cases.push_back(
            {fmt::format("flow_table/insert_erase/{}", flows),
             max_burst,
             [state, flows] {
                 // A flow goes, another one comes: the load stays what it is.
                 for (std::size_t i = 0; i < max_burst; ++i) {
                     FlowHash& hash = state->hashes[(state->at + i) % flows];
                     const auto any = [](BackendId) { return true; };
                     if (FlowTable::Slot* slot = state->table.find(hash, any)) {
                         state->table.erase(*slot);
                     }
                     hash.value = hash.value * 6364136223846793005ULL + 1442695040888963407ULL;
                     benchmark::DoNotOptimize(
                         state->table.insert(hash, {1}, FlowState::tcp_syn, {1})
                     );
                 }
                 state->at = (state->at + max_burst) % flows;
             }}
        );
    }
}

void add_maglev(std::vector<MicroCase>& cases) {
    for (const std::size_t backends : {std::size_t{100}, std::size_t{1000}}) {
        for (const bool weighted : {false, true}) {
            std::vector<MaglevMember> members;
            std::mt19937_64 random(3);
            for (std::size_t i = 0; i < backends; ++i) {
                const auto weight = static_cast<std::uint16_t>(weighted ? 1 + (i % 100) : 100);
                members.push_back(
                    {.identity = random(),
                     .weight = weight,
                     .id = {static_cast<std::uint16_t>(i + 1)}}
                );
            }
            cases.push_back(
                {fmt::format("maglev/{}/{}", weighted ? "weighted" : "equal", backends),
                 1,
                 [members] { benchmark::DoNotOptimize(build_maglev(members, default_maglev_size)); }
                }
            );
        }
    }
}

/// A snapshot with the parts that rewriting a packet needs.
struct Rewriter {
    explicit Rewriter(const ForwardingCase& forwarding) : burst(forwarding, 1024, TcpHeader::ack) {
        snapshot = compile_or_abort(declare(forwarding), ids);
        resolve_targets(*snapshot, *next_hops);
        parse_packet(burst.next().front(), parsed);
    }

    Burst burst;
    IdRegistry ids;
    std::shared_ptr<const Snapshot> snapshot;
    std::unique_ptr<NextHopTable> next_hops = std::make_unique<NextHopTable>();
    ParsedPacket parsed{};
    PortFacts port{.mac = {{2, 0, 0, 0, 0, 9}}, .mtu = 1500};
    FlowHash hash{0x123456789abcdef0};
};

void add_rewrite(std::vector<MicroCase>& cases) {
    for (const ForwardingCase& forwarding : forwarding_cases) {
        auto state = std::make_shared<Rewriter>(forwarding);
        cases.push_back({fmt::format("rewrite/{}", forwarding.name), max_burst, [state] {
                             const BackendId id = state->snapshot->targets().front().id;
                             for (Packet& packet : state->burst.next()) {
                                 benchmark::DoNotOptimize(rewrite_for_backend(
                                     packet,
                                     state->parsed,
                                     state->snapshot->backend(id),
                                     state->next_hops->load(id),
                                     state->port.mac,
                                     state->hash
                                 ));
                             }
                         }});
    }
}

void add_checksum(std::vector<MicroCase>& cases) {
    for (const std::size_t length : {std::size_t{20}, std::size_t{1480}}) {
        auto bytes = std::make_shared<std::vector<std::uint8_t>>(length, std::uint8_t{0x5a});
        cases.push_back({fmt::format("checksum/{}", length), 1, [bytes] {
                             benchmark::DoNotOptimize(
                                 finish_checksum(add_to_checksum(0, std::span(*bytes)))
                             );
                         }});
    }
}

// Whole bursts through core, without a driver: what the pieces come to.
void add_process(std::vector<MicroCase>& cases) {
    constexpr std::uint32_t flow_count = 1024;
    for (const ForwardingCase& forwarding : forwarding_cases) {
        auto subject = std::make_shared<Subject>(forwarding, std::size_t{1} << 16U);
        auto burst = std::make_shared<Burst>(forwarding, flow_count, TcpHeader::ack);
        auto verdicts = std::make_shared<std::array<Verdict, max_burst>>();
        for (std::size_t sent = 0; sent < flow_count; sent += max_burst) {
            subject->process(burst->next(), *verdicts); // from here on every packet has its entry
        }
        cases.push_back(
            {fmt::format("process/{}", forwarding.name),
             max_burst,
             [subject, burst, verdicts] { subject->process(burst->next(), *verdicts); }}
        );
    }
}

} // namespace

std::vector<MicroCase> make_micro_cases() {
    std::vector<MicroCase> cases;
    add_parse(cases);
    add_hash(cases);
    add_flow_table(cases);
    add_maglev(cases);
    add_rewrite(cases);
    add_checksum(cases);
    add_process(cases);
    return cases;
}

} // namespace penstock::bench
