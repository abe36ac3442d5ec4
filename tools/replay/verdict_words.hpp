// SPDX-License-Identifier: Apache-2.0
// A verdict in the words of reports: what penstock replay, penstock explain and the golden packets
// call it.
//
// Thread rule: pure functions.
#pragma once

#include "dataplane/core/packet.hpp"
#include "tools/replay/replayer.hpp"

#include <string>
#include <string_view>

namespace penstock::replay {

/// One word: the kind, or of a drop its reason: "no_backend".
[[nodiscard]] std::string_view word_of(const Verdict& verdict);

/// "forward to web/web-1", "drop: no_backend (service web)", "kernel".
[[nodiscard]] std::string describe(const Verdict& verdict, const Destination& destination);

} // namespace penstock::replay
