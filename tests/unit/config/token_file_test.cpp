// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/token_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace penstock::config {
namespace {

const std::string hash = "sha256:" + std::string(64, 'a');

std::string cause_of(const std::string& text) {
    const auto parsed = parse_token_file(text, "tokens");
    return parsed ? "accepted" : parsed.error().front().cause;
}

TEST(TokenFile, WhatIsWrittenIsRead) {
    TokenEntry entry{
        .name = "ci", .role = ApiRole::shift, .expires_s = 1803393600, .hash = {}, .line = 2
    };
    entry.hash.fill(0xAB);
    TokenEntry eternal{.name = "eva.x", .role = ApiRole::admin, .hash = entry.hash, .line = 4};
    const std::string text =
        "# head\n" + format_token_line(entry) + "\n" + format_token_line(eternal) + "   # tail";
    EXPECT_NE(text.find("2027-02-23T"), std::string::npos) << text;
    const auto parsed = parse_token_file(text, "tokens");
    ASSERT_TRUE(parsed) << render(parsed.error());
    EXPECT_EQ(*parsed, (std::vector{entry, eternal}));
    EXPECT_TRUE(parse_token_file("", "tokens")->empty());
}

TEST(TokenFile, EveryFaultIsNamed) {
    EXPECT_EQ(cause_of("ci operator never\n"), "3 words in a line of a token");
    EXPECT_EQ(cause_of("c/i operator never " + hash), "'c/i' is no name");
    EXPECT_EQ(cause_of("ci root never " + hash), "'root' is no role");
    EXPECT_EQ(
        cause_of("ci admin 2027-02-30T00:00:00Z " + hash), "'2027-02-30T00:00:00Z' is no time"
    );
    EXPECT_EQ(cause_of("ci admin 2027-02-20 " + hash), "'2027-02-20' is no time");
    EXPECT_EQ(cause_of("ci admin never sha256:aa"), "'sha256:aa' is no hash");
    EXPECT_EQ(
        cause_of(fmt::format("ci admin never {0}\nci viewer never {0}\n", hash)),
        "token 'ci' is there twice, first at line 1, column 1"
    );
    std::string many;
    for (std::size_t i = 0; i <= max_tokens; ++i) {
        many += fmt::format("t{} viewer never {}\n", i, hash);
    }
    EXPECT_EQ(cause_of(many), "more than 1024 tokens");
    EXPECT_NE(cause_of(std::string(max_token_file_bytes + 1, '#')), "accepted");
}

TEST(TokenFile, ATokenThatStandsThereIsNotQuoted) {
    const std::string token = std::string(token_prefix) + std::string(64, '7');
    const auto parsed = parse_token_file("ci admin never " + token + "\n", "tokens");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().size(), 1U);
    EXPECT_EQ(render(parsed.error()).find("777"), std::string::npos) << render(parsed.error());
    EXPECT_NE(parsed.error().front().cause.find("a token, not its hash"), std::string::npos);
}

} // namespace
} // namespace penstock::config
