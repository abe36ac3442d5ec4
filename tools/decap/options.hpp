// SPDX-License-Identifier: Apache-2.0
// The command line of penstock-decap.
//
// Thread rule: pure functions.
#pragma once

#include "bpf/decapsulator.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace penstock::decap {

enum class Action : std::uint8_t {
    run,    ///< attach, show counters, detach on SIGINT or SIGTERM
    status, ///< print what a decapsulator on the interface has counted, once
    detach, ///< take a leftover off
    help,
    version,
};

struct Options {
    Action action = Action::run;
    std::string interface;
    std::vector<IpPrefix> vips;
    std::vector<std::uint16_t> gue_ports; ///< host order; with Action::run never empty
    bpf::AttachPolicy policy = bpf::AttachPolicy::native_or_generic;
    bool json = false;
    /// Between two lines of counters. Without it: five seconds with --json or on a terminal, else
    /// no lines.
    std::optional<std::chrono::milliseconds> interval;
};

/// One line that says what is wrong with which word, and how it should be.
using UsageError = std::string;

[[nodiscard]] std::expected<Options, UsageError> parse_options(int count, const char* const* words);

[[nodiscard]] std::string help_text();

} // namespace penstock::decap
