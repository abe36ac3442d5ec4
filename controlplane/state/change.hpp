// SPDX-License-Identifier: Apache-2.0
// What becomes of a change that somebody asked for: a reload or an override.
//
// Thread rule: plain values.
#pragma once

#include "controlplane/config/parse.hpp"
#include "controlplane/wall_time.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

/// The change is accepted.
struct ChangeReply {
    bool live = false; ///< false: the dataplane is away or still at it
    std::uint64_t generation = 0;
    std::optional<std::uint64_t> live_generation;
    bool changed = true;
    std::string detail;
    std::vector<std::string> notes;
};

enum class ChangeErrorKind : std::uint8_t {
    not_found,
    invalid_configuration, ///< `diagnostics` has every reason
    refused_by_dataplane,
    state_not_saved,
};

/// The change is not accepted, or not kept; `detail` says what is in force.
struct ChangeError {
    ChangeErrorKind kind = ChangeErrorKind::not_found;
    std::string detail;
    std::string remedy;
    config::Diagnostics diagnostics;
};

using ChangeResult = std::expected<ChangeReply, ChangeError>;
using ChangeDone = std::move_only_function<void(ChangeResult)>;

enum class ReloadSource : std::uint8_t { start, sighup, api };
enum class ReloadResult : std::uint8_t { applied, pending, invalid, refused, not_saved };

[[nodiscard]] std::string_view to_string(ReloadSource source);
[[nodiscard]] std::string_view to_string(ReloadResult result);

struct LastReload {
    WallTime time;
    ReloadSource source = ReloadSource::start;
    ReloadResult result = ReloadResult::pending;
    std::uint64_t generation = 0;
    std::string detail;
};

} // namespace penstock
