// SPDX-License-Identifier: Apache-2.0
// The command table, tokens of the API over the network.
#include "tools/cli/command.hpp"
#include "tools/cli/run.hpp"

#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<Argument, 1> token_name{{
    {"NAME", true, "what the audit log and the history call who uses it: A-Z a-z 0-9 . _ -"},
}};
constexpr Option file_option{
    "file", OptionKind::text, "FILE", "the token_file of [api]; default /etc/penstock/api-tokens"
};
constexpr std::array<Option, 3> create_options{{
    {"role", OptionKind::text, "ROLE", "viewer, operator or admin"},
    {"days", OptionKind::count, "N", "it expires after so many days; default 90, 0: never"},
    file_option,
}};
constexpr std::array<Option, 1> file_options{{file_option}};
constexpr std::array<Example, 2> create_examples{{
    {"penstock token create ci --role operator > ci.token", "for penstock --token-file ci.token"},
    {"penstock token create grafana --role viewer --days 0", "one that never expires"},
}};
constexpr std::array<Example, 1> list_examples{{
    {"penstock token list", "who has one, for what, until when"},
}};
constexpr std::array<Example, 1> revoke_examples{{
    {"penstock token revoke ci", "it is refused within 5 seconds"},
}};

constexpr std::array<Command, 3> token_rows{{
    {.words = "token create",
     .arguments = token_name,
     .options = create_options,
     .summary = "make a bearer token for the API over the network",
     .details =
         "Prints the token, this once, and writes its SHA-256 into the file of tokens, which "
         "is made if there is none. Works on the file alone and needs no daemon: run it on "
         "the node, as who may write the file. penstock-cp takes it within 5 seconds.",
     .json = "{name, role, expires, token, file}; expires is null for never.",
     .examples = create_examples,
     .run = run_token_create},
    {.words = "token list",
     .arguments = {},
     .options = file_options,
     .summary = "list the bearer tokens, by name",
     .details = "Reads the file of tokens on this node. The tokens themselves are not in it.",
     .json = "{tokens: [{name, role, expires, expired}], file}",
     .examples = list_examples,
     .run = run_token_list},
    {.words = "token revoke",
     .arguments = token_name,
     .options = file_options,
     .summary = "take a bearer token back",
     .details = "Takes its line out of the file of tokens on this node. penstock-cp refuses it "
                "within 5 seconds, also on connections that are open.",
     .json = "{name, revoked, file}",
     .examples = revoke_examples,
     .run = run_token_revoke},
}};

} // namespace

std::span<const Command> token_commands() {
    return token_rows;
}

} // namespace penstock::cli
