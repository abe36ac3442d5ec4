// SPDX-License-Identifier: Apache-2.0
// penstock apply: a configuration file to the control plane.
#include "tools/cli/arguments.hpp"
#include "tools/cli/change.hpp"
#include "tools/cli/change_plan.hpp"
#include "tools/cli/configuration_text.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace penstock::cli {
namespace {

// What live flows would lose needs a word: at a terminal it is asked for, elsewhere it is --force.
std::expected<void, Failure> ask_before_cutting(
    const ConfigurationText& source,
    ControlClient& client,
    const Invocation& invocation,
    Output& output
) {
    if (invocation.has("force"))
        return {};
    const auto reply = fetch_plan(source, client);
    // What is not valid is refused by applying it, so that the status and the events say it too.
    if (!reply && reply.error().problem.find("invalid-configuration") != std::string::npos)
        return {};
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    const Object plan = document.root();
    const std::uint64_t cut = plan.maybe_count("flows_cut").value_or(0);
    const std::uint64_t drained = plan.maybe_count("flows_drained").value_or(0);
    const std::string summary = summarize_plan(plan);
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    if (cut == 0) {
        if (drained > 0 && !invocation.json)
            output.print_note(summary);
        return {};
    }
    const bool can_ask = output.terminal() && output.error_terminal() &&
                         ::isatty(STDIN_FILENO) == 1 && invocation.arguments[0] != "-";
    if (can_ask && output.ask(fmt::format("{}. Apply it?", summary)))
        return {};
    return std::unexpected(Failure{
        .code = ExitCode::refused,
        .cause = fmt::format(
            "{} would be cut; nothing was changed", format_plural(cut, "live flow", "live flows")
        ),
        .remedy = "look with penstock diff, drain first, or use --force"
    });
}

} // namespace

RunResult run_apply(const Invocation& invocation, Output& output) {
    const auto source = read_packed_text(invocation.arguments[0]);
    if (!source)
        return std::unexpected(unreadable(source.error()));
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    if (const auto allowed = ask_before_cutting(*source, client, invocation, output); !allowed)
        return std::unexpected(allowed.error());
    const auto confirm_s = invocation.seconds("confirm");
    const std::string confirm =
        confirm_s ? fmt::format("&confirm={}", std::max<std::int64_t>(1, std::llround(*confirm_s)))
                  : std::string();
    const auto reply = client.post(
        "/v1/config?name=" + escape_segment(source->name) + confirm,
        source->text,
        "application/toml",
        fmt::format("applying {}", source->name)
    );
    if (!reply) {
        if (!invocation.json)
            print_diagnostics(reply.error(), output);
        return std::unexpected(reply.error());
    }
    Document document(*reply);
    const Object root = document.root();
    const std::string what = fmt::format(
        "{} ({}, {})",
        source->name,
        format_plural(root.count("services"), "service", "services"),
        format_plural(root.count("backends"), "backend", "backends")
    );
    const RunResult result = report_change(document, *reply, what, invocation, output);
    if (result && confirm_s && !invocation.json) {
        output.print_note(
            root.flag("changed")
                ? fmt::format(
                      "on trial: penstock confirm keeps it; else it goes in {:g} s", *confirm_s
                  )
                : std::string("nothing changed, so there is nothing to confirm")
        );
    }
    return result;
}

} // namespace penstock::cli
