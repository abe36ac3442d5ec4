// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace penstock::config {

namespace {

constexpr std::size_t max_quoted = 64;
constexpr std::size_t max_suggested =
    64; // longer words are no slips of the pen; it bounds the work

struct Range {
    char32_t first;
    char32_t last;
};

constexpr std::array<Range, 4> zero_width{
    {{0x300, 0x36f}, {0x200b, 0x200f}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}}
};
constexpr std::array<Range, 8> double_width{
    {{0x1100, 0x115f},
     {0x2e80, 0xa4cf},
     {0xac00, 0xd7a3},
     {0xf900, 0xfaff},
     {0xfe30, 0xfe6f},
     {0xff00, 0xff60},
     {0x1f300, 0x1faff},
     {0x20000, 0x3fffd}}
};

bool is_in(std::span<const Range> ranges, char32_t code) {
    return std::ranges::any_of(ranges, [code](const Range& range) {
        return code >= range.first && code <= range.last;
    });
}

std::uint8_t byte_at(std::string_view text, std::size_t index) {
    return static_cast<std::uint8_t>(text[index]);
}

char lower(char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a')
                                                : character;
}

bool is_control(char32_t code) {
    // C0, DEL and C1; bidirectional overrides reorder what a reader sees.
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

// Optimal string alignment distance; letter case does not count.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> previous(b.size() + 1);
    std::vector<std::size_t> current(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        previous[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const char left = lower(a[i - 1]);
            const char right = lower(b[j - 1]);
            const std::size_t change = left == right ? 0 : 1;
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + change});
            if (i > 1 && j > 1 && left == lower(b[j - 2]) && lower(a[i - 2]) == right) {
                current[j] = std::min(current[j], before[j - 2] + 1);
            }
        }
        std::swap(before, previous);
        std::swap(previous, current);
    }
    return previous[b.size()];
}

// "draining" for "drain", "addr" for "address".
bool begins_alike(std::string_view word, std::string_view candidate) {
    constexpr std::size_t least = 3;
    return std::min(word.size(), candidate.size()) >= least &&
           (word.starts_with(candidate) || candidate.starts_with(word));
}

} // namespace

Character decode_character(std::string_view text) {
    const std::uint8_t lead = byte_at(text, 0);
    if (lead < 0x80) {
        return {.code = lead, .bytes = 1, .valid = true};
    }
    const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    const Character bad{.code = lead, .bytes = 1, .valid = false};
    if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) {
        return bad;
    }
    char32_t code = lead & (0xffU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) {
        const std::uint8_t next = byte_at(text, i);
        if ((next & 0xc0U) != 0x80) {
            return bad;
        }
        code = (code << 6U) | (next & 0x3fU);
    }
    const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (overlong || surrogate || code > 0x10ffff) {
        return bad;
    }
    return {.code = code, .bytes = bytes, .valid = true};
}

std::size_t count_characters(std::string_view text) {
    std::size_t count = 0;
    while (!text.empty()) {
        text.remove_prefix(decode_character(text).bytes);
        ++count;
    }
    return count;
}

unsigned terminal_width(char32_t code) {
    if (is_in(zero_width, code)) {
        return 0;
    }
    return is_in(double_width, code) ? 2 : 1;
}

std::string make_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character character = decode_character(text);
        if (!character.valid || (is_control(character.code) && character.code != '\t')) {
            out += '?';
        } else {
            out += text.substr(0, character.bytes);
        }
        text.remove_prefix(character.bytes);
    }
    return out;
}

std::string quote(std::string_view text) {
    std::size_t end = 0;
    for (std::size_t count = 0; end < text.size() && count < max_quoted; ++count) {
        end += decode_character(text.substr(end)).bytes;
    }
    std::string printable = make_printable(text.substr(0, end));
    std::ranges::replace(printable, '\t', ' ');
    return fmt::format("'{}{}'", printable, end < text.size() ? "…" : "");
}

std::optional<std::string_view>
suggest(std::string_view word, std::span<const std::string_view> words) {
    if (word.size() > max_suggested) {
        return std::nullopt;
    }
    std::optional<std::string_view> best;
    std::size_t best_distance = 0;
    for (const std::string_view candidate : words) {
        if (candidate.size() > max_suggested) {
            continue;
        }
        const std::size_t distance = edit_distance(word, candidate);
        // A third of the letters may be wrong, and at least one, but not all.
        const std::size_t allowed = std::max<std::size_t>(1, candidate.size() / 3);
        const bool close =
            (distance <= allowed && distance < candidate.size()) || begins_alike(word, candidate);
        if (close && (!best || distance < best_distance)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string join_words(std::span<const std::string_view> words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) {
            out += i + 1 == words.size() ? " or " : ", ";
        }
        out += quote(words[i]);
    }
    return out;
}

} // namespace penstock::config
