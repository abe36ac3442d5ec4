// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/cut.hpp"

#include "dataplane/core/headers.hpp"

#include <algorithm>
#include <cstring>

namespace penstock {
namespace {

constexpr std::uint32_t offset_unit = 8; // RFC 791 3.1

std::uint32_t find_layer3(std::span<const std::uint8_t> frame) {
    std::uint32_t at = sizeof(EthernetHeader);
    Be16 ethertype = header_at<EthernetHeader>(frame.data()).ethertype;
    while (ethertype == ethertype_vlan || ethertype == ethertype_qinq) {
        ethertype = header_at<VlanTag>(frame.data() + at).ethertype;
        at += sizeof(VlanTag);
    }
    return at;
}

} // namespace

bool may_be_cut(const Packet& packet, const ParsedPacket& parsed) {
    return parsed.kind == PacketKind::ipv4 &&
           (header_at<Ipv4Header>(packet.data + parsed.l3).fragment.host() &
            Ipv4Header::dont_fragment) == 0;
}

Cutter::Cutter(
    std::span<const std::span<const std::uint8_t>> segments,
    const BackendEntry& backend,
    std::uint16_t mtu
)
    : segments_(segments), backend_(backend), outer_at_(find_layer3(segments.front())) {
    const bool tunnelled =
        backend.rewrite == Rewrite::tunnel_ipv4 || backend.rewrite == Rewrite::tunnel_ipv6;
    const std::uint32_t outer_length = tunnelled ? backend.outer_length : 0;
    inner_at_ = outer_at_ + outer_length;
    const auto& ip = header_at<Ipv4Header>(segments.front().data() + inner_at_);
    header_length_ = (ip.version_ihl & 0x0fU) * 4U;
    data_total_ = ip.total_length.host() - header_length_;
    const std::uint32_t headers = outer_length + header_length_;
    if (mtu < headers + offset_unit) {
        return;
    }
    data_per_piece_ = (mtu - headers) / offset_unit * offset_unit;
    count_ = (data_total_ + data_per_piece_ - 1) / data_per_piece_;
}

std::uint32_t Cutter::data_length(std::uint32_t index) const {
    return std::min(data_per_piece_, data_total_ - (index * data_per_piece_));
}

std::uint32_t Cutter::length(std::uint32_t index) const {
    return inner_at_ + header_length_ + data_length(index);
}

std::uint32_t Cutter::length_present(std::uint32_t index) const {
    std::size_t total = 0;
    for (const std::span<const std::uint8_t> segment : segments_) {
        total += segment.size();
    }
    const std::uint32_t headers = inner_at_ + header_length_;
    const std::size_t begin = std::size_t{headers} + (std::size_t{index} * data_per_piece_);
    const std::size_t data = total > begin ? total - begin : 0;
    return headers + static_cast<std::uint32_t>(std::min<std::size_t>(data, data_length(index)));
}

void Cutter::copy(std::uint32_t offset, std::span<std::uint8_t> out) const {
    for (const std::span<const std::uint8_t> segment : segments_) {
        if (out.empty()) {
            return;
        }
        if (offset >= segment.size()) {
            offset -= static_cast<std::uint32_t>(segment.size());
            continue;
        }
        const std::size_t count = std::min(out.size(), segment.size() - offset);
        std::memcpy(out.data(), segment.data() + offset, count);
        out = out.subspan(count);
        offset = 0;
    }
}

void Cutter::write(std::uint32_t index, std::span<std::uint8_t> out) const {
    const std::uint32_t headers = inner_at_ + header_length_;
    copy(0, out.first(headers));
    copy(headers + (index * data_per_piece_), out.subspan(headers));
    auto& ip = header_at<Ipv4Header>(out.data() + inner_at_);
    const std::uint16_t field = ip.fragment.host();
    // A packet that is a fragment itself is cut further: offsets add up, and only the last piece of
    // a last fragment is last.
    const auto more = static_cast<std::uint16_t>(
        index + 1 < count_ ? Ipv4Header::more_fragments : (field & Ipv4Header::more_fragments)
    );
    const std::uint32_t offset =
        (field & Ipv4Header::offset_mask) + (index * data_per_piece_ / offset_unit);
    ip.fragment =
        Be16::from_host(static_cast<std::uint16_t>(more | (offset & Ipv4Header::offset_mask)));
    ip.total_length =
        Be16::from_host(static_cast<std::uint16_t>(header_length_ + data_length(index)));
    ip.checksum = {0};
    ip.checksum =
        finish_checksum(add_to_checksum(0, {out.data() + inner_at_, std::size_t{header_length_}}));
    finish_outer(out);
}

// The lengths of what stands around the piece, and the checksums over them.
void Cutter::finish_outer(std::span<std::uint8_t> piece) const {
    const auto total = static_cast<std::uint32_t>(piece.size()) - outer_at_;
    std::uint8_t* const outer = piece.data() + outer_at_;
    std::uint32_t ip_length = 0;
    if (backend_.rewrite == Rewrite::tunnel_ipv4) {
        auto& ip = header_at<Ipv4Header>(outer);
        ip_length = sizeof(Ipv4Header);
        ip.total_length = Be16::from_host(static_cast<std::uint16_t>(total));
        ip.checksum = {0};
        ip.checksum = finish_checksum(add_to_checksum(0, {outer, sizeof(Ipv4Header)}));
    } else if (backend_.rewrite == Rewrite::tunnel_ipv6) {
        auto& ip = header_at<Ipv6Header>(outer);
        ip_length = sizeof(Ipv6Header);
        ip.payload_length = Be16::from_host(static_cast<std::uint16_t>(total - ip_length));
    } else {
        return;
    }
    if (backend_.encapsulation != Encapsulation::gue) {
        return;
    }
    std::uint8_t* const shim = outer + ip_length;
    auto& udp = header_at<UdpHeader>(shim);
    udp.length = Be16::from_host(static_cast<std::uint16_t>(total - ip_length));
    if (udp.checksum.raw == 0) {
        return; // none was asked for
    }
    udp.checksum = {0};
    std::uint64_t sum = std::uint64_t{Be16::from_host(protocol_udp).raw} + udp.length.raw;
    sum = add_to_checksum(sum, {shim - 2 * std::size_t{16}, std::size_t{32}});
    sum = add_to_checksum(sum, {shim, std::size_t{total - ip_length}});
    const Be16 checksum = finish_checksum(sum);
    udp.checksum = checksum.raw == 0 ? Be16{0xffff} : checksum;
}

} // namespace penstock
