// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/backend_table.hpp"

#include "tools/cli/state_colour.hpp"
#include "tools/cli/units.hpp"

#include <fmt/format.h>

namespace penstock::cli {

Table make_backend_table(const std::vector<Object>& backends, bool with_service) {
    std::vector<Table::Column> columns{
        {"BACKEND"},
        {"ADDRESS"},
        {"WEIGHT", Align::right},
        {"SHARE", Align::right},
        {"ADMIN"},
        {"HEALTH"},
        {"SINCE"},
        {"NEXT HOP"},
        {"FLOWS", Align::right},
        {"PACKETS", Align::right},
        {"BYTES", Align::right},
        {"REASON"}
    };
    if (with_service)
        columns.insert(columns.begin(), {"SERVICE"});
    Table table(std::move(columns));
    for (const Object& backend : backends) {
        const std::string admin = backend.text("admin");
        const std::string health = backend.text("health");
        const std::string next_hop = backend.maybe_text("next_hop").value_or("");
        std::vector<Cell> cells{
            backend.text("name"),
            format_endpoint(backend.text("address"), backend.count("port")),
            fmt::format("{}", backend.count("weight")),
            format_ratio(backend.real("share")),
            Cell(admin, colour_of_admin(admin)),
            Cell(health, colour_of_health(health)),
            format_since(backend.maybe_text("since")),
            Cell(next_hop, next_hop == "unresolved" ? Colour::red : Colour::none),
            format_maybe_count(backend.maybe_count("flows")),
            format_maybe_count(backend.maybe_count("packets")),
            format_maybe_bytes(backend.maybe_count("bytes")),
            backend.maybe_text("reason").value_or("")
        };
        if (with_service)
            cells.insert(cells.begin(), Cell(backend.text("service")));
        table.add(std::move(cells));
    }
    return table;
}

} // namespace penstock::cli
