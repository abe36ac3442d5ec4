// SPDX-License-Identifier: Apache-2.0
// One worker without a NIC: flow table, counters, next hops and a snapshot, and packets to send
// through them.
#pragma once

#include "dataplane/core/offline_worker.hpp"
#include "tests/unit/core/desired.hpp"

#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

namespace penstock::test {

class WorkerRig {
public:
    explicit WorkerRig(std::size_t flows = 1000)
        : memory_(FlowTable::bytes_for(flows)), worker_(memory_.span(), ports) {}

    /// Compiles and uses it from now on, and resolves every target. Aborts on a refusal.
    void use(const DesiredState& state) {
        const auto compiled = compile_snapshot(state, ids, snapshot.get());
        if (!compiled) {
            std::abort();
        }
        snapshot = *compiled;
        for (const Snapshot::Target& target : snapshot->targets()) {
            next_hops->set(target.id, hop_of(target.id));
        }
    }

    static NextHop hop_of(BackendId id) {
        return {
            .mac =
                {{2,
                  0,
                  0,
                  1,
                  static_cast<std::uint8_t>(id.value >> 8U),
                  static_cast<std::uint8_t>(id.value)}},
            .port = {0},
        };
    }

    /// A burst of frames; `sent` then holds them as they left.
    std::vector<Verdict> send_burst(std::span<const Bytes> frames) {
        std::vector<FrameBuffer> buffers;
        std::vector<Packet> packets;
        for (const Bytes& frame : frames) {
            buffers.emplace_back(frame);
            packets.push_back(buffers.back().packet);
        }
        std::vector<Verdict> verdicts(frames.size());
        process_burst(worker, snapshot.get(), now, packets, verdicts);
        sent.clear();
        for (const Packet& packet : packets) {
            sent.emplace_back(packet.data, packet.data + packet.length);
        }
        return verdicts;
    }

    Verdict send(const Bytes& frame) { return send_burst({&frame, 1}).front(); }

    [[nodiscard]] BackendId id_of(const ServiceSpec& service, std::size_t index) const {
        return ids.backend(service.key, service.backends.at(index).key);
    }

    [[nodiscard]] std::uint64_t drops(DropReason reason) const {
        return counters->drops[static_cast<std::size_t>(reason)].read();
    }

    /// Forgets what has expired, in the whole table.
    void expire() { expire_flows(worker, snapshot.get(), now, flows().bucket_count()); }

    void pass_seconds(unsigned seconds) {
        now.ticks = (now.ticks + (seconds / CoarseTime::seconds_per_tick)) & CoarseTime::mask;
    }

    /// Entries that name each backend, counted in the table itself.
    [[nodiscard]] std::vector<std::uint64_t> count_flows() {
        std::vector<std::uint64_t> counts(max_backends);
        flows().sweep(flows().bucket_count(), [&](const FlowEntry& entry) {
            ++counts[entry.backend.value];
            return false;
        });
        return counts;
    }

    FlowTable& flows() { return worker_.flows(); }

    std::array<PortFacts, 2> ports{{{.mac = our_mac, .mtu = 1600}, {.mac = our_mac, .mtu = 1600}}};

private:
    LineMemory memory_;
    OfflineWorker worker_;

public:
    IdRegistry ids;
    std::shared_ptr<const Snapshot> snapshot;
    CoarseTime now{100};
    std::vector<Bytes> sent;
    WorkerContext& worker = worker_.context();
    NextHopTable* next_hops = &worker_.next_hops();
    const WorkerCounters* counters = &worker_.counters();
    std::span<const ServiceCounters> services = worker_.services();
    std::span<const BackendCounters> backends = worker_.backends();
};

} // namespace penstock::test
