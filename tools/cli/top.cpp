// SPDX-License-Identifier: Apache-2.0
// penstock top: what moves right now, on a screen of its own, or frame by frame for scripts.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/top_screen.hpp"
#include "tools/cli/top_table.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

namespace penstock::cli {
namespace {

std::expected<TopReading, Failure> look(ControlClient& client) {
    const auto stats = client.get("/v1/stats");
    if (!stats)
        return std::unexpected(stats.error());
    const auto backends = client.get("/v1/backends");
    if (!backends)
        return std::unexpected(backends.error());
    const auto drops = client.get("/v1/drops");
    if (!drops)
        return std::unexpected(drops.error());
    return read_top(*stats, *backends, *drops);
}

Table make_table(const TopTable& top) {
    std::vector<Table::Column> columns;
    for (const TopColumn& column : top.columns)
        columns.push_back({column.name, column.is_number ? Align::right : Align::left});
    Table table(std::move(columns));
    for (const TopRow& row : top.rows)
        table.add({row.cells.begin(), row.cells.end()});
    return table;
}

/// Without a terminal: `count` frames, each a table, a blank line between them.
RunResult run_batch(
    const Invocation& invocation,
    Output& output,
    ControlClient& client,
    TopView view,
    double interval_s
) {
    const std::uint64_t count = invocation.count("count").value_or(1);
    auto before = look(client);
    if (!before)
        return std::unexpected(before.error());
    for (std::uint64_t i = 0; i < count && !output.broken(); ++i) {
        std::this_thread::sleep_for(std::chrono::duration<double>(interval_s));
        auto now = look(client);
        if (!now)
            return std::unexpected(now.error());
        TopTable table = make_top_table(view, *before, *now);
        arrange(table, {.column = 0, .descending = false, .filter = invocation.text("filter")});
        if (i > 0)
            output.print_line("");
        output.print_table(make_table(table), invocation.header);
        output.flush();
        before = std::move(now);
    }
    return ExitCode::ok;
}

/// Until q. A control plane that goes away is waited for: its last numbers stay, with a word.
RunResult
run_screen(const Invocation& invocation, ControlClient& client, TopView view, double interval_s) {
    auto before = look(client);
    if (!before)
        return std::unexpected(before.error());
    TopReading now = *before;
    TopScreen screen(view, invocation.text("filter"));
    std::string trouble;
    auto next = std::chrono::steady_clock::now();
    while (true) {
        if (std::chrono::steady_clock::now() >= next && !screen.is_paused()) {
            next = std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                       std::chrono::duration<double>(interval_s)
                   );
            if (auto seen = look(client)) {
                *before = std::exchange(now, std::move(*seen));
                trouble.clear();
            } else {
                trouble = seen.error().cause;
            }
        }
        screen.draw(*before, now, trouble);
        if (!screen.take_key(std::chrono::milliseconds(100)))
            return ExitCode::ok;
    }
}

} // namespace

RunResult run_top(const Invocation& invocation, Output& output) {
    const std::string word = invocation.has("view") ? invocation.text("view") : "services";
    const auto view = find_top_view(word);
    if (!view) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = fmt::format("--view '{}' is no view", word),
            .remedy = "services, backends, workers or drops"
        });
    }
    const double interval_s = invocation.seconds("interval").value_or(1);
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    if (invocation.has("batch"))
        return run_batch(invocation, output, client, *view, interval_s);
    if (!output.terminal()) {
        return std::unexpected(Failure{
            .code = ExitCode::usage,
            .cause = "penstock top needs a terminal",
            .remedy = "for a script or a pipe: penstock top --batch"
        });
    }
    return run_screen(invocation, client, *view, interval_s);
}

} // namespace penstock::cli
