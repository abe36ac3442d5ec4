// SPDX-License-Identifier: Apache-2.0
// Which service takes a packet: from destination, protocol and port to the service's index.
//
// Services of one address, one protocol and one port stand in a hash table of their family, one probe
// away whatever their number: that key is the most specific there is, so a hit is the answer. Only
// what misses looks at the others, prefix by prefix from the longest on: each prefix length is one probe into a
// second table, whose groups list their services in order of precedence (desired_state.hpp,
// ServiceKey).
//
//   198.51.100.10:443/tcp ──► exact ──hit──► 7
//                               └─miss──► /32 group? :8000-8099/tcp, :any/tcp, any ──first match──► 9
//                                           └─none──► /24 group? … ──► none
//
// Thread rule: immutable after construction; any thread may read. Limits: those of the desired
// state; a look-up that misses costs one probe for each distinct prefix length, and a group is
// walked to its end.
#pragma once

#include "dataplane/core/addresses.hpp"
#include "dataplane/core/byte_order.hpp"
#include "dataplane/core/desired_state.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#if defined(__SSE4_2__)
#include <immintrin.h>
#endif

namespace penstock {

class ServiceIndex {
public:
    static constexpr std::int32_t none = -1;

    ServiceIndex() : ServiceIndex(std::span<const ServiceKey>()) {}

    /// The services are told apart by their place in `keys`. REQUIRES: no two of them conflict
    /// (desired_state_check.hpp).
    explicit ServiceIndex(std::span<const ServiceKey> keys);

    /// The service of a packet to (vip, protocol, port), or `none`. Addresses and port in network
    /// order; the port of a protocol without ports is 0. A service of any protocol does not take
    /// ICMP: echo is answered by us, and an error belongs to the flow that it quotes.
    [[nodiscard]] std::int32_t find_ipv4(Be32 vip, std::uint8_t protocol, Be16 port) const {
        const std::uint64_t key = key_ipv4(vip, protocol, port);
        // The operator chooses the keys, so an attacker cannot lengthen a chain; at most a quarter
        // of the table is in use, so a probe ends soon.
        for (std::uint64_t i = mix(key);; ++i) {
            const SlotIpv4& slot = exact_ipv4_[i & exact_ipv4_mask_];
            if (slot.key == key) [[likely]] {
                if (slot.index < 0) {
                    __builtin_unreachable(); // only no_key has `none`: spares the caller its test
                }
                return slot.index;
            }
            if (slot.key == no_key) {
                return has_candidates_ ? find_candidate(0, word_of(vip), meta_of(protocol, port))
                                       : none;
            }
        }
    }

    /// `vip`: 16 bytes.
    [[nodiscard]] std::int32_t
    find_ipv6(const std::uint8_t* vip, std::uint8_t protocol, Be16 port) const {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::memcpy(&high, vip, sizeof high);
        std::memcpy(&low, vip + sizeof high, sizeof low);
        const std::uint32_t meta = meta_of(protocol, port);
        for (std::uint64_t i = mix(high, low, meta);; ++i) {
            const Slot& slot = exact_ipv6_[i & exact_ipv6_mask_];
            const bool same = slot.key.low == low && slot.key.high == high && slot.key.meta == meta;
            if (same && slot.index != none) [[likely]] {
                return slot.index;
            }
            if (slot.index == none) {
                return has_candidates_ ? find_candidate(high, low, meta) : none;
            }
        }
    }

    /// True for every address that a service names, alone or in a prefix.
    [[nodiscard]] bool covers(const IpAddress& address) const;

    /// Places that the slowest look-up of a key in use visits: what hashing costs here.
    [[nodiscard]] std::size_t longest_probe() const;

private:
    // An address as two words as they stand in memory, IPv4 in its mapped form, with protocol and
    // port.
    struct Key {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        std::uint32_t meta = 0;

        friend bool operator==(const Key&, const Key&) = default;
    };

    struct alignas(32) Slot {
        Key key;
        std::int32_t index = none; ///< none: empty
    };

    static_assert(sizeof(Slot) == 32);

