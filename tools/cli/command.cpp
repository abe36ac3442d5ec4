// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/command.hpp"

#include "tools/cli/run.hpp"

#include <algorithm>
#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<Option, 7> globals{{
    {"json", OptionKind::flag, "", "print JSON for scripts: raw numbers, stable names"},
    {"no-header", OptionKind::flag, "", "leave out the first line of tables"},
    {"socket",
     OptionKind::text,
     "PATH",
     "the control plane's socket; default /run/penstock/control.sock"},
    {"runtime-dir", OptionKind::text, "DIR", "look for control.sock in DIR instead of /run/penstock"
    },
    {"timeout", OptionKind::seconds, "SECONDS", "wait this long for an answer; default 10, apply 60"
    },
    {"help", OptionKind::flag, "", "explain the command and show examples; also -h"},
    {"version", OptionKind::flag, "", "print the version"},
}};

constexpr std::string_view change_json = "The control plane's reply to a change: result (live or "
                                         "pending), generation, live_generation, changed, "
                                         "detail, notes (docs/reference/api.md).";
constexpr std::array<Argument, 1> file_argument{{
    {"FILE", true, "a configuration file, or - for standard input"},
}};
constexpr std::array<Argument, 1> service_argument{{{"NAME", true, "a service's name"}}};
constexpr std::array<Argument, 1> service_filter_argument{{
    {"SERVICE", false, "only the backends of this service"},
}};
constexpr std::array<Argument, 1> backend_argument{{
    {"SERVICE/BACKEND", true, "a backend, by the names of its service and its own"},
}};
constexpr std::array<Argument, 1> help_argument{{
    {"COMMAND", false, "what to explain: \"backend drain\", \"backend\", \"check\""},
}};

