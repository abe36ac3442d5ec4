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

namespace penstock::cli {
RunResult run_apply(const Invocation& invocation, Output& output) {
    const auto source = read_text(invocation.arguments[0]);
    if (!source) {
        return std::unexpected(unreadable(source.error()));
    }
    ControlClient client(invocation.socket, invocation.timeout_s, output);
    const auto reply = client.post(
        "/v1/config?name=" + escape_segment(source->name),
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
    return report_change(document, *reply, what, invocation, output);
}

} // namespace penstock::cli
