// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/diagnostic.hpp"

#include "controlplane/config/source.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace penstock::config {
namespace {

std::string point_at(const std::string& text, const Span& span) {
    return render(Source(text, "t.toml").diagnose(span, "cause", "remedy"));
}

TEST(Diagnostic, underlines_as_compilers_do) {
    EXPECT_EQ(
        point_at("a = 1\n  key = \"value\"\n", {2, 9, 7}),
        "t.toml:2:9: error: cause\n"
        "      key = \"value\"\n"
        "            ^~~~~~~\n"
        "  help: remedy\n"
    );
}

TEST(Diagnostic, the_caret_stands_under_its_character_after_tabs_and_wide_letters) {
    EXPECT_EQ(
        point_at("\ta\t= x", {1, 6, 1}),
        "t.toml:1:6: error: cause\n"
        "    \ta\t= x\n"
        "    \t \t  ^\n"
        "  help: remedy\n"
    );
    EXPECT_EQ(
        point_at("ä東 = 東x", {1, 6, 2}),
        "t.toml:1:6: error: cause\n"
        "    ä東 = 東x\n"
        "          ^~~\n"
        "  help: remedy\n"
    );
}

TEST(Diagnostic, long_lines_are_shown_around_the_place) {
    const std::string text = std::string(500, 'a') + "HERE" + std::string(500, 'b');
    const std::string said = point_at(text, {1, 501, 4});
    EXPECT_NE(said.find("…aaaa"), std::string::npos);
    EXPECT_NE(said.find("bbbb…\n"), std::string::npos);
    EXPECT_LT(said.size(), 350U);
    const std::size_t line = said.find("    ") + 4;
    const std::size_t next = said.find("    ", line);
    // The ellipsis is one column of three bytes.
    EXPECT_EQ(said.find("HERE") - line - 2, said.find('^') - next - 4);
}

TEST(Diagnostic, a_huge_underline_ends_with_what_is_shown) {
    const std::string said = point_at(std::string(100000, 'x'), {1, 1, 100000});
    EXPECT_LT(said.size(), 400U);
}

TEST(Diagnostic, a_value_without_a_place_is_still_said) {
    EXPECT_EQ(
        render(diagnose({.file = "t.toml"}, "cause", "remedy")),
        "t.toml: error: cause\n  help: remedy\n"
    );
}

TEST(Diagnostic, diagnose_reads_the_line_again) {
    const std::string path = ::testing::TempDir() + "penstock-diagnose.toml";
    std::ofstream(path) << "a = 1\nb = \"eth9\"\n";
    const Diagnostic found = diagnose({path, 2, 5, 6}, "there is no interface eth9", "ip link");
    EXPECT_EQ(found.line, "b = \"eth9\"");
    EXPECT_EQ(found.caret_column, 5U);
    std::remove(path.c_str());
    EXPECT_EQ(diagnose({path, 2, 5, 6}, "cause", "remedy").line, "");
}

TEST(Diagnostic, where_a_value_stands_is_no_part_of_it) {
    EXPECT_EQ((Origin{{"a", 1, 1, 1}}), (Origin{{"b", 2, 2, 2}}));
    EXPECT_NE((Place{"a", 1, 1, 1}), (Place{"a", 2, 1, 1}));
}

} // namespace
} // namespace penstock::config
