// SPDX-License-Identifier: Apache-2.0
// Verdicts in words, as replay's report and the API's explanations have them.
//
// Thread rule: pure function.
#pragma once

#include "dataplane/core/packet.hpp"

#include <string_view>

namespace penstock {

/// "forward", "hand_over"; lives for ever.
[[nodiscard]] std::string_view verdict_name(VerdictKind kind);

} // namespace penstock
