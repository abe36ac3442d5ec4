// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/hash.hpp"

#include <bit>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <vector>

namespace penstock {
namespace {

FlowHashKey key_of(std::uint8_t seed) {
    FlowHashKey key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::uint8_t>((seed * 17U) + (i * 29U));
    }
    return key;
}

IpAddress random_ipv4(std::mt19937_64& random) {
    return IpAddress::from_ipv4({static_cast<std::uint32_t>(random())});
}

IpAddress random_ipv6(std::mt19937_64& random) {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(random());
    }
    return IpAddress::from_ipv6(bytes);
}

FlowTuple random_tuple(std::mt19937_64& random, bool ipv4) {
    return {
        .source = ipv4 ? random_ipv4(random) : random_ipv6(random),
        .destination = ipv4 ? random_ipv4(random) : random_ipv6(random),
        .source_port = {static_cast<std::uint16_t>(random())},
        .destination_port = {static_cast<std::uint16_t>(random())},
        .protocol = static_cast<std::uint8_t>(random()),
    };
}

TEST(FlowHasher, InstructionAndPortableCodeAgree) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; ++i) {
        const FlowHasher hasher(key_of(static_cast<std::uint8_t>(i)));
        const FlowTuple tuple = random_tuple(random, i % 2 == 0);
        ASSERT_EQ(hasher.hash(tuple), hasher.hash_portable(tuple)) << i;
    }
}

TEST(FlowHasher, PacketPathFunctionsEqualTheReference) {
    std::mt19937_64 random(2);
    const FlowHasher hasher(key_of(3));
    for (int i = 0; i < 2000; ++i) {
        const FlowTuple four = random_tuple(random, true);
        ASSERT_EQ(
            hasher.hash(four),
            hasher.hash_ipv4(
                four.source.ipv4(),
                four.destination.ipv4(),
                four.source_port,
                four.destination_port,
                four.protocol
            )
        );
        const FlowTuple six = random_tuple(random, false);
        ASSERT_EQ(
            hasher.hash(six),
            hasher.hash_ipv6(
                six.source.bytes().data(),
                six.destination.bytes().data(),
                six.source_port,
                six.destination_port,
                six.protocol
            )
        );
    }
}

// Values that must never change: a pair of nodes of different versions shares flows by them.
TEST(FlowHasher, ValuesAreStable) {
    const FlowTuple tuple{
        .source = *IpAddress::parse("192.0.2.1"),
        .destination = *IpAddress::parse("198.51.100.10"),
        .source_port = Be16::from_host(40000),
        .destination_port = Be16::from_host(80),
        .protocol = 6,
    };
    EXPECT_EQ(FlowHasher(key_of(1)).hash(tuple).value, 6370568092931305346ULL);
    EXPECT_EQ(FlowHasher(key_of(2)).hash(tuple).value, 10707912276585395400ULL);
    FlowTuple six = tuple;
    six.source = *IpAddress::parse("2001:db8::1");
    six.destination = *IpAddress::parse("2001:db8::10");
    EXPECT_EQ(FlowHasher(key_of(1)).hash(six).value, 9483866556978290314ULL);
}

// Every input bit flips every output bit half of the time.
TEST(FlowHasher, EveryInputBitReachesEveryOutputBit) {
    std::mt19937_64 random(4);
    const FlowHasher hasher(key_of(5));
    constexpr int samples = 2000;
    constexpr unsigned input_bits = 32 + 32 + 16 + 16;
    for (unsigned bit = 0; bit < input_bits; ++bit) {
        std::array<int, 64> flips{};
        for (int sample = 0; sample < samples; ++sample) {
            const FlowTuple tuple = random_tuple(random, true);
            std::array<std::uint32_t, 3> words{
                tuple.source.ipv4().raw,
                tuple.destination.ipv4().raw,
                std::uint32_t{tuple.source_port.raw} |
                    (std::uint32_t{tuple.destination_port.raw} << 16U),
            };
            const auto hash = [&] {
                return hasher
                    .hash_ipv4(
                        {words[0]},
                        {words[1]},
                        {static_cast<std::uint16_t>(words[2])},
                        {static_cast<std::uint16_t>(words[2] >> 16U)},
                        6
                    )
                    .value;
            };
            const std::uint64_t before = hash();
            words[bit / 32] ^= 1U << (bit % 32);
            const std::uint64_t changed = before ^ hash();
            for (unsigned out = 0; out < 64; ++out) {
                flips[out] += static_cast<int>(changed >> out & 1U);
            }
        }
        for (unsigned out = 0; out < 64; ++out) {
            // Binomial, sigma 22: 7 sigma never happens among 6,144 pairs by chance.
            EXPECT_NEAR(flips[out], samples / 2, 157) << "input " << bit << " output " << out;
        }
    }
}