    // IPv4 in one word: address, protocol and port as a packet has them.
    struct SlotIpv4 {
        std::uint64_t key = no_key;
        std::int32_t index = none;
    };

    static_assert(sizeof(SlotIpv4) == 16);

    static constexpr std::uint64_t no_key = std::uint64_t{1}
                                            << 40U; ///< key_ipv4() leaves that bit 0

    [[nodiscard]] static std::uint64_t key_ipv4(Be32 vip, std::uint8_t protocol, Be16 port) {
        return std::uint64_t{vip.raw} | (std::uint64_t{protocol} << 32U) |
               (std::uint64_t{port.raw} << 48U);
    }

    // A service that is not exact, with its ports in host order.
    struct Candidate {
        std::uint8_t protocol; ///< 0: any
        std::uint16_t first_port;
        std::uint16_t last_port;
        std::int32_t index;
    };

    struct Group {
        IpPrefix prefix;
        std::uint32_t first = 0; ///< into candidates_
        std::uint32_t count = 0; ///< 0: all services of the prefix are exact
    };

    [[nodiscard]] static std::uint64_t word_of(Be32 ipv4) {
        // ::ffff:a.b.c.d, bytes 8 to 15 (RFC 4291 2.5.5.2).
        return 0xffff0000U | (std::uint64_t{ipv4.raw} << 32U);
    }

    [[nodiscard]] static std::uint32_t meta_of(std::uint8_t protocol, Be16 port) {
        return (std::uint32_t{port.raw} << 16U) | protocol;
    }

    // CRC32 spreads the bits of neighbouring addresses into the low ones, which a multiplication
    // alone would not.
    [[nodiscard]] static std::uint64_t mix(std::uint64_t key_ipv4) {
#if defined(__SSE4_2__)
        return _mm_crc32_u64(0, key_ipv4);
#else
        return mix_portable(0, key_ipv4, 0);
#endif
    }

    // In words, not as a Key: one in memory would cost every packet a guarded stack frame.
    [[nodiscard]] static std::uint64_t
    mix(std::uint64_t high, std::uint64_t low, std::uint32_t meta) {
#if defined(__SSE4_2__)
        return _mm_crc32_u64(_mm_crc32_u64(meta, low), high);
#else
        return mix_portable(high, low, meta);
#endif
    }

    [[nodiscard]] static std::uint64_t mix(const Key& key) {
        return mix(key.high, key.low, key.meta);
    }

    [[nodiscard]] static std::uint64_t
    mix_portable(std::uint64_t high, std::uint64_t low, std::uint32_t meta);
    [[nodiscard]] static Key key_of(const IpAddress& address, std::uint32_t meta);
    [[nodiscard]] static std::uint64_t mix(const IpPrefix& prefix);
    [[nodiscard]] std::int32_t
    find_candidate(std::uint64_t high, std::uint64_t low, std::uint32_t meta) const;
    [[nodiscard]] const Group* find_group(const IpPrefix& prefix) const;

    /// Prefix lengths in use for this family, longest prefix first, as host bits.
    [[nodiscard]] const std::vector<std::uint8_t>& levels(Family family) const {
        return family == Family::ipv4 ? levels_ipv4_ : levels_ipv6_;
    }

    void add_exact_ipv4(std::span<const ServiceKey> keys);
    void add_exact_ipv6(std::span<const ServiceKey> keys);
    void add_groups(std::span<const ServiceKey> keys);

    std::vector<SlotIpv4> exact_ipv4_;
    std::uint64_t exact_ipv4_mask_ = 0;
    std::vector<Slot> exact_ipv6_;
    std::uint64_t exact_ipv6_mask_ = 0;
    bool has_candidates_ = false;
    std::vector<std::int32_t> group_slots_; ///< index into groups_, none: empty
    std::uint64_t group_mask_ = 0;
    std::vector<Group> groups_;
    std::vector<Candidate> candidates_;
    std::vector<std::uint8_t> levels_ipv4_;
    std::vector<std::uint8_t> levels_ipv6_;
};

} // namespace penstock
