// SPDX-License-Identifier: Apache-2.0
// A whole replay: a capture through one configuration, or through two side by side, into out.pcap,
// report and summary.
//
//   in.pcap ─► CaptureReader ─► Replayer ─► out.pcap, report.json, Summary
//                          └──► Replayer (the other configuration) ──► what would move
//
// Thread rule: one call at a time. Memory does not grow with the capture, but with what comes in it
// while a fragment is held back: four seconds at most (dataplane/core/fragments.hpp).
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "tools/replay/replayer.hpp"
#include "tools/replay/summary.hpp"

#include <expected>
#include <functional>
#include <string>

namespace penstock::replay {

struct ReplayRequest {
    const config::Configuration* configuration = nullptr;
    const config::Configuration* other = nullptr; ///< to compare with, or null
    Settings settings;
    std::string in;
    std::string out;                                     ///< empty: none
    std::string report;                                  ///< empty: none
    std::function<void(std::uint64_t packets)> progress; ///< called now and then, may be empty
};

/// True if the two verdicts are not the same for the packet: another kind, reason, service or
/// backend (by key: a new name moves nothing), or the same backend by other bytes on
/// the wire (mode, tunnel or next hop).
[[nodiscard]] bool
differs(const Replayer& a, const Outcome& from, const Replayer& b, const Outcome& to);

/// An error leaves neither out nor report behind. A place in it that begins with "configuration: "
/// or "other configuration: " is one of the compiler.
[[nodiscard]] std::expected<Summary, Refusal> replay(const ReplayRequest& request);

} // namespace penstock::replay
