// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/help.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace penstock::cli {
namespace {

// The words of the first "penstock …" of a shell line, up to a pipe, redirection or the next
// command.
std::vector<std::string> words_of(std::string_view line) {
    std::istringstream words{std::string(line.substr(line.find("penstock ")))};
    std::vector<std::string> found;
    std::string word;
    words >> word;
    while (words >> word && word != "|" && word != "&&" && word != "<" && word != ">")
        found.push_back(word);
    return found;
}

TEST(Help, EveryCommandHasExamplesThatParse) {
    for (const Command& command : commands()) {
        EXPECT_FALSE(command.examples.empty()) << command.words;
        bool about_itself = false;
        for (const Example& example : command.examples) {
            ASSERT_NE(example.line.find("penstock "), std::string_view::npos) << example.line;
            EXPECT_FALSE(example.text.empty()) << example.line;
            const auto parsed = parse_arguments(words_of(example.line), {});
            ASSERT_TRUE(parsed) << example.line << ": " << parsed.error().cause;
            about_itself = about_itself || parsed->command == &command;
        }
        EXPECT_TRUE(about_itself) << command.words;
    }
}

TEST(Help, OfACommandSaysAllThatTheTableSays) {
    for (const Command& command : commands()) {
        const std::string help = command_help(command);
        const auto says = [&](std::string_view text) {
            return help.find(text) != std::string::npos;
        };
        EXPECT_TRUE(says(usage_line(command))) << help;
        EXPECT_TRUE(says(command.summary)) << help;
        for (const Option& option : command.options)
            EXPECT_TRUE(says("--" + std::string(option.name))) << help;
        for (const Option& option : global_options())
            EXPECT_TRUE(says("--" + std::string(option.name))) << help;
        for (const Argument& argument : command.arguments)
            EXPECT_TRUE(says(argument.name)) << help;
        for (const Example& example : command.examples)
            EXPECT_TRUE(says(example.line)) << help;
        for (const ExitCodeText& entry : exit_codes)
            EXPECT_TRUE(says(entry.text)) << help;
        EXPECT_FALSE(command.json.empty()) << command.words;
    }
}

// Two options of one name are ambiguous for the parser, but only once somebody uses it.
TEST(Help, NoCommandHasAnOptionThatAllCommandsHave) {
    for (const Command& command : commands()) {
        for (const Option& option : command.options) {
            EXPECT_EQ(std::ranges::count(global_options(), option.name, &Option::name), 0)
                << command.words << " --" << option.name;
        }
    }
}

TEST(Help, OfTheProgramListsEveryCommand) {
    const std::string help = program_help();
    for (const Command& command : commands())
        EXPECT_NE(help.find("  " + std::string(command.words)), std::string::npos) << command.words;
    EXPECT_EQ(group_help("backend").find("service list"), std::string::npos);
    EXPECT_NE(group_help("backend").find("backend drain SERVICE/BACKEND"), std::string::npos);
}

TEST(Help, ReferencePageIsTheTable) {
    std::ifstream file(PENSTOCK_REFERENCE_PAGE);
    ASSERT_TRUE(file) << PENSTOCK_REFERENCE_PAGE;
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(page, reference_page()) << "run: penstock help --markdown > docs/reference/cli.md";
}

TEST(Help, LinesFitATerminal) {
    std::istringstream lines(program_help());
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(line.size(), 100U) << line;
}

} // namespace
} // namespace penstock::cli
