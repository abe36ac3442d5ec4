// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/ip_prefix.hpp"

#include <gtest/gtest.h>
#include <random>

namespace penstock {
namespace {

TEST(IpPrefix, ReadsAndWritesBothFamilies) {
    for (const char* text :
         {"198.51.100.0/24", "0.0.0.0/0", "198.51.100.7", "2001:db8::/32", "::/0", "2001:db8::1"}) {
        const auto prefix = IpPrefix::parse(text);
        ASSERT_TRUE(prefix) << text;
        EXPECT_EQ(prefix->to_string(), text);
    }
    EXPECT_EQ(IpPrefix::parse("198.51.100.7/32")->to_string(), "198.51.100.7");
}

TEST(IpPrefix, RefusesWhatIsNone) {
    for (const char* text :
         {"",
          "/",
          "1.2.3.4/",
          "1.2.3.4/33",
          "1.2.3.4/-1",
          "1.2.3.4/24",
          "1.2.3.0/24 ",
          "1.2.3.0/+24",
          "2001:db8::1/64",
          "::/129",
          "1.2.3.0/24/24",
          "host/24"}) {
        EXPECT_FALSE(IpPrefix::parse(text)) << text;
    }
}

// Against bits compared one by one.
TEST(IpPrefix, ContainsWhatSharesItsBits) {
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        const bool six = i % 2 == 0;
        std::array<std::uint8_t, 16> bytes =
            six ? std::array<std::uint8_t, 16>{0x20, 1} : IpAddress::from_ipv4({0}).bytes();
        const std::size_t first = six ? 2 : 12;
        for (std::size_t at = first; at < 16; ++at) {
            bytes[at] = static_cast<std::uint8_t>(random());
        }
        const IpAddress address = IpAddress::from_ipv6(bytes);
        const auto host_bits = static_cast<std::uint8_t>(random() % (six ? 112 : 33));
        const IpPrefix prefix{
            .address = clear_host_bits(address, host_bits), .host_bits = host_bits
        };
        ASSERT_TRUE(prefix.contains(address));
        const std::size_t flipped = (first * 8) + (random() % ((16 - first) * 8));
        bytes[flipped / 8] =
            static_cast<std::uint8_t>(bytes[flipped / 8] ^ (0x80U >> (flipped % 8)));
        ASSERT_EQ(prefix.contains(IpAddress::from_ipv6(bytes)), flipped >= 128U - host_bits);
    }
    EXPECT_FALSE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("1.2.3.4")));
    EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
}

} // namespace
} // namespace penstock
