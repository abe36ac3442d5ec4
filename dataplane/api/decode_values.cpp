// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/decoder.hpp"
#include "dataplane/api/wire_words.hpp"
#include "dataplane/core/identity.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace penstock {
namespace {

bool is_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

} // namespace

bool Decoder::decode_address(const std::string& place, const std::string& bytes, IpAddress& out) {
    if (bytes.size() == 4) {
        Be32 address{};
        std::memcpy(&address.raw, bytes.data(), bytes.size());
        out = IpAddress::from_ipv4(address);
    } else if (bytes.size() == 16) {
        std::array<std::uint8_t, 16> address{};
        std::memcpy(address.data(), bytes.data(), bytes.size());
        out = IpAddress::from_ipv6(address);
    } else {
        return fail(
            place,
            fmt::format("an address of {} bytes", bytes.size()),
            "send 4 bytes for IPv4 or 16 for IPv6"
        );
    }
    if (out.is_unspecified()) {
        return fail(place, "the unspecified address", "name a host");
    }
    return true;
}

bool Decoder::decode(const std::string& place, const wire::Prefix& in, IpPrefix& out) {
    if (!decode_address(place, in.address(), out.address)) {
        return false;
    }
    const std::uint8_t bits = address_bits(out.address.family());
    std::uint8_t length = 0;
    if (!decode_number(place + ", length", in.length(), 1, bits, length)) {
        return false;
    }
    out.host_bits = static_cast<std::uint8_t>(bits - length);
    if (clear_host_bits(out.address, out.host_bits) != out.address) {
        return fail(
            place,
            fmt::format("{} has bits behind its first {}", out.address.to_string(), length),
            "send the first address of the block"
        );
    }
    return true;
}

bool Decoder::decode_prefixes(
    const std::string& place, const std::string& bytes, std::vector<IpPrefix>& out
) {
    constexpr std::size_t head_bytes = 2;
    const auto malformed = [&] {
        return fail(
            place,
            fmt::format("prefix {} is cut short or none", out.size() + 1),
            "send family, length and the first address of each block, packed"
        );
    };
    out.reserve(bytes.size() / (head_bytes + 4));
    const char* next = bytes.data();
    const char* const end = next + bytes.size();
    while (next < end) {
        if (++access_prefixes_ > max_access_prefixes) {
            return fail(
                place,
                fmt::format("more than {} prefixes in all lists", max_access_prefixes),
                "shorten the lists"
            );
        }
        const bool is_ipv4 = *next == static_cast<char>(Family::ipv4);
        const std::size_t address_bytes = is_ipv4 ? 4 : 16;
        if ((!is_ipv4 && *next != static_cast<char>(Family::ipv6)) ||
            static_cast<std::size_t>(end - next) < head_bytes + address_bytes) {
            return malformed();
        }
        const auto length = static_cast<std::uint8_t>(next[1]);
        std::array<std::uint8_t, 16> address{};
        std::memcpy(address.data(), next + head_bytes, address_bytes);
        Be32 ipv4{};
        std::memcpy(&ipv4.raw, address.data(), sizeof ipv4.raw);
        IpPrefix prefix{
            .address = is_ipv4 ? IpAddress::from_ipv4(ipv4) : IpAddress::from_ipv6(address)
        };
        const std::uint8_t bits = address_bits(is_ipv4 ? Family::ipv4 : Family::ipv6);
        if (length > bits || prefix.address.is_ipv4() != is_ipv4) {
            return malformed();
        }
        prefix.host_bits = static_cast<std::uint8_t>(bits - length);
        if (clear_host_bits(prefix.address, prefix.host_bits) != prefix.address) {
            return malformed();
        }
        out.push_back(prefix);
        next += head_bytes + address_bytes;
    }
    return true;
}

bool Decoder::decode_mac(const std::string& place, const std::string& bytes, MacAddress& out) {
    if (bytes.size() != out.bytes.size()) {
        return fail(place, fmt::format("a MAC address of {} bytes", bytes.size()), "send 6 bytes");
    }
    std::memcpy(out.bytes.data(), bytes.data(), bytes.size());
    return true;
}

bool Decoder::decode_text(
    const std::string& place, const std::string& text, std::size_t max_bytes, std::string& out
) {
    if (text.size() > max_bytes || std::ranges::any_of(text, is_control)) {
        return fail(
            place,
            fmt::format("a text of {} bytes, or one with control characters", text.size()),
            fmt::format("send at most {} bytes without control characters", max_bytes)
        );
    }
    out = text;
    return true;
}

bool Decoder::decode_name(const std::string& place, const std::string& text, std::string& out) {
    if (text.empty()) {
        return fail(place, "an empty name", "name it");
    }
    return decode_text(place, text, max_name_bytes, out);
}

template <typename Value>
bool Decoder::decode_word(const std::string& place, int word, Value& out) {
    const std::optional<Value> value = from_wire<Value>(word);
    if (!value) {
        return fail(
            place,
            fmt::format("{} is no value of this enumeration", word),
            "send one of dataplane.proto's; 0 (unspecified) is none"
        );
    }
    out = *value;
    return true;
}

template bool Decoder::decode_word(const std::string&, int, Protocol&);
template bool Decoder::decode_word(const std::string&, int, Forwarding&);
template bool Decoder::decode_word(const std::string&, int, Affinity&);
template bool Decoder::decode_word(const std::string&, int, DownPolicy&);
template bool Decoder::decode_word(const std::string&, int, AdminState&);
template bool Decoder::decode_word(const std::string&, int, Health&);
template bool Decoder::decode_word(const std::string&, int, LinkState&);
template bool Decoder::decode_word(const std::string&, int, NextHopState&);
template bool Decoder::decode_word(const std::string&, int, bool&);
template bool Decoder::decode_word(const std::string&, int, std::uint8_t&);
template bool Decoder::decode_word(const std::string&, int, VerdictKind&);
template bool Decoder::decode_word(const std::string&, int, FlowState&);

bool Decoder::check_count(const std::string& place, std::size_t count, std::size_t max) {
    return count <= max ||
           fail(place, fmt::format("{} of them", count), fmt::format("send at most {}", max));
}

} // namespace penstock
