// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/drop_reason.hpp"

namespace penstock {
namespace {

constexpr std::array<std::string_view, drop_reason_count> names{
#define PENSTOCK_DROP_REASON_NAME(name, text) #name,
    PENSTOCK_DROP_REASONS(PENSTOCK_DROP_REASON_NAME)
#undef PENSTOCK_DROP_REASON_NAME
};

constexpr std::array<std::string_view, drop_reason_count> texts{
#define PENSTOCK_DROP_REASON_TEXT(name, text) text,
    PENSTOCK_DROP_REASONS(PENSTOCK_DROP_REASON_TEXT)
#undef PENSTOCK_DROP_REASON_TEXT
};

} // namespace

std::string_view drop_reason_name(DropReason reason) {
    return names[static_cast<std::size_t>(reason)];
}

std::string_view drop_reason_text(DropReason reason) {
    return texts[static_cast<std::size_t>(reason)];
}

} // namespace penstock
