// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/table.hpp"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

Table example() {
    Table table({{"NAME"}, {"PACKETS", Align::right}, {"REASON"}});
    table.add({"web-1", "12", ""});
    table.add({Cell("a", Colour::red), "1.20 M", "http 503"});
    return table;
}

TEST(Table, AlignsOnATerminal) {
    EXPECT_EQ(
        example().render({.aligned = true}),
        "NAME   PACKETS  REASON\n"
        "web-1       12  -\n"
        "a       1.20 M  http 503\n"
    );
}

TEST(Table, SeparatesByTabsInAPipe) {
    EXPECT_EQ(example().render({}), "NAME\tPACKETS\tREASON\nweb-1\t12\t-\na\t1.20 M\thttp 503\n");
}

TEST(Table, LeavesOutTheHeader) {
    EXPECT_EQ(example().render({.header = false}), "web-1\t12\t-\na\t1.20 M\thttp 503\n");
    // The width of a header that is not shown does not count.
    EXPECT_EQ(
        example().render({.aligned = true, .header = false}),
        "web-1      12  -\na      1.20 M  http 503\n"
    );
}

TEST(Table, PaintsOnlyWithColours) {
    const std::string painted =
        example().render({.aligned = true, .colour = true, .header = false});
    EXPECT_NE(painted.find("\x1b[31ma    \x1b[0m"), std::string::npos);
    EXPECT_EQ(example().render({.aligned = true}).find('\x1b'), std::string::npos);
}

TEST(Table, CountsColumnsNotBytes) {
    Table table({{"A"}, {"B"}});
    table.add({"größe", "1"});
    table.add({"x", "2"});
    EXPECT_EQ(table.render({.aligned = true, .header = false}), "größe  1\nx      2\n");
}

// A probe's reason is written by whoever answers on a backend's port.
TEST(Table, TakesOutWhatDrivesATerminal) {
    Table table({{"A"}, {"B"}});
    table.add({"\x1b]0;owned\x07", "a\tb\nc\xc2\x9b\xff"});
    const std::string text = table.render({.header = false});
    EXPECT_EQ(text, "?]0;owned?\ta b?c??\n");
}

TEST(TableDeathTest, AbortsOnARowOfAnotherTable) {
    Table table({{"A"}});
    EXPECT_DEATH(table.add({"1", "2"}), "");
}

} // namespace
} // namespace penstock::cli
