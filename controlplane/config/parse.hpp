// SPDX-License-Identifier: Apache-2.0
// Text → Configuration, or every error in one go with its place, cause and remedy. The one parser:
// `penstock check` offline, `apply`, penstock-cp and penstock-dp.
//
// Thread rule: pure functions; read_configuration() reads files and does nothing else.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "controlplane/config/diagnostic.hpp"
#include "controlplane/config/file_access.hpp"

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

namespace penstock::config {

/// Larger files are refused unread.
inline constexpr std::size_t max_file_bytes = 8U << 20U;

/// As above, of a list of prefixes: a million of IPv6 fit.
inline constexpr std::size_t max_list_bytes = 64U << 20U;

/// More errors than these are counted, not listed.
inline constexpr std::size_t max_diagnostics = 100;

/// `file_name` is only used in places. No network, no look-ups, no environment: the same text gives
/// the same result on every machine. Warnings are among the diagnostics of a refused text; those of
/// an accepted one go to `warnings`, if given.
[[nodiscard]] std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text, const std::string& file_name, Diagnostics* warnings = nullptr
);

/// As above, with the files that the text names.
[[nodiscard]] std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text,
    const std::string& file_name,
    FileAccess& files,
    Diagnostics* warnings = nullptr
);

/// Reads and parses, with the files that it names; a file that cannot be read is a diagnostic too.
[[nodiscard]] std::expected<Configuration, Diagnostics>
read_configuration(const std::string& path, Diagnostics* warnings = nullptr);

} // namespace penstock::config
