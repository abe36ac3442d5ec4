// SPDX-License-Identifier: Apache-2.0
// What penstock-decap prints: lines for people, JSON objects for programs
// (docs/reference/decap.md).
//
// Thread rule: pure functions.
#pragma once

#include "bpf/decapsulator.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace penstock::decap {

/// What a line tells; `event` is "attached", "counters", "detached" or "status".
struct Report {
    std::string_view event;
    std::string_view interface;
    const bpf::Decapsulator& decapsulator;
    bpf::DecapsulatorCounters counters;
    std::chrono::system_clock::time_point time;
};

/// One JSON object without a newline.
[[nodiscard]] std::string to_json(const Report& report);

/// One line without a newline. Rates are those between the counters of `before` and now, over
/// `elapsed`; none if `elapsed` is zero.
[[nodiscard]] std::string to_text(
    const Report& report,
    const bpf::DecapsulatorCounters& before,
    std::chrono::duration<double> elapsed
);

/// "198.51.100.10, 198.51.100.11"
[[nodiscard]] std::string list_vips(const bpf::Decapsulator& decapsulator);

} // namespace penstock::decap
