// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

namespace penstock::cli {
namespace {

constexpr std::array<std::string_view, 7> prefixes{"", "k", "M", "G", "T", "P", "E"};

// Three digits: "1.20", "12.3", "123". The thresholds are those at which rounding would add a
// digit.
std::string three_digits(double value) {
    if (value < 9.995)
        return fmt::format("{:.2f}", value);
    if (value < 99.95)
        return fmt::format("{:.1f}", value);
    return fmt::format("{:.0f}", value);
}

// "1.20 M" + unit; `value` at least 1000.
std::string scale(double value, std::string_view unit) {
    std::size_t prefix = 0;
    while (value >= 999.5 && prefix + 1 < prefixes.size()) {
        value /= 1000;
        ++prefix;
    }
    return fmt::format("{} {}{}", three_digits(value), prefixes[prefix], unit);
}

// "0", "0.5", "12": what a rate below a thousand looks like.
std::string format_small(double value) {
    if (value == std::floor(value) || value >= 99.95)
        return fmt::format("{:.0f}", value);
    return fmt::format("{:.1f}", value);
}

std::optional<int> parse_digits(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    const char* first = text.data() + at;
    const auto [end, error] = std::from_chars(first, first + count, value);
    if (error != std::errc{} || end != first + count || *first == '-')
        return std::nullopt;
    return value;
}

} // namespace

std::string format_count(std::uint64_t value) {
    return value < 10000 ? fmt::format("{}", value) : scale(static_cast<double>(value), "");
}

std::string format_bytes(std::uint64_t bytes) {
    return bytes < 1000 ? fmt::format("{} B", bytes) : scale(static_cast<double>(bytes), "B");
}

std::string format_rate(double per_second, std::string_view unit) {
    const std::string each = fmt::format("{}/s", unit);
    if (per_second >= 999.5)
        return scale(per_second, unit.empty() ? each : " " + each);
    return format_small(per_second) + (unit.empty() ? each : " " + each);
}

std::string format_bit_rate(double bytes_per_second) {
    const double bits = bytes_per_second * 8;
    return bits < 999.5 ? format_small(bits) + " bit/s" : scale(bits, "bit/s");
}

std::string format_duration(std::int64_t duration_ms) {
    constexpr std::int64_t second = 1000;
    constexpr std::int64_t minute = 60 * second;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (duration_ms < second)
        return fmt::format("{} ms", duration_ms);
    // Two of a larger unit before it is used: "90 s" says more than "1 min".
    if (duration_ms < 2 * minute)
        return fmt::format("{} s", duration_ms / second);
    if (duration_ms < 2 * hour)
        return fmt::format("{} min", duration_ms / minute);
    if (duration_ms < 2 * day)
        return fmt::format("{} h", duration_ms / hour);
    return fmt::format("{} d", duration_ms / day);
}

std::string format_ago(std::int64_t then_ms, std::int64_t now_ms) {
    const std::int64_t age_ms = now_ms - then_ms;
    return age_ms < 1000 ? "now" : format_duration(age_ms) + " ago";
}

std::string format_ratio(double ratio) {
    return fmt::format("{:.1f} %", ratio * 100);
}

std::string format_plural(std::uint64_t count, const char* singular, const char* plural) {
    return fmt::format("{} {}", format_count(count), count == 1 ? singular : plural);
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    // The one form the API writes: 2026-11-22T14:02:11.250Z
    constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
    if (text.size() != form.size())
        return std::nullopt;
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (form[i] != '0' && text[i] != form[i])
            return std::nullopt;
    }
    const auto year = parse_digits(text, 0, 4);
    const auto month = parse_digits(text, 5, 2);
    const auto day = parse_digits(text, 8, 2);
    const auto hour = parse_digits(text, 11, 2);
    const auto minute = parse_digits(text, 14, 2);
    const auto second = parse_digits(text, 17, 2);
    const auto millisecond = parse_digits(text, 20, 3);
    if (!year || !month || !day || !hour || !minute || !second || !millisecond)
        return std::nullopt;
    const std::chrono::year_month_day date{
        std::chrono::year{*year},
        std::chrono::month{static_cast<unsigned>(*month)},
        std::chrono::day{static_cast<unsigned>(*day)}
    };
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    const auto days = std::chrono::sys_days{date}.time_since_epoch();
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(days).count() +
                                 std::int64_t{*hour} * 3600 + std::int64_t{*minute} * 60 + *second;
    return seconds * 1000 + *millisecond;
}

std::int64_t now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string format_maybe_count(std::optional<std::uint64_t> value) {
    return value ? format_count(*value) : std::string{};
}

std::string format_maybe_bytes(std::optional<std::uint64_t> value) {
    return value ? format_bytes(*value) : std::string{};
}

std::string format_since(const std::optional<std::string>& time) {
    if (!time)
        return {};
    const auto then_ms = parse_time(*time);
    return then_ms ? format_ago(*then_ms, now_ms()) : *time;
}

std::string format_endpoint(std::string_view address, std::uint64_t port) {
    return address.find(':') == std::string_view::npos ? fmt::format("{}:{}", address, port)
                                                       : fmt::format("[{}]:{}", address, port);
}

} // namespace penstock::cli
