// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/host_cpus.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Cpus = std::set<std::uint16_t>;

TEST(HostCpus, ParsesTheKernelsLists) {
    EXPECT_EQ(parse_cpu_list("0-3,8\n"), (Cpus{0, 1, 2, 3, 8}));
    EXPECT_EQ(parse_cpu_list("7"), Cpus{7});
    EXPECT_EQ(parse_cpu_list("\n"), Cpus{});
}

TEST(HostCpus, RefusesWhatIsNoList) {
    for (const char* text : {"a", "1-", "-1", "3-1", "1,,2", "1,", "1 2", "99999", "1-2-3"}) {
        EXPECT_FALSE(parse_cpu_list(text)) << text;
    }
}

TEST(HostCpus, FormatsRangesForPeople) {
    EXPECT_EQ(format_cpu_list({0, 1, 2, 3, 8}), "0-3,8");
    EXPECT_EQ(format_cpu_list({5}), "5");
    EXPECT_EQ(format_cpu_list({}), "");
}

TEST(HostCpus, ReadsThisHost) {
    const auto host = read_host_cpus();
    ASSERT_TRUE(host) << to_string(host.error());
    EXPECT_FALSE(host->online.empty());
    EXPECT_FALSE(host->allowed.empty());
}

} // namespace
} // namespace penstock
