// SPDX-License-Identifier: Apache-2.0
#include "tools/replay/verdict_words.hpp"

#include "dataplane/core/verdict_name.hpp"

#include <fmt/format.h>

namespace penstock::replay {

std::string_view word_of(const Verdict& verdict) {
    return verdict.kind == VerdictKind::drop ? drop_reason_name(verdict.reason)
                                             : verdict_name(verdict.kind);
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
    return std::string(verdict_name(verdict.kind));
}

} // namespace penstock::replay
