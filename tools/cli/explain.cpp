// SPDX-License-Identifier: Apache-2.0
// penstock explain: what the running dataplane would do with a packet, and why.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/facts.hpp"
#include "tools/cli/flow_text.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/state_colour.hpp"
#include "tools/cli/units.hpp"
#include "tools/replay/capture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace penstock::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t packets_a_request = 256; // as the API takes them

// What is asked about: in words, and as the API takes it.
struct Question {
    std::string text;
    json::object packet;
};

Question ask_about(const FlowText& flow) {
    return {
        .text = flow.text(),
        .packet =
            {{"protocol", flow.protocol},
             {"source", flow.source},
             {"source_port", flow.source_port},
             {"destination", flow.destination},
             {"destination_port", flow.destination_port},
             {"syn", flow.syn}}
    };
}

Failure usage(std::string cause) {
    return {
        .code = ExitCode::usage,
        .cause = std::move(cause),
        .remedy = "name a flow (tcp 203.0.113.7:40000 198.51.100.10:443), or --pcap and --index, "
                  "or --list"
    };
}

Failure to_failure(const Refusal& refusal) {
    return {.cause = fmt::format("{}: {}", refusal.place, refusal.cause), .remedy = refusal.remedy};
}

std::expected<Question, Failure> read_packet(const std::string& path, std::uint64_t index) {
    auto reader = replay::CaptureReader::open(path);
    if (!reader)
        return std::unexpected(to_failure(reader.error()));
    std::uint64_t packets = 0;
    while (true) {
        const auto packet = reader->next();
        if (!packet)
            return std::unexpected(to_failure(packet.error()));
        if (!*packet)
            return std::unexpected(Failure{
                .cause = fmt::format("{}: it has {} packets, not {}", path, packets, index),
                .remedy = "packets are numbered from 1, as Wireshark numbers them"
            });
        packets = (*packet)->index;
        if (packets < index)
            continue;
        if ((*packet)->length > (*packet)->bytes.size())
            return std::unexpected(Failure{
                .cause = fmt::format("{}, packet {}: the capture cut it", path, index),
                .remedy = "capture whole frames: tcpdump -s 0"
            });
        std::string frame;
        for (const std::uint8_t byte : (*packet)->bytes)
            frame += fmt::format("{:02x}", byte);
        return Question{
            .text = fmt::format("{}, packet {}", path, index), .packet = {{"frame", frame}}
        };
    }
}

std::expected<std::vector<Question>, Failure> read_questions(const Invocation& invocation) {
    const bool has_flow = !invocation.arguments.empty();
    const auto pcap = invocation.options.find("pcap");
    const auto batch = invocation.options.find("list");
    const bool has_pcap = pcap != invocation.options.end();
    const bool has_batch = batch != invocation.options.end();
    if (int{has_flow} + int{has_pcap} + int{has_batch} != 1)
        return std::unexpected(usage("explain one thing: a flow, a packet of a capture, or a list")
        );
    if (has_pcap != invocation.has("index"))
        return std::unexpected(usage("--pcap and --index belong together"));
    if (invocation.has("syn") && !has_flow)
        return std::unexpected(usage("--syn belongs to a flow"));
    if (has_pcap) {
        auto question = read_packet(pcap->second, invocation.count("index").value_or(0));
        if (!question)
            return std::unexpected(question.error());
        return std::vector{std::move(*question)};
    }
    std::vector<Question> questions;
    if (has_flow) {
        auto flow = parse_flow(invocation.arguments);
        if (!flow)
            return std::unexpected(usage(flow.error()));
        flow->syn = invocation.has("syn");
        questions.push_back(ask_about(*flow));
        return questions;
    }
    const auto flows = read_flow_list(batch->second);
    if (!flows)
        return std::unexpected(flows.error());
    for (const FlowText& flow : *flows)
        questions.push_back(ask_about(flow));
    return questions;
}

std::string describe_outside(const Object& outside, std::string_view forwarding) {
    return fmt::format(
        "{}, leaves as {} > {}, protocol {}, TTL {}, TOS {:#04x}{}, {} bytes",
        forwarding,
        outside.text("source"),
        outside.text("destination"),
        outside.count("protocol"),
        outside.count("ttl"),
        outside.count("tos"),
        outside.flag("dont_fragment") ? ", DF" : "",
        outside.count("length")
    );
}

