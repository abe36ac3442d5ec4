// SPDX-License-Identifier: Apache-2.0
// The text of a configuration file by lines, with what must be known of it before a TOML parser
// sees it.
//
// Thread rule: immutable after construction. The text outlives the Source.
#pragma once

#include "controlplane/config/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

/// A place without its file's name: one per value of a document. line 0: the file as a whole.
struct Span {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t length = 1;
    std::uint32_t file = 0; ///< index in Sources; 0: the main file

    friend bool operator==(const Span&, const Span&) = default;
};

/// Brackets within brackets, and parts of a dotted key, that a text may have. A configuration needs
/// 3; toml++ 3.3 bounds the brackets, but overflows the stack on a long dotted key.
inline constexpr std::size_t max_nesting = 16;

class Source {
public:
    Source(std::string_view text, std::string file_name);

    [[nodiscard]] std::string_view text() const { return text_; }

    [[nodiscard]] const std::string& file_name() const { return file_name_; }

    /// The line without its end; empty if there is no such line. From 1.
    [[nodiscard]] std::string_view line(std::uint32_t number) const;

    /// Line and column of a byte. REQUIRES: offset <= text().size().
    [[nodiscard]] Span locate(std::size_t offset) const;

    [[nodiscard]] Place place(const Span& span) const;

    /// The diagnostic's place is `span` moved to the nearest one inside the text.
    [[nodiscard]] Diagnostic diagnose(
        const Span& span, std::string cause, std::string remedy, Severity severity = Severity::error
    ) const;

    /// What keeps the text from being parsed at all: bytes that are not UTF-8, control characters,
    /// nesting beyond max_nesting.
    [[nodiscard]] std::optional<Diagnostic> find_unreadable() const;

private:
    [[nodiscard]] Span clamp(const Span& span) const;
    [[nodiscard]] std::optional<Diagnostic> find_bad_character() const;
    [[nodiscard]] std::optional<Diagnostic> find_deep_nesting() const;

    std::string_view text_;
    std::string file_name_;
    std::vector<std::size_t> line_begins_;
};

/// Fills `line` and `caret_column` from the source line that the diagnostic's place names: whole,
/// or the part around the place if it is long.
void quote_line(Diagnostic& diagnostic, std::string_view line);

} // namespace penstock::config
