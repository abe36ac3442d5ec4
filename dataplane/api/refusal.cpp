// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/refusal.hpp"

namespace penstock {

std::string to_string(const Refusal& refusal) {
    std::string text = refusal.place;
    if (!text.empty() && !refusal.cause.empty()) {
        text += ": ";
    }
    text += refusal.cause;
    if (!text.empty() && !refusal.remedy.empty()) {
        text += "; ";
    }
    return text + refusal.remedy;
}

} // namespace penstock
