// SPDX-License-Identifier: Apache-2.0
// One regular file of bounded size as text.
//
// Thread rule: reads one file and nothing else; may block as long as the file system does.
#pragma once

#include "controlplane/config/diagnostic.hpp"
#include "controlplane/config/parse.hpp"

#include <cstddef>
#include <expected>
#include <string>

namespace penstock::config {

/// The contents, or why they cannot be had. A file larger than `max_bytes`, and what is no
/// regular file (a FIFO or device would block or never end), is refused unread.
[[nodiscard]] std::expected<std::string, Diagnostic>
read_file(const std::string& path, std::size_t max_bytes = max_file_bytes);

/// What is said of a text of `bytes` bytes beyond `max_bytes`.
[[nodiscard]] Diagnostic
explain_size(const std::string& path, std::size_t bytes, std::size_t max_bytes = max_file_bytes);

} // namespace penstock::config
