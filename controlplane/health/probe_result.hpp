// SPDX-License-Identifier: Apache-2.0
// What one probe found, in words for people, and the words that all types of probe share.
//
// Thread rule: values and pure functions.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

enum class ProbeOutcome : std::uint8_t {
    good,
    bad,
    inconclusive, ///< the probe could not be made for a reason of our own
};

/// What a server says of itself through its agent. It is laid over the configuration, below the
/// operator's word.
struct AgentReport {
    std::uint8_t weight_percent = 100; ///< of the configured weight, 0 … 100
    AdminState admin = AdminState::ready;

    friend bool operator==(const AgentReport&, const AgentReport&) = default;
};

struct ProbeResult {
    ProbeOutcome outcome = ProbeOutcome::inconclusive;
    std::string detail; ///< "http 503", "tcp connect refused"
    std::optional<AgentReport> report;
};

using ProbeDone = std::move_only_function<void(ProbeResult)>;

[[nodiscard]] ProbeResult make_good(std::string detail);
[[nodiscard]] ProbeResult make_bad(std::string detail);

/// "this host: …": says nothing of the backend.
[[nodiscard]] ProbeResult make_inconclusive(std::string_view cause);

/// What a failed call on a socket says: about the backend (bad) or about us (inconclusive:
/// descriptors, memory, local ports, permission). `what` is what was tried: "tcp connect".
/// `system_errno` is an errno value.
[[nodiscard]] ProbeResult describe_socket_error(std::string_view what, int system_errno);

/// "1.0 s", "250 ms".
[[nodiscard]] std::string format_timeout(std::chrono::milliseconds timeout);

/// Text of a server or a script, for a log, a terminal or a document: printable ASCII in single
/// quotes, everything else as '?', cut with '…' after `most` characters.
[[nodiscard]] std::string quote_untrusted(std::string_view text, std::size_t most = 80);

} // namespace penstock
