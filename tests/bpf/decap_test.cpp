// SPDX-License-Identifier: Apache-2.0
// The decapsulator, frame by frame: what comes out, byte for byte, and that each frame is counted
// once.
#include "bpf/abi.h"
#include "bpf/counter_map.hpp"
#include "bpf/decapsulator.hpp"
#include "bpf/vip_map.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/loaded_program.hpp"

#include <array>
#include <gtest/gtest.h>
#include <linux/bpf.h>

namespace penstock::bpf::test {

namespace {

constexpr std::string_view vip = "198.51.100.10";
constexpr std::string_view other = "198.51.100.11";
constexpr std::string_view balancer = "10.0.1.1";
constexpr std::string_view server = "10.0.1.11";

constexpr std::uint8_t not_ect = 0;
constexpr std::uint8_t ect_1 = 1;
constexpr std::uint8_t ect_0 = 2;
constexpr std::uint8_t congested = 3;

struct Count {
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    friend bool operator==(const Count&, const Count&) = default;
};

using Counts = std::array<Count, PENSTOCK_DECAP_COUNTERS>;

class DecapTest : public testing::Test {
protected:
    DecapTest()
        : program_(decapsulator_object_bytes()),
          counters_(CounterMap::adopt(
              program_.map(PENSTOCK_DECAP_COUNTERS_MAP), PENSTOCK_DECAP_COUNTERS, 2
          )) {
        auto vips = VipMap::adopt(program_.map(PENSTOCK_VIPS_MAP));
        const std::array wanted = {address(vip)};
        if (!counters_ || !vips || !vips->set(wanted))
            ADD_FAILURE() << "the maps of the object are not those of abi.h";
    }

    [[nodiscard]] Counts counts() {
        Counts all{};
        for (std::uint32_t counter = 0; counter < all.size(); ++counter) {
            std::array<std::uint64_t, 2> sums{};
            auto read = counters_->read(counter, sums);
            EXPECT_TRUE(read) << read.error().text();
            all[counter] = {sums[0], sums[1]};
        }
        return all;
    }

    void expect(
        const Bytes& frame,
        std::uint32_t verdict,
        const Bytes& left,
        penstock_decap_counter counter,
        std::uint64_t bytes
    ) {
        Counts expected = counts();
        ++expected[counter].packets;
        expected[counter].bytes += bytes;
        const Outcome outcome = program_.run(frame);
        EXPECT_EQ(outcome.verdict, verdict);
        EXPECT_EQ(outcome.frame, left);
        EXPECT_EQ(counts(), expected);
    }

    void expect_decapsulated(const Bytes& frame, const Bytes& left, const Bytes& inner) {
        expect(frame, XDP_PASS, left, PENSTOCK_DECAP_DECAPSULATED, inner.size());
    }

    // To the kernel, byte for byte as it came.
    void expect_untouched(const Bytes& frame, penstock_decap_counter counter) {
        expect(frame, XDP_PASS, frame, counter, 0);
    }

    LoadedProgram program_;
    BpfResult<CounterMap> counters_;
};

Bytes inner_packet(std::string_view destination = vip, std::uint8_t tos = 0) {
    return ipv4({.destination = destination, .tos = tos}, payload());
}

Bytes tunnel(const Bytes& inner, std::uint8_t tos = 0, std::uint16_t fragment = 0) {
    return ipv4(
        {.source = balancer,
         .destination = server,
         .protocol = protocol_ipip,
         .tos = tos,
         .fragment = fragment},
        inner
    );
}

TEST_F(DecapTest, the_inner_packet_comes_out_as_it_went_in) {
    const Bytes inner = inner_packet();
    expect_decapsulated(ethernet(ether_ipv4, tunnel(inner)), ethernet(ether_ipv4, inner), inner);
}

TEST_F(DecapTest, tags_stay_before_the_inner_packet) {
    const Bytes inner = inner_packet();
    expect_decapsulated(
        ethernet(ether_8021q, vlan(100, ether_ipv4, tunnel(inner))),
        ethernet(ether_8021q, vlan(100, ether_ipv4, inner)),
        inner
    );
    expect_decapsulated(
        ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(100, ether_ipv4, tunnel(inner)))),
        ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(100, ether_ipv4, inner))),
        inner
    );
    const Bytes three = ethernet(
        ether_8021ad,
        vlan(7, ether_8021q, vlan(8, ether_8021q, vlan(100, ether_ipv4, tunnel(inner))))
    );
    expect_untouched(three, PENSTOCK_DECAP_PASSED);
}

