// SPDX-License-Identifier: Apache-2.0
// penstock history, confirm and rollback: the configurations that were in force, and the way back.
#include "tools/cli/arguments.hpp"
#include "tools/cli/change.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace penstock::cli {
namespace {

/// "root (pid 4711)".
std::string describe_actor(const Object& actor) {
    const auto user = actor.maybe_text("user");
    const auto pid = actor.maybe_count("pid");
    if (!user)
        return {};
    return pid ? fmt::format("{} (pid {})", *user, *pid)
               : fmt::format("{} ({})", *user, actor.text("from")); // over the network
}

Failure no_number(const std::string& text) {
    return {
        .code = ExitCode::usage,
        .cause = fmt::format("'{}' is no number of the history", text),
        .remedy = "for example 3. What there is: penstock history"
    };
}

bool is_number(const std::string& text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

RunResult print_text(const Invocation& invocation, Output& output, ControlClient& client) {
    if (!is_number(invocation.arguments[0]))
        return std::unexpected(no_number(invocation.arguments[0]));
    const auto text = client.get_text("/v1/history/" + invocation.arguments[0]);
    if (!text)
        return std::unexpected(text.error());
    output.print(*text);
    return ExitCode::ok;
}

} // namespace

RunResult run_history(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    if (!invocation.arguments.empty())
        return print_text(invocation, output, client);
    const std::uint64_t last =
        std::clamp<std::uint64_t>(invocation.count("last").value_or(100), 1, 100);
    const auto reply = client.get(fmt::format("/v1/history?limit={}", last));
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Object root = document.root();
    Table table(
        {{"NUMBER", Align::right},
         {"IN FORCE"},
         {"TIME"},
         {"GENERATION", Align::right},
         {"SOURCE"},
         {"WHO"},
         {"FROM"},
         {"FILE"},
         {"SERVICES", Align::right},
         {"BACKENDS", Align::right}}
    );
    for (const Object& entry : root.objects("history")) {
        const Object actor = entry.object("actor");
        table.add(
            {fmt::format("{}", entry.count("number")),
             Cell(entry.flag("current") ? "*" : "", Colour::green),
             entry.text("time"),
             fmt::format("{}", entry.count("generation")),
             entry.text("source"),
             describe_actor(actor),
             actor.text("from"),
             entry.text("name"),
             fmt::format("{}", entry.count("services")),
             fmt::format("{}", entry.count("backends"))}
        );
    }
    const auto trial = root.maybe_object("confirmation");
    const std::string on_trial =
        trial ? fmt::format(
                    "on trial: without penstock confirm number {} comes back in {} s",
                    trial->count("back_to"),
                    static_cast<std::int64_t>(trial->real("seconds_left"))
                )
              : std::string();
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    output.print_table(table, invocation.header);
    if (!on_trial.empty())
        output.print_note(on_trial);
    return ExitCode::ok;
}

RunResult run_confirm(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.post("/v1/config/confirm", "", "", "confirming");
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    return report_change(document, *reply, "the configuration on trial", invocation, output);
}

RunResult run_rollback(const Invocation& invocation, Output& output) {
    const bool has_number = !invocation.arguments.empty();
    if (has_number && !is_number(invocation.arguments[0]))
        return std::unexpected(no_number(invocation.arguments[0]));
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.post(
        has_number ? fmt::format("/v1/history/{}/rollback", invocation.arguments[0])
                   : std::string("/v1/config/rollback"),
        "",
        "",
        "rolling back"
    );
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    return report_change(
        document,
        *reply,
        has_number ? "number " + invocation.arguments[0] : std::string("the configuration before"),
        invocation,
        output
    );
}

} // namespace penstock::cli
