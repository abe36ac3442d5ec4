// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/help.hpp"

#include "tools/cli/exit_code.hpp"
#include "tools/cli/man_page.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace penstock::cli {
namespace {

constexpr std::size_t help_width = 96;

constexpr std::string_view purpose =
    "Operates the Penstock load balancer: everything but check, replay and token goes through "
    "penstock-cp's API.";

constexpr std::string_view change_details =
    "Exit code 0 means that the change is live in the dataplane. One that was accepted but is not "
    "live yet (the "
    "dataplane is away or slow) is exit code 4: it takes effect as soon as it can.";

constexpr std::string_view environment_details =
    "PENSTOCK_SOCKET is the socket when neither --socket nor --runtime-dir is given; PENSTOCK_API, "
    "PENSTOCK_CACERT, PENSTOCK_CERT, PENSTOCK_KEY and PENSTOCK_TOKEN_FILE stand for --api, "
    "--cacert, "
    "--cert, --key and --token-file. NO_COLOR "
    "turns colours off; "
    "they only appear on a terminal.";

constexpr std::string_view output_details =
    "On a terminal tables are aligned. In a pipe there is one tab between columns and \"-\" for "
    "nothing, so that cut "
    "and awk work. Tables round numbers for people; --json has them raw and its names are stable. "
    "With --json a "
    "failure is a problem document on standard output (RFC 9457: type, title, detail, remedy and, "
    "from the control "
    "plane, status and diagnostics), beside the words on standard error.";

// Words onto lines of at most help_width columns, each after `indent`.
std::string wrap(std::string_view text, std::string_view indent) {
    std::string lines;
    std::string line;
    const auto end_line = [&] {
        lines += fmt::format("{}{}\n", indent, line);
        line.clear();
    };
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
        const std::string_view word = text.substr(0, end);
        if (!line.empty() && indent.size() + line.size() + 1 + word.size() > help_width)
            end_line();
        if (!line.empty())
            line += ' ';
        line += word;
        if (end < text.size() && text[end] == '\n')
            end_line();
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (!line.empty())
        end_line();
    return lines;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string two_columns(const Pairs& pairs) {
    std::size_t width = 0;
    for (const auto& [left, right] : pairs)
        width = std::max(width, left.size());
    std::string lines;
    for (const auto& [left, right] : pairs)
        lines += fmt::format("  {:<{}}  {}\n", left, width, right);
    return lines;
}

std::string flag_of(const Option& option) {
    return option.kind == OptionKind::flag ? fmt::format("--{}", option.name)
                                           : fmt::format("--{} {}", option.name, option.value);
}

Pairs describe(std::span<const Option> options) {
    Pairs pairs;
    for (const Option& option : options)
        pairs.emplace_back(flag_of(option), option.text);
    return pairs;
}

Pairs describe_exit_codes() {
    Pairs pairs;
    for (const ExitCodeText& entry : exit_codes)
        pairs.emplace_back(fmt::format("{}", static_cast<int>(entry.code)), entry.text);
    return pairs;
}

std::string usage_words(const Command& command) {
    std::string line(command.words);
    for (const Argument& argument : command.arguments) {
        line += argument.required ? fmt::format(" {}", argument.name)
                                  : fmt::format(" [{}]", argument.name);
        line += argument.many ? "…" : "";
    }
    return line;
}

Pairs summaries(std::string_view group) {
    Pairs pairs;
    for (const Command& command : commands()) {
        if (group.empty() || command.words.starts_with(std::string(group) + " "))
            pairs.emplace_back(usage_words(command), command.summary);
    }
    return pairs;
}

std::vector<std::string> paragraphs_of(const Command& command) {
    std::vector<std::string> paragraphs;
    if (!command.details.empty())
        paragraphs.emplace_back(command.details);
    if (command.changes)
        paragraphs.emplace_back(change_details);
    return paragraphs;
}

std::string markdown_section(const Command& command) {
    std::string section = fmt::format("\n## penstock {}\n\n", command.words);
    std::string summary(command.summary);
    summary[0] =
        static_cast<char>(summary[0] - 'a' + 'A'); // summaries begin with a lower-case letter
    section += fmt::format("    {}\n\n{}.\n", usage_line(command), summary);
    for (const std::string& paragraph : paragraphs_of(command))
        section += fmt::format("\n{}", wrap(paragraph, ""));
    if (!command.arguments.empty() || !command.options.empty()) {
        section += "\n| argument or flag | |\n|---|---|\n";
        for (const Argument& argument : command.arguments) {
            section += fmt::format(
                "| `{}` | {}{} |\n",
                argument.name,
                argument.text,
                argument.required ? "" : " (optional)"
            );
        }
        for (const auto& [flag, text] : describe(command.options))
            section += fmt::format("| `{}` | {} |\n", flag, text);
    }
    section += fmt::format("\n{}", wrap(fmt::format("`--json`: {}", command.json), ""));
    section += "\n";
    for (const Example& example : command.examples)
        section += fmt::format("    # {}\n    {}\n", example.text, example.line);
    return section;
}

} // namespace

std::string usage_line(const Command& command) {
    return fmt::format("penstock {} [flags]", usage_words(command));
}

std::string program_help() {
    return fmt::format(
        "penstock: operate the Penstock load balancer\n\n"
        "usage: penstock COMMAND [arguments] [flags]\n\n"
        "commands:\n{}\nflags of every command:\n{}\nexit codes:\n{}\nenvironment:\n{}\n"
        "See penstock COMMAND --help for details and examples.\n",
        two_columns(summaries("")),
        two_columns(describe(global_options())),
        two_columns(describe_exit_codes()),
        wrap(environment_details, "  ")
    );
}

std::string group_help(std::string_view group) {
    return fmt::format(
        "usage: penstock {0} VERB [arguments] [flags]\n\ncommands:\n{1}\n"
        "See penstock {0} VERB --help for details and examples.\n",
        group,
        two_columns(summaries(group))
    );
}

std::string command_help(const Command& command) {
    std::string help = fmt::format(
        "penstock {}: {}\n\nusage: {}\n", command.words, command.summary, usage_line(command)
    );
    for (const std::string& paragraph : paragraphs_of(command))
        help += fmt::format("\n{}", wrap(paragraph, ""));
    if (!command.arguments.empty()) {
        Pairs pairs;
        for (const Argument& argument : command.arguments)
            pairs.emplace_back(argument.name, argument.text);
        help += fmt::format("\narguments:\n{}", two_columns(pairs));
    }
    if (!command.options.empty())
        help += fmt::format("\nflags:\n{}", two_columns(describe(command.options)));
    help += fmt::format("\nflags of every command:\n{}", two_columns(describe(global_options())));
    help += fmt::format("\n--json prints:\n{}", wrap(command.json, "  "));
    help += fmt::format("\nexit codes:\n{}", two_columns(describe_exit_codes()));
    help += "\nexamples:\n";
    for (const Example& example : command.examples)
        help += fmt::format("  {}\n      {}\n", example.line, example.text);
    return help;
}

std::string help_text(const Invocation& invocation) {
    if (invocation.command != nullptr)
        return command_help(*invocation.command);
    return invocation.topic.empty() ? program_help() : group_help(invocation.topic);
}

RunResult run_help(const Invocation& invocation, Output& output) {
    if (invocation.has("markdown")) {
        output.print(reference_page());
        return ExitCode::ok;
    }
    if (invocation.has("man")) {
        output.print(man_page());
        return ExitCode::ok;
    }
    const auto topic = parse_topic(invocation.arguments);
    if (!topic)
        return std::unexpected(topic.error());
    output.print(help_text(*topic));
    return ExitCode::ok;
}

std::string reference_page() {
    std::string page = "<!-- Made by `penstock help --markdown` from tools/cli/command.cpp; a test "
                       "holds the two equal. -->\n"
                       "# The command penstock\n\n";
    page += wrap(purpose, "");
    page += "\n    penstock COMMAND [arguments] [flags]\n\n| command | |\n|---|---|\n";
    for (const auto& [usage, summary] : summaries(""))
        page += fmt::format("| `{}` | {} |\n", usage, summary);
    page += "\n## Flags of every command\n\n| flag | |\n|---|---|\n";
    for (const auto& [flag, text] : describe(global_options()))
        page += fmt::format("| `{}` | {} |\n", flag, text);
    page += fmt::format("\n{}", wrap(environment_details, ""));
    page += "\n## Exit codes\n\n| code | |\n|---|---|\n";
    for (const auto& [code, text] : describe_exit_codes())
        page += fmt::format("| {} | {} |\n", code, text);
    page += fmt::format("\n## Output\n\n{}", wrap(output_details, ""));
    for (const Command& command : commands())
        page += markdown_section(command);
    return page;
}

} // namespace penstock::cli
