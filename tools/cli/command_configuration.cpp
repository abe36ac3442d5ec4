// SPDX-License-Identifier: Apache-2.0
// The command table, the configuration.
#include "tools/cli/command.hpp"
#include "tools/cli/run.hpp"

#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<Argument, 1> file_argument{{
    {"FILE", true, "a configuration file, or - for standard input"},
}};
constexpr std::array<Argument, 1> number_argument{{
    {"NUMBER", false, "an entry of penstock history"},
}};
constexpr std::array<Option, 2> apply_options{{
    {"confirm", OptionKind::seconds, "SECONDS", "take it back unless penstock confirm comes in time"
    },
    {"force", OptionKind::flag, "", "also if it cuts flows, without asking"},
}};
constexpr std::array<Option, 1> history_options{{
    {"last", OptionKind::count, "N", "only the newest N"},
}};
constexpr std::array<Example, 3> check_examples{{
    {"penstock check /etc/penstock/penstock.toml", "before applying an edit"},
    {"git show HEAD:penstock.toml | penstock check -", "a version that is not on disk"},
    {"penstock check --json penstock.toml | jq -r '.diagnostics[].remedy'", "in an editor or in CI"
    },
}};
constexpr std::array<Example, 2> diff_examples{{
    {"penstock diff penstock.toml", "what would this edit do?"},
    {"penstock diff --json penstock.toml | jq -e '.flows_cut == 0'",
     "exit code 0 only if no flow is cut"},
}};
constexpr std::array<Example, 3> apply_examples{{
    {"penstock diff penstock.toml && penstock apply penstock.toml", "look first, then apply"},
    {"penstock apply --confirm 60s penstock.toml", "come back by itself if this cuts you off"},
    {"penstock apply --timeout 120 - < penstock.toml", "from standard input, with more patience"},
}};
constexpr std::array<Example, 1> confirm_examples{{
    {"penstock confirm", "it works: keep it"},
}};
constexpr std::array<Example, 2> history_examples{{
    {"penstock history", "who changed what, when, from where"},
    {"penstock history 3 > before.toml", "the text of number 3"},
}};
constexpr std::array<Example, 2> rollback_examples{{
    {"penstock rollback", "end a trial, or go back to the configuration before"},
    {"penstock rollback 3", "make number 3 of the history the one that runs"},
}};

constexpr std::array<Command, 6> configuration_rows{{
    {.words = "check",
     .arguments = file_argument,
     .options = {},
     .summary = "check a configuration file, offline",
     .details =
         "Reads the file with the parser of penstock-cp and penstock-dp and prints every error "
         "with its line, "
         "column and remedy. Needs no daemon and changes nothing. Whether this machine has the "
         "interfaces and cores that the file names is only known when penstock-dp starts.",
     .json =
         "{ok, file, diagnostics: [{file, line, column, severity, cause, remedy}], summary: {node, "
         "workers, ports, services, backends}}; summary is null unless ok. line and column are 0 "
         "when there is no "
         "place; severity is \"error\" or \"warning\"; ok is true if there are only warnings.",
     .examples = check_examples,
     .run = run_check},
    {.words = "diff",
     .arguments = file_argument,
     .options = {},
     .summary = "show what a configuration file would change",
     .details =
         "Nothing is changed. Compares with what is wanted now, overrides and health laid over "
         "both. "
         "SLOTS MOVED is the share of a service's slots, hence of its new flows, that get another "
         "backend, counted in the tables that penstock-dp would build; backends that are new count "
         "as "
         "up. FLOWS END says what becomes of the flows that there are: kept stay, drained stay "
         "until "
         "they end, cut lose their backend at once. Exit code 0 only says that the file is valid.",
     .json = "The document of POST /v1/config/diff (docs/reference/api.md).",
     .examples = diff_examples,
     .timeout_s = 60,
     .run = run_diff},
    {.words = "apply",
     .arguments = file_argument,
     .options = apply_options,
     .summary = "make a configuration file the one that runs",
     .details = "Sends the text to penstock-cp, which applies it whole or refuses it whole. What "
                "was applied last runs "
                "again after a restart. "
                "A change that cuts live flows asks first, on a terminal; elsewhere it needs "
                "--force. With "
                "--confirm the configuration is on trial: without penstock confirm in time the one "
                "before comes back by itself, also after a crash of penstock-cp. "
                "A change of [dataplane] needs a restart of penstock-dp; apply says so.",
     .json = "The control plane's reply to a change: result (live or pending), generation, "
             "live_generation, "
             "changed, detail, notes, services, backends, confirmation (docs/reference/api.md).",
     .examples = apply_examples,
     .timeout_s = 60,
     .changes = true,
     .run = run_apply},
    {.words = "confirm",
     .arguments = {},
     .options = {},
     .summary = "keep the configuration that is on trial",
     .details = "Ends the trial that penstock apply --confirm began.",
     .json = change_json,
     .examples = confirm_examples,
     .changes = true,
     .run = run_confirm},
    {.words = "history",
     .arguments = number_argument,
     .options = history_options,
     .summary = "list the configurations that were in force, or print one",
     .details =
         "Newest first; \"*\" marks the one in force. WHO is the user at the other end of the "
         "socket, by the kernel's word.",
     .json =
         "The document of GET /v1/history (docs/reference/api.md); with NUMBER the text itself, "
         "as TOML.",
     .examples = history_examples,
     .run = run_history},
    {.words = "rollback",
     .arguments = number_argument,
     .options = {},
     .summary = "make an earlier configuration the one that runs",
     .details = "Without NUMBER: the one that a trial would go back to, else the one before. "
                "Overrides stay as they are.",
     .json = change_json,
     .examples = rollback_examples,
     .timeout_s = 60,
     .changes = true,
     .run = run_rollback},
}};

} // namespace

std::span<const Command> configuration_commands() {
    return configuration_rows;
}

} // namespace penstock::cli
