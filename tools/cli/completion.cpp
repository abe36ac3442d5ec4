// SPDX-License-Identifier: Apache-2.0
// penstock completion: what bash, zsh and fish need to complete commands, flags and the names that are
// live right now; made from the command table.
#include "tools/cli/completion.hpp"

#include "tools/cli/arguments.hpp"
#include "tools/cli/command.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace penstock::cli {
namespace {

// Names come from the control plane; one that is away completes nothing, quickly.
constexpr std::string_view live_backends =
    "penstock backend list --no-header --timeout 1 2>/dev/null | cut -f1,2 | tr '\\t' /";
constexpr std::string_view live_services =
    "penstock service list --no-header --timeout 1 2>/dev/null | cut -f1";

/// First words, each once, in the order of the table.
std::vector<std::string> first_words() {
    std::vector<std::string> words;
    for (const Command& command : commands()) {
        const std::string word(command.words.substr(0, command.words.find(' ')));
        if (std::ranges::find(words, word) == words.end())
            words.push_back(word);
    }
    return words;
}

std::string verbs_of(std::string_view group) {
    std::string verbs;
    for (const Command& command : commands()) {
        if (command.words.starts_with(fmt::format("{} ", group)))
            verbs += fmt::format(
                "{}{}", verbs.empty() ? "" : " ", command.words.substr(group.size() + 1)
            );
    }
    return verbs;
}

std::string flags_of(const Command& command) {
    std::string flags;
    for (const auto& options : {global_options(), command.options}) {
        for (const Option& option : options)
            flags += fmt::format("{}--{}", flags.empty() ? "" : " ", option.name);
    }
    return flags;
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
    std::string text;
    for (const std::string& word : words)
        text += fmt::format("{}{}", text.empty() ? "" : separator, word);
    return text;
}

std::string flags_with_values() {
    std::set<std::string> names;
    for (const Option& option : global_options()) {
        if (option.kind != OptionKind::flag)
            names.insert(fmt::format("--{}", option.name));
    }
    for (const Command& command : commands()) {
        for (const Option& option : command.options) {
            if (option.kind != OptionKind::flag)
                names.insert(fmt::format("--{}", option.name));
        }
    }
    return join({names.begin(), names.end()}, "|");
}

/// The shell command that lists what an argument can be; empty: nothing is known.
std::string_view live_names(const Command& command) {
    if (command.arguments.empty())
        return {};
    const std::string_view name = command.arguments.front().name;
    if (name == "SERVICE/BACKEND")
        return live_backends;
    return name == "SERVICE" || name == "NAME" ? live_services : std::string_view{};
}

bool takes_file(const Command& command) {
    return !command.arguments.empty() && command.arguments.front().name == "FILE";
}

std::string fixed_words(const Command& command) {
    if (command.words == "completion")
        return "bash zsh fish";
    return command.words == "help" ? join(first_words(), " ") : std::string();
}

std::string bash_case(const Command& command) {
    std::string names;
    if (const std::string_view live = live_names(command); !live.empty())
        names = fmt::format("COMPREPLY=($(compgen -W \"$({})\" -- \"$cur\"))", live);
    else if (takes_file(command))
        names = "COMPREPLY=($(compgen -f -- \"$cur\"))";
    else if (const std::string fixed = fixed_words(command); !fixed.empty())
        names = fmt::format("COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))", fixed);
    else
        names = ":";
    return fmt::format(
        "    '{0}'|'{0} '*)\n      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W \"{1}\" -- "
        "\"$cur\"))\n"
        "      else {2}; fi ;;\n",
        command.words,
        flags_of(command),
        names
    );
}

std::string bash_function() {
    std::string text = fmt::format(
        "_penstock() {{\n"
        "  local cur=\"${{COMP_WORDS[COMP_CWORD]}}\" words='' word i\n"
        "  COMPREPLY=()\n"
        "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "    word=\"${{COMP_WORDS[i]}}\"\n"
        "    case \"$word\" in\n"
        "      {}) i=$((i + 1)) ;;\n"
        "      -*) ;;\n"
        "      *) words=\"${{words:+$words }}$word\" ;;\n"
        "    esac\n"
        "  done\n"
        "  case \"$words\" in\n"
        "    '') COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")) ;;\n",
        flags_with_values(),
        join(first_words(), " ")
    );
    for (const Command& command : commands())
        text += bash_case(command);
    for (const std::string& group : first_words()) {
        if (is_group(group))
            text += fmt::format(
                "    '{}') COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")) ;;\n",
                group,
                verbs_of(group)
            );
    }
    return text + "  esac\n}\n";
}

std::string quote(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text)
        quoted += c == '\'' ? "\\'" : std::string(1, c);
    return quoted + "'";
}

std::string fish_script() {
    std::string text = "# fish completion for penstock\ncomplete -c penstock -f\n";
    for (const std::string& word : first_words()) {
        const Command* command = find_command(word);
        const std::string summary =
            command == nullptr ? verbs_of(word) : std::string(command->summary);
        text += fmt::format(
            "complete -c penstock -n __fish_use_subcommand -a {} -d {}\n", word, quote(summary)
        );
    }
    for (const Command& command : commands()) {
        const std::size_t space = command.words.find(' ');
        const std::string first(command.words.substr(0, space));
        std::string seen = fmt::format("__fish_seen_subcommand_from {}", first);
        if (space != std::string_view::npos) {
            const std::string verb(command.words.substr(space + 1));
            text += fmt::format(
                "complete -c penstock -n {} -a {} -d {}\n",
                quote(
                    fmt::format("{}; and not __fish_seen_subcommand_from {}", seen, verbs_of(first))
                ),
                verb,
                quote(command.summary)
            );
            seen += fmt::format("; and __fish_seen_subcommand_from {}", verb);
        }
        if (const std::string_view live = live_names(command); !live.empty())
            text += fmt::format(
                "complete -c penstock -n {} -a {}\n", quote(seen), quote(fmt::format("({})", live))
            );
        if (takes_file(command))
            text += fmt::format("complete -c penstock -n {} -F\n", quote(seen));
        if (const std::string fixed = fixed_words(command); !fixed.empty())
            text += fmt::format("complete -c penstock -n {} -a {}\n", quote(seen), quote(fixed));
        for (const Option& option : command.options) {
            text += fmt::format(
                "complete -c penstock -n {} -l {}{} -d {}\n",
                quote(seen),
                option.name,
                option.kind == OptionKind::flag ? "" : " -x",
                quote(option.text)
            );
        }
    }
    for (const Option& option : global_options()) {
        text += fmt::format(
            "complete -c penstock -l {}{} -d {}\n",
            option.name,
            option.kind == OptionKind::flag ? "" : " -r",
            quote(option.text)
        );
    }
    return text;
}

} // namespace

std::string completion_script(std::string_view shell) {
    if (shell == "bash")
        return "# bash completion for penstock\n" + bash_function() +
               "complete -F _penstock penstock\n";
    if (shell == "zsh")
        return "#compdef penstock\nautoload -U +X bashcompinit && bashcompinit\n" +
               bash_function() + "complete -F _penstock penstock\n";
    return shell == "fish" ? fish_script() : std::string();
}

RunResult run_completion(const Invocation& invocation, Output& output) {
    const std::string script = completion_script(invocation.arguments[0]);
    if (script.empty()) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = fmt::format("there is no completion for '{}'", invocation.arguments[0]),
            .remedy = "bash, zsh or fish"
        });
    }
    output.print(script);
    return ExitCode::ok;
}

} // namespace penstock::cli
