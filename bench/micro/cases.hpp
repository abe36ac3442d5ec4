// SPDX-License-Identifier: Apache-2.0
// The small pieces of core that tools/bench micro measures, each one named and ready to be called.
// Google Benchmark times them; under callgrind the same list is counted in instructions.
//
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace penstock::bench {

struct MicroCase {
    std::string name;
    std::uint64_t items;       ///< packets, flows or tables that one call handles
    std::function<void()> run; ///< may be called any number of times
};

/// All of them. Making them takes a second: their tables are filled.
[[nodiscard]] std::vector<MicroCase> make_micro_cases();

} // namespace penstock::bench
