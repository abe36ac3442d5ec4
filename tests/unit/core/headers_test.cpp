// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/headers.hpp"

#include "tests/unit/core/naive_checksum.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

namespace penstock {
namespace {

std::uint16_t checksum_of(std::span<const std::uint8_t> bytes) {
    return finish_checksum(add_to_checksum(0, bytes)).host();
}

TEST(Checksum, EqualsTheNaiveOneAtEveryLengthAndAlignment) {
    std::mt19937 random(1);
    for (std::size_t length = 0; length < 200; ++length) {
        for (std::size_t offset = 0; offset < 4; ++offset) {
            const auto memory = std::make_unique<std::uint8_t[]>(offset + length);
            std::generate_n(memory.get(), offset + length, [&] {
                return static_cast<std::uint8_t>(random());
            });
            const std::span<const std::uint8_t> bytes(memory.get() + offset, length);
            ASSERT_EQ(checksum_of(bytes), test::naive_checksum(bytes)) << length << '+' << offset;
        }
    }
}

TEST(Checksum, CarriesEveryCarry) {
    const std::vector<std::uint8_t> ones(65535, 0xff);
    EXPECT_EQ(checksum_of(ones), test::naive_checksum(ones));
    EXPECT_EQ(fold_checksum(UINT64_MAX), 0xffff);
    EXPECT_EQ(fold_checksum(0xffff0000ffff0000ULL), 0xffff);
    EXPECT_EQ(fold_checksum(0x10000), 1);
    EXPECT_EQ(fold_checksum(0xffffffff), 0xffff);
    EXPECT_EQ(fold_checksum(0), 0);
}

// RFC 1071 3: the example of the four words.
TEST(Checksum, ReproducesRfc1071) {
    const std::array<std::uint8_t, 8> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum_of(bytes), 0xffffU - 0xddf2U);
}

TEST(Checksum, IsSplitAnywhereEven) {
    std::mt19937 random(2);
    std::vector<std::uint8_t> bytes(60);
    std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
    for (std::size_t cut = 0; cut <= bytes.size(); cut += 2) {
        const auto all = std::span<const std::uint8_t>(bytes);
        const std::uint64_t sum =
            add_to_checksum(add_to_checksum(0, all.first(cut)), all.subspan(cut));
        EXPECT_EQ(finish_checksum(sum).host(), test::naive_checksum(bytes)) << cut;
    }
}

// Right is what naive arithmetic calls right, on both sides of every carry.
TEST(Checksum, OfAnIpv4HeaderIsRightOrNot) {
    std::mt19937 random(4);
    std::array<std::uint8_t, 20> bytes{};
    unsigned right = 0;
    for (int round = 0; round < 100'000; ++round) {
        std::ranges::generate(bytes, [&] {
            return static_cast<std::uint8_t>(round % 2 == 0 ? random() : 0xffU - (random() % 2));
        });
        bytes[0] = 0x45;
        if (round % 3 != 0) { // else a wrong one, most likely
            bytes[10] = bytes[11] = 0;
            const Be16 checksum = finish_checksum(add_to_checksum(0, bytes));
            write_header(bytes.data() + 10, checksum);
        }
        const bool is_right = test::naive_checksum(bytes) == 0;
        ASSERT_EQ(has_right_checksum_ipv4(bytes.data()), is_right) << round;
        right += is_right ? 1 : 0;
    }
    EXPECT_GT(right, 60'000U);
    EXPECT_LT(right, 70'000U);
}

TEST(Checksum, OfAnIpv4HeaderEqualsTheNaiveOne) {
    std::mt19937 random(3);
    std::array<std::uint8_t, 20> bytes{};
    const auto compare = [&] {
        ASSERT_EQ(finish_checksum(add_to_checksum(0, bytes)).host(), test::naive_checksum(bytes));
    };
    compare();
    bytes.fill(0xff); // every carry there can be
    compare();
    for (int round = 0; round < 10'000; ++round) {
        std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
        compare();
    }
}

TEST(Headers, ReadAndWriteAtAnyAlignment) {
    std::array<std::uint8_t, 64> memory{};
    for (std::size_t offset = 0; offset < 8; ++offset) {
        const UdpHeader header{
            Be16::from_host(1), Be16::from_host(2), Be16::from_host(3), Be16::from_host(4)
        };
        write_header(memory.data() + offset, header);
        EXPECT_EQ(memory[offset + 1], 1);
        EXPECT_EQ(memory[offset + 7], 4);
        EXPECT_EQ(read_header<UdpHeader>(memory.data() + offset).length.host(), 3);
    }
}

} // namespace
} // namespace penstock
