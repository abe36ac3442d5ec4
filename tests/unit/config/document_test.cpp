// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/document.hpp"

#include <gtest/gtest.h>

namespace penstock::config {
namespace {

std::expected<Value, Diagnostic> parse(const std::string& text) {
    return parse_document(Source(text, "t.toml"));
}

TEST(Document, keeps_values_with_their_places_in_the_order_of_the_file) {
    const auto root = parse("z = \"ä\"\n[a]\n  b = [1, true]\n");
    ASSERT_TRUE(root);
    ASSERT_EQ(root->members.size(), 2U);
    EXPECT_EQ(root->members[0].key, "z");
    EXPECT_EQ(root->members[0].value.span, (Span{1, 5, 3}));
    const Value* table = root->find("a");
    ASSERT_NE(table, nullptr);
    EXPECT_EQ(table->span, (Span{2, 1, 3}));
    const Value* list = table->find("b");
    ASSERT_NE(list, nullptr);
    EXPECT_EQ(list->items.at(0).integer, 1);
    EXPECT_EQ(list->items.at(1).kind, ValueKind::boolean);
    EXPECT_EQ(list->items.at(1).span, (Span{3, 11, 4}));
    EXPECT_EQ(root->find("b"), nullptr);
}

TEST(Document, a_bare_word_is_told_to_get_quotes) {
    for (const std::string value : {"198.51.100.10", "5s", "spin", "yes", "eth0", "10.0.0.0/8"}) {
        const auto result = parse("a = " + value + " # x\n");
        ASSERT_FALSE(result) << value;
        EXPECT_EQ(
            result.error().place, (Place{"t.toml", 1, 5, static_cast<std::uint32_t>(value.size())})
        ) << value;
        EXPECT_EQ(result.error().remedy, "put it in double quotes: \"" + value + "\"");
    }
}

TEST(Document, syntax_errors_have_places_and_remedies) {
    for (const std::string text :
         {"[node",
          "a",
          "a =",
          "a = [1 2]",
          "a = {b = 1",
          "= 1",
          "a = \"x",
          "a = 1 b = 2",
          "a = 01",
          "a = 1\na = 2",
          "[a]\n[a]",
          "[[a]]\n[a]",
          "a = \"\\q\"",
          "a = 99999999999999999999",
          "\"\n",
          "a = '''",
          "[[a]",
          "a.b = 1\n[a.b]",
          "[a]\nb=1\n[a.b]\n",
          "\x01",
          "a = 1979-13-01"}) {
        const auto result = parse(text);
        ASSERT_FALSE(result) << text;
        EXPECT_GE(result.error().place.line, 1U) << text;
        EXPECT_GE(result.error().place.column, 1U) << text;
        EXPECT_FALSE(result.error().remedy.empty()) << text;
    }
}

} // namespace
} // namespace penstock::config
