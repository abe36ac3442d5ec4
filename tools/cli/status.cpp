// SPDX-License-Identifier: Apache-2.0
// penstock status: what is wrong, first; then the facts in ten lines.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/facts.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <boost/algorithm/string/join.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace penstock::cli {
namespace {

// More than these push the facts off the screen.
constexpr std::size_t problems_shown_max = 10;
constexpr std::size_t next_hops_shown_max = 8;

void add_control_plane(const Object& status, Facts& facts) {
    facts.add(
        "control plane",
        fmt::format(
            "penstock-cp {}, pid {}, up {}",
            status.text("version"),
            status.count("pid"),
            format_duration(static_cast<std::int64_t>(status.real("uptime_seconds") * 1000))
        )
    );
}

void add_dataplane(const Object& dataplane, Facts& facts) {
    const std::string state = dataplane.text("state");
    const auto since = dataplane.maybe_text("since");
    const auto since_ms = since ? parse_time(*since) : std::nullopt;
    const auto version = dataplane.maybe_text("version");
    const auto pid = dataplane.maybe_count("pid");
    const auto reason = dataplane.maybe_text("reason");
    const bool connected = state == "connected";
    std::string text = connected ? state : fmt::format("NOT CONNECTED ({})", state);
    if (since_ms)
        text += fmt::format(
            " for {}", format_duration(std::max<std::int64_t>(0, now_ms() - *since_ms))
        );
    if (version && pid)
        text += fmt::format(
            ", {}penstock-dp {}, pid {}", connected ? "" : "last seen ", *version, *pid
        );
    if (reason)
        text += ": " + *reason;
    facts.add("dataplane", text, connected ? Colour::green : Colour::red);
}

void add_generation(const Object& generation, Facts& facts) {
    const std::uint64_t desired = generation.count("desired");
    const auto live = generation.maybe_count("live");
    if (live && *live == desired) {
        facts.add("generation", fmt::format("{}, live", desired), Colour::green);
    } else if (live) {
        facts.add(
            "generation",
            fmt::format("{} is desired, but {} is live", desired, *live),
            Colour::yellow
        );
    } else {
        facts.add(
            "generation",
            fmt::format("{} is desired; what is live is not known", desired),
            Colour::red
        );
    }
}

void add_configuration(const Object& configuration, Facts& facts) {
    const std::string file = configuration.maybe_text("file").value_or("no file");
    const std::string state = configuration.maybe_text("file_state").value_or("");
    const std::string applied = format_since(configuration.maybe_text("applied_at"));
    if (state == "differs") {
        facts.add(
            "configuration",
            fmt::format(
                "{} DIFFERS from what runs (applied {}); to run it: penstock apply {}",
                file,
                applied,
                file
            ),
            Colour::yellow
        );
    } else if (state == "unreadable") {
        facts.add(
            "configuration",
            fmt::format(
                "{} cannot be read: {}",
                file,
                configuration.maybe_text("file_detail").value_or("no reason given")
            ),
            Colour::yellow
        );
    } else {
        facts.add(
            "configuration",
            applied.empty() ? fmt::format("{}, never applied", file)
                            : fmt::format("{}, applied {}", file, applied)
        );
    }
}

void add_last_reload(const Object& status, Facts& facts) {
    // Null before the first one.
    const auto reload = status.maybe_object("last_reload");
    if (!reload)
        return;
    const std::string result = reload->text("result");
    const bool applied = result == "applied";
    facts.add(
        "last reload",
        fmt::format(
            "{} {} ({}): {}",
            result,
            format_since(reload->text("time")),
            reload->text("source"),
            reload->maybe_text("detail").value_or("")
        ),
        applied               ? Colour::none
        : result == "pending" ? Colour::yellow
                              : Colour::red
    );
}

void add_services(const Object& services, Facts& facts) {
    const std::uint64_t down = services.count("down");
    const std::uint64_t degraded = services.count("degraded");
    facts.add(
        "services",
        fmt::format(
            "{}: {} up, {} degraded, {} down",
            services.count("total"),
            services.count("up"),
            degraded,
            down
        ),
        down > 0       ? Colour::red
        : degraded > 0 ? Colour::yellow
                       : Colour::none
    );
}

void add_backends(const Object& status, Facts& facts) {
    const Object backends = status.object("backends");
    const std::uint64_t down = backends.count("down");
    std::string text = fmt::format(
        "{}: {} up, {} down, {} unknown",
        backends.count("total"),
        backends.count("up"),
        down,
        backends.count("unknown")
    );
    if (const std::uint64_t drain = backends.count("drain"); drain > 0)
        text += fmt::format("; {} draining", drain);
    if (const std::uint64_t disabled = backends.count("disabled"); disabled > 0)
        text += fmt::format("; {} disabled", disabled);
    if (const std::uint64_t overrides = status.count("overrides"); overrides > 0)
        text += fmt::format(" ({} by penstock backend)", overrides);
    facts.add("backends", text, down > 0 ? Colour::yellow : Colour::none);
}

void add_next_hops(const Object& dataplane, Facts& facts) {
    std::vector<std::string> unresolved = dataplane.texts("unresolved_next_hops");
    if (unresolved.empty())
        return;
    const std::size_t total = unresolved.size();
    unresolved.resize(std::min(total, next_hops_shown_max));
    facts.add(
        "next hops",
        fmt::format(
            "no route or MAC address towards {}: {}{}; look at: ip route get ADDRESS, ip neigh",
            format_plural(total, "backend", "backends"),
            boost::algorithm::join(unresolved, ", "),
            total > unresolved.size() ? ", …" : ""
        ),
        Colour::red
    );
}

void add_restart(const Object& dataplane, Facts& facts) {
    if (!dataplane.flag("restart_needed"))
        return;
    facts.add(
        "restart",
        fmt::format(
            "penstock-dp needs one: {}; systemctl restart penstock-dp",
            dataplane.maybe_text("restart_reason").value_or("its configuration has changed")
        ),
        Colour::yellow
    );
}

// The verdict, and each problem on a line of its own.
std::string describe_problems(const Object& status, const Output& output) {
    const auto name = status.maybe_text("node"); // null before a first configuration
    const std::string node = make_printable(name.value_or("this node"));
    const std::vector<std::string> problems = status.texts("problems");
    if (problems.empty() && !name) {
        return fmt::format(
            "{}: {}\n",
            node,
            output.painted("nothing is configured yet: penstock apply FILE", Colour::yellow)
        );
    }
    if (problems.empty())
        return fmt::format("{}: {}\n", node, output.painted("all is well", Colour::green));
    std::string lines = fmt::format(
        "{}: {}\n",
        node,
        output.painted(format_plural(problems.size(), "problem", "problems"), Colour::red)
    );
    const std::size_t shown = std::min(problems.size(), problems_shown_max);
    for (std::size_t i = 0; i < shown; ++i)
        lines += fmt::format("  - {}\n", output.painted(make_printable(problems[i]), Colour::red));
    if (problems.size() > shown)
        lines += fmt::format("  - and {} more: penstock status --json\n", problems.size() - shown);
    return lines;
}

} // namespace

RunResult run_status(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.get("/v1/status");
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Object status = document.root();
    const Object dataplane = status.object("dataplane");
    const std::string problems = describe_problems(status, output);
    Facts facts;
    add_dataplane(dataplane, facts);
    add_generation(status.object("generation"), facts);
    add_services(status.object("services"), facts);
    add_backends(status, facts);
    add_next_hops(dataplane, facts);
    add_configuration(status.object("configuration"), facts);
    add_last_reload(status, facts);
    add_restart(dataplane, facts);
    add_control_plane(status, facts);
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    output.print(problems);
    output.print(facts.render(output));
    return ExitCode::ok;
}

} // namespace penstock::cli
