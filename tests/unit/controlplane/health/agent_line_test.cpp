// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/agent_line.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(AgentLine, TakesTheWordsOfHaproxy) {
    const auto line = parse_agent_line("75% drain # disk is 91 % full");
    ASSERT_TRUE(line) << line.error();
    EXPECT_EQ(line->report.weight_percent, 75);
    EXPECT_EQ(line->report.admin, AdminState::drain);
    EXPECT_TRUE(line->is_up);
    EXPECT_EQ(line->description, " disk is 91 % full");
    EXPECT_EQ(parse_agent_line("maint")->report.admin, AdminState::disabled);
    EXPECT_EQ(parse_agent_line("up,ready\r"), AgentLine{});
    for (const char* word : {"down", "fail", "failed", "stopped", "\t stopped"}) {
        EXPECT_FALSE(parse_agent_line(word)->is_up) << word;
    }
    EXPECT_EQ(parse_agent_line("0%")->report.weight_percent, 0);
}

TEST(AgentLine, RefusesWhatItDoesNotKnow) {
    for (const char* text :
         {"", "   ", "# only words", "101%", "-1%", "%", "75", "7 5%", "UP!", "up\x1b[2J", "drains"
         }) {
        EXPECT_FALSE(parse_agent_line(text)) << text;
    }
    EXPECT_EQ(parse_agent_line("up\x1b[2J").error(), "unknown word 'up?[2J'");
    EXPECT_LT(parse_agent_line(std::string(1000, 'x')).error().size(), 60U);
}

} // namespace
} // namespace penstock
