// SPDX-License-Identifier: Apache-2.0
// penstock replay: a capture through the core, offline.
#include "tools/replay/replay.hpp"

#include "controlplane/config/parse.hpp"
#include "controlplane/config/read_file.hpp"
#include "tools/cli/arguments.hpp"
#include "tools/cli/configuration_text.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace penstock::cli {
namespace {

namespace json = boost::json;
using replay::Summary;

std::string option(const Invocation& invocation, std::string_view name) {
    const auto found = invocation.options.find(name);
    return found == invocation.options.end() ? std::string{} : found->second;
}

Failure usage(std::string cause, std::string remedy) {
    return {.code = ExitCode::usage, .cause = std::move(cause), .remedy = std::move(remedy)};
}

Failure to_failure(const Refusal& refusal) {
    return {.cause = fmt::format("{}: {}", refusal.place, refusal.cause), .remedy = refusal.remedy};
}

// One of two words, or the usage error that names both.
std::expected<bool, Failure> is_second(
    const Invocation& invocation, std::string_view name, const char* first, const char* second
) {
    const std::string word = option(invocation, name);
    if (word.empty() || word == first)
        return false;
    if (word == second)
        return true;
    return std::unexpected(usage(
        fmt::format("--{} {}: no such word", name, word),
        fmt::format("it is {} or {}", first, second)
    ));
}

std::expected<FlowHashKey, Failure> read_key(const std::string& path) {
    FlowHashKey key{};
    if (path.empty())
        return key;
    const auto text = config::read_file(path);
    if (!text)
        return std::unexpected(Failure{
            .cause = fmt::format("{}: {}", path, text.error().cause), .remedy = text.error().remedy
        });
    if (text->size() != key.size())
        return std::unexpected(Failure{
            .cause = fmt::format("{}: {} bytes instead of {}", path, text->size(), key.size()),
            .remedy = "name the file flow-hash-key of a state directory"
        });
    std::ranges::copy(*text, key.begin());
    return key;
}

std::expected<replay::Settings, Failure> read_settings(const Invocation& invocation) {
    const auto fresh = is_second(invocation, "flows", "keep", "fresh");
    if (!fresh)
        return std::unexpected(fresh.error());
    const auto configured = is_second(invocation, "next-hops", "synthetic", "configured");
    if (!configured)
        return std::unexpected(configured.error());
    const auto key = read_key(option(invocation, "flow-hash-key"));
    if (!key)
        return std::unexpected(key.error());
    return replay::Settings{
        .flows = *fresh ? replay::FlowKeeping::fresh : replay::FlowKeeping::keep,
        .next_hops = *configured ? replay::NextHops::configured : replay::NextHops::synthetic,
        .flow_hash_key = *key,
    };
}

// Diagnostics as `penstock check` prints them, then the failure.
std::expected<config::Configuration, Failure> read_file(const std::string& file, Output& output) {
    config::Diagnostics warnings;
    auto configuration = config::read_configuration(file, &warnings);
    output.print_error_lines(config::render(configuration ? warnings : configuration.error()));
    if (configuration)
        return std::move(*configuration);
    return std::unexpected(Failure{
        .cause = fmt::format("{} is no valid configuration", file),
        .remedy = "mend what is said above; penstock check reads it the same way"
    });
}

json::object to_json(const Summary& summary, bool compares) {
    const auto text_or_null = [](std::string_view text) {
        return text.empty() ? json::value(nullptr) : json::value(text);
    };
    json::array groups;
    for (const auto& [group, count] : summary.groups()) {
        groups.push_back(json::object{
            {"verdict", group.verdict},
            {"reason", text_or_null(group.reason)},
            {"service", text_or_null(group.service)},
            {"backend", text_or_null(group.backend)},
            {"packets", count.packets},
            {"bytes", count.bytes}
        });
    }
    json::object document{
        {"packets", summary.packets()}, {"flows", summary.flows()}, {"groups", std::move(groups)}
    };
    if (compares) {
        json::array moves;
        for (const auto& [move, count] : summary.moves()) {
            moves.push_back(json::object{
                {"from", move.from},
                {"to", move.to},
                {"packets", count.packets},
                {"flows", count.flows.size()}
            });
        }
        document["changed_packets"] = summary.changed_packets();
        document["moves"] = std::move(moves);
        document["flows_complete"] = summary.tells_all_flows();
    }
    return document;
}

Table groups_of(const Summary& summary) {
    Table table(
        {{"VERDICT"},
         {"REASON"},
         {"SERVICE"},
         {"BACKEND"},
         {"PACKETS", Align::right},
         {"BYTES", Align::right}}
    );
    for (const auto& [group, count] : summary.groups()) {
        table.add(
            {std::string(group.verdict),
             std::string(group.reason),
             group.service,
             group.backend,
             format_count(count.packets),
             format_bytes(count.bytes)}
        );
    }
    return table;
}

Table moves_of(const Summary& summary) {
    Table table({{"NOW"}, {"THEN"}, {"PACKETS", Align::right}, {"FLOWS", Align::right}});
    const char* const at_least = summary.tells_all_flows() ? "" : "≥ ";
    for (const auto& [move, count] : summary.moves()) {
        table.add(
            {move.from,
             move.to,
             format_count(count.packets),
             at_least + format_count(count.flows.size())}
        );
    }
    return table;
}

void print(const Summary& summary, bool compares, const Invocation& invocation, Output& output) {
    if (invocation.json) {
        output.print_json(to_json(summary, compares));
        return;
    }
    output.print_table(groups_of(summary), invocation.header);
    if (!compares)
        return;
    output.print_line("");
    output.print_line(fmt::format(
        "{} of {} packets would be decided otherwise with {}.",
        summary.changed_packets(),
        summary.packets(),
        option(invocation, "diff")
    ));
    if (!summary.moves().empty())
        output.print_table(moves_of(summary), invocation.header);
}

} // namespace

RunResult run_replay(const Invocation& invocation, Output& output) {
    for (const char* required : {"config", "in"}) {
        if (!invocation.has(required))
            return std::unexpected(usage(
                fmt::format("penstock replay needs --{}", required), "see penstock replay --help"
            ));
    }
    const auto settings = read_settings(invocation);
    if (!settings)
        return std::unexpected(settings.error());
    const auto configuration = read_file(option(invocation, "config"), output);
    if (!configuration)
        return std::unexpected(configuration.error());
    std::optional<config::Configuration> other;
    if (invocation.has("diff")) {
        auto read = read_file(option(invocation, "diff"), output);
        if (!read)
            return std::unexpected(read.error());
        other = std::move(*read);
    }
    const auto summary = replay::replay({
        .configuration = &*configuration,
        .other = other ? &*other : nullptr,
        .settings = *settings,
        .in = option(invocation, "in"),
        .out = option(invocation, "out"),
        .report = option(invocation, "report"),
        .progress = [&output](std::uint64_t packets
                    ) { output.print_progress(fmt::format("{} packets", packets)); },
    });
    if (!summary)
        return std::unexpected(to_failure(summary.error()));
    print(*summary, other.has_value(), invocation, output);
    return ExitCode::ok;
}

} // namespace penstock::cli
