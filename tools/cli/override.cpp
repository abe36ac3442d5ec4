// SPDX-License-Identifier: Apache-2.0
// penstock override list, save and clear: what was said about backends at run time.
#include "tools/cli/arguments.hpp"
#include "tools/cli/backend_name.hpp"
#include "tools/cli/change.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace penstock::cli {
namespace {

Failure not_written(const std::string& file, int error) {
    return {
        .code = ExitCode::refused,
        .cause = fmt::format("{}: {}", file, std::generic_category().message(error)),
        .remedy = error == EEXIST
                      ? "choose a new name, or - for standard output: nothing is overwritten"
                      : "nothing was written"
    };
}

std::expected<void, Failure> write_new_file(const std::string& file, std::string_view text) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return std::unexpected(not_written(file, errno));
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            const int error = errno;
            ::close(fd);
            ::unlink(file.c_str());
            return std::unexpected(not_written(file, error));
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::close(fd) != 0)
        return std::unexpected(not_written(file, errno));
    return {};
}

} // namespace

RunResult run_override_list(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.get("/v1/overrides");
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    Table table(
        {{"SERVICE"},
         {"BACKEND"},
         {"ADDRESS"},
         {"ADMIN"},
         {"WEIGHT", Align::right},
         {"SINCE"},
         {"WHO"}}
    );
    for (const Object& item : document.root().objects("overrides")) {
        const Object actor = item.object("actor");
        const auto weight = item.maybe_count("weight");
        table.add(
            {item.maybe_text("service").value_or(""),
             item.maybe_text("backend").value_or(""),
             format_endpoint(item.text("address"), item.count("port")),
             item.maybe_text("admin").value_or(""),
             weight ? fmt::format("{}", *weight) : std::string(),
             format_since(item.maybe_text("since")),
             actor.maybe_text("user").value_or("")}
        );
    }
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());
    if (table.empty())
        output.print_line("there are no overrides");
    else
        output.print_table(table, invocation.header);
    return ExitCode::ok;
}

RunResult run_override_save(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto text = client.get_text("/v1/overrides/configuration");
    if (!text)
        return std::unexpected(text.error());
    const std::string& file = invocation.arguments[0];
    if (file == "-") {
        output.print(*text);
        return ExitCode::ok;
    }
    if (const auto written = write_new_file(file, *text); !written)
        return std::unexpected(written.error());
    output.print_note(fmt::format(
        "{0} is written. To adopt it: penstock apply {0} && penstock override clear", file
    ));
    return ExitCode::ok;
}

RunResult run_override_clear(const Invocation& invocation, Output& output) {
    const auto names = split_names(invocation.arguments);
    if (!names)
        return std::unexpected(names.error());
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto clear = [&](const std::string& path, const std::string& what) -> RunResult {
        const auto reply = client.change("DELETE", path, "", what);
        if (!reply)
            return std::unexpected(reply.error());
        Document document(*reply);
        return report_change(document, *reply, what, invocation, output);
    };
    if (names->empty())
        return clear("/v1/overrides", "all overrides cleared");
    RunResult result = ExitCode::ok;
    for (const BackendName& name : *names) {
        const RunResult one = clear(
            backend_path(name, "override"),
            fmt::format("{}/{}: override cleared", name.service, name.backend)
        );
        if (!one || *one != ExitCode::ok)
            result = one;
        if (!one)
            break;
    }
    return result;
}

} // namespace penstock::cli
