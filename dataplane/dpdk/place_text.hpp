// SPDX-License-Identifier: Apache-2.0
// A place in the configuration file as Refusal::place writes it.
//
// Thread rule: pure function.
#pragma once

#include "controlplane/config/place.hpp"

#include <string>

namespace penstock {

/// "/etc/penstock/penstock.toml:8:13"; without the parts that are unknown.
[[nodiscard]] inline std::string place_text(const config::Place& place) {
    std::string text = place.file;
    if (place.line != 0) {
        text += ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
    }
    return text;
}

} // namespace penstock
