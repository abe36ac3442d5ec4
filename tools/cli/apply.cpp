// SPDX-License-Identifier: Apache-2.0
// penstock apply: a configuration file to the control plane.
#include "tools/cli/arguments.hpp"
#include "tools/cli/change.hpp"
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

// The control plane's diagnostics as `penstock check` prints them. Its failure itself follows from
// main.
void print_diagnostics(const Failure& failure, Output& output) {
    boost::json::error_code error;
    const boost::json::value problem = boost::json::parse(failure.problem, error);
    if (error || !problem.is_object() || !problem.get_object().contains("diagnostics"))
        return;
    Document document(problem);
    for (const Object& diagnostic : document.root().objects("diagnostics"))
        output.print_error_lines(diagnostic.text("text"));
}

} // namespace

RunResult run_apply(const Invocation& invocation, Output& output) {
    const auto source = read_text(invocation.arguments[0]);
    if (!source) {
        const config::Diagnostic& diagnostic = source.error();
        return std::unexpected(Failure{
            .code = ExitCode::refused,
            .cause = fmt::format("{}: {}", diagnostic.place.file, diagnostic.cause),
            .remedy = diagnostic.remedy
        });
    }
    ControlClient client(invocation.socket, invocation.timeout_s, output);
    const auto reply = client.post(
        "/v1/config?name=" + escape_segment(source->name),
        source->text,
        "application/toml",
        fmt::format("applying {}", source->name)
    );
    if (!reply) {
        if (!invocation.json && !reply.error().problem.empty())
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
