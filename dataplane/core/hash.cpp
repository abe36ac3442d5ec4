// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/hash.hpp"

#include "dataplane/core/aes_round.hpp"

#include <bit>

namespace penstock {
namespace {

HashBlock round_portable(const HashBlock& state, const HashBlock& key) {
    return std::bit_cast<HashBlock>(
        aes_round(std::bit_cast<AesBlock>(state), std::bit_cast<AesBlock>(key))
    );
}

} // namespace

#if !defined(__AES__)

HashBlock FlowHasher::encrypt(const HashBlock& block, std::size_t round_count) const {
    return encrypt_portable(block, round_count);
}

#endif

FlowHasher::FlowHasher(const FlowHashKey& key) {
    // Round keys that no two rounds share, from the one secret: AES of the round's number under the
    // key.
    const auto secret = std::bit_cast<HashBlock>(key);
    for (std::size_t round = 0; round < round_keys_.size(); ++round) {
        HashBlock block = HashBlock::exclusive_or({.low = round + 1}, secret);
        for (unsigned i = 0; i < 8; ++i) {
            block = round_portable(block, secret);
        }
        round_keys_[round] = block;
    }
}

FlowHash FlowHasher::hash(const FlowTuple& tuple) const {
    const auto& source = tuple.source;
    const auto& destination = tuple.destination;
    if (source.is_ipv4() && destination.is_ipv4()) {
        return hash_ipv4(
            source.ipv4(),
            destination.ipv4(),
            tuple.source_port,
            tuple.destination_port,
            tuple.protocol
        );
    }
    return hash_ipv6(
        source.bytes().data(),
        destination.bytes().data(),
        tuple.source_port,
        tuple.destination_port,
        tuple.protocol
    );
}

HashBlock FlowHasher::encrypt_portable(HashBlock block, std::size_t round_count) const {
    block = HashBlock::exclusive_or(block, round_keys_[0]);
    for (std::size_t round = 1; round <= round_count; ++round) {
        block = round_portable(block, round_keys_[round]);
    }
    return block;
}

FlowHash FlowHasher::hash_portable(const FlowTuple& tuple) const {
    if (tuple.source.is_ipv4() && tuple.destination.is_ipv4()) {
        return fold(encrypt_portable(
            block_ipv4(
                tuple.source.ipv4(),
                tuple.destination.ipv4(),
                tuple.source_port,
                tuple.destination_port,
                tuple.protocol
            ),
            rounds
        ));
    }
    HashBlock state = HashBlock::from_address(tuple.source.bytes().data());
    state = encrypt_portable(state, rounds / 2);
    state =
        HashBlock::exclusive_or(state, HashBlock::from_address(tuple.destination.bytes().data()));
    state = encrypt_portable(state, rounds / 2);
    const HashBlock ports = block_ports(tuple.source_port, tuple.destination_port, tuple.protocol);
    return fold(encrypt_portable(HashBlock::exclusive_or(state, ports), rounds));
}

} // namespace penstock
