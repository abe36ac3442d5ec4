// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/nat_table.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace penstock {
namespace {

bool is_forward(const NatFlow& flow, const FlowTuple& tuple) {
    return flow.client_port == tuple.source_port && flow.vip_port == tuple.destination_port &&
           flow.protocol == tuple.protocol && flow.client == tuple.source &&
           flow.vip == tuple.destination;
}

bool is_reply(const NatFlow& flow, const FlowTuple& tuple) {
    return flow.server_port == tuple.source_port && flow.source_port == tuple.destination_port &&
           flow.protocol == tuple.protocol && flow.server == tuple.source &&
           flow.source == tuple.destination;
}

std::uint32_t short_hash(FlowHash hash) {
    return static_cast<std::uint32_t>(hash.value);
}

} // namespace

std::size_t NatTable::bytes_for(std::size_t flows) {
    return (flows * sizeof(NatFlow)) + (2 * std::bit_ceil(flows) * sizeof(std::uint32_t));
}

NatTable::NatTable(std::span<std::byte> memory, std::size_t flows)
    : capacity_(flows), mask_(std::bit_ceil(flows) - 1), flows_(new(memory.data()) NatFlow[flows]) {
    std::byte* const heads = memory.data() + (flows * sizeof(NatFlow));
    const std::size_t head_count = mask_ + 1;
    forward_ = new (heads) std::uint32_t[head_count];
    reply_ = new (heads + (head_count * sizeof(std::uint32_t))) std::uint32_t[head_count];
    std::fill_n(forward_, head_count, none);
    std::fill_n(reply_, head_count, none);
    for (std::size_t i = flows; i-- > 0;) {
        flows_[i].next_forward = free_;
        free_ = static_cast<std::uint32_t>(i);
    }
}

NatFlow* NatTable::find_forward(FlowHash hash, const FlowTuple& tuple) const {
    std::uint32_t index = forward_[bucket(hash)];
    while (index != none) {
        NatFlow& flow = flows_[index];
        if (flow.forward_hash == short_hash(hash) && is_forward(flow, tuple)) {
            return &flow;
        }
        index = flow.next_forward;
    }
    return nullptr;
}

NatFlow* NatTable::find_reply_entry(FlowHash hash, const FlowTuple& tuple) const {
    std::uint32_t index = reply_[bucket(hash)];
    while (index != none) {
        NatFlow& flow = flows_[index];
        if (flow.reply_hash == short_hash(hash) && is_reply(flow, tuple)) {
            return &flow;
        }
        index = flow.next_reply;
    }
    return nullptr;
}

NatFlow* NatTable::find_reply(FlowHash hash, const FlowTuple& tuple) const {
    NatFlow* const flow = find_reply_entry(hash, tuple);
    return flow != nullptr && flow->live ? flow : nullptr;
}

bool NatTable::is_taken(FlowHash hash, const FlowTuple& tuple) const {
    return find_reply_entry(hash, tuple) != nullptr;
}

NatFlow* NatTable::insert(const NatFlow& flow, FlowHash forward, FlowHash reply) {
    if (free_ == none) {
        return nullptr;
    }
    const std::uint32_t index = free_;
    NatFlow& entry = flows_[index];
    free_ = entry.next_forward;
    entry = flow;
    entry.forward_hash = short_hash(forward);
    entry.reply_hash = short_hash(reply);
    entry.live = true;
    entry.resting = false;
    entry.next_forward = forward_[bucket(forward)];
    forward_[bucket(forward)] = index;
    entry.next_reply = reply_[bucket(reply)];
    reply_[bucket(reply)] = index;
    ++live_;
    return &entry;
}

void NatTable::unlink_forward(const NatFlow& flow) {
    std::uint32_t* link = &forward_[bucket(flow.forward_hash)];
    while (&flows_[*link] != &flow) {
        link = &flows_[*link].next_forward;
    }
    *link = flow.next_forward;
}

void NatTable::retire(NatFlow& flow) {
    unlink_forward(flow);
    flow.live = false;
    flow.resting = true;
    --live_;
    ++resting_;
}

void NatTable::release(NatFlow& flow) {
    std::uint32_t* link = &reply_[bucket(flow.reply_hash)];
    while (&flows_[*link] != &flow) {
        link = &flows_[*link].next_reply;
    }
    *link = flow.next_reply;
    flow.resting = false;
    --resting_;
    flow.next_forward = free_;
    free_ = static_cast<std::uint32_t>(&flow - flows_);
}

} // namespace penstock
