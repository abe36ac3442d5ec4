// SPDX-License-Identifier: Apache-2.0
// Files that are always whole: a reader, and a restart after any crash, finds the old content or
// the new one.
//
// Thread rule: one writer a directory. Blocks for as long as the disk does.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace penstock {

/// Names of unfinished files end so; a start may delete them.
inline constexpr std::string_view unfinished_suffix = ".unfinished";

/// Writes a file beside `path`, fsyncs it, renames it to `path` and fsyncs the directory.
[[nodiscard]] std::expected<void, Refusal>
write_file_atomically(const std::string& path, std::string_view content, mode_t mode);

/// The whole file, or nothing if there is none. More than `max_bytes` is an error.
[[nodiscard]] std::expected<std::optional<std::string>, Refusal>
read_whole_file(const std::string& path, std::size_t max_bytes);

/// Makes a rename or removal in `directory` durable.
[[nodiscard]] std::expected<void, Refusal> sync_directory(const std::string& directory);

} // namespace penstock
