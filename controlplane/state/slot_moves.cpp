// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/slot_moves.hpp"

#include "dataplane/core/compile.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

namespace penstock {

namespace {

std::shared_ptr<const MaglevTable>
build_table(const ServiceSpec& service, const DesiredState& context, IdRegistry& ids) {
    DesiredState alone;
    alone.generation = 1;
    alone.flow_hash_key = context.flow_hash_key;
    alone.timeouts = context.timeouts;
    alone.tunnel_sources = context.tunnel_sources;
    // Where the ports' own would be taken, any does: it does not matter for slots.
    if (!alone.tunnel_sources.ipv4) {
        alone.tunnel_sources.ipv4 = IpPrefix::parse("192.0.2.1");
    }
    if (!alone.tunnel_sources.ipv6) {
        alone.tunnel_sources.ipv6 = IpPrefix::parse("2001:db8::1");
    }
    alone.services.push_back(service);
    const auto snapshot = compile_snapshot(alone, ids, nullptr);
    return snapshot ? (*snapshot)->table_of(ids.service(service.key)) : nullptr;
}

} // namespace

std::optional<SlotMoves>
count_slot_moves(const ServiceSpec& before, const ServiceSpec& after, const DesiredState& context) {
    IdRegistry ids; // one for both: equal backends have equal ids in both tables
    const auto old_table = build_table(before, context, ids);
    const auto new_table = build_table(after, context, ids);
    if (!old_table || !new_table) {
        return std::nullopt;
    }
    SlotMoves moves{.slots = before.maglev_size, .moved = 0};
    const auto& old_slots = old_table->slots;
    const auto& new_slots = new_table->slots;
    if (old_slots.empty()) {
        return moves; // nobody had new flows, so nobody loses them
    }
    if (new_slots.empty()) {
        moves.moved = moves.slots;
        return moves;
    }
    // A slot is an interval of hashes (FlowHash::choose_slot() takes the high half of a product), so with
    // another table size its middle finds the new slot.
    const std::uint64_t old_size = old_slots.size();
    const std::uint64_t new_size = new_slots.size();
    for (std::uint64_t slot = 0; slot < old_size; ++slot) {
        const std::uint64_t now =
            old_size == new_size ? slot : (2 * slot + 1) * new_size / (2 * old_size);
        moves.moved += old_slots[slot] == new_slots[now] ? 0 : 1;
    }
    return moves;
}

} // namespace penstock