void add_choice(const Object& packet, Facts& facts) {
    if (const auto hash = packet.maybe_text("hash")) {
        const auto slot = packet.maybe_object("slot");
        facts.add(
            "hash",
            slot ? fmt::format(
                       "{}, slot {} of {}: {}",
                       *hash,
                       slot->count("number"),
                       slot->count("of"),
                       slot->maybe_text("backend").value_or("-")
                   )
                 : *hash + ", no backend takes new flows"
        );
        const auto flows = packet.objects("flows");
        for (const Object& flow : flows)
            facts.add(
                "flow",
                fmt::format(
                    "entry on worker {}: {}, {}, last packet {} s ago",
                    flow.count("worker"),
                    flow.maybe_text("backend").value_or("-"),
                    flow.text("state"),
                    flow.count("age_s")
                )
            );
        if (flows.empty())
            facts.add("flow", "no entry: the hash chooses");
    }
}

void add_backend(const Object& packet, Facts& facts) {
    const auto backend = packet.maybe_object("backend");
    if (!backend)
        return;
    const std::string endpoint = format_endpoint(backend->text("address"), backend->count("port"));
    const std::string name = backend->maybe_text("name").value_or("-");
    if (backend->flag("removed"))
        facts.add("backend", fmt::format("{} {}, removed: keeps its flows", name, endpoint));
    else
        facts.add(
            "backend",
            fmt::format(
                "{} {}, {}, {}, weight {}",
                name,
                endpoint,
                backend->maybe_text("health").value_or("-"),
                backend->maybe_text("admin").value_or("-"),
                backend->maybe_count("weight").value_or(0)
            )
        );
    const auto hop = backend->maybe_text("next_hop");
    const std::string port = packet.maybe_text("port").value_or("-");
    facts.add("next hop", hop ? fmt::format("{} by {}", *hop, port) : "unresolved");
    if (const auto outside = packet.maybe_object("outside"))
        facts.add("mode", describe_outside(*outside, backend->text("forwarding")));
}

Facts explain(const Object& packet, const std::string& question) {
    Facts facts;
    facts.add("packet", question);
    const std::string verdict = packet.text("verdict");
    if (const auto reason = packet.maybe_text("reason"))
        facts.add(
            "verdict",
            fmt::format(
                "{}: {}: {}", verdict, *reason, packet.maybe_text("reason_text").value_or("")
            ),
            Colour::red
        );
    else
        facts.add("verdict", verdict, Colour::green);
    if (const auto service = packet.maybe_text("service"))
        facts.add(
            "service",
            fmt::format("{} ({})", *service, packet.maybe_text("service_key").value_or("-"))
        );
    add_choice(packet, facts);
    add_backend(packet, facts);
    return facts;
}

std::vector<Cell> list_row(const Object& packet, const std::string& question) {
    const auto backend = packet.maybe_object("backend");
    return {
        question,
        packet.text("verdict"),
        packet.maybe_text("reason").value_or(""),
        packet.maybe_text("service").value_or(""),
        backend ? backend->maybe_text("name").value_or("") : std::string{},
        packet.objects("flows").empty() ? "" : "entry"
    };
}

// The answers to some questions, in their order.
std::expected<json::value, Failure>
ask(std::span<const Question> questions, const Invocation& invocation, Output& output) {
    json::array packets;
    for (const Question& question : questions)
        packets.push_back(question.packet);
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    return client.post(
        "/v1/explain",
        json::serialize(json::object{{"packets", std::move(packets)}}),
        "application/json",
        "explaining"
    );
}

} // namespace

RunResult run_explain(const Invocation& invocation, Output& output) {
    const auto questions = read_questions(invocation);
    if (!questions)
        return std::unexpected(questions.error());
    const bool is_list = invocation.has("list");
    Table table({{"PACKET"}, {"VERDICT"}, {"REASON"}, {"SERVICE"}, {"BACKEND"}, {"FLOW"}});
    std::span<const Question> rest(*questions);
    while (!rest.empty()) {
        const auto some = rest.first(std::min(rest.size(), packets_a_request));
        rest = rest.subspan(some.size());
        const auto answer = ask(some, invocation, output);
        if (!answer)
            return std::unexpected(answer.error());
        Document document(*answer);
        const std::vector<Object> packets = document.root().objects("packets");
        if (packets.size() != some.size())
            return std::unexpected(Failure{
                .cause = fmt::format("{} explanations for {} packets", packets.size(), some.size()),
                .remedy = "run penstock and penstock-cp from the same release"
            });
        for (std::size_t i = 0; i < some.size(); ++i) {
            if (invocation.json) {
                output.print_json(answer->at("packets").at(i));
            } else if (is_list) {
                table.add(list_row(packets[i], some[i].text));
            } else {
                output.print(explain(packets[i], some[i].text).render(output));
            }
        }
        if (const auto read = document.check(); !read)
            return std::unexpected(read.error());
    }
    if (is_list && !invocation.json)
        output.print_table(table, invocation.header);
    return ExitCode::ok;
}

} // namespace penstock::cli
