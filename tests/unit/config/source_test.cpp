// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/source.hpp"

#include <gtest/gtest.h>

namespace penstock::config {
namespace {

TEST(Source, lines_end_at_either_kind_of_line_end) {
    const std::string text = "a\r\nbc\n\nd";
    const Source source(text, "t.toml");
    EXPECT_EQ(source.line(1), "a");
    EXPECT_EQ(source.line(2), "bc");
    EXPECT_EQ(source.line(3), "");
    EXPECT_EQ(source.line(4), "d");
    EXPECT_EQ(source.line(0), "");
    EXPECT_EQ(source.line(5), "");
}

TEST(Source, places_count_characters_and_a_byte_order_mark_is_none) {
    const std::string text = "\xef\xbb\xbfä = 1\nb";
    const Source source(text, "t.toml");
    EXPECT_EQ(source.locate(3), (Span{.line = 1, .column = 3}));
    EXPECT_EQ(source.locate(source.text().size()), (Span{.line = 2, .column = 2}));
}

TEST(Source, a_diagnostic_never_points_outside_the_text) {
    const Source source("abc\nde", "t.toml");
    const auto place = [&](const Span& span) { return source.diagnose(span, "c", "r").place; };
    EXPECT_EQ(place({9, 9, 9}), (Place{"t.toml", 2, 3, 1}));
    EXPECT_EQ(place({1, 9, 9}), (Place{"t.toml", 1, 4, 1}));
    EXPECT_EQ(place({1, 2, 99}), (Place{"t.toml", 1, 2, 2}));
    EXPECT_EQ(place({1, 0, 0}), (Place{"t.toml", 1, 1, 1}));
}

TEST(Source, refuses_nesting_that_would_overflow_a_recursive_parser) {
    const auto find = [](const std::string& text) { return Source(text, "t").find_unreadable(); };
    const std::string open(max_nesting, '[');
    EXPECT_FALSE(find("a = " + open));
    EXPECT_TRUE(find("a = [" + open));
    EXPECT_TRUE(find("a = " + std::string(100000, '{')));
    std::string dotted = "a";
    for (std::size_t i = 1; i < max_nesting; ++i) {
        dotted += ".a";
    }
    EXPECT_FALSE(find("[" + dotted + "]"));
    EXPECT_TRUE(find("[" + dotted + ".a]"));
    // Brackets and dots in strings and comments are no nesting.
    const std::string noise = std::string(100, '[') + std::string(100, '.');
    EXPECT_FALSE(find("a = \"\\\"" + noise + "\" # " + noise));
    EXPECT_FALSE(find("a = '" + noise + "'"));
    EXPECT_FALSE(find("a = \"\"\"\n" + noise + "\n\"x\"\"\"\"\nb = 1"));
    EXPECT_FALSE(find("a = '''" + noise + "'''''\n"));
    // What stands behind a string does count.
    EXPECT_TRUE(find("a = '''x''' \nb = " + noise));
}

} // namespace
} // namespace penstock::config
