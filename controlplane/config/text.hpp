// SPDX-License-Identifier: Apache-2.0
// Characters of configuration texts: UTF-8, columns as a terminal shows them, foreign text made
// safe to print, and the word somebody meant.
//
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace penstock::config {

/// One decoded character. `bytes` is at least 1, so that a loop always ends.
struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
    bool valid = false; ///< false: not UTF-8 (RFC 3629) here; `bytes` is then 1
};

/// REQUIRES: !text.empty().
[[nodiscard]] Character decode_character(std::string_view text);

/// Code points of `text`; a byte that is not UTF-8 counts as one.
[[nodiscard]] std::size_t count_characters(std::string_view text);

/// Columns that a terminal gives a character: 0 (combining), 1 or 2 (East Asian wide, emoji).
[[nodiscard]] unsigned terminal_width(char32_t code);

/// `text` with control characters other than TAB, and bytes that are not UTF-8, as '?': a
/// configuration file must not be able to send escape sequences to a terminal.
[[nodiscard]] std::string make_printable(std::string_view text);

/// 'text' in single quotes, printable, without TABs and cut after 64 characters.
[[nodiscard]] std::string quote(std::string_view text);

/// The one of `words` that `word` was probably meant to be, if any is close enough: a few
/// insertions, deletions, substitutions or swaps of neighbours away, letter case aside, or one
/// begins with the other.
[[nodiscard]] std::optional<std::string_view>
suggest(std::string_view word, std::span<const std::string_view> words);

/// "'a', 'b' or 'c'".
[[nodiscard]] std::string join_words(std::span<const std::string_view> words);

} // namespace penstock::config