TEST_F(DecapTest, options_of_either_header_are_understood) {
    const Bytes options = {0x94, 0x04, 0x00, 0x00, 0x01, 0x01, 0x01, 0x00};
    const Bytes inner = ipv4({.destination = vip, .options = options}, payload());
    const Ipv4 outer{
        .source = balancer,
        .destination = server,
        .protocol = protocol_ipip,
        .options = options,
    };
    expect_decapsulated(
        ethernet(ether_ipv4, ipv4(outer, inner)), ethernet(ether_ipv4, inner), inner
    );
    Ipv4 longest = outer;
    longest.options = Bytes(40, 0x01);
    const Bytes tagged = vlan(7, ether_8021q, vlan(9, ether_ipv4, ipv4(longest, inner)));
    expect_decapsulated(
        ethernet(ether_8021ad, tagged),
        ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(9, ether_ipv4, inner))),
        inner
    );
}

TEST_F(DecapTest, padding_of_short_frames_stays_behind_the_packet) {
    const Bytes inner = ipv4({.destination = vip}, {});
    const Bytes padding(6, 0);
    expect_decapsulated(
        join(ethernet(ether_ipv4, tunnel(inner)), padding),
        join(ethernet(ether_ipv4, inner), padding),
        inner
    );
}

TEST_F(DecapTest, every_inner_protocol_and_fragment_is_delivered) {
    for (const std::uint8_t protocol : std::to_array<std::uint8_t>({1, 4, 6, 17, 50, 255})) {
        for (const std::uint16_t fragment : std::to_array<std::uint16_t>({0, 0x2000, 0x0010})) {
            SCOPED_TRACE(testing::Message() << int{protocol} << " " << fragment);
            const Bytes inner =
                ipv4({.destination = vip, .protocol = protocol, .fragment = fragment}, payload());
            expect_decapsulated(
                ethernet(ether_ipv4, tunnel(inner)), ethernet(ether_ipv4, inner), inner
            );
        }
    }
}

TEST_F(DecapTest, ipip_for_others_is_not_touched) {
    expect_untouched(ethernet(ether_ipv4, tunnel(inner_packet(other))), PENSTOCK_DECAP_NOT_A_VIP);
    // Neither the outer destination nor the inner source makes it ours.
    const Ipv4 outer{.source = balancer, .destination = vip, .protocol = protocol_ipip};
    expect_untouched(
        ethernet(ether_ipv4, ipv4(outer, inner_packet(other))), PENSTOCK_DECAP_NOT_A_VIP
    );
    const Bytes from_vip = ipv4({.source = vip, .destination = other}, payload());
    expect_untouched(ethernet(ether_ipv4, tunnel(from_vip)), PENSTOCK_DECAP_NOT_A_VIP);
}

TEST_F(DecapTest, what_is_no_ipip_is_not_touched) {
    expect_untouched(ethernet(ether_ipv4, inner_packet()), PENSTOCK_DECAP_PASSED);
    expect_untouched(ethernet(ether_arp, arp(1, vip)), PENSTOCK_DECAP_PASSED);
    expect_untouched(
        ethernet(ether_ipv6, ipv6({.destination = "2001:db8::1"}, payload())), PENSTOCK_DECAP_PASSED
    );
    expect_untouched(ethernet(0x88cc, payload()), PENSTOCK_DECAP_PASSED);
    for (const std::uint8_t protocol : std::to_array<std::uint8_t>({protocol_gre, 41, 17})) {
        const Ipv4 outer{.source = balancer, .destination = server, .protocol = protocol};
        expect_untouched(ethernet(ether_ipv4, ipv4(outer, inner_packet())), PENSTOCK_DECAP_PASSED);
    }
}

