// SPDX-License-Identifier: Apache-2.0
#include "tools/simulator/traffic.hpp"

#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace penstock::simulator {
namespace {

constexpr std::size_t headroom = 64;
constexpr std::size_t frame_bytes = 60;
constexpr std::align_val_t line{64};

// The frame of one flow: number → client address and port.
void write_frame(std::uint8_t* data, std::uint32_t number, std::uint8_t tcp_flags) {
    write_header(
        data, EthernetHeader{.destination = {}, .source = {}, .ethertype = ethertype_ipv4}
    );
    Ipv4Header ip{
        .version_ihl = 0x45,
        .tos = 0,
        .total_length = Be16::from_host(frame_bytes - sizeof(EthernetHeader)),
        .id = {0},
        .fragment = Be16::from_host(Ipv4Header::dont_fragment),
        .ttl = 60,
        .protocol = protocol_tcp,
        .checksum = {0},
        .source = Be32::from_host(0x14000000U + (number >> 15U)),
        .destination = Be32::from_host(0xc633640a),
    };
    std::uint8_t* const ip_bytes = data + sizeof(EthernetHeader);
    write_header(ip_bytes, ip);
    ip.checksum = finish_checksum(add_to_checksum(0, {ip_bytes, sizeof ip}));
    write_header(ip_bytes, ip);
    const auto port = static_cast<std::uint16_t>(1024U + (number & 0x7fffU));
    write_header(
        ip_bytes + sizeof ip,
        TcpHeader{
            .source_port = Be16::from_host(port),
            .destination_port = Be16::from_host(80),
            .sequence = {0},
            .acknowledgement = {0},
            .data_offset = 0x50,
            .flags = tcp_flags,
            .window = {0},
            .checksum = {0},
            .urgent = {0},
        }
    );
}

} // namespace

Traffic::Traffic(std::size_t flows, std::size_t capacity, std::uint64_t seed)
    : flows_(flows),
      random_(seed),
      table_(FlowTable::bytes_for(capacity)),
      worker_(table_.span(), ports_),
      address_of_id_(max_backends) {
    for (Flow& flow : flows_) {
        flow.number = next_number_++;
    }
}

void Traffic::apply(const Pool& pool) {
    // One thread: the grace period of the last publication is over.
    std::vector<std::uint64_t> gauges;
    gauges.reserve(max_backends);
    for (const BackendCounters& backend : worker_.backends()) {
        gauges.push_back(backend.flows.read());
    }
    ids_.free_retired(gauges);
    auto compiled = compile_snapshot(pool.state(), ids_, snapshot_.get());
    if (!compiled) {
        // The pool makes only states that must compile.
        std::fprintf(
            stderr,
            "simulate: %s: %s\n",
            compiled.error().place.c_str(),
            compiled.error().cause.c_str()
        );
        std::abort();
    }
    if (snapshot_) {
        compare_slots(*snapshot_, **compiled);
    }
    snapshot_ = std::move(*compiled);
    for (const Snapshot::Target& target : snapshot_->targets()) {
        address_of_id_[target.id.value] = target.address.ipv4();
        worker_.next_hops().set(target.id, {.mac = {{2, 0, 0, 0, 0, 1}}, .port = {0}});
    }
}

void Traffic::compare_slots(const Snapshot& before, const Snapshot& after) {
    const auto old_table = before.table_of({0});
    const auto new_table = after.table_of({0});
    if (old_table->slots.size() != new_table->slots.size()) {
        return;
    }
    for (std::size_t i = 0; i < old_table->slots.size(); ++i) {
        const BackendId old_id{old_table->slots[i]};
        if (after.backend(old_id).takes_new_flows) {
            ++tally_.slots_compared;
            tally_.slots_moved += old_id.value != new_table->slots[i] ? 1 : 0;
        }
    }
}

void Traffic::send(
    const Pool& pool, std::uint64_t packets, std::uint64_t now_s, std::uint32_t flow_length
) {
    std::array<std::uint32_t, max_burst> burst{};
    std::array<std::uint32_t, max_burst> opened{};
    for (std::uint64_t sent = 0; sent < packets; sent += burst.size()) {
        std::size_t opened_count = 0;
        for (std::uint32_t& index : burst) {
            index = static_cast<std::uint32_t>(random_() % flows_.size());
            if (random_() % flow_length == 0) {
                flows_[index] = {.number = next_number_++};
            }
            if (flows_[index].backend_address.raw == 0) {
                opened[opened_count++] = index;
            }
        }
        send_burst(pool, burst, now_s);
        // A handshake's ACK follows its SYN in milliseconds. To the flood guard these are far more SYNs
        // than a real service opens, and an entry is made for the ACK.
        send_burst(pool, std::span(opened).first(opened_count), now_s);
        // A full sweep in some ten simulated seconds' worth of packets.
        const std::size_t share =
            worker_.flows().bucket_count() * burst.size() / (packets * 10 + 1);
        expire_flows(
            worker_.context(), snapshot_.get(), CoarseTime::from_seconds(now_s), share + 1
        );
    }
}

void Traffic::send_burst(
    const Pool& pool, std::span<const std::uint32_t> burst, std::uint64_t now_s
) {
    std::array<std::array<std::uint8_t, headroom + frame_bytes>, max_burst> buffers;
    std::array<Packet, max_burst> packets;
    std::array<Verdict, max_burst> verdicts;
    for (std::size_t i = 0; i < burst.size(); ++i) {
        const Flow& flow = flows_[burst[i]];
        const bool opening = flow.backend_address.raw == 0;
        write_frame(
            buffers[i].data() + headroom, flow.number, opening ? TcpHeader::syn : TcpHeader::ack
        );
        packets[i] = {
            .data = buffers[i].data() + headroom,
            .length = frame_bytes,
            .total_length = frame_bytes,
            .headroom = headroom,
            .rx_port = {0},
        };
    }
    process_burst(
        worker_.context(),
        snapshot_.get(),
        CoarseTime::from_seconds(now_s),
        std::span(packets).first(burst.size()),
        std::span(verdicts).first(burst.size())
    );
    for (std::size_t i = 0; i < burst.size(); ++i) {
        judge(pool, flows_[burst[i]], verdicts[i]);
    }
}

void Traffic::judge(const Pool& pool, Flow& flow, const Verdict& verdict) {
    ++tally_.packets;
    if (verdict.kind != VerdictKind::forward) {
        ++tally_.dropped;
        return;
    }
    const Be32 address = address_of_id_[verdict.backend.value];
    if (flow.backend_address.raw == 0) {
        ++tally_.started;
    } else if (address != flow.backend_address) {
        if (pool.keeps_flows(flow.backend_address)) {
            ++tally_.violations;
        } else {
            ++tally_.moved_away;
        }
    }
    flow.backend_address = address;
}

} // namespace penstock::simulator
