// SPDX-License-Identifier: Apache-2.0
#include "tools/simulator/script.hpp"

#include "controlplane/config/read_file.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <string_view>

namespace penstock::simulator {
namespace {

constexpr double longest_s = 86400;
constexpr std::string_view line_form = "write: SECONDS CHANGE host-N, and for weight a number";

struct Word {
    std::string_view text;
    std::size_t column = 0; ///< from 1
};

std::vector<Word> split(std::string_view line) {
    std::vector<Word> words;
    std::size_t at = 0;
    while ((at = line.find_first_not_of(" \t\r", at)) != std::string_view::npos) {
        const std::size_t end = std::min(line.find_first_of(" \t\r", at), line.size());
        words.push_back({.text = line.substr(at, end - at), .column = at + 1});
        at = end;
    }
    return words;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional(value) : std::nullopt;
}

// One line at a time; the first error stays.
class ScriptParser {
public:
    explicit ScriptParser(const std::string& name) : name_(name) {}

    [[nodiscard]] std::expected<void, Refusal> take(std::string_view line) {
        ++line_;
        const std::vector<Word> words = split(line);
        if (words.empty() || words[0].text.starts_with('#')) {
            return {};
        }
        const std::size_t end = line.size() + 1;
        ScriptedChange change{.line = line_};
        if (auto read = read_time(words[0], change); !read) {
            return read;
        }
        if (words.size() < 3) {
            return fail(end, "the line ends too early");
        }
        if (auto read = read_change(words[1], words[2], change); !read) {
            return read;
        }
        const std::size_t wanted = change.change == Change::weight ? 4 : 3;
        if (words.size() < wanted) {
            return fail(end, "a weight is missing");
        }
        if (words.size() > wanted) {
            return fail(words[wanted].column, fmt::format("'{}' is too much", words[wanted].text));
        }
        if (wanted == 4) {
            const auto weight = number_of<std::uint16_t>(words[3].text);
            if (!weight) {
                return fail(
                    words[3].column, fmt::format("'{}' is no weight from 0 to 65535", words[3].text)
                );
            }
            change.weight = *weight;
        }
        changes.push_back(change);
        return {};
    }

    std::vector<ScriptedChange> changes;

private:
    [[nodiscard]] std::unexpected<Refusal> fail(std::size_t column, std::string cause) const {
        return std::unexpected(Refusal{
            fmt::format("{}:{}:{}", name_, line_, column), std::move(cause), std::string(line_form)
        });
    }

    [[nodiscard]] std::expected<void, Refusal> read_time(const Word& word, ScriptedChange& change) {
        const auto seconds = number_of<double>(word.text);
        if (!seconds || !(*seconds >= 0 && *seconds <= longest_s)) {
            return fail(word.column, fmt::format("'{}' is no time from 0 to 86400", word.text));
        }
        change.at_ms = static_cast<std::uint64_t>(std::llround(*seconds * 1000));
        if (!changes.empty() && change.at_ms < changes.back().at_ms) {
            return fail(word.column, "earlier than the line before");
        }
        return {};
    }

    [[nodiscard]] std::expected<void, Refusal>
    read_change(const Word& verb, const Word& host, ScriptedChange& change) {
        const auto known = std::ranges::find(change_names, verb.text);
        if (known == change_names.end()) {
            return fail(
                verb.column,
                fmt::format(
                    "no change is called '{}': {}", verb.text, fmt::join(change_names, ", ")
                )
            );
        }
        change.change = static_cast<Change>(known - change_names.begin());
        constexpr std::string_view prefix = "host-";
        const auto number = host.text.starts_with(prefix)
                                ? number_of<std::uint32_t>(host.text.substr(prefix.size()))
                                : std::nullopt;
        if (!number || *number == 0 || *number > last_host) {
            return fail(
                host.column, fmt::format("'{}' is none of host-1 to host-{}", host.text, last_host)
            );
        }
        change.host = *number;
        return {};
    }

    const std::string& name_;
    std::size_t line_ = 0;
};

} // namespace

std::expected<std::vector<ScriptedChange>, Refusal>
parse_script(const std::string& text, const std::string& name) {
    ScriptParser parser(name);
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        if (auto taken = parser.take(rest.substr(0, end)); !taken) {
            return std::unexpected(std::move(taken.error()));
        }
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return std::move(parser.changes);
}

std::expected<std::vector<ScriptedChange>, Refusal> read_script(const std::string& path) {
    const auto text = config::read_file(path);
    if (!text) {
        return std::unexpected(Refusal{path, text.error().cause, text.error().remedy});
    }
    return parse_script(*text, path);
}

} // namespace penstock::simulator
