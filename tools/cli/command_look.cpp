// SPDX-License-Identifier: Apache-2.0
// The command table, what one looks at.
#include "tools/cli/command.hpp"
#include "tools/cli/run.hpp"

#include <array>

namespace penstock::cli {
namespace {

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
    {"flow-hash-key",
     OptionKind::text,
     "FILE",
     "the node's own, from its state directory, for its choices of backends; default 16 zero bytes"
    },
}};
constexpr std::array<Argument, 1> shell_argument{{{"SHELL", true, "bash, zsh or fish"}}};
constexpr std::array<Option, 5> top_options{{
    {"interval", OptionKind::seconds, "SECONDS", "look again every SECONDS; default 1"},
    {"view", OptionKind::text, "VIEW", "begin with services, backends, workers or drops"},
    {"filter", OptionKind::text, "TEXT", "only rows that have TEXT in them"},
    {"batch", OptionKind::flag, "", "print tables instead of taking the screen"},
    {"count", OptionKind::count, "N", "with --batch: so many tables; default 1"},
}};
constexpr std::array<Example, 2> top_examples{{
    {"penstock top", "what moves right now"},
    {"penstock top --batch --view backends --count 10 --interval 5", "ten tables for a log"},
}};
constexpr std::array<Example, 2> completion_examples{{
    {"penstock completion bash > /etc/bash_completion.d/penstock", "for everybody who uses bash"},
    {"penstock completion fish | source", "for this fish alone"},
}};
constexpr std::array<Option, 2> help_options{{
    {"man", OptionKind::flag, "", "print the manual page penstock(1), for man"},
    {"markdown", OptionKind::flag, "", "print docs/reference/cli.md, which is made from this"},
}};
constexpr std::array<Example, 2> status_examples{{
    {"penstock status", "is anything wrong?"},
    {"penstock status --json | jq -e '.problems == []'", "exit code 0 only when all is well"},
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

constexpr std::array<Command, 8> look_rows{{
    {.words = "status",
     .arguments = {},
     .options = watch_options,
     .summary = "show whether all is well, and what is not",
     .details = "Begins with the problems that need a human, the worst first. Exit code 0 only "
                "says that the "
                "control plane answered: scripts look at .problems of --json.",
     .json = "The document of GET /v1/status (docs/reference/api.md).",
     .examples = status_examples,
     .run = run_status},
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
    {.words = "top",
     .arguments = {},
     .options = top_options,
     .summary = "watch services, backends, workers and drops move",
     .details = "Rates are those since the last look. Keys: 1 to 4 choose the view, < and > the "
                "column to sort by, r "
                "turns the order round, / filters, space pauses, q leaves. A control plane that "
                "goes away is waited "
                "for.",
     .json = "Nothing else: for numbers use penstock stats --json --interval.",
     .examples = top_examples,
     .run = run_top},
    {.words = "completion",
     .arguments = shell_argument,
     .options = {},
     .summary = "print the completion of a shell",
     .details = "Commands and flags come from the command table, names of services and backends "
                "from the control "
                "plane at the moment of the key.",
     .json = "Nothing else: the script is text.",
     .examples = completion_examples,
     .run = run_completion},
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

std::span<const Command> look_commands() {
    return look_rows;
}

} // namespace penstock::cli
