// SPDX-License-Identifier: Apache-2.0
// Bytes of a stream → messages: every message is preceded by its length, 32 bits, little-endian.
//
//   | length: u32 LE | message: `length` bytes of protobuf | length | message | …
//
// Thread rule: a decoder belongs to one connection. Pure: no I/O. Memory is bounded: a length above
// max_message_bytes is refused when its four bytes are there, before anything is kept for it.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

namespace penstock {

/// The largest desired state: 36 MB for max_access_prefixes of IPv6 (18 bytes each), 4 MB for
/// max_backends, 1 MB for max_services.
inline constexpr std::size_t max_message_bytes = std::size_t{48} << 20U;
inline constexpr std::size_t frame_header_bytes = 4;

class FrameDecoder {
public:
    /// A smaller limit than the protocol's, for an end that expects only small messages.
    explicit FrameDecoder(std::size_t max_bytes = max_message_bytes) : max_bytes_(max_bytes) {}

    /// Takes bytes as they came, in any pieces.
    void append(std::span<const std::uint8_t> bytes);

    /// The next whole message, nothing if it is not here yet, or why this connection must end.
    /// After an error every further call gives the same error. The span is valid until the next
    /// append() or next().
    [[nodiscard]] std::expected<std::optional<std::span<const std::uint8_t>>, Refusal> next();

    /// True in the middle of a message: its sender owes us bytes.
    [[nodiscard]] bool has_partial() const { return begin_ < buffer_.size(); }

    [[nodiscard]] std::size_t buffered_bytes() const { return buffer_.size() - begin_; }

private:
    std::vector<std::uint8_t> buffer_;
    std::size_t begin_ = 0; ///< of what is not yet given out
    std::size_t max_bytes_;
    bool failed_ = false;
};

/// The length for a message of that many bytes. REQUIRES: message_bytes <= max_message_bytes.
void append_frame_header(std::vector<std::uint8_t>& out, std::size_t message_bytes);

} // namespace penstock
