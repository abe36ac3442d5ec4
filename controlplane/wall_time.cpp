// SPDX-License-Identifier: Apache-2.0
#include "controlplane/wall_time.hpp"

#include <ctime>
#include <fmt/format.h>

namespace penstock {

namespace {

std::tm to_utc(WallTime time) {
    const std::time_t seconds =
        std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return parts;
}

} // namespace

std::string format_rfc3339(WallTime time) {
    const std::tm parts = to_utc(time);
    const auto in_second = time - std::chrono::floor<std::chrono::seconds>(time);
    return fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        std::chrono::duration_cast<std::chrono::milliseconds>(in_second).count()
    );
}

std::string format_clock(WallTime time, WallTime now) {
    const std::tm parts = to_utc(time);
    const std::string clock =
        fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
    if (std::chrono::floor<std::chrono::days>(time) == std::chrono::floor<std::chrono::days>(now)) {
        return clock;
    }
    return fmt::format(
        "{:04}-{:02}-{:02} {}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, clock
    );
}

} // namespace penstock
