// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace penstock::config {
namespace {

TEST(Text, decodes_what_is_utf8_and_nothing_else) {
    const Character euro = decode_character("€");
    EXPECT_TRUE(euro.valid);
    EXPECT_EQ(euro.code, U'€');
    EXPECT_EQ(euro.bytes, 3U);
    // Bare continuation, overlong '/', surrogate, beyond U+10FFFF, cut off.
    for (const std::string_view bad :
         {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
        EXPECT_FALSE(decode_character(bad).valid) << bad;
        EXPECT_EQ(decode_character(bad).bytes, 1U);
    }
    EXPECT_EQ(count_characters("aä東\xff"), 4U);
}

TEST(Text, nothing_that_steers_a_terminal_is_printed) {
    EXPECT_EQ(make_printable("a\x1b[31m\xc2\x9b\tb\xff"), "a?[31m?\tb?");
    EXPECT_EQ(quote("a\tb"), "'a b'");
    EXPECT_EQ(quote(std::string(65, 'x')), "'" + std::string(64, 'x') + "…'");
}

TEST(Text, suggests_what_was_meant_and_no_stranger) {
    constexpr std::array<std::string_view, 4> words{"address", "name", "weight", "port"};
    EXPECT_EQ(suggest("adress", words), "address");
    EXPECT_EQ(suggest("ADDRESS", words), "address");
    EXPECT_EQ(suggest("wieght", words), "weight");
    EXPECT_EQ(suggest("prot", words), "port");
    EXPECT_EQ(suggest("names", words), "name");
    EXPECT_EQ(suggest("addr", words), "address");
    EXPECT_EQ(suggest("weights", words), "weight");
    EXPECT_EQ(suggest("timeout", words), std::nullopt);
    EXPECT_EQ(suggest("", words), std::nullopt);
    EXPECT_EQ(suggest(std::string(100000, 'a'), words), std::nullopt);
}

TEST(Text, joins_words) {
    constexpr std::array<std::string_view, 3> words{"a", "b", "c"};
    EXPECT_EQ(join_words(words), "'a', 'b' or 'c'");
    EXPECT_EQ(join_words(std::span(words).first(1)), "'a'");
}

} // namespace
} // namespace penstock::config
