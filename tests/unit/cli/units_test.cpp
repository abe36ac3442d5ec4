// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/units.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace penstock::cli {
namespace {

TEST(Units, CountsExactlyWhileThatIsReadable) {
    EXPECT_EQ(format_count(0), "0");
    EXPECT_EQ(format_count(9999), "9999");
    EXPECT_EQ(format_count(10000), "10.0 k");
    EXPECT_EQ(format_count(12345), "12.3 k");
    EXPECT_EQ(format_count(999499), "999 k");
    EXPECT_EQ(format_count(999500), "1.00 M");
    EXPECT_EQ(format_count(1234567), "1.23 M");
    EXPECT_EQ(format_count(std::numeric_limits<std::uint64_t>::max()), "18.4 E");
}

TEST(Units, NeverRoundsToAFourthDigit) {
    EXPECT_EQ(format_bytes(9994), "9.99 kB");
    EXPECT_EQ(format_bytes(9995), "10.0 kB");
    EXPECT_EQ(format_bytes(99949), "99.9 kB");
    EXPECT_EQ(format_bytes(99950), "100 kB");
    EXPECT_EQ(format_bytes(999), "999 B");
    EXPECT_EQ(format_bytes(1000), "1.00 kB");
}

TEST(Units, Rates) {
    EXPECT_EQ(format_rate(0), "0/s");
    EXPECT_EQ(format_rate(0.5), "0.5/s");
    EXPECT_EQ(format_rate(999.4), "999/s");
    EXPECT_EQ(format_rate(1500000), "1.50 M/s");
    EXPECT_EQ(format_rate(1500000, "packets"), "1.50 M packets/s");
    EXPECT_EQ(format_rate(0.5, "packets"), "0.5 packets/s");
    EXPECT_EQ(format_bit_rate(125000000), "1.00 Gbit/s");
    EXPECT_EQ(format_bit_rate(1), "8 bit/s");
    EXPECT_EQ(format_ratio(0.637), "63.7 %");
}

TEST(Units, DurationsRoundDown) {
    EXPECT_EQ(format_duration(0), "0 ms");
    EXPECT_EQ(format_duration(999), "999 ms");
    EXPECT_EQ(format_duration(119999), "119 s");
    EXPECT_EQ(format_duration(120000), "2 min");
    EXPECT_EQ(format_duration(2LL * 3600 * 1000 - 1), "119 min");
    EXPECT_EQ(format_duration(2LL * 3600 * 1000), "2 h");
    EXPECT_EQ(format_duration(2LL * 24 * 3600 * 1000), "2 d");
}

TEST(Units, AgoForgivesClocksThatDiffer) {
    EXPECT_EQ(format_ago(1000, 181000), "3 min ago");
    EXPECT_EQ(format_ago(1000, 1999), "now");
    EXPECT_EQ(format_ago(5000, 1000), "now");
}

TEST(Units, ParsesTheApisTimesAndNoOthers) {
    EXPECT_EQ(parse_time("1970-01-01T00:00:00.000Z"), 0);
    EXPECT_EQ(parse_time("2026-11-22T14:02:11.250Z"), 1795356131250);
    EXPECT_EQ(parse_time("2024-02-29T23:59:60.999Z"), 1709251200999); // leap day, leap second
    for (const char* text :
         {"",
          "2026-11-22",
          "2026-11-22T14:02:11Z",
          "2026-02-30T14:02:11.250Z",
          "2026-13-22T14:02:11.250Z",
          "2026-11-22T24:02:11.250Z",
          "2026-11-22T14:60:11.250Z",
          "2026-11-22 14:02:11.250Z",
          "2026-11-22T14:02:11.250+",
          "2026-11-22T-4:02:11.250Z",
          "2026-11-22T14:02:11.2x0Z"})
        EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

TEST(Units, PluralsAndEndpoints) {
    EXPECT_EQ(format_plural(1, "service", "services"), "1 service");
    EXPECT_EQ(format_plural(0, "service", "services"), "0 services");
    EXPECT_EQ(format_endpoint("10.0.1.11", 80), "10.0.1.11:80");
    EXPECT_EQ(format_endpoint("2001:db8::1", 80), "[2001:db8::1]:80");
    EXPECT_EQ(format_maybe_count(std::nullopt), "");
    EXPECT_EQ(format_since(std::nullopt), "");
    EXPECT_EQ(format_since("yesterday"), "yesterday");
}

} // namespace
} // namespace penstock::cli
