// SPDX-License-Identifier: Apache-2.0
// penstock drops: why packets were dropped.
#include "tools/cli/arguments.hpp"
#include "tools/cli/control_client.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"
#include "tools/cli/run.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::cli {
namespace {

struct Drop {
    std::string reason;
    std::string text;
    std::uint64_t packets = 0;
};

} // namespace

RunResult run_drops(const Invocation& invocation, Output& output) {
    ControlClient client(invocation.endpoint, invocation.timeout_s, output);
    const auto reply = client.get("/v1/drops");
    if (!reply)
        return std::unexpected(reply.error());
    if (invocation.json) {
        output.print_json(*reply);
        return ExitCode::ok;
    }
    Document document(*reply);
    const Object root = document.root();
    const std::uint64_t total = root.count("total");
    std::vector<Drop> drops;
    for (const Object& drop : root.objects("drops"))
        drops.push_back(
            {.reason = drop.text("reason"),
             .text = drop.text("text"),
             .packets = drop.count("packets")}
        );
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());

    // The most frequent first; the rest stays in the order of docs/reference/drop-reasons.md.
    std::ranges::stable_sort(drops, std::greater{}, &Drop::packets);
    Table table({{"REASON"}, {"PACKETS", Align::right}, {"MEANING"}});
    for (const Drop& drop : drops) {
        if (drop.packets > 0 || invocation.has("all"))
            table.add(
                {Cell(drop.reason, drop.packets > 0 ? Colour::bold : Colour::dim),
                 format_count(drop.packets),
                 drop.text}
            );
    }
    if (!output.terminal() || !table.empty())
        output.print_table(table, invocation.header);
    if (output.terminal()) {
        output.print_line(
            total == 0 ? fmt::format(
                             "no packet was dropped, for any of {} reasons; to see them: penstock "
                             "drops --all",
                             drops.size()
                         )
                       : fmt::format(
                             "{} dropped since penstock-dp started",
                             format_plural(total, "packet", "packets")
                         )
        );
    }
    return ExitCode::ok;
}

} // namespace penstock::cli
