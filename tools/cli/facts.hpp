// SPDX-License-Identifier: Apache-2.0
// Names and values, a line each: what status and service show begin with.
//
// Thread rule: one owner.
#pragma once

#include "tools/cli/table.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace penstock::cli {

class Output;

class Facts {
public:
    void add(std::string_view name, std::string value, Colour colour = Colour::none);

    /// "generation     8 live": names in one column; in a pipe one TAB between the two.
    [[nodiscard]] std::string render(const Output& output) const;

private:
    struct Fact {
        std::string_view name;
        std::string value;
        Colour colour;
    };

    std::vector<Fact> facts_;
};

} // namespace penstock::cli
