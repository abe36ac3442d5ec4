// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/agent_line.hpp"

#include <charconv>
#include <fmt/format.h>
#include <optional>

namespace penstock {

namespace {

constexpr std::string_view separators = " \t,\r";

std::optional<std::uint8_t> parse_percent(std::string_view word) {
    if (!word.ends_with('%')) {
        return std::nullopt;
    }
    word.remove_suffix(1);
    std::uint8_t percent = 0;
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), percent);
    const bool good = !word.empty() && parsed.ec == std::errc() &&
                      parsed.ptr == word.data() + word.size() && percent <= 100;
    return good ? std::optional(percent) : std::nullopt;
}

bool take_word(std::string_view word, AgentLine& line) {
    if (const auto percent = parse_percent(word)) {
        line.report.weight_percent = *percent;
    } else if (word == "ready") {
        line.report.admin = AdminState::ready;
    } else if (word == "drain") {
        line.report.admin = AdminState::drain;
    } else if (word == "maint") {
        line.report.admin = AdminState::disabled;
    } else if (word == "up") {
        line.is_up = true;
    } else if (word == "down" || word == "fail" || word == "failed" || word == "stopped") {
        line.is_up = false;
    } else {
        return false;
    }
    return true;
}

} // namespace

std::expected<AgentLine, std::string> parse_agent_line(std::string_view line) {
    AgentLine out;
    const std::size_t hash = line.find('#');
    if (hash != std::string_view::npos) {
        out.description = line.substr(hash + 1);
        line = line.substr(0, hash);
    }
    std::size_t words = 0;
    while (true) {
        const std::size_t begin = line.find_first_not_of(separators);
        if (begin == std::string_view::npos) {
            break;
        }
        line.remove_prefix(begin);
        const std::string_view word = line.substr(0, line.find_first_of(separators));
        if (!take_word(word, out)) {
            return std::unexpected(fmt::format("unknown word {}", quote_untrusted(word, 32)));
        }
        line.remove_prefix(word.size());
        ++words;
    }
    if (words == 0) {
        return std::unexpected("an empty line");
    }
    return out;
}

} // namespace penstock
