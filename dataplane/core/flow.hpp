// SPDX-License-Identifier: Apache-2.0
// A packet between the stages of the pipeline.
//
// Thread rule: lives on the stack of the worker that handles the burst.
#pragma once

#include "dataplane/core/hash.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/snapshot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>

namespace penstock {

struct NatFlow;

/// How a packet belongs to its flow.
enum class FlowRole : std::uint8_t {
    member,         ///< it has the flow's own addresses and ports
    first_fragment, ///< the same, and the rest of its datagram follows it
    later_fragment, ///< it follows the first one: its backend is known
    quoting,        ///< an ICMP error that quotes a packet of the flow: it changes no entry
};

struct Flow {
    ParsedPacket parsed;
    std::uint32_t index = 0; ///< in the burst
    FlowHash hash;           ///< of the flow; of a later fragment's datagram
    const ServiceEntry* service = nullptr;
    BackendId backend{0}; ///< null_backend until stage 3
    FlowRole role = FlowRole::member;
    bool has_verdict = false; ///< stage 3 decided it: nothing is left to do
    bool is_chosen = false;   ///< its backend was chosen before stage 3: a first fragment's
    bool is_hit = false;      ///< if is_chosen: an entry was followed
    FlowHash choice;          ///< quoting: what a backend is chosen by, if there is no entry
    NatFlow* nat = nullptr;   ///< its entry, if the service has feature::nat
};

static_assert(sizeof(Flow) == 64);

/// The packets of a burst that a stage passes on to the next; the others have their verdict already.
/// Made one by one: clearing 32 of them ahead would cost more than parsing does.
class FlowList {
public:
    /// `make()` returns a Flow, which comes into being in its place: copying one that was just made in
    /// pieces would wait for them.
    template <typename Make>
    Flow& append(Make&& make) {
        return *::new (static_cast<void*>(item(count_++))) Flow(make());
    }

    [[nodiscard]] std::span<Flow> items() { return {item(0), count_}; }

private:
    Flow* item(std::size_t i) { return reinterpret_cast<Flow*>(storage_.data()) + i; }

    static_assert(std::is_trivially_destructible_v<Flow>);
    alignas(Flow) std::array<std::byte, sizeof(Flow) * max_burst> storage_;
    std::size_t count_ = 0;
};

} // namespace penstock