constexpr std::array<Option, 2> stats_options{{
    {"interval", OptionKind::seconds, "SECONDS", "show rates, again and again every SECONDS"},
    {"count", OptionKind::count, "N", "with --interval: stop after N reports"},
}};
constexpr std::array<Option, 1> drops_options{{
    {"all", OptionKind::flag, "", "also the reasons that never happened"},
}};
constexpr std::array<Option, 3> events_options{{
    {"follow", OptionKind::flag, "", "go on as events happen, until interrupted"},
    {"last", OptionKind::count, "N", "begin with the newest N events; default all, with --follow 10"
    },
    {"after", OptionKind::count, "N", "only events with a higher sequence number than N"},
}};
constexpr std::array<Option, 8> replay_options{{
    {"config", OptionKind::text, "FILE", "the configuration that decides; required"},
    {"in",
     OptionKind::text,
     "CAPTURE",
     "pcap or pcapng of Ethernet frames, - for standard input; required"},
    {"out", OptionKind::text, "CAPTURE", "write what would be sent"},
    {"report", OptionKind::text, "FILE", "write the verdict of every packet, as JSON"},
    {"flows",
     OptionKind::text,
     "keep|fresh",
     "keep (default): flows stay where they are; fresh: each packet as if it were its flow's first"
    },
    {"diff", OptionKind::text, "FILE", "another configuration: what would move?"},
    {"next-hops",
     OptionKind::text,
     "synthetic|configured",
     "next hops that the configuration does not name are made up (default) or unresolved"},
    {"key",
     OptionKind::text,
     "FILE",
     "the node's flow-hash-key, for its choices of backends; default 16 zero bytes"},
}};
constexpr std::array<Option, 1> help_options{{
    {"markdown", OptionKind::flag, "", "print docs/reference/cli.md, which is made from this"},
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
constexpr std::array<Example, 2> apply_examples{{
    {"penstock check penstock.toml && penstock apply penstock.toml", "look first, then apply"},
    {"penstock apply --timeout 120 - < penstock.toml", "from standard input, with more patience"},
}};
constexpr std::array<Example, 2> status_examples{{
    {"penstock status", "is anything wrong?"},
    {"penstock status --json | jq -e '.problems == []'", "exit code 0 only when all is well"},
}};
constexpr std::array<Example, 2> service_list_examples{{
    {"penstock service list", "every service, worst news in the last column"},
    {"penstock service list --no-header | cut -f1", "only the names"},
}};
constexpr std::array<Example, 2> service_show_examples{{
    {"penstock service show web", "one service with its probe and backends"},
    {"penstock service show web --json | jq .backends", "its backends for a script"},
}};
constexpr std::array<Example, 2> backend_list_examples{{
    {"penstock backend list", "every backend of every service"},
    {"penstock backend list web --json | jq -r '.backends[] | select(.health != \"up\") | .name'",
     "names of the backends of web that are not up"},
}};
constexpr std::array<Example, 2> backend_drain_examples{{
    {"penstock backend drain web/web-2", "before maintenance: no new flows"},
    {"penstock backend list web", "watch FLOWS of web-2 fall to 0"},
}};
constexpr std::array<Example, 1> backend_enable_examples{{
    {"penstock backend enable web/web-2",
     "after maintenance: new flows again, if its probes are good"},
}};
constexpr std::array<Example, 1> backend_disable_examples{{
    {"penstock backend disable web/web-2", "a broken server: nothing more goes to it from now on"},
}};
constexpr std::array<Example, 3> stats_examples{{
    {"penstock stats", "totals since penstock-dp started"},
    {"penstock stats --interval 2", "packets and bits per second, every 2 s"},
    {"penstock stats --json | jq '.services[] | {service, packets}'", "raw counters"},
}};
constexpr std::array<Example, 2> drops_examples{{
    {"penstock drops", "why packets were dropped"},
    {"penstock drops --all", "every reason there is, with its explanation"},
}};
constexpr std::array<Example, 3> events_examples{{
    {"penstock events --last 20", "what happened most recently"},
    {"penstock events --follow", "watch probes and changes live"},
    {"penstock events --json | jq -r 'select(.severity == \"critical\")'", "one object a line"},
}};
constexpr std::array<Example, 3> replay_examples{{
    {"penstock replay --config penstock.toml --in in.pcap --out out.pcap --report report.json",
     "what would be sent, and why not the rest"},
    {"penstock replay --config running.toml --in in.pcap --diff new.toml",
     "which traffic would a new configuration move?"},
    {"penstock replay --config penstock.toml --in in.pcap --json | jq '.groups[]'",
     "how many packets went where"},
}};
constexpr std::array<Example, 2> help_examples{{
    {"penstock help backend drain", "the same as penstock backend drain --help"},
    {"penstock help --markdown > docs/reference/cli.md", "after a change of the command table"},
}};

constexpr std::array<Command, 15> table{{
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
     .options = {},
     .summary = "make a configuration file the one that runs",
     .details = "Sends the text to penstock-cp, which applies it whole or refuses it whole. What "
                "was applied last runs "
                "again after a restart. "
                "A change of [dataplane] needs a restart of penstock-dp; apply says so.",
     .json = "The control plane's reply to a change: result (live or pending), generation, "
             "live_generation, "
             "changed, detail, notes, services, backends (docs/reference/api.md).",
     .examples = apply_examples,
     .timeout_s = 60,
     .changes = true,
     .run = run_apply},
    {.words = "status",
     .arguments = {},
     .options = {},
     .summary = "show whether all is well, and what is not",
     .details = "Begins with the problems that need a human, the worst first. Exit code 0 only "
                "says that the "
                "control plane answered: scripts look at .problems of --json.",
     .json = "The document of GET /v1/status (docs/reference/api.md).",
     .examples = status_examples,
     .run = run_status},
    {.words = "service list",
     .arguments = {},
     .options = {},
     .summary = "list the services",
     .details = "BACKENDS is how many take new flows, of how many there are.",
     .json = "The document of GET /v1/services (docs/reference/api.md).",
     .examples = service_list_examples,
     .run = run_service_list},
    {.words = "service show",
     .arguments = service_argument,
     .options = {},
     .summary = "show one service with its probe and backends",
     .details = "",
     .json = "The document of GET /v1/services/{service} (docs/reference/api.md).",
     .examples = service_show_examples,
     .run = run_service_show},
    {.words = "backend list",
     .arguments = service_filter_argument,
     .options = {},
     .summary = "list the backends",
     .details = "SHARE is the part of new flows that a backend gets. REASON says why its health is "
                "what it is, SINCE "
                "since when.",
     .json = "The document of GET /v1/backends (docs/reference/api.md).",
     .examples = backend_list_examples,
     .run = run_backend_list},
    {.words = "backend drain",
     .arguments = backend_argument,
     .options = {},
     .summary = "let a backend keep its flows, but give it no new ones",
     .details = "The override survives reloads and restarts; penstock backend enable ends it. A "
                "SYN on a flow "
                "that the backend still has goes to another backend, so that port reuse does not "
                "hold a drain.",
     .json = change_json,
     .examples = backend_drain_examples,
     .changes = true,
     .run = run_backend_drain},
    {.words = "backend enable",
     .arguments = backend_argument,
     .options = {},
     .summary = "end a drain or disable: the backend is ready again",
     .details = "",
     .json = change_json,
     .examples = backend_enable_examples,
     .changes = true,
     .run = run_backend_enable},
    {.words = "backend disable",
     .arguments = backend_argument,
     .options = {},
     .summary = "take everything from a backend at once, its flows too",
     .details = "Connections that the backend had break: their packets go to other backends. To "
                "let them end, "
                "use penstock backend drain. The override survives reloads and restarts; penstock "
                "backend enable ends "
                "it.",
     .json = change_json,
     .examples = backend_disable_examples,
     .changes = true,
     .run = run_backend_disable},
    {.words = "stats",
     .arguments = {},
     .options = stats_options,
     .summary = "show counters: totals, workers, services, backends",
     .details =
         "Counters begin with the start of penstock-dp. BUSY, with --interval, is the "
         "part of the time that a worker spent on polls that found packets; the rest it polled "
         "in vain or, with idle = \"adaptive\", slept. At any quiet "
         "moment RX = TX + to kernel + dropped.",
     .json = "The document of GET /v1/stats (docs/reference/api.md); with --interval one document "
             "a line, raw counters "
             "each time.",
     .examples = stats_examples,
     .run = run_stats},
    {.words = "drops",
     .arguments = {},
     .options = drops_options,
     .summary = "show why packets were dropped",
     .details = "Every dropped packet has one reason. docs/reference/drop-reasons.md explains them "
                "at length.",
     .json = "The document of GET /v1/drops (docs/reference/api.md): always every reason.",
     .examples = drops_examples,
     .run = run_drops},
    {.words = "events",
     .arguments = {},
     .options = events_options,
     .summary = "show what happened: health, changes, connections",
     .details = "The control plane keeps the newest 4096 events since its start. --follow waits "
                "out a restart of "
                "penstock-cp and goes on with the new one's events.",
     .json = "One event a line, as in GET /v1/events (docs/reference/api.md).",
     .examples = events_examples,
     .run = run_events},
    {.words = "replay",
     .arguments = {},
     .options = replay_options,
     .summary = "send a capture through a configuration, offline",
     .details =
         "Needs no daemon, no root and no NIC, and changes nothing: the code of the dataplane "
         "decides about every packet of a file. docs/reference/replay.md says what is "
         "assumed of the machine. One of --out, --report, --diff or the summary is what it "
         "is for: none is required.",
     .json = "{packets, flows, groups: [{verdict, reason, service, backend, packets, bytes}]}; "
             "flows are "
             "the entries of the flow table at the end; with --diff "
             "also changed_packets, moves: [{from, to, packets, flows}] and flows_complete, false "
             "if there were more flows than are counted.",
     .examples = replay_examples,
     .run = run_replay},
    {.words = "help",
     .arguments = help_argument,
     .options = help_options,
     .summary = "explain a command",
     .details = "",
     .json = "Nothing else: help is text.",
     .examples = help_examples,
     .run = run_help},
}};

} // namespace

std::span<const Command> commands() {
    return table;
}

std::span<const Option> global_options() {
    return globals;
}

const Command* find_command(std::string_view words) {
    const auto found = std::ranges::find(table, words, &Command::words);
    return found == table.end() ? nullptr : &*found;
}

bool is_group(std::string_view word) {
    return !word.empty() && std::ranges::any_of(table, [&](const Command& command) {
        return command.words.size() > word.size() && command.words.starts_with(word) &&
               command.words[word.size()] == ' ';
    });
}

} // namespace penstock::cli
