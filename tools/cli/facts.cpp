// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/facts.hpp"

#include "tools/cli/output.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::cli {

void Facts::add(std::string_view name, std::string value, Colour colour) {
    facts_.push_back({.name = name, .value = std::move(value), .colour = colour});
}

std::string Facts::render(const Output& output) const {
    std::size_t width = 0;
    for (const Fact& fact : facts_)
        width = std::max(width, fact.name.size());
    std::string lines;
    for (const Fact& fact : facts_) {
        const std::string name = output.terminal() ? fmt::format("{:<{}}  ", fact.name, width)
                                                   : fmt::format("{}\t", fact.name);
        lines +=
            fmt::format("{}{}\n", name, output.painted(make_printable(fact.value), fact.colour));
    }
    return lines;
}

} // namespace penstock::cli
