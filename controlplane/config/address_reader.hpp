// SPDX-License-Identifier: Apache-2.0
// Reading of addresses and prefixes, as value_reader.hpp has it for other values.
//
// Thread rule: one thread, the Findings'.
#pragma once

#include "controlplane/config/value_reader.hpp"
#include "dataplane/core/addresses.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::config {

/// An address that one host can have; multicast, loopback, broadcast and unspecified ones are
/// refused.
[[nodiscard]] std::optional<IpAddress>
read_host_address(Findings& findings, const Value& value, std::string_view what);

/// An address or a prefix of any hosts: for lists of who may send.
[[nodiscard]] std::optional<IpPrefix>
read_prefix(Findings& findings, const Value& value, std::string_view what);

/// The shortest prefix that is accepted, by family.
struct LeastLength {
    std::uint8_t ipv4_length;
    std::uint8_t ipv6_length;
};

/// A prefix of addresses that hosts can have, or one such address.
[[nodiscard]] std::optional<IpPrefix> read_host_prefix(
    Findings& findings, const Value& value, std::string_view what, const LeastLength& least
);

/// Why `text` is no prefix, and what to write: for prefixes that stand in other files too.
struct PrefixFault {
    std::string cause;
    std::string remedy;
};

/// REQUIRES: !IpPrefix::parse(text).
[[nodiscard]] PrefixFault explain_prefix(std::string_view text, std::string_view what);

} // namespace penstock::config
