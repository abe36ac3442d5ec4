// SPDX-License-Identifier: Apache-2.0
// The command line of penstock-cp.
//
// Thread rule: pure.
#pragma once

#include "controlplane/api/peer.hpp"

#include <expected>
#include <string>
#include <variant>

namespace penstock {

struct Options {
    std::string config_file = "/etc/penstock/penstock.toml";
    std::string state_directory = "/var/lib/penstock";
    std::string runtime_directory = "/run/penstock";
    std::string log_level = "info"; ///< debug, info, warning or error
    bool json_log = false;
    RoleGroups role_groups; ///< by --admin-group, --operator-group, --viewer-group
};

/// Text to print, and success (--help, --version).
struct PrintAndExit {
    std::string text;
};

/// The error is one line for people; the exit code is then 2.
[[nodiscard]] std::expected<std::variant<Options, PrintAndExit>, std::string>
parse_options(int argc, const char* const* argv);

} // namespace penstock
