// SPDX-License-Identifier: Apache-2.0
// What edits of a packet do to the checksums over it (RFC 1624 eqn. 3): a checksum that was right
// stays right, and one that was wrong stays as wrong, for it is the endpoints' business.
//
//   ChecksumChange change;
//   change.replace(old_address, new_address, 4);
//   tcp.checksum = change.apply(tcp.checksum);
//
// Thread rule: values. Sums are of words as they stand in memory, as in headers.hpp; what is
// replaced begins at an even offset of what the checksum covers.
#pragma once

#include "dataplane/core/byte_order.hpp"
#include "dataplane/core/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock {

class ChecksumChange {
public:
    /// Bytes that were not covered before and are now. REQUIRES: an even number.
    void add(std::span<const std::uint8_t> bytes) { sum_ = add_to_checksum(sum_, bytes); }

    /// Bytes that were covered and are no longer. REQUIRES: an even number.
    void remove(std::span<const std::uint8_t> bytes) {
        for (std::size_t i = 0; i + 2 <= bytes.size(); i += 2) {
            remove(read_header<Be16>(bytes.data() + i));
        }
    }

    void add(Be16 word) { sum_ += word.raw; }

    void remove(Be16 word) { sum_ += static_cast<std::uint16_t>(~word.raw); }

    void replace(Be16 old_word, Be16 new_word) {
        remove(old_word);
        add(new_word);
    }

    /// All of the other change too.
    void add(const ChecksumChange& other) { sum_ += other.sum_; }

    /// The checksum field after the change.
    [[nodiscard]] Be16 apply(Be16 checksum) const {
        return finish_checksum(sum_ + static_cast<std::uint16_t>(~checksum.raw));
    }

    /// The same for UDP, where 0 means "none" (RFC 768): none stays none, and a sum of 0 is sent as
    /// its other form.
    [[nodiscard]] Be16 apply_udp(Be16 checksum) const {
        if (checksum.raw == 0) {
            return checksum;
        }
        const Be16 changed = apply(checksum);
        return changed.raw == 0 ? Be16{UINT16_MAX} : changed;
    }

private:
    std::uint64_t sum_ = 0; // folds at the end: 2^48 words would fit
};

} // namespace penstock
