// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/hash.hpp"

#include "dataplane/core/aes_round.hpp"

#include <bit>

namespace penstock {
namespace {

HashBlock address_block(const std::uint8_t* address) {
    HashBlock block;
    std::memcpy(&block, address, sizeof block);
    return block;
}

HashBlock exclusive_or(const HashBlock& a, const HashBlock& b) {
    return {.low = a.low ^ b.low, .high = a.high ^ b.high};
}

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
        HashBlock block = exclusive_or({.low = round + 1}, secret);
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

FlowHash FlowHasher::hash_ipv6(
    const std::uint8_t* source,
    const std::uint8_t* destination,
    Be16 source_port,
    Be16 destination_port,
    std::uint8_t protocol
) const {
    // A chain: each block is absorbed by XOR and two rounds, the last by all four.
    HashBlock state = encrypt(address_block(source), rounds / 2);
    state = encrypt(exclusive_or(state, address_block(destination)), rounds / 2);
    const HashBlock ports = block_ports(source_port, destination_port, protocol);
    return fold(encrypt(exclusive_or(state, ports), rounds));
}

HashBlock FlowHasher::encrypt_portable(HashBlock block, std::size_t round_count) const {
    block = exclusive_or(block, round_keys_[0]);
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
    HashBlock state = address_block(tuple.source.bytes().data());
    state = encrypt_portable(state, rounds / 2);
    state = exclusive_or(state, address_block(tuple.destination.bytes().data()));
    state = encrypt_portable(state, rounds / 2);
    const HashBlock ports = block_ports(tuple.source_port, tuple.destination_port, tuple.protocol);
    return fold(encrypt_portable(exclusive_or(state, ports), rounds));
}

} // namespace penstock
