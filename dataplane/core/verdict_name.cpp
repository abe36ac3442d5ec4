// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/verdict_name.hpp"

#include <cstdlib>

namespace penstock {

std::string_view verdict_name(VerdictKind kind) {
    switch (kind) {
    case VerdictKind::forward:
        return "forward";
    case VerdictKind::reply:
        return "reply";
    case VerdictKind::kernel:
        return "kernel";
    case VerdictKind::drop:
        return "drop";
    case VerdictKind::hold:
        return "hold";
    case VerdictKind::hand_over:
        return "hand_over";
    }
    std::abort();
}

} // namespace penstock
