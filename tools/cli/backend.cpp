// SPDX-License-Identifier: Apache-2.0
// penstock backend list, drain, enable and disable.
#include "tools/cli/arguments.hpp"
#include "tools/cli/backend_table.hpp"
#include "tools/cli/change.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace penstock::cli {
namespace {

struct BackendName {
    std::string service;
    std::string backend;
};

std::expected<BackendName, Failure> split_name(const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == text.size() ||
        text.find('/', slash + 1) != std::string::npos) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = fmt::format("'{}' is not SERVICE/BACKEND", text),
            .remedy = "for example web/web-2. Their names: penstock backend list"
        });
    }
    return BackendName{.service = text.substr(0, slash), .backend = text.substr(slash + 1)};
}

RunResult change_backend(const Invocation& invocation, Output& output, std::string_view verb) {
    const auto name = split_name(invocation.arguments[0]);
    if (!name)
        return std::unexpected(name.error());
    ControlClient client(invocation.socket, invocation.timeout_s, output);
    const std::string what = fmt::format("{}: {}", invocation.arguments[0], verb);
    const auto reply = client.post(
        fmt::format(
            "/v1/services/{}/backends/{}/{}",
            escape_segment(name->service),
            escape_segment(name->backend),
            verb
        ),
        "",
        "",
        what
    );
    if (!reply)
        return std::unexpected(reply.error());
    Document document(*reply);
    return report_change(document, *reply, what, invocation, output);
}

} // namespace

RunResult run_backend_list(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.socket, invocation.timeout_s, output);
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
    return change_backend(invocation, output, "drain");
}

RunResult run_backend_enable(const Invocation& invocation, Output& output) {
    return change_backend(invocation, output, "enable");
}

RunResult run_backend_disable(const Invocation& invocation, Output& output) {
    return change_backend(invocation, output, "disable");
}

} // namespace penstock::cli
