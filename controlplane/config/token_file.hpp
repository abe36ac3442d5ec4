// SPDX-License-Identifier: Apache-2.0
// The file of bearer tokens: who may use the API over the network, without what would let a reader of
// the file do so. One token a line; blank lines and what follows a '#' do not count:
//
//   # name  role      expires               hash of the token
//   ci      operator  2027-02-23T14:40:00Z  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c…
//   eva     admin     never                 sha256:…
//
// The hash is a plain SHA-256 of a token of 256 random bits. Salts and slow functions (PBKDF2, Argon2)
// make guessable passwords costly to guess; nobody guesses 256 bits, and a slow function would let
// every stranger cost the daemon its time. A key of an HMAC would lie on the same disk as this file.
//
// Thread rule: pure functions.
#pragma once

#include "controlplane/config/api_config.hpp"
#include "controlplane/config/diagnostic.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

inline constexpr std::size_t max_tokens = 1024;
inline constexpr std::size_t max_token_file_bytes = 256U << 10U;

/// What every token begins with, so that people and scanners for leaked secrets know one.
inline constexpr std::string_view token_prefix = "pst_";
/// The prefix and 64 hexadecimal digits.
inline constexpr std::size_t token_bytes = token_prefix.size() + 64;

using TokenHash = std::array<std::uint8_t, 32>;

struct TokenEntry {
    std::string name; ///< unique in the file
    ApiRole role = ApiRole::viewer;
    std::optional<std::int64_t> expires_s; ///< seconds since 1970-01-01T00:00:00Z; nothing: never
    TokenHash hash{};                      ///< SHA-256 of the whole token, its prefix too
    std::uint32_t line = 0;                ///< where it stands, from 1

    friend bool operator==(const TokenEntry&, const TokenEntry&) = default;
};

/// `file_name` is only used in places. A file without tokens is accepted.
[[nodiscard]] std::expected<std::vector<TokenEntry>, Diagnostics>
parse_token_file(std::string_view text, const std::string& file_name);

/// The line of one token, with its newline.
[[nodiscard]] std::string format_token_line(const TokenEntry& entry);

/// "2027-02-23T14:40:00Z".
[[nodiscard]] std::string format_token_time(std::int64_t seconds);

} // namespace penstock::config
