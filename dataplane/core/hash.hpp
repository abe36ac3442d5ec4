// SPDX-License-Identifier: Apache-2.0
// The keyed hash of flows: four rounds of AES over the tuple. An attacker who does not know the key
// cannot choose tuples that fall into one bucket or onto one backend (CRC32 and Toeplitz are
// linear: he could).
//
// Four rounds have at least 25 active S-boxes, each of at most 2^-6, so that no differential trail
// is likelier than 2^-150 (Daemen & Rijmen, "The Design of Rijndael", 9.5): more than a table
// needs. This is no message authentication code and must not serve as one.
//
// Thread rule: FlowHasher is immutable after construction. The AES-NI and the portable code return
// the same values on every machine (hash_test.cpp holds them equal): hashes are shared by a pair of
// nodes.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/desired_state.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AES__)
#include <immintrin.h>
#endif

namespace penstock {

/// 64 bits: the low ones choose a bucket, the high 32 are the flow table's digest, and
/// choose_slot() uses the middle.
struct FlowHash {
    std::uint64_t value = 0;

    [[nodiscard]] constexpr std::uint32_t digest() const {
        return static_cast<std::uint32_t>(value >> 32U);
    }

    /// Slot of a table of `size` slots: the high half of a product, no division (Lemire 2019).
    [[nodiscard]] constexpr std::uint32_t choose_slot(std::uint32_t size) const {
        const auto middle = static_cast<std::uint32_t>(value >> 16U);
        return static_cast<std::uint32_t>((std::uint64_t{middle} * size) >> 32U);
    }

    friend constexpr bool operator==(FlowHash, FlowHash) = default;
};

/// 16 bytes, the unit the hash works on: two words, so that a block made of fields never leaves
/// registers.
struct alignas(16) HashBlock {
    std::uint64_t low = 0;
    std::uint64_t high = 0;

    /// REQUIRES: 16 bytes at `address`.
    [[nodiscard]] static HashBlock from_address(const std::uint8_t* address) {
        HashBlock block;
        std::memcpy(&block, address, sizeof block);
        return block;
    }

    [[nodiscard]] static HashBlock exclusive_or(const HashBlock& a, const HashBlock& b) {
        return {.low = a.low ^ b.low, .high = a.high ^ b.high};
    }
};

/// What identifies a flow, in network byte order, as it is hashed. IPv4 fills one block; IPv6
/// three.
struct FlowTuple {
    IpAddress source;
    IpAddress destination;
    Be16 source_port{};
    Be16 destination_port{};
    std::uint8_t protocol = 0;

    friend bool operator==(const FlowTuple&, const FlowTuple&) = default;
};

class FlowHasher {
public:
    FlowHasher() = default; ///< the hash of key 0, for tests
    explicit FlowHasher(const FlowHashKey& key);

    /// The reference: any family.
    [[nodiscard]] FlowHash hash(const FlowTuple& tuple) const;

    /// The same value as hash() for an IPv4 tuple.
    [[nodiscard]] FlowHash hash_ipv4(
        Be32 source,
        Be32 destination,
        Be16 source_port,
        Be16 destination_port,
        std::uint8_t protocol
    ) const {
        return fold(encrypt(
            block_ipv4(source, destination, source_port, destination_port, protocol), rounds
        ));
    }

    /// The same value as hash() for an IPv6 tuple; the addresses are 16 bytes in network order.
    [[nodiscard]] FlowHash hash_ipv6(
        const std::uint8_t* source,
        const std::uint8_t* destination,
        Be16 source_port,
        Be16 destination_port,
        std::uint8_t protocol
    ) const {
        // A chain: each block is absorbed by XOR and two rounds, the last by all four.
        const HashBlock ports = block_ports(source_port, destination_port, protocol);
        HashBlock state = encrypt(HashBlock::from_address(source), rounds / 2);
        state = HashBlock::exclusive_or(state, HashBlock::from_address(destination));
        state = encrypt(state, rounds / 2);
        return fold(encrypt(HashBlock::exclusive_or(state, ports), rounds));
    }

    /// The portable twin of hash(), for the test that holds them equal.
    [[nodiscard]] FlowHash hash_portable(const FlowTuple& tuple) const;

private:
    static constexpr std::size_t rounds = 4;

    [[nodiscard]] static HashBlock
    block_ports(Be16 source_port, Be16 destination_port, std::uint8_t protocol) {
        return {
            .high = std::uint64_t{source_port.raw} | (std::uint64_t{destination_port.raw} << 16U) |
                    (std::uint64_t{protocol} << 32U),
        };
    }

    [[nodiscard]] static HashBlock block_ipv4(
        Be32 source,
        Be32 destination,
        Be16 source_port,
        Be16 destination_port,
        std::uint8_t protocol
    ) {
        HashBlock block = block_ports(source_port, destination_port, protocol);
        block.low = std::uint64_t{source.raw} | (std::uint64_t{destination.raw} << 32U);
        // The length of an address, so that an IPv4 tuple is no tail of an IPv6 one.
        block.high |= std::uint64_t{4} << 56U;
        return block;
    }

    [[nodiscard]] static FlowHash fold(const HashBlock& block) { return {block.low}; }

    /// `block` XOR the first round key, then `round_count` rounds.
    [[nodiscard]] HashBlock encrypt(const HashBlock& block, std::size_t round_count) const;
    [[nodiscard]] HashBlock encrypt_portable(HashBlock block, std::size_t round_count) const;

    std::array<HashBlock, rounds + 1> round_keys_{};
};

#if defined(__AES__)

// Inline: in a burst the rounds of neighbouring packets overlap.
inline HashBlock FlowHasher::encrypt(const HashBlock& block, std::size_t round_count) const {
    const auto load = [](const HashBlock& from) {
        return _mm_load_si128(reinterpret_cast<const __m128i*>(&from));
    };
    __m128i state =
        _mm_set_epi64x(static_cast<long long>(block.high), static_cast<long long>(block.low));
    state = _mm_xor_si128(state, load(round_keys_[0]));
    for (std::size_t round = 1; round <= round_count; ++round) {
        state = _mm_aesenc_si128(state, load(round_keys_[round]));
    }
    return {
        .low = static_cast<std::uint64_t>(_mm_cvtsi128_si64(state)),
        .high = static_cast<std::uint64_t>(_mm_extract_epi64(state, 1)),
    };
}

#endif

} // namespace penstock
