// SPDX-License-Identifier: Apache-2.0
// penstock service list and show.
#include "tools/cli/arguments.hpp"
#include "tools/cli/backend_table.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/facts.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/state_colour.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

namespace penstock::cli {
namespace {

std::string describe_vip(const Object& service) {
    return fmt::format(
        "{}/{}",
        format_endpoint(service.text("vip"), service.count("port")),
        service.text("protocol")
    );
}

Table make_service_table(const std::vector<Object>& services) {
    Table table({
        {"SERVICE"},
        {"VIP"},
        {"FORWARDING"},
        {"STATE"},
        {"BACKENDS", Align::right},
        {"FLOWS", Align::right},
        {"PACKETS", Align::right},
        {"BYTES", Align::right},
        {"DROPPED", Align::right},
        {"REASON"},
    });
    for (const Object& service : services) {
        const std::string state = service.text("state");
        const Object counts = service.object("backend_counts");
        table.add({
            service.text("name"),
            describe_vip(service),
            service.text("forwarding"),
            Cell(state, colour_of_state(state)),
            fmt::format("{}/{}", counts.count("eligible"), counts.count("total")),
            format_maybe_count(service.maybe_count("flows")),
            format_maybe_count(service.maybe_count("packets")),
            format_maybe_bytes(service.maybe_count("bytes")),
            format_maybe_count(service.maybe_count("dropped_packets")),
            service.maybe_text("reason").value_or(""),
        });
    }
    return table;
}

std::string describe_probe(const Object& probe) {
    const std::string type = probe.text("type");
    if (type == "none")
        return "none: every backend counts as up";
    const auto port = probe.maybe_count("port");
    std::string text = type;
    if (const auto path = probe.maybe_text("path")) {
        text += fmt::format(
            " {}, host {}, status {}",
            *path,
            probe.maybe_text("host").value_or("-"),
            probe.maybe_text("status").value_or("-")
        );
    }
    return text + fmt::format(
                      ", {}, every {} ms (+-{} %), timeout {} ms, fall {}, rise {}",
                      port ? fmt::format("port {}", *port) : "port of the backend",
                      probe.count("interval_ms"),
                      probe.count("jitter_percent"),
                      probe.count("timeout_ms"),
                      probe.count("fall"),
                      probe.count("rise")
                  );
}

Facts describe_service(const Object& service) {
    const std::string state = service.text("state");
    const auto reason = service.maybe_text("reason");
    const Object counts = service.object("backend_counts");
    Facts facts;
    facts.add("service", service.text("name"), Colour::bold);
    facts.add("vip", describe_vip(service));
    facts.add(
        "forwarding",
        fmt::format(
            "{}, Maglev table of {} slots", service.text("forwarding"), service.count("maglev_size")
        )
    );
    facts.add(
        "state", reason ? fmt::format("{}: {}", state, *reason) : state, colour_of_state(state)
    );
    facts.add("probe", describe_probe(service.object("probe")));
    facts.add(
        "backends",
        fmt::format("{} of {} take new flows", counts.count("eligible"), counts.count("total")),
        counts.count("eligible") == 0 ? Colour::red : Colour::none
    );
    const auto packets = service.maybe_count("packets");
    if (packets) {
        facts.add(
            "traffic",
            fmt::format(
                "{} packets, {}, {} new flows, {} flows now, {} packets dropped",
                format_count(*packets),
                format_maybe_bytes(service.maybe_count("bytes")),
                format_maybe_count(service.maybe_count("new_flows")),
                format_maybe_count(service.maybe_count("flows")),
                format_maybe_count(service.maybe_count("dropped_packets"))
            )
        );
    } else {
        facts.add(
            "traffic", "unknown: the statistics of penstock-dp cannot be read", Colour::yellow
        );
    }
    return facts;
}

} // namespace

RunResult run_service_list(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.socket, invocation.timeout_s, output);
    const auto reply = client.get("/v1/services");
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Table table = make_service_table(document.root().objects("services"));
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    output.print_table(table, invocation.header);
    return ExitCode::ok;
}

RunResult run_service_show(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.socket, invocation.timeout_s, output);
    const auto reply = client.get("/v1/services/" + escape_segment(invocation.arguments[0]));
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Object service = document.root();
    const Facts facts = describe_service(service);
    const Table backends = make_backend_table(service.objects("backends"), false);
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    output.print(facts.render(output));
    output.print_line("");
    output.print_table(backends, invocation.header);
    return ExitCode::ok;
}

} // namespace penstock::cli
