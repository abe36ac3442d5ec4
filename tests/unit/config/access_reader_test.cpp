// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/config/sample.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace penstock::config {
namespace {

using testing::head;
using testing::service;

class AccessLists : public ::testing::Test {
protected:
    AccessLists()
        : folder_(
              std::filesystem::temp_directory_path() /
              fmt::format("penstock-access-lists-{}", ::getpid())
          ) {
        std::filesystem::create_directories(folder_);
    }

    ~AccessLists() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name, std::ios::binary) << text;
        return (folder_ / name).string();
    }

    std::expected<Configuration, Diagnostics> read(const std::string& text) {
        return read_configuration(write("penstock.toml", text));
    }

private:
    std::filesystem::path folder_;
};

TEST_F(AccessLists, join_the_file_s_prefixes_with_those_of_the_key) {
    write("blocked.txt", "# blocked\n\n203.0.113.0/24\r\n\t2001:db8:bad::/48 # botnet\n192.0.2.1");
    const auto configuration = read(
        head + "[access]\ndeny = [\"192.0.2.128/25\"]\ndeny_file = \"blocked.txt\"\n" + service +
        "allow = [\"0.0.0.0/0\"]\n"
    );
    ASSERT_TRUE(configuration) << render(configuration.error());
    std::vector<std::string> denied;
    for (const IpPrefix& prefix : configuration->access.deny) {
        denied.push_back(prefix.to_string());
    }
    const std::vector<std::string> wanted{
        "192.0.2.128/25", "203.0.113.0/24", "2001:db8:bad::/48", "192.0.2.1"
    };
    EXPECT_EQ(denied, wanted);
    EXPECT_TRUE(configuration->access.allow.empty());
    EXPECT_EQ(configuration->services[0].spec.access.allow.size(), 1U);
    EXPECT_EQ(to_desired_state(*configuration, {}, 1).access, configuration->access);
}

TEST_F(AccessLists, name_the_line_of_their_own_file) {
    const std::string list = write("blocked.txt", "10.0.0.0/8\n\n  10.0.0.1/8\n");
    const auto refused = read(head + "[access]\ndeny_file = \"blocked.txt\"\n" + service);
    ASSERT_FALSE(refused);
    ASSERT_EQ(refused.error().size(), 1U);
    const Place& place = refused.error()[0].place;
    EXPECT_EQ(place.file, list);
    EXPECT_EQ(place.line, 3U);
    EXPECT_EQ(place.column, 3U);
    EXPECT_EQ(refused.error()[0].line, "  10.0.0.1/8");
    EXPECT_NE(refused.error()[0].remedy.find("10.0.0.0/8"), std::string::npos);
}

TEST_F(AccessLists, are_read_with_a_million_prefixes_and_refused_beyond_the_limit) {
    std::string text;
    for (unsigned i = 0; i < 1'000'000; ++i) {
        text += fmt::format(
            "{}.{}.{}.{}\n", 11 + (i >> 24U), (i >> 16U) & 255U, (i >> 8U) & 255U, i & 255U
        );
    }
    write("blocked.txt", text);
    const std::string two_lists =
        head + "[access]\nallow_file = \"blocked.txt\"\ndeny_file = \"blocked.txt\"\n" + service;
    const auto configuration = read(two_lists);
    ASSERT_TRUE(configuration) << render(configuration.error());
    EXPECT_EQ(configuration->access.allow.size(), 1'000'000U);
    EXPECT_EQ(configuration->access.deny.size(), 1'000'000U);

    const auto refused = read(two_lists + "deny = [\"192.0.2.1\"]\n");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error()[0].cause.find("2000000"), std::string::npos);
}

TEST_F(AccessLists, of_a_text_that_came_alone_are_refused) {
    const auto refused =
        parse_configuration(head + "[access]\ndeny_file = \"blocked.txt\"\n" + service, "t.toml");
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error()[0].cause.find("blocked.txt"), std::string::npos);
}

} // namespace
} // namespace penstock::config
