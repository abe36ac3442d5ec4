// SPDX-License-Identifier: Apache-2.0
// penstock diff: what a configuration file would change, before it does.
#include "tools/cli/arguments.hpp"
#include "tools/cli/change_plan.hpp"
#include "tools/cli/configuration_text.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace penstock::cli {
namespace {

std::string describe_fields(const Object& item) {
    std::string text;
    for (const Object& field : item.objects("fields")) {
        const std::string before = field.text("before");
        text += fmt::format(
            "{}{} {}{}",
            text.empty() ? "" : ", ",
            field.text("field"),
            before.empty() ? "" : before + " → ",
            field.text("after")
        );
    }
    return text;
}

std::string describe_moved(const Object& item) {
    const auto share = item.maybe_real("moved_share");
    return share ? format_ratio(*share) : std::string();
}

void add_service(const Object& service, Table& table) {
    const std::string name = service.text("name");
    const auto drained = service.maybe_count("flows_drained");
    const auto cut = service.maybe_count("flows_cut");
    table.add(
        {service.text("kind"),
         name,
         "",
         describe_fields(service),
         describe_moved(service),
         format_maybe_count(service.maybe_count("flows")),
         drained && cut ? fmt::format("{} cut, {} drained", *cut, *drained) : std::string()}
    );
    for (const Object& backend : service.objects("backends")) {
        const std::string fate = backend.text("flow_fate");
        table.add(
            {backend.text("kind"),
             name,
             backend.text("name"),
             describe_fields(backend),
             "",
             format_maybe_count(backend.maybe_count("flows")),
             Cell(fate, fate == "cut" ? Colour::red : Colour::none)}
        );
    }
}

} // namespace

std::string summarize_plan(const Object& plan) {
    const auto share = plan.maybe_real("moved_share");
    const auto flows = plan.maybe_count("flows");
    std::string text = fmt::format(
        "{} of the slots move", share ? format_ratio(*share) : std::string("an unknown share")
    );
    if (flows) {
        text += fmt::format(
            "; of {}, {} cut and {} drained",
            format_plural(*flows, "live flow", "live flows"),
            plan.maybe_count("flows_cut").value_or(0),
            plan.maybe_count("flows_drained").value_or(0)
        );
    } else {
        text += "; how many flows there are is not known";
    }
    return text;
}

std::expected<boost::json::value, Failure>
fetch_plan(const ConfigurationText& source, ControlClient& client) {
    return client.post(
        "/v1/config/diff?name=" + escape_segment(source.name),
        source.text,
        "application/toml",
        fmt::format("comparing {}", source.name)
    );
}

void print_diagnostics(const Failure& failure, Output& output) {
    if (failure.problem.empty())
        return;
    boost::json::error_code error;
    const boost::json::value problem = boost::json::parse(failure.problem, error);
    if (error || !problem.is_object() || !problem.get_object().contains("diagnostics"))
        return;
    Document document(problem);
    for (const Object& diagnostic : document.root().objects("diagnostics"))
        output.print_error_lines(diagnostic.text("text"));
}

RunResult run_diff(const Invocation& invocation, Output& output) {
    const auto source = read_packed_text(invocation.arguments[0]);
    if (!source)
        return std::unexpected(unreadable(source.error()));
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = fetch_plan(*source, client);
    if (!reply) {
        if (!invocation.json)
            print_diagnostics(reply.error(), output);
        return std::unexpected(reply.error());
    }
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Object plan = document.root();
    Table table(
        {{"CHANGE"},
         {"SERVICE"},
         {"BACKEND"},
         {"WHAT"},
         {"SLOTS MOVED", Align::right},
         {"FLOWS", Align::right},
         {"FLOWS END"}}
    );
    for (const Object& service : plan.objects("services"))
        add_service(service, table);
    const bool changed = plan.flag("changed");
    const std::string summary = summarize_plan(plan);
    const std::vector<std::string> sections = plan.texts("sections");
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    if (!changed) {
        output.print_line(fmt::format("{}: changes nothing", make_printable(source->name)));
        return ExitCode::ok;
    }
    if (!table.empty())
        output.print_table(table, invocation.header);
    for (const std::string& section : sections)
        output.print_line(fmt::format("[{}] changes", make_printable(section)));
    output.print_line(summary);
    return ExitCode::ok;
}

} // namespace penstock::cli
