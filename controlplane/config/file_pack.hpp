// SPDX-License-Identifier: Apache-2.0
// A configuration of several files as one text, so that it can be applied, kept and compared whole:
// what a restart runs must not depend on files that were edited since.
//
//   # penstock files 1
//   # file 1234                        the main file: it has no name
//   …1234 bytes…
//   # file 517 services/web.toml       named from the main file's folder
//   …
//   # missing 61 lists/deny.txt        could not be read: cause, newline, remedy
//   …
//
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::config {

/// A packed text beyond it is refused.
inline constexpr std::size_t max_pack_bytes = 64U << 20U;

/// Why a file cannot be had, for the place that names it.
struct FileRefusal {
    std::string cause;
    std::string remedy;

    friend bool operator==(const FileRefusal&, const FileRefusal&) = default;
};

struct FilePack {
    std::string main;
    /// By path from the main file's folder.
    std::map<std::string, std::expected<std::string, FileRefusal>> files;
};

/// What a text that names no other file is left as: pack() of it is its main file itself.
[[nodiscard]] std::string pack(const FilePack& files);

/// True of what pack() made of several files; TOML of one file does not begin so.
[[nodiscard]] bool is_packed(std::string_view text);

/// Nothing if the text is damaged. REQUIRES: is_packed(text).
[[nodiscard]] std::optional<FilePack> unpack(std::string_view text);

} // namespace penstock::config
