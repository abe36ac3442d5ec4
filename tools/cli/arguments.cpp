// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/arguments.hpp"

#include "controlplane/config/text.hpp"

#include <boost/algorithm/string/join.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>
#include <boost/program_options/variables_map.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace penstock::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* positional_name = "argument";

Failure usage_failure(std::string cause, std::string remedy) {
    return {.code = ExitCode::usage, .cause = std::move(cause), .remedy = std::move(remedy)};
}

std::string ask_help(std::string_view topic) {
    return topic.empty() ? "see: penstock --help" : fmt::format("see: penstock {} --help", topic);
}

// "did you mean '--json'?" or else where the help is.
std::string suggest(
    std::string_view wrong,
    const std::vector<std::string_view>& right,
    std::string_view prefix,
    std::string_view topic
) {
    const auto closest = config::suggest(wrong, right);
    return closest ? fmt::format("did you mean '{}{}'?", prefix, *closest) : ask_help(topic);
}

// Whether a flag takes a value is the same in every command, so that the words of the command can
// be found before it is known which command it is (a test holds the table to that).
bool takes_value(std::string_view name) {
    const auto matches = [&](const Option& option) {
        return option.name == name && option.kind != OptionKind::flag;
    };
    return std::ranges::any_of(global_options(), matches) ||
           std::ranges::any_of(commands(), [&](const Command& command) {
               return std::ranges::any_of(command.options, matches);
           });
}

struct Word {
    std::string_view text;
    std::size_t index;
};

struct Scan {
    std::vector<Word> words;      ///< what is neither a flag nor a flag's value
    std::string_view single_dash; ///< the first that looks like a short flag: there are none but -h
    bool help = false;
    bool version = false;
};

Scan scan_words(std::span<const std::string> arguments) {
    Scan scan;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view text = arguments[i];
        if (text == "--") {
            for (++i; i < arguments.size(); ++i)
                scan.words.push_back({arguments[i], i});
            break;
        }
        if (text == "--help" || text == "-h") {
            scan.help = true;
        } else if (text == "--version") {
            scan.version = true;
        } else if (text.starts_with("--") && takes_value(text.substr(2))) {
            ++i;
        } else if (text == "-" || !text.starts_with('-')) {
            scan.words.push_back({text, i});
        } else if (!text.starts_with("--") && scan.single_dash.empty()) {
            scan.single_dash = text;
        }
    }
    return scan;
}

struct Match {
    const Command* command = nullptr;
    std::size_t word_count = 0;
};

std::vector<std::string_view> first_words() {
    std::vector<std::string_view> words;
    for (const Command& command : commands())
        words.emplace_back(command.words.substr(0, command.words.find(' ')));
    return words;
}

std::vector<std::string_view> verbs_of(std::string_view group) {
    std::vector<std::string_view> verbs;
    for (const Command& command : commands()) {
        if (command.words.size() > group.size() && command.words.starts_with(group) &&
            command.words[group.size()] == ' ')
            verbs.emplace_back(command.words.substr(group.size() + 1));
    }
    return verbs;
}

std::string join(const std::vector<std::string_view>& words) {
    return boost::algorithm::join(std::vector<std::string>(words.begin(), words.end()), ", ");
}

std::expected<Match, Failure> match_command(const std::vector<Word>& words) {
    const std::string_view first = words[0].text;
    if (const Command* command = find_command(first))
        return Match{command, 1};
    if (!is_group(first)) {
        return std::unexpected(usage_failure(
            fmt::format("there is no command '{}'", first),
            suggest(first, first_words(), "penstock ", "")
        ));
    }
    const std::vector<std::string_view> verbs = verbs_of(first);
    if (words.size() < 2) {
        return std::unexpected(
            usage_failure(fmt::format("'{}' needs a verb: {}", first, join(verbs)), ask_help(first))
        );
    }
    const std::string full = fmt::format("{} {}", first, words[1].text);
    if (const Command* command = find_command(full))
        return Match{command, 2};
    return std::unexpected(usage_failure(
        fmt::format("there is no command '{}'", full),
        suggest(words[1].text, verbs, fmt::format("penstock {} ", first), first)
    ));
}

