// SPDX-License-Identifier: Apache-2.0
// Rows of the command table: what becomes of packets.
#include "tools/cli/command.hpp"
#include "tools/cli/run.hpp"

#include <array>

namespace penstock::cli {
namespace {

constexpr std::array<Argument, 3> explain_arguments{{
    {"PROTOCOL", false, "tcp or udp"},
    {"CLIENT", false, "the client's address and port: 203.0.113.7:40000, [2001:db8::7]:40000"},
    {"VIP", false, "the service's address and port"},
}};
constexpr std::array<Option, 4> explain_options{{
    {"syn", OptionKind::flag, "", "ask about a packet that opens a connection, not one of it"},
    {"pcap", OptionKind::text, "CAPTURE", "ask about a packet of a pcap or pcapng file"},
    {"index", OptionKind::count, "N", "with --pcap: the packet's number, from 1"},
    {"list",
     OptionKind::text,
     "FILE",
     "ask about every line of FILE: PROTOCOL CLIENT VIP, and perhaps syn"},
}};

constexpr std::array<Example, 3> explain_examples{{
    {"penstock explain tcp 203.0.113.7:40000 198.51.100.10:443",
     "where does this connection go, and why?"},
    {"penstock explain --pcap in.pcap --index 7", "what became of the seventh packet?"},
    {"penstock explain --list flows.txt --json | jq -r .backend.name", "many at once"},
}};

constexpr std::array<Command, 1> packet_rows{{
    {.words = "explain",
     .arguments = explain_arguments,
     .options = explain_options,
     .summary = "say what becomes of a packet now, and why",
     .details = "Asks the running dataplane, which decides about the packet as if it had come, but "
                "sends nothing and changes nothing: service, hash and slot, the flow's entry if it "
                "has one, backend, next hop, outer header, or the drop reason and what it means.",
     .json = "One object a line for each packet, as in POST /v1/explain (docs/reference/api.md).",
     .examples = explain_examples,
     .run = run_explain},
}};

} // namespace

std::span<const Command> packet_commands() {
    return packet_rows;
}

} // namespace penstock::cli
