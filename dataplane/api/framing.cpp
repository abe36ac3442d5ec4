// SPDX-License-Identifier: Apache-2.0
#include "dataplane/api/framing.hpp"

#include <fmt/format.h>

namespace penstock {

void FrameDecoder::append(std::span<const std::uint8_t> bytes) {
    if (failed_) {
        return; // the connection is lost: nothing more is kept for it
    }
    // What next() gave out is dropped here, so that its span stays valid until now.
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

std::expected<std::optional<std::span<const std::uint8_t>>, Refusal> FrameDecoder::next() {
    const std::size_t available = buffer_.size() - begin_;
    if (available < frame_header_bytes) {
        return std::nullopt;
    }
    std::size_t length = 0;
    for (std::size_t i = 0; i < frame_header_bytes; ++i) {
        length |= std::size_t{buffer_[begin_ + i]} << (8 * i);
    }
    if (length > max_bytes_) {
        failed_ = true;
        return std::unexpected(Refusal{
            "message length",
            fmt::format("{} bytes announced, at most {} are taken", length, max_bytes_),
            "send whole messages, each preceded by its length as 32 bits, little-endian",
        });
    }
    if (available - frame_header_bytes < length) {
        buffer_.reserve(
            buffer_.size() - available + frame_header_bytes + length
        ); // grow once, not by halves
        return std::nullopt;
    }
    const std::span<const std::uint8_t> message{
        buffer_.data() + begin_ + frame_header_bytes, length
    };
    begin_ += frame_header_bytes + length;
    return message;
}

void append_frame_header(std::vector<std::uint8_t>& out, std::size_t message_bytes) {
    for (std::size_t i = 0; i < frame_header_bytes; ++i) {
        out.push_back(static_cast<std::uint8_t>(message_bytes >> (8 * i)));
    }
}

} // namespace penstock