TEST_F(DecapTest, fragments_of_the_tunnel_are_left_to_the_kernel) {
    const auto flags = std::to_array<std::uint16_t>({0x2000, 0x2010, 0x0010});
    for (const std::uint16_t fragment : flags)
        expect_untouched(
            ethernet(ether_ipv4, tunnel(inner_packet(), 0, fragment)), PENSTOCK_DECAP_FRAGMENT
        );
    // "Don't fragment" is no fragment, nor is the reserved bit.
    const Bytes inner = inner_packet();
    for (const std::uint16_t fragment : std::to_array<std::uint16_t>({0x4000, 0x8000}))
        expect_decapsulated(
            ethernet(ether_ipv4, tunnel(inner, 0, fragment)), ethernet(ether_ipv4, inner), inner
        );
}

TEST_F(DecapTest, headers_that_lie_are_left_to_the_kernel) {
    constexpr std::size_t outer_at = 14;
    constexpr std::size_t inner_at = outer_at + 20;
    const auto expect_lie = [this](std::size_t at, std::uint8_t value) {
        SCOPED_TRACE(testing::Message() << "byte " << at << " = " << int{value});
        Bytes frame = ethernet(ether_ipv4, tunnel(inner_packet()));
        frame[at] = value;
        expect_untouched(frame, PENSTOCK_DECAP_MALFORMED);
    };
    expect_lie(outer_at, 0x44);     // header below 20 bytes
    expect_lie(outer_at + 2, 0xff); // total length beyond the frame
    expect_lie(outer_at + 3, 19);   // total length below the header
    expect_lie(outer_at, 0x4f);     // header of 60 bytes: the inner one lies in the payload
    expect_lie(inner_at, 0x44);
    expect_lie(inner_at, 0x65);     // version 6 in IPIP
    expect_lie(inner_at, 0x4f);     // header longer than its packet
    expect_lie(inner_at + 2, 0x01); // total length beyond the outer packet
    expect_lie(inner_at + 3, 19);
    expect_lie(inner_at + 3, 45); // one byte more than there is
    Bytes version = ethernet(ether_ipv4, tunnel(inner_packet()));
    version[outer_at] = 0x65;
    expect_untouched(version, PENSTOCK_DECAP_PASSED); // then it is not IPIP either
}

TEST_F(DecapTest, every_truncation_is_left_to_the_kernel) {
    const Bytes whole = ethernet(ether_8021q, vlan(1, ether_ipv4, tunnel(inner_packet())));
    for (std::size_t length = 14; length < whole.size(); ++length) {
        SCOPED_TRACE(length);
        const Bytes frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        expect_untouched(
            frame, length < 18 + 20 ? PENSTOCK_DECAP_PASSED : PENSTOCK_DECAP_MALFORMED
        );
    }
    // A packet that ends where the inner header does, with lengths that agree.
    for (std::size_t length = 0; length < 20; ++length) {
        SCOPED_TRACE(length);
        const Bytes inner = inner_packet();
        const Bytes begun(inner.begin(), inner.begin() + static_cast<std::ptrdiff_t>(length));
        expect_untouched(ethernet(ether_ipv4, tunnel(begun)), PENSTOCK_DECAP_MALFORMED);
    }
}

// RFC 6040, figure 4.
TEST_F(DecapTest, congestion_marks_go_to_the_inner_packet) {
    for (const std::uint8_t inner_ecn : {not_ect, ect_1, ect_0, congested}) {
        for (const std::uint8_t outer_ecn : {not_ect, ect_1, ect_0, congested}) {
            SCOPED_TRACE(
                testing::Message() << "inner " << int{inner_ecn} << " outer " << int{outer_ecn}
            );
            constexpr std::uint8_t dscp = 0xb8;
            const auto inner_tos = static_cast<std::uint8_t>(dscp | inner_ecn);
            const Bytes inner = inner_packet(vip, inner_tos);
            const Bytes frame = ethernet(ether_ipv4, tunnel(inner, outer_ecn));
            if (outer_ecn == congested && inner_ecn == not_ect) {
                expect(frame, XDP_DROP, frame, PENSTOCK_DECAP_DROPPED_ECN, 0);
                continue;
            }
            const bool marked = outer_ecn == congested;
            const Bytes left =
                inner_packet(vip, marked ? static_cast<std::uint8_t>(dscp | congested) : inner_tos);
            ASSERT_EQ(ipv4_checksum_error(left), 0);
            expect_decapsulated(frame, ethernet(ether_ipv4, left), inner);
        }
    }
}

} // namespace

} // namespace penstock::bpf::test
