// SPDX-License-Identifier: Apache-2.0
// Why something from outside was refused: the one shape of an error that a person is going to read.
//
// Thread rule: plain value.
#pragma once

#include <string>

namespace penstock {

struct Refusal {
    std::string place;  ///< where in what was given: "service web, backend web-1"
    std::string cause;  ///< what is wrong there
    std::string remedy; ///< what to do about it

    friend bool operator==(const Refusal&, const Refusal&) = default;
};

/// "place: cause; remedy" on one line, without the parts that are empty.
[[nodiscard]] std::string to_string(const Refusal& refusal);

} // namespace penstock
