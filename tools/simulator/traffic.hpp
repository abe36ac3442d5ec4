// SPDX-License-Identifier: Apache-2.0
// Many TCP flows through the real packet path, and an oracle that knows where each belongs.
//
// Thread rule: one thread. Time is simulated.
#pragma once

#include "dataplane/core/compile.hpp"
#include "dataplane/core/offline_worker.hpp"
#include "tools/simulator/pool.hpp"

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace penstock::simulator {

struct Tally {
    std::uint64_t packets = 0;
    std::uint64_t started = 0;    ///< flows, by a SYN
    std::uint64_t violations = 0; ///< packets that left a backend which keeps its flows
    std::uint64_t moved_away =
        0; ///< packets that left a backend which is down or disabled: as wanted
    std::uint64_t dropped = 0;
    std::uint64_t slots_moved = 0; ///< slots of surviving backends that changed, over all changes
    std::uint64_t slots_compared = 0; ///< slots of surviving backends, over all changes
};

class Traffic {
public:
    /// `capacity` entries in the flow table for `flows` flows alive at once.
    Traffic(std::size_t flows, std::size_t capacity, std::uint64_t seed);

    /// Compiles and publishes the pool's state, as the builder thread would.
    void apply(const Pool& pool);

    /// Sends `packets` packets of random flows at `now_s`; one in `flow_length` ends its flow and
    /// starts another in its place.
    void
    send(const Pool& pool, std::uint64_t packets, std::uint64_t now_s, std::uint32_t flow_length);

    [[nodiscard]] const Tally& tally() const { return tally_; }

    [[nodiscard]] const WorkerCounters& counters() const { return worker_.counters(); }

    [[nodiscard]] std::size_t capacity() const {
        return table_.span().size() / sizeof(FlowTable::Slot);
    }

    [[nodiscard]] std::size_t backend_ids() const { return ids_.backends().size(); }

private:
    /// A flow alive. `number` makes its addresses; address 0: it has no backend yet.
    struct Flow {
        std::uint32_t number = 0;
        Be32 backend_address{};
    };

    void compare_slots(const Snapshot& before, const Snapshot& after);
    void send_burst(const Pool& pool, std::span<const std::uint32_t> burst, std::uint64_t now_s);
    void judge(const Pool& pool, Flow& flow, const Verdict& verdict);

    std::vector<Flow> flows_;
    std::uint32_t next_number_ = 0;
    std::mt19937_64 random_;
    LineMemory table_;
    std::array<PortFacts, 1> ports_{};
    OfflineWorker worker_;
    IdRegistry ids_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::vector<Be32> address_of_id_;
    Tally tally_;
};

} // namespace penstock::simulator