po::options_description describe(const Command& command) {
    po::options_description description;
    const auto add = [&](const Option& option) {
        const std::string name(option.name);
        if (option.kind == OptionKind::flag)
            description.add_options()(name.c_str(), "");
        else
            description.add_options()(name.c_str(), po::value<std::string>(), "");
    };
    std::ranges::for_each(global_options(), add);
    std::ranges::for_each(command.options, add);
    description.add_options()(positional_name, po::value<std::vector<std::string>>(), "");
    return description;
}

std::vector<std::string_view> flags_of(const Command& command) {
    std::vector<std::string_view> names;
    for (const Option& option : global_options())
        names.emplace_back(option.name);
    for (const Option& option : command.options)
        names.emplace_back(option.name);
    return names;
}

// Boost's exceptions end here.
std::expected<po::variables_map, Failure>
parse_flags(const Command& command, const std::vector<std::string>& arguments) {
    namespace style = po::command_line_style;
    const po::options_description description = describe(command);
    po::positional_options_description positional;
    positional.add(positional_name, -1);
    try {
        po::variables_map values;
        po::store(
            po::command_line_parser(arguments)
                .options(description)
                .positional(positional)
                .style(style::unix_style & ~style::allow_guessing & ~style::allow_short)
                .run(),
            values
        );
        return values;
    } catch (const po::unknown_option& error) {
        const std::string given = error.get_option_name();
        std::string_view name = given;
        name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
        return std::unexpected(usage_failure(
            fmt::format("'{}' has no flag '{}'", command.words, given),
            suggest(name, flags_of(command), "--", command.words)
        ));
    } catch (const po::error& error) {
        return std::unexpected(usage_failure(error.what(), ask_help(command.words)));
    }
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

/// "1.5", "1.5s", "500ms", "5m", "1h".
std::optional<double> parse_seconds(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, double>, 4> units{
        {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}}
    };
    for (const auto& [unit, factor] : units) {
        if (text.ends_with(unit)) {
            const auto number = parse_number<double>(text.substr(0, text.size() - unit.size()));
            return number ? std::optional(*number * factor) : std::nullopt;
        }
    }
    return parse_number<double>(text);
}

std::expected<void, Failure>
check_value(const Command& command, const Option& option, std::string_view value) {
    const auto refuse = [&](std::string_view wanted) {
        return std::unexpected(usage_failure(
            fmt::format("--{} is {}, not '{}'", option.name, wanted, value), ask_help(command.words)
        ));
    };
    switch (option.kind) {
    case OptionKind::flag:
        break;
    case OptionKind::text:
        if (value.empty())
            return refuse("a " + std::string(option.value));
        break;
    case OptionKind::count: {
        const auto number = parse_number<std::uint64_t>(value);
        if (!number ||
            *number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return refuse("a whole number");
        break;
    }
    case OptionKind::seconds: {
        const auto number = parse_seconds(value);
        // Written so that NaN is refused too.
        if (!number || !(*number > 0 && *number <= max_option_seconds))
            return refuse("a number of seconds above 0 and at most 86400, or 500ms, 60s, 5m");
        break;
    }
    }
    return {};
}

std::expected<void, Failure>
check_arguments(const Command& command, std::span<const std::string> given) {
    std::size_t i = 0;
    for (const Argument& argument : command.arguments) {
        if (i < given.size() && given[i].empty()) {
            return std::unexpected(usage_failure(
                fmt::format("{} of '{}' is empty", argument.name, command.words),
                ask_help(command.words)
            ));
        }
        if (i >= given.size() && argument.required) {
            return std::unexpected(usage_failure(
                fmt::format("'{}' needs {}: {}", command.words, argument.name, argument.text),
                ask_help(command.words)
            ));
        }
        ++i;
    }
    const bool many = !command.arguments.empty() && command.arguments.back().many;
    if (given.size() > command.arguments.size() && !many) {
        return std::unexpected(usage_failure(
            fmt::format("'{}' does not take '{}'", command.words, given[command.arguments.size()]),
            ask_help(command.words)
        ));
    }
    return {};
}

std::expected<Invocation, Failure> parse_command(
    const Command& command, const std::vector<std::string>& rest, const Surroundings& surroundings
) {
    const auto values = parse_flags(command, rest);
    if (!values)
        return std::unexpected(values.error());

    Invocation invocation{.command = &command};
    for (const auto& options : {global_options(), command.options}) {
        for (const Option& option : options) {
            const auto& value = (*values)[std::string(option.name)];
            if (value.empty())
                continue;
            const std::string text = option.kind == OptionKind::flag ? "" : value.as<std::string>();
            if (const auto valid = check_value(command, option, text); !valid)
                return std::unexpected(valid.error());
            invocation.options.emplace(option.name, text);
        }
    }
    if (const auto& given = (*values)[positional_name]; !given.empty())
        invocation.arguments = given.as<std::vector<std::string>>();
    invocation.json = invocation.has("json");
    invocation.header = !invocation.has("no-header");
    invocation.timeout_s = invocation.seconds("timeout").value_or(command.timeout_s);
    auto endpoint = find_endpoint(invocation, surroundings);
    if (!endpoint)
        return std::unexpected(std::move(endpoint.error()));
    invocation.endpoint = std::move(*endpoint);
    // `help backend drain` takes a command of any number of words as its one argument.
    if (command.words == "help")
        return invocation;
    if (const auto valid = check_arguments(command, invocation.arguments); !valid)
        return std::unexpected(valid.error());
    return invocation;
}

} // namespace

