// SPDX-License-Identifier: Apache-2.0
// The identity of one backend of one service, as health, overrides and the dataplane know it. Names
// are for people and may change under a backend that stays the same.
//
// Thread rule: plain value.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <compare>

namespace penstock {

struct BackendRef {
    ServiceKey service;
    BackendKey backend;

    friend constexpr auto operator<=>(const BackendRef&, const BackendRef&) = default;
};

} // namespace penstock
