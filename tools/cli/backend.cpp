// SPDX-License-Identifier: Apache-2.0
// penstock backend list, drain, enable, maint and weight.
#include "tools/cli/arguments.hpp"
#include "tools/cli/backend_name.hpp"
#include "tools/cli/backend_table.hpp"
#include "tools/cli/change.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/drain_wait.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::cli {
namespace {

/// One change after the other; the first that fails ends it, and says which were done.
RunResult change_backends(
    const std::vector<BackendName>& names,
    std::string_view verb,
    ControlClient& client,
    const Invocation& invocation,
    Output& output
) {
    RunResult result = ExitCode::ok;
    for (const BackendName& name : names) {
        const std::string what = fmt::format("{}/{}: {}", name.service, name.backend, verb);
        const auto reply = client.post(
            backend_path(name, verb) + (invocation.has("force") ? "?force=true" : ""), "", "", what
        );
        if (!reply) {
            Failure failure = reply.error();
            if (names.size() > 1)
                failure.cause =
                    fmt::format("{}: {}; the ones before it are done", what, failure.cause);
            return std::unexpected(std::move(failure));
        }
        Document document(*reply);
        const RunResult one = report_change(document, *reply, what, invocation, output);
        if (!one)
            return one;
        if (*one != ExitCode::ok)
            result = one;
    }
    return result;
}

RunResult change_all(const Invocation& invocation, Output& output, std::string_view verb) {
    const auto names = split_names(invocation.arguments);
    if (!names)
        return std::unexpected(names.error());
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    return change_backends(*names, verb, client, invocation, output);
}

} // namespace

RunResult run_backend_list(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.get(
        invocation.arguments.empty()
            ? "/v1/backends"
            : "/v1/backends?service=" + escape_segment(invocation.arguments[0])
    );
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Table table = make_backend_table(document.root().objects("backends"), true);
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    output.print_table(table, invocation.header);
    return ExitCode::ok;
}

RunResult run_backend_drain(const Invocation& invocation, Output& output) {
    if (!invocation.has("wait"))
        return change_all(invocation, output, "drain");
    const auto names = split_names(invocation.arguments);
    if (!names)
        return std::unexpected(names.error());
    // --timeout bounds the wait, so the requests keep a limit of their own.
    constexpr double request_timeout_s = 10;
    constexpr double wait_s = 60;
    ControlClient client(invocation.endpoint, request_timeout_s, output);
    const RunResult changed = change_backends(*names, "drain", client, invocation, output);
    if (!changed || *changed != ExitCode::ok)
        return changed;
    return wait_for_drain(
        *names, invocation.seconds("timeout").value_or(wait_s), client, invocation, output
    );
}

RunResult run_backend_enable(const Invocation& invocation, Output& output) {
    return change_all(invocation, output, "enable");
}

RunResult run_backend_maint(const Invocation& invocation, Output& output) {
    return change_all(invocation, output, "maint");
}

RunResult run_backend_weight(const Invocation& invocation, Output& output) {
    const auto names = split_names(std::span(invocation.arguments).first(1));
    if (!names)
        return std::unexpected(names.error());
    const std::string& text = invocation.arguments[1];
    std::uint16_t weight = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = fmt::format("'{}' is no weight", text),
            .remedy = "give a whole number from 0 to 65535"
        });
    }
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const std::string what = fmt::format("{}: weight {}", invocation.arguments[0], weight);
    const auto reply = client.change(
        "PUT",
        backend_path(names->front(), "weight") + (invocation.has("force") ? "?force=true" : ""),
        fmt::format("{{\"weight\":{}}}", weight),
        what
    );
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    return report_change(document, *reply, what, invocation, output);
}

} // namespace penstock::cli