std::optional<std::uint64_t> Invocation::count(std::string_view option) const {
    const auto found = options.find(option);
    return found == options.end() ? std::nullopt : parse_number<std::uint64_t>(found->second);
}

std::string Invocation::text(std::string_view option) const {
    const auto found = options.find(option);
    return found == options.end() ? std::string{} : found->second;
}

std::optional<double> Invocation::seconds(std::string_view option) const {
    const auto found = options.find(option);
    return found == options.end() ? std::nullopt : parse_seconds(found->second);
}

std::expected<Invocation, Failure> parse_topic(std::span<const std::string> words) {
    std::vector<Word> topic;
    topic.reserve(words.size());
    for (std::size_t i = 0; i < words.size(); ++i)
        topic.push_back({words[i], i});
    if (topic.empty())
        return Invocation{.action = Action::help};
    if (topic.size() == 1 && is_group(topic[0].text))
        return Invocation{.action = Action::help, .topic = words[0]};
    const auto match = match_command(topic);
    if (!match)
        return std::unexpected(match.error());
    return Invocation{.action = Action::help, .command = match->command};
}

std::expected<Invocation, Failure>
parse_arguments(std::span<const std::string> arguments, const Surroundings& surroundings) {
    const Scan scan = scan_words(arguments);
    if (scan.version && !scan.help)
        return Invocation{.action = Action::version};
    if (scan.words.empty() && scan.help)
        return Invocation{.action = Action::help};
    if (scan.words.empty()) {
        return std::unexpected(usage_failure(
            "a command is missing", "for example: penstock status. All commands: penstock --help"
        ));
    }
    if (scan.help && scan.words.size() == 1 && is_group(scan.words[0].text))
        return Invocation{.action = Action::help, .topic = std::string(scan.words[0].text)};
    const auto match = match_command(scan.words);
    if (!match)
        return std::unexpected(match.error());
    if (scan.help)
        return Invocation{.action = Action::help, .command = match->command};

    if (!scan.single_dash.empty()) {
        return std::unexpected(usage_failure(
            fmt::format("there is no flag '{}'", scan.single_dash),
            suggest(
                scan.single_dash.substr(1), flags_of(*match->command), "--", match->command->words
            )
        ));
    }

    // Boost gets everything but the words of the command.
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (i != scan.words[0].index && (match->word_count < 2 || i != scan.words[1].index))
            rest.push_back(arguments[i]);
    }
    return parse_command(*match->command, rest, surroundings);
}

} // namespace penstock::cli
