// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/address_reader.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace penstock::config {

namespace {

std::optional<std::string_view> find_address_fault(const IpAddress& address) {
    if (address.is_unspecified()) {
        return "the unspecified address";
    }
    if (address.is_multicast()) {
        return "a multicast address";
    }
    if (address.is_loopback()) {
        return "a loopback address";
    }
    if (address.is_ipv4() && (address.ipv4().host() >> 24U) == 0) {
        return "an address of the network 0.0.0.0/8, which no host can have";
    }
    if (address.is_ipv4() && (address.ipv4().host() >> 28U) == 0xf) {
        return "a broadcast or reserved address";
    }
    return std::nullopt;
}

} // namespace

std::optional<IpAddress>
read_host_address(Findings& findings, const Value& value, std::string_view what) {
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    const auto address = IpAddress::parse(value.text);
    if (!address) {
        const std::size_t slash = value.text.find('/');
        const bool prefix = slash != std::string::npos &&
                            IpAddress::parse(std::string_view(value.text).substr(0, slash));
        findings.error(
            value.span,
            fmt::format("{} {} is no IP address", what, quote(value.text)),
            prefix ? fmt::format(
                         "write one address, without the prefix length: \"{}\"",
                         value.text.substr(0, slash)
                     )
                   : "write an address such as \"198.51.100.10\"; names are not looked up"
        );
        return std::nullopt;
    }
    if (const auto fault = find_address_fault(*address)) {
        findings.error(
            value.span,
            fmt::format("{} {} is {}", what, address->to_string(), *fault),
            "write the unicast address of one host"
        );
        return std::nullopt;
    }
    return address;
}

PrefixFault explain_prefix(std::string_view text, std::string_view what) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    PrefixFault fault{
        .cause = fmt::format("{} {} is no address or prefix", what, quote(text)),
        .remedy = "write an address or a prefix such as \"198.51.100.0/24\" or \"2001:db8::/32\"",
    };
    if (!address || slash == std::string_view::npos) {
        return fault;
    }
    const std::string_view digits = text.substr(slash + 1);
    const unsigned bits = address_bits(address->family());
    unsigned length = 0;
    const auto parsed = std::from_chars(digits.begin(), digits.end(), length);
    if (parsed.ec != std::errc() || parsed.ptr != digits.end() || length > bits) {
        fault.remedy = fmt::format("the length behind the / is a number from 0 to {}", bits);
        return fault;
    }
    const IpAddress first = clear_host_bits(*address, static_cast<std::uint8_t>(bits - length));
    fault.cause = fmt::format("{} {} has bits behind its first {}", what, quote(text), length);
    fault.remedy = fmt::format(
        "write the first address of the block, \"{}/{}\", or one address without a length",
        first.to_string(),
        length
    );
    return fault;
}

std::optional<IpPrefix> read_prefix(Findings& findings, const Value& value, std::string_view what) {
    if (!expect_kind(findings, value, ValueKind::string, what)) {
        return std::nullopt;
    }
    const auto prefix = IpPrefix::parse(value.text);
    if (!prefix) {
        auto fault = explain_prefix(value.text, what);
        findings.error(value.span, std::move(fault.cause), std::move(fault.remedy));
    }
    return prefix;
}

std::optional<IpPrefix> read_host_prefix(
    Findings& findings, const Value& value, std::string_view what, const LeastLength& least
) {
    const auto prefix = read_prefix(findings, value, what);
    if (!prefix) {
        return std::nullopt;
    }
    const std::uint8_t shortest = prefix->address.is_ipv4() ? least.ipv4_length : least.ipv6_length;
    if (prefix->length() < shortest) {
        findings.error(
            value.span,
            fmt::format("{} {} is larger than a /{}", what, prefix->to_string(), shortest),
            fmt::format("write a prefix of length {} or more", shortest)
        );
        return std::nullopt;
    }
    if (const auto fault = find_address_fault(prefix->address)) {
        findings.error(
            value.span,
            fmt::format("{} {} is {}", what, prefix->to_string(), *fault),
            "write a unicast address or prefix"
        );
        return std::nullopt;
    }
    return prefix;
}

} // namespace penstock::config
