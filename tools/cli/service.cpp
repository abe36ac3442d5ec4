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

#include <boost/algorithm/string/join.hpp>
#include <fmt/format.h>

namespace penstock::cli {
namespace {

// "198.51.100.10:80/tcp", "[2001:db8::/64]:8000-8099/udp", "198.51.100.0/24/any".
std::string describe_vip(const Object& service) {
    const std::string vip = service.text("vip");
    const std::string ports = service.text("ports");
    const std::string protocol = service.text("protocol");
    std::string text = vip.find(':') == std::string::npos ? vip : fmt::format("[{}]", vip);
    if (protocol != "any") {
        text += fmt::format(":{}", ports);
    }
    return fmt::format("{}/{}", text, protocol);
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

std::string describe_flows(const Object& policy) {
    const auto prefix = policy.maybe_count("affinity_prefix");
    return fmt::format(
        "{}, affinity {}{}, on down {}",
        policy.flag("track") ? "remembered" : "not remembered: every packet goes by hash",
        policy.text("affinity"),
        prefix ? fmt::format(" /{}", *prefix) : "",
        policy.text("on_down")
    );
}

std::string describe_limits(const Object& limit) {
    std::vector<std::string> parts;
    const auto add = [&](std::string_view key, std::string_view words) {
        if (const auto number = limit.maybe_count(key))
            parts.push_back(fmt::format("{} {}", format_count(*number), words));
    };
    add("new_flows_per_second", "new flows a second");
    const auto prefix = limit.maybe_count("source_prefix");
    add("new_flows_per_second_per_source", fmt::format("of them from one /{}", prefix.value_or(0)));
    add("flows", "flows");
    add("flows_per_backend", "flows a backend");
    return boost::algorithm::join(parts, ", ");
}

std::string describe_quic(const std::vector<Object>& configs) {
    std::vector<std::string> parts;
    parts.reserve(configs.size());
    for (const Object& quic : configs)
        parts.push_back(fmt::format(
            "config {} ({}, server id {} bytes, nonce {})",
            quic.count("config_id"),
            quic.flag("encrypted") ? "encrypted" : "plaintext",
            quic.count("server_id_bytes"),
            quic.count("nonce_bytes")
        ));
    return boost::algorithm::join(parts, ", ");
}

// What is not as it is by default; flows always.
void add_policy(Facts& facts, const Object& policy) {
    if (const auto gue = policy.maybe_object("gue"))
        facts.add(
            "gue", fmt::format("variant {}, port {}", gue->count("variant"), gue->count("port"))
        );
    facts.add("flows", describe_flows(policy));
    if (const auto mss = policy.maybe_count("mss_clamp"))
        facts.add("mss clamp", fmt::format("{} bytes", *mss));
    if (policy.flag("toa"))
        facts.add("toa", "the client's address is sent in a TCP option");
    if (const std::string limits = describe_limits(policy.object("limit")); !limits.empty())
        facts.add("limits", limits);
    const Object access = policy.object("access");
    if (access.count("allow") + access.count("deny") > 0)
        facts.add(
            "access",
            fmt::format(
                "{} allowed, {} denied",
                format_plural(access.count("allow"), "prefix", "prefixes"),
                access.count("deny")
            )
        );
    if (const std::string quic = describe_quic(policy.objects("quic")); !quic.empty())
        facts.add("quic", quic);
}

/// "3 of 4 ready backends are healthy; 1 flaps and is not used".
std::string describe_health(const Object& health) {
    const std::uint64_t held = health.count("held");
    std::string text = fmt::format(
        "{} of {} are healthy",
        health.count("healthy"),
        format_plural(health.count("ready"), "ready backend", "ready backends")
    );
    if (held > 0) {
        text += fmt::format(
            "; {} up but flapping, {}",
            held,
            health.flag("hold_waived") ? "used because too few others are left" : "held down"
        );
    }
    if (const std::uint64_t kept = health.count("kept"); kept > 0) {
        text += fmt::format("; {} down but in use: too many went down at once", kept);
    }
    if (health.flag("panic")) {
        text += "; PANIC: all ready ones are used, healthy or not";
    }
    if (const std::uint64_t panics = health.count("panics"); panics > 0) {
        text += fmt::format(
            "; in panic {} since penstock-cp started", format_plural(panics, "time", "times")
        );
    }
    return text;
}

Colour colour_of_health(const Object& health) {
    const bool is_ill =
        health.flag("panic") || health.flag("below_minimum") || health.count("kept") > 0;
    return is_ill ? Colour::red : Colour::none;
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
    add_policy(facts, service.object("policy"));
    facts.add(
        "state", reason ? fmt::format("{}: {}", state, *reason) : state, colour_of_state(state)
    );
    facts.add("probe", describe_probe(service.object("probe")));
    const Object health = service.object("health");
    facts.add("health", describe_health(health), colour_of_health(health));
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
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
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
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
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
