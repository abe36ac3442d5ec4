// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: 1.2 M, 3 min ago. Only for tables; --json has the raw numbers.
//
// Thread rule: pure functions, but for now_ms() and format_since().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::cli {

/// Exact below 10,000, then three digits and k, M, G, T, P or E: "9999", "12.3 k", "1.20 M".
[[nodiscard]] std::string format_count(std::uint64_t value);

/// Decimal multiples, as networks count: "999 B", "1.20 MB".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);

/// Per second: "0/s", "0.5/s", "12.3 k/s"; of a unit: "12.3 k packets/s".
[[nodiscard]] std::string format_rate(double per_second, std::string_view unit = {});

/// Bytes per second as bits: "1.20 Gbit/s".
[[nodiscard]] std::string format_bit_rate(double bytes_per_second);

/// "350 ms", "12 s", "3 min", "5 h", "12 d"; rounded down, so that nothing looks older than it is.
[[nodiscard]] std::string format_duration(std::int64_t duration_ms);

/// Both in milliseconds since the epoch: "3 min ago", "now" below a second or if the clocks differ.
[[nodiscard]] std::string format_ago(std::int64_t then_ms, std::int64_t now_ms);

/// Milliseconds since the epoch of a time as the API writes it ("2026-11-22T14:02:11.250Z");
/// nothing for any other text.
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text);

/// The wall clock, in milliseconds since the epoch.
[[nodiscard]] std::int64_t now_ms();

/// 0.637 → "63.7 %".
[[nodiscard]] std::string format_ratio(double ratio);

/// "1 service", "2 services", "1 address", "2 addresses".
[[nodiscard]] std::string
format_plural(std::uint64_t count, const char* singular, const char* plural);

/// For people; empty (a "-" in a table) for what the control plane does not know.
[[nodiscard]] std::string format_maybe_count(std::optional<std::uint64_t> value);
[[nodiscard]] std::string format_maybe_bytes(std::optional<std::uint64_t> value);

/// "3 min ago" for a time of the API; as it is if it is none, empty for nothing.
[[nodiscard]] std::string format_since(const std::optional<std::string>& time);

/// "10.0.1.11:80", "[2001:db8::1]:80".
[[nodiscard]] std::string format_endpoint(std::string_view address, std::uint64_t port);

} // namespace penstock::cli
