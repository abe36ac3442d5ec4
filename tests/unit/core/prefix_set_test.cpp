// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/prefix_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>

namespace penstock {
namespace {

IpAddress ip(const std::string& text) {
    const auto address = IpAddress::parse(text);
    EXPECT_TRUE(address) << text;
    return address.value_or(IpAddress());
}

PrefixSet set_of(const std::vector<std::string>& texts) {
    std::vector<IpPrefix> prefixes;
    for (const std::string& text : texts) {
        const auto prefix = IpPrefix::parse(text);
        EXPECT_TRUE(prefix) << text;
        prefixes.push_back(prefix.value_or(IpPrefix()));
    }
    return PrefixSet(prefixes);
}

TEST(PrefixSet, EmptyContainsNothing) {
    const PrefixSet none;
    EXPECT_TRUE(none.empty());
    EXPECT_FALSE(none.contains(ip("0.0.0.0")));
    EXPECT_FALSE(none.contains(ip("::")));
    EXPECT_EQ(none.bytes(), 0U);
    EXPECT_FALSE(set_of({"10.0.0.0/8"}).contains(ip("2001:db8::1"))) << "the families are apart";
    EXPECT_FALSE(set_of({"::/0"}).contains(ip("10.0.0.1")));
}

TEST(PrefixSet, ContainsFromFirstToLast) {
    const PrefixSet set = set_of({"192.0.2.128/25", "198.51.100.7", "2001:db8:1::/48", "fe80::1"});
    for (const char* text :
         {"192.0.2.128",
          "192.0.2.255",
          "198.51.100.7",
          "2001:db8:1::",
          "2001:db8:1:ffff:ffff:ffff:ffff:ffff",
          "fe80::1"}) {
        EXPECT_TRUE(set.contains(ip(text))) << text;
    }
    for (const char* text :
         {"192.0.2.127",
          "192.0.3.0",
          "198.51.100.6",
          "198.51.100.8",
          "2001:db8:0:ffff::",
          "2001:db8:2::",
          "fe80::",
          "fe80::2",
          "0.0.0.0",
          "255.255.255.255"}) {
        EXPECT_FALSE(set.contains(ip(text))) << text;
    }
}

TEST(PrefixSet, WholeFamiliesAndTheirEnds) {
    const PrefixSet all = set_of({"0.0.0.0/0", "::/0", "10.0.0.0/8", "ff00::/8"});
    EXPECT_EQ(all.range_count(), 2U);
    for (const char* text :
         {"0.0.0.0",
          "255.255.255.255",
          "10.1.2.3",
          "::",
          "ff02::1",
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
        EXPECT_TRUE(all.contains(ip(text))) << text;
    }
    const PrefixSet ends = set_of({"255.255.255.255", "0.0.0.0"});
    EXPECT_TRUE(ends.contains(ip("255.255.255.255")));
    EXPECT_TRUE(ends.contains(ip("0.0.0.0")));
    EXPECT_FALSE(ends.contains(ip("255.255.255.254")));
}

TEST(PrefixSet, MergesWhatOverlapsOrTouches) {
    EXPECT_EQ(set_of({"10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "10.0.0.0/8"}).range_count(), 1U);
    EXPECT_EQ(set_of({"10.0.0.0/8", "12.0.0.0/8"}).range_count(), 2U);
}

IpPrefix random_prefix(std::mt19937_64& random, bool ipv4) {
    // Few different high bits, so that prefixes meet.
    std::array<std::uint8_t, 16> bytes{};
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 4);
    }
    if (random() % 2 == 0) {
        bytes[0] = 0x20;
    }
    IpAddress address = IpAddress::from_ipv6(bytes);
    std::uint8_t host_bits = static_cast<std::uint8_t>(random() % 129);
    if (ipv4) {
        Be32 word{};
        std::memcpy(&word, bytes.data(), sizeof word);
        address = IpAddress::from_ipv4(word);
        host_bits = static_cast<std::uint8_t>(random() % 33);
    } else if (address.is_ipv4()) {
        return random_prefix(random, ipv4);
    }
    return {.address = clear_host_bits(address, host_bits), .host_bits = host_bits};
}

// An address at or next to an end of a prefix, or any.
IpAddress near(std::mt19937_64& random, const IpPrefix& prefix) {
    auto bytes = prefix.address.bytes();
    if (random() % 2 == 0) { // the last one
        for (std::size_t bit = 0; bit < prefix.host_bits; ++bit) {
            bytes[15 - (bit / 8)] =
                static_cast<std::uint8_t>(bytes[15 - (bit / 8)] | (1U << (bit % 8)));
        }
    }
    const std::size_t last_family_byte = prefix.address.is_ipv4() ? 12 : 0;
    const int step = static_cast<int>(random() % 3) - 1;
    for (std::size_t i = 15; step != 0; --i) {
        bytes[i] = static_cast<std::uint8_t>(bytes[i] + step);
        const bool carries = step > 0 ? bytes[i] == 0 : bytes[i] == 255;
        if (!carries || i == last_family_byte) {
            break;
        }
    }
    return IpAddress::from_ipv6(bytes);
}

TEST(PrefixSet, AgreesWithTheNaiveModel) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 300; ++round) {
        std::vector<IpPrefix> prefixes;
        const std::size_t count = random() % 40;
        for (std::size_t i = 0; i < count; ++i) {
            prefixes.push_back(random_prefix(random, random() % 2 == 0));
        }
        if (round % 2 == 0) { // without the wide ones, or nearly all would be contained
            std::erase_if(prefixes, [](const IpPrefix& prefix) { return prefix.length() < 10; });
        }
        const PrefixSet set(prefixes);
        for (int i = 0; i < 500; ++i) {
            const bool ipv4 = random() % 2 == 0;
            const IpPrefix around = prefixes.empty() || random() % 4 == 0
                                        ? random_prefix(random, ipv4)
                                        : prefixes[random() % prefixes.size()];
            const IpAddress address = near(random, around);
            const bool expected = std::ranges::any_of(prefixes, [&](const IpPrefix& prefix) {
                return prefix.contains(address);
            });
            ASSERT_EQ(set.contains(address), expected) << address.to_string();
        }
    }
}

// What docs/reference/limits says of a million: its memory. The time is printed, not judged.
TEST(PrefixSet, HoldsAMillion) {
    std::mt19937_64 random(1);
    std::vector<IpPrefix> prefixes;
    for (int i = 0; i < 500'000; ++i) {
        const auto word = static_cast<std::uint32_t>(random());
        prefixes.push_back(
            {.address = IpAddress::from_ipv4(Be32::from_host(word & 0xffffff00U)), .host_bits = 8}
        );
        std::array<std::uint8_t, 16> bytes{0x20, 0x01};
        for (std::size_t byte = 2; byte < 6; ++byte) {
            bytes[byte] = static_cast<std::uint8_t>(random());
        }
        prefixes.push_back({.address = IpAddress::from_ipv6(bytes), .host_bits = 80});
    }
    const auto begin = std::chrono::steady_clock::now();
    const PrefixSet set(prefixes);
    const auto built = std::chrono::steady_clock::now();
    std::size_t found = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        const auto word = static_cast<std::uint32_t>(random());
        found += set.contains_ipv4(Be32::from_host(word)) ? 1U : 0U;
    }
    const auto looked_up = std::chrono::steady_clock::now();
    RecordProperty("build_ms", std::to_string((built - begin) / std::chrono::milliseconds(1)));
    RecordProperty("lookup_ns", std::to_string((looked_up - built).count() / 1'000'000));
    EXPECT_GT(found, 25'000U); // half a million of 16 million /24: 3 %
    EXPECT_LT(found, 35'000U);
    EXPECT_LT(set.bytes(), 24U << 20U);
    for (std::size_t i = 0; i < prefixes.size(); i += 1000) {
        EXPECT_TRUE(set.contains(prefixes[i].address));
    }
}

} // namespace
} // namespace penstock
