// SPDX-License-Identifier: Apache-2.0
// A configuration with the operator's overrides written into it, so that they can be adopted: only the
// values of `weight` and `state` change, comments and layout stay.
//
// Thread rule: pure.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "controlplane/state/overrides.hpp"

#include <expected>
#include <string>

namespace penstock {

/// `text` is what `configuration` was parsed from. The result is parsed again and proven to say what
/// configuration and overrides say together; if it does not, the error says why it cannot be done.
[[nodiscard]] std::expected<std::string, std::string> adopt_overrides(
    const std::string& text, const config::Configuration& configuration, const Overrides& overrides
);

} // namespace penstock
