// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/mss_clamp.hpp"

#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <span>

namespace penstock {
namespace {

constexpr std::uint8_t option_end = 0;
constexpr std::uint8_t option_nothing = 1;
constexpr std::uint8_t option_mss = 2;
constexpr std::size_t mss_option_bytes = 4;

// Where the value of the MSS option stands in `options`, or 0.
std::size_t find_mss(std::span<const std::uint8_t> options) {
    std::size_t at = 0;
    while (at + 1 < options.size() && options[at] != option_end) {
        if (options[at] == option_nothing) {
            ++at;
            continue;
        }
        const std::size_t length = options[at + 1];
        if (length < 2 || length > options.size() - at) {
            return 0;
        }
        if (options[at] == option_mss) {
            return length == mss_option_bytes ? at + 2 : 0;
        }
        at += length;
    }
    return 0;
}

} // namespace

void clamp_mss(Packet& packet, const ParsedPacket& parsed, std::uint16_t mss) {
    std::uint8_t* const tcp_bytes = packet.data + parsed.l4;
    auto& tcp = header_at<TcpHeader>(tcp_bytes);
    const std::uint32_t header_length = (tcp.data_offset >> 4U) * 4U;
    const std::uint32_t available = std::min(header_length, packet.length - parsed.l4);
    const std::span<const std::uint8_t> options(
        tcp_bytes + sizeof(TcpHeader), available - sizeof(TcpHeader)
    );
    const std::size_t found = find_mss(options);
    if (found == 0) {
        return;
    }
    std::uint8_t* const value_bytes = tcp_bytes + sizeof(TcpHeader) + found;
    const Be16 before = read_header<Be16>(value_bytes);
    if (before.host() <= mss) {
        return;
    }
    const Be16 after = Be16::from_host(mss);
    write_header(value_bytes, after);
    // The words of the sum begin at even offsets of the TCP header; a value at an odd one counts
    // with its bytes exchanged.
    const auto as_summed = [found](Be16 value) {
        return found % 2 == 0 ? value.raw : __builtin_bswap16(value.raw);
    };
    tcp.checksum = finish_checksum(
        std::uint64_t{static_cast<std::uint16_t>(~tcp.checksum.raw)} +
        static_cast<std::uint16_t>(~as_summed(before)) + as_summed(after)
    );
}

} // namespace penstock