double chi_square(const std::vector<std::uint32_t>& counts, double expected) {
    double sum = 0;
    for (const std::uint32_t count : counts) {
        sum += (count - expected) * (count - expected) / expected;
    }
    return sum;
}

// Clients as they come: neighbouring addresses, ports one after the other. Buckets (low bits),
// slots (middle) and digests (high bits) must each be even.
TEST(FlowHasher, SequentialClientsSpreadEvenly) {
    const FlowHasher hasher(key_of(6));
    constexpr std::uint32_t cells = 1024;
    constexpr std::uint32_t flows = 256 * 1024;
    std::vector<std::uint32_t> low(cells);
    std::vector<std::uint32_t> high(cells);
    std::vector<std::uint32_t> slots(cells);
    for (std::uint32_t i = 0; i < flows; ++i) {
        const FlowHash hash = hasher.hash_ipv4(
            Be32::from_host(0xc0000200U + (i % 256)),
            Be32::from_host(0xc633640aU),
            Be16::from_host(static_cast<std::uint16_t>(1024 + (i / 256))),
            Be16::from_host(80),
            6
        );
        ++low[hash.value % cells];
        ++high[hash.digest() >> 22U];
        ++slots[hash.choose_slot(cells)];
    }
    // 1,023 degrees of freedom: mean 1023, sigma 45; six sigma.
    for (const auto* counts : {&low, &high, &slots}) {
        EXPECT_LT(chi_square(*counts, double{flows} / cells), 1023 + (6 * 45.3));
        EXPECT_GT(chi_square(*counts, double{flows} / cells), 1023 - (6 * 45.3));
    }
}

TEST(FlowHasher, NoCollisionAmongManyTuples) {
    const FlowHasher hasher(key_of(7));
    std::set<std::uint64_t> seen;
    for (std::uint32_t i = 0; i < 200000; ++i) {
        seen.insert(hasher
                        .hash_ipv4(
                            {i * 2654435761U},
                            Be32::from_host(0xc633640aU),
                            {static_cast<std::uint16_t>(i)},
                            Be16::from_host(443),
                            17
                        )
                        .value);
    }
    EXPECT_EQ(seen.size(), 200000U);
}

TEST(FlowHasher, EveryFieldCounts) {
    std::mt19937_64 random(8);
    const FlowHasher hasher(key_of(9));
    for (const bool ipv4 : {true, false}) {
        const FlowTuple tuple = random_tuple(random, ipv4);
        const FlowHash hash = hasher.hash(tuple);
        FlowTuple other = tuple;
        std::swap(other.source, other.destination);
        EXPECT_NE(hasher.hash(other), hash);
        other = tuple;
        std::swap(other.source_port, other.destination_port);
        EXPECT_NE(hasher.hash(other), hash);
        other = tuple;
        other.protocol ^= 1U;
        EXPECT_NE(hasher.hash(other), hash);
        EXPECT_NE(FlowHasher(key_of(10)).hash(tuple), hash);
        EXPECT_NE(FlowHasher().hash(tuple), hash);
    }
}

TEST(FlowHash, ChooseSlotStaysInTheTable) {
    for (const std::uint32_t size : {1U, 2U, 16381U, 65537U, 655373U}) {
        EXPECT_EQ(FlowHash{0}.choose_slot(size), 0U);
        EXPECT_EQ(FlowHash{UINT64_MAX}.choose_slot(size), size - 1);
    }
}

} // namespace
} // namespace penstock
