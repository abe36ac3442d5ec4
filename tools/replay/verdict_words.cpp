// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/verdict_words.hpp"

#include <cstdlib>
#include <fmt/format.h>

namespace penstock::replay {

std::string_view to_string(VerdictKind kind) {
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

std::string_view word_of(const Verdict& verdict) {
    return verdict.kind == VerdictKind::drop ? drop_reason_name(verdict.reason)
                                             : to_string(verdict.kind);
}

std::string describe(const Verdict& verdict, const Destination& destination) {
    switch (verdict.kind) {
    case VerdictKind::forward:
        return fmt::format("forward to {}/{}", destination.service, destination.backend);
    case VerdictKind::drop:
        return destination.service.empty()
                   ? fmt::format("drop: {}", drop_reason_name(verdict.reason))
                   : fmt::format(
                         "drop: {} (service {})",
                         drop_reason_name(verdict.reason),
                         destination.service
                     );
    case VerdictKind::reply:
    case VerdictKind::kernel:
    case VerdictKind::hold:
    case VerdictKind::hand_over:
        break;
    }
    return std::string(to_string(verdict.kind));
}

} // namespace penstock::replay
