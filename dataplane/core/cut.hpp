// SPDX-License-Identifier: Apache-2.0
// Cuts an IPv4 packet that may be fragmented into pieces that fit, each with the whole of what
// stands before it: Ethernet, VLAN tags and, in a tunnel, the outer headers. So every
// piece travels by itself and the server's own stack puts them together; a fragmented outer packet
// would ask reassembly of the tunnel's end, which decapsulators in XDP do not do
// (docs/design/sizes.md).
//
// The caller owns the buffers: it asks for the number of pieces, then has each one written.
//
// Thread rule: pure functions of their arguments.
#pragma once

#include "dataplane/core/packet.hpp"
#include "dataplane/core/parse.hpp"
#include "dataplane/core/snapshot.hpp"

#include <cstdint>
#include <span>

namespace penstock {

/// Pieces that a packet is cut into, at most, or it is dropped as too_big: 64 KiB in pieces of 576
/// bytes with room for a few headers.
inline constexpr std::uint32_t max_pieces = 160;

/// True if the sender lets the packet be cut: IPv4 without DF (RFC 791 3.2). REQUIRES: parsed.kind is
/// ipv4 or ipv6.
[[nodiscard]] bool may_be_cut(const Packet& packet, const ParsedPacket& parsed);

/// A packet with verdict forward and a cut_mtu, as the pipeline left it. Its bytes may lie in
/// several segments; the headers lie in the first.
class Cutter {
public:
    /// `segments`: the whole frame, in order. `backend`: the one of the verdict. `mtu`:
    /// Verdict::cut_mtu. REQUIRES: segments[0] holds all headers.
    Cutter(
        std::span<const std::span<const std::uint8_t>> segments,
        const BackendEntry& backend,
        std::uint16_t mtu
    );

    /// How many pieces there are; 0 if the headers leave no room for data, and the packet must be
    /// dropped as too_big.
    [[nodiscard]] std::uint32_t count() const { return count_; }

    /// Bytes of piece `index`, with all headers. REQUIRES: index < count().
    [[nodiscard]] std::uint32_t length(std::uint32_t index) const;

    /// Bytes of piece `index` that can be written truly: fewer than length() if the segments lack the
    /// frame's end, as those of a capture may. REQUIRES: index < count().
    [[nodiscard]] std::uint32_t length_present(std::uint32_t index) const;

    /// Writes piece `index` to `out`; what is not present stays as it is there. REQUIRES: out.size()
    /// == length(index).
    void write(std::uint32_t index, std::span<std::uint8_t> out) const;

private:
    [[nodiscard]] std::uint32_t data_length(std::uint32_t index) const;
    void copy(std::uint32_t offset, std::span<std::uint8_t> out) const;
    void finish_outer(std::span<std::uint8_t> piece) const;

    std::span<const std::span<const std::uint8_t>> segments_;
    const BackendEntry& backend_;
    std::uint32_t outer_at_ = 0;      ///< where the layer-3 packet begins that leaves
    std::uint32_t inner_at_ = 0;      ///< where the IPv4 packet begins that is cut
    std::uint32_t header_length_ = 0; ///< of that packet's IPv4 header
    std::uint32_t data_total_ = 0;
    std::uint32_t data_per_piece_ = 0; ///< a multiple of 8
    std::uint32_t count_ = 0;
};

} // namespace penstock
