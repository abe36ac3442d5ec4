// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/change.hpp"

#include "tools/cli/arguments.hpp"
#include "tools/cli/document.hpp"
#include "tools/cli/output.hpp"

#include <fmt/format.h>

namespace penstock::cli {

RunResult report_change(
    Document& document,
    const boost::json::value& reply,
    std::string_view what,
    const Invocation& invocation,
    Output& output
) {
    const Object root = document.root();
    const std::string result = root.text("result");
    const std::uint64_t generation = root.count("generation");
    const bool changed = root.flag("changed");
    const std::string detail = root.maybe_text("detail").value_or("");
    const std::vector<std::string> notes = root.texts("notes");
    if (const auto complete = document.check(); !complete)
        return std::unexpected(complete.error());

    const bool live = result == "live";
    if (invocation.json) {
        output.print_json(reply);
        return live ? ExitCode::ok : ExitCode::timed_out;
    }
    if (live) {
        output.print_line(fmt::format(
            "{}: {}, generation {}",
            make_printable(what),
            output.painted(changed ? "live" : "live already, nothing changed", Colour::green),
            generation
        ));
    } else {
        output.print_line(fmt::format(
            "{}: {}, generation {}: {}",
            make_printable(what),
            output.painted("accepted, but not live yet", Colour::yellow),
            generation,
            make_printable(detail)
        ));
        output.print_note("watch for it: penstock status");
    }
    for (const std::string& note : notes)
        output.print_note(note);
    return live ? ExitCode::ok : ExitCode::timed_out;
}

} // namespace penstock::cli
