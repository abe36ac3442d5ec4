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

/// More errors than these are counted, not listed.
inline constexpr std::size_t max_diagnostics = 100;

/// `file_name` is only used in places. No network, no look-ups, no environment: the same text gives
/// the same result on every machine. Warnings are among the diagnostics of a refused text; those of
/// an accepted one go to `warnings`, if given.
[[nodiscard]] std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text, const std::string& file_name, Diagnostics* warnings = nullptr
);

/// As above, with the files that the text names. Without `files` these are the ones that are packed
/// with the text.
[[nodiscard]] std::expected<Configuration, Diagnostics> parse_configuration(
    std::string_view text,
    const std::string& file_name,
    FileAccess& files,
    Diagnostics* warnings = nullptr
);

/// `text`, the contents of the file at `path`, with the files that it names: packed (file_pack.hpp)
/// if it names any, for parse_configuration() elsewhere or later.
[[nodiscard]] std::string pack_named_files(std::string text, const std::string& path);

/// True if `text`, the contents of the file at `path` now, and the files that `packed` took along
/// are still what `packed` holds. A file that only a pattern of `include` would find now is not
/// noticed.
[[nodiscard]] bool
equals_on_disk(std::string_view packed, std::string_view text, const std::string& path);

/// Reads and parses, with the files that it names; a file that cannot be read is a diagnostic too.
[[nodiscard]] std::expected<Configuration, Diagnostics>
read_configuration(const std::string& path, Diagnostics* warnings = nullptr);

} // namespace penstock::config
