// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/command.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace penstock::cli {
namespace {

constexpr std::array<Option, 12> globals{{
    {"json", OptionKind::flag, "", "print JSON for scripts: raw numbers, stable names"},
    {"no-header", OptionKind::flag, "", "leave out the first line of tables"},
    {"socket",
     OptionKind::text,
     "PATH",
     "the control plane's socket; default /run/penstock/control.sock"},
    {"runtime-dir", OptionKind::text, "DIR", "look for control.sock in DIR instead of /run/penstock"
    },
    {"api", OptionKind::text, "URL", "ask over the network instead: https://HOST:PORT of [api]"},
    {"cacert", OptionKind::text, "FILE", "with --api: trust these authorities, not the system's"},
    {"cert", OptionKind::text, "FILE", "with --api: show this client certificate"},
    {"key", OptionKind::text, "FILE", "with --api: the key of --cert"},
    {"token-file", OptionKind::text, "FILE", "with --api: send the token in FILE"},
    {"timeout", OptionKind::seconds, "SECONDS", "wait this long for an answer; default 10, apply 60"
    },
    {"help", OptionKind::flag, "", "explain the command and show examples; also -h"},
    {"version", OptionKind::flag, "", "print the version"},
}};

} // namespace

std::span<const Command> commands() {
    static const std::vector<Command> all = [] {
        std::vector<Command> rows;
        for (const auto part :
             {configuration_commands(),
              backend_commands(),
              look_commands(),
              packet_commands(),
              token_commands()})
            rows.insert(rows.end(), part.begin(), part.end());
        return rows;
    }();
    return all;
}

std::span<const Option> global_options() {
    return globals;
}

const Command* find_command(std::string_view words) {
    const auto found = std::ranges::find(commands(), words, &Command::words);
    return found == commands().end() ? nullptr : &*found;
}

bool is_group(std::string_view word) {
    return !word.empty() && std::ranges::any_of(commands(), [&](const Command& command) {
        return command.words.size() > word.size() && command.words.starts_with(word) &&
               command.words[word.size()] == ' ';
    });
}

} // namespace penstock::cli
