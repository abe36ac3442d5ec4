// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/addresses.hpp"

#include <gtest/gtest.h>
#include <string>

namespace penstock {
namespace {

TEST(IpAddressParse, AcceptsBothFamiliesAndPrintsThemCanonically) {
    const std::array<std::pair<const char*, const char*>, 10> cases{{
        {"0.0.0.0", "0.0.0.0"},
        {"198.51.100.10", "198.51.100.10"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, // RFC 5952 4.2.2: one zero stays
        {"fe80:0000:0000:0000:0000:0000:0000:0001", "fe80::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
    }};
    for (const auto& [text, printed] : cases) {
        const auto address = IpAddress::parse(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->to_string(), printed);
    }
}

TEST(IpAddressParse, RejectsEverythingElse) {
    for (const std::string text :
         {"",
          " 1.2.3.4",
          "1.2.3.4 ",
          "1.2.3",
          "1.2.3.4.5",
          "1.2.3.256",
          "01.2.3.4",
          "0x1.2.3.4",
          "1.2.3.4/24",
          "1.2.3.-4",
          "host",
          ":::",
          "1::2::3",
          "fe80::1%eth0",
          "2001:db8::/32",
          "[::1]",
          "12345::",
          "1:2:3:4:5:6:7:8:9",
          "::ffff:1.2.3.456"}) {
        EXPECT_FALSE(IpAddress::parse(text)) << '"' << text << '"';
    }
    EXPECT_FALSE(IpAddress::parse(std::string(1000, '1')));
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0.5", 10)));
}

TEST(IpAddress, MappedIpv6IsTheIpv4Address) {
    const auto mapped = IpAddress::parse("::ffff:198.51.100.10");
    const auto plain = IpAddress::parse("198.51.100.10");
    ASSERT_TRUE(mapped && plain);
    EXPECT_EQ(*mapped, *plain);
    EXPECT_TRUE(mapped->is_ipv4());
    EXPECT_EQ(mapped->ipv4().host(), 0xc633640aU);
    EXPECT_EQ(IpAddress::from_ipv6(mapped->bytes()), IpAddress::from_ipv4(plain->ipv4()));
}

TEST(IpAddress, ParseUndoesToString) {
    for (std::uint32_t i = 0; i < 2000; ++i) {
        std::array<std::uint8_t, 16> bytes{};
        // Patterns with runs of zeros, which is where printing is intricate.
        for (std::size_t word = 0; word < 8; ++word) {
            if ((i >> word & 1U) != 0) {
                bytes[word * 2] = static_cast<std::uint8_t>(i * 31);
                bytes[(word * 2) + 1] = static_cast<std::uint8_t>(i + word + 1);
            }
        }
        const IpAddress address = IpAddress::from_ipv6(bytes);
        EXPECT_EQ(IpAddress::parse(address.to_string()), address) << address.to_string();
    }
}

TEST(IpAddress, KnowsUnspecifiedMulticastAndLoopback) {
    const auto is = [](const char* text, bool unspecified, bool multicast, bool loopback) {
        const auto address = *IpAddress::parse(text);
        EXPECT_EQ(address.is_unspecified(), unspecified) << text;
        EXPECT_EQ(address.is_multicast(), multicast) << text;
        EXPECT_EQ(address.is_loopback(), loopback) << text;
    };
    is("0.0.0.0", true, false, false);
    is("::", true, false, false);
    is("0.0.0.1", false, false, false);
    is("223.255.255.255", false, false, false);
    is("224.0.0.0", false, true, false);
    is("239.255.255.255", false, true, false);
    is("240.0.0.0", false, false, false);
    is("ff02::1", false, true, false);
    is("fe80::1", false, false, false);
    is("127.0.0.1", false, false, true);
    is("127.255.0.9", false, false, true);
    is("::1", false, false, true);
    is("::2", false, false, false);
}

TEST(IpAddress, OrdersByBytesOnTheWire) {
    const auto at = [](const char* text) { return *IpAddress::parse(text); };
    EXPECT_LT(at("10.0.0.9"), at("10.0.0.10"));
    EXPECT_LT(at("9.255.255.255"), at("10.0.0.0"));
    EXPECT_LT(at("2001:db8::1"), at("2001:db8::2"));
}

TEST(MacAddress, ParseAndPrint) {
    const auto mac = MacAddress::parse("02:00:5E:10:aB:ff");
    ASSERT_TRUE(mac);
    EXPECT_EQ(mac->to_string(), "02:00:5e:10:ab:ff");
    EXPECT_EQ(MacAddress::parse(mac->to_string()), mac);
    EXPECT_FALSE(mac->is_multicast());
    EXPECT_TRUE(MacAddress::parse("01:00:5e:00:00:01")->is_multicast());
    for (const char* text :
         {"",
          "02:00:5e:10:ab",
          "02:00:5e:10:ab:f",
          "02:00:5e:10:ab:ff:",
          "02-00-5e-10-ab-ff",
          "02:00:5e:10:ab:fg",
          "0200:5e10:ab:ff:0",
          " 2:00:5e:10:ab:ff"}) {
        EXPECT_FALSE(MacAddress::parse(text)) << text;
    }
}

TEST(ByteOrder, HostAndWire) {
    const Be16 port = Be16::from_host(0x1234);
    std::array<std::uint8_t, 2> wire{};
    std::memcpy(wire.data(), &port, sizeof port);
    EXPECT_EQ(wire, (std::array<std::uint8_t, 2>{0x12, 0x34}));
    EXPECT_EQ(port.host(), 0x1234);
    EXPECT_EQ(Be32::from_host(0xdeadbeef).host(), 0xdeadbeefU);
}

} // namespace
} // namespace penstock
