// SPDX-License-Identifier: Apache-2.0
// The decapsulator, frame by frame: what comes out, byte for byte, and that each frame is counted
// once. It is long because every tunnel, pair of families and refusal is a case on one fixture.
#include "bpf/abi.h"
#include "bpf/counter_map.hpp"
#include "bpf/decapsulator.hpp"
#include "bpf/gue_port_map.hpp"
#include "bpf/prefix_map.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/loaded_program.hpp"

#include <array>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <optional>
#include <string>

namespace penstock::bpf::test {

namespace {

constexpr std::string_view vip = "198.51.100.10";
constexpr std::string_view vip6 = "2001:db8:1::10";
constexpr std::string_view other = "198.51.100.11";
constexpr std::uint16_t gue_port = 6080;
constexpr std::string_view balancer = "10.0.1.1";
constexpr std::string_view server = "10.0.1.11";
constexpr std::string_view balancer6 = "2001:db8:ff::1";
constexpr std::string_view server6 = "2001:db8:ff::11";

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
        auto vips = PrefixMap::adopt(program_.map(PENSTOCK_VIPS_MAP), "VIP");
        auto ports = GuePortMap::adopt(program_.map(PENSTOCK_GUE_PORTS_MAP));
        const std::array wanted = {
            prefix(vip), prefix(vip6), prefix("203.0.113.0/28"), prefix("2001:db8:2::/64")
        };
        const std::array wanted_ports = {gue_port};
        if (!counters_ || !vips || !vips->set(wanted) || !ports || !ports->set(wanted_ports))
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

    void expect_decapsulated(
        const Bytes& frame,
        const Bytes& left,
        const Bytes& inner,
        penstock_decap_counter counter = PENSTOCK_DECAP_IPIP
    ) {
        expect(frame, XDP_PASS, left, counter, inner.size());
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

TEST_F(DecapTest, what_is_no_tunnel_is_not_touched) {
    expect_untouched(ethernet(ether_ipv4, inner_packet()), PENSTOCK_DECAP_PASSED);
    expect_untouched(ethernet(ether_arp, arp(1, vip)), PENSTOCK_DECAP_PASSED);
    expect_untouched(
        ethernet(ether_ipv6, ipv6({.destination = "2001:db8::1"}, payload())), PENSTOCK_DECAP_PASSED
    );
    expect_untouched(ethernet(0x88cc, payload()), PENSTOCK_DECAP_PASSED);
    for (const std::uint8_t protocol : std::to_array<std::uint8_t>({1, 6, 17, 50, 58, 0, 60})) {
        SCOPED_TRACE(int{protocol});
        const Ipv4 outer{.source = balancer, .destination = server, .protocol = protocol};
        expect_untouched(ethernet(ether_ipv4, ipv4(outer, inner_packet())), PENSTOCK_DECAP_PASSED);
        const Bytes six = ip(balancer6, server6, protocol, inner_packet());
        expect_untouched(ethernet(ether_ipv6, six), PENSTOCK_DECAP_PASSED);
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

// One way to carry an inner packet of either family over either family.
struct Way {
    std::string name;
    penstock_decap_counter counter;
    bool outer_is_ipv4;
    Bytes (*wrap)(std::uint8_t inner_protocol, const Bytes& inner);
    std::uint8_t outer_protocol; ///< 0: that of the inner packet
};

std::uint16_t ether_type_of(std::uint8_t inner_protocol) {
    return inner_protocol == protocol_ipip ? ether_ipv4 : ether_ipv6;
}

Bytes wrap_bare(std::uint8_t, const Bytes& inner) {
    return inner;
}

Bytes wrap_gre(std::uint8_t protocol, const Bytes& inner) {
    return gre(0, ether_type_of(protocol), inner);
}

Bytes wrap_gre_options(std::uint8_t protocol, const Bytes& inner) {
    return gre(0x3000, ether_type_of(protocol), inner);
}

Bytes wrap_gue(std::uint8_t protocol, const Bytes& inner) {
    return udp(gue_port, gue({.protocol = protocol}, inner));
}

Bytes wrap_gue_private(std::uint8_t protocol, const Bytes& inner) {
    // Private flags of which none is set, then private data up to the longest header.
    Bytes optional(124, 0xee);
    std::fill_n(optional.begin(), 4, std::uint8_t{0});
    return udp(gue_port, gue({.protocol = protocol, .flags = 1, .optional = optional}, inner));
}

Bytes wrap_gue_variant_1(std::uint8_t, const Bytes& inner) {
    return udp(gue_port, inner);
}

std::vector<Way> all_ways() {
    std::vector<Way> ways;
    for (const bool outer_is_ipv4 : {true, false}) {
        const std::string outer = outer_is_ipv4 ? " over IPv4" : " over IPv6";
        const auto add = [&](const std::string& name,
                             penstock_decap_counter counter,
                             Bytes (*wrap)(std::uint8_t, const Bytes&),
                             std::uint8_t protocol) {
            ways.push_back({name + outer, counter, outer_is_ipv4, wrap, protocol});
        };
        add("IPIP", PENSTOCK_DECAP_IPIP, wrap_bare, 0);
        add("GRE", PENSTOCK_DECAP_GRE, wrap_gre, protocol_gre);
        add("GRE, key and sequence", PENSTOCK_DECAP_GRE, wrap_gre_options, protocol_gre);
        add("GUE", PENSTOCK_DECAP_GUE, wrap_gue, protocol_udp);
        add("GUE, private", PENSTOCK_DECAP_GUE, wrap_gue_private, protocol_udp);
        add("GUE variant 1", PENSTOCK_DECAP_GUE, wrap_gue_variant_1, protocol_udp);
    }
    return ways;
}

// The outer packet of `way` around `inner`, without Ethernet.
Bytes carry(const Way& way, const Bytes& inner, std::uint8_t tos = 0) {
    const std::uint8_t inner_protocol = inner[0] >> 4U == 4 ? protocol_ipip : protocol_ipv6;
    const std::uint8_t protocol = way.outer_protocol == 0 ? inner_protocol : way.outer_protocol;
    const Bytes wrapped = way.wrap(inner_protocol, inner);
    return way.outer_is_ipv4 ? ip(balancer, server, protocol, wrapped, tos)
                             : ip(balancer6, server6, protocol, wrapped, tos);
}

Bytes on_ethernet(const Bytes& packet) {
    return ethernet(packet[0] >> 4U == 4 ? ether_ipv4 : ether_ipv6, packet);
}

Bytes tagged(const Bytes& packet) {
    const std::uint16_t ether_type = packet[0] >> 4U == 4 ? ether_ipv4 : ether_ipv6;
    return ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(9, ether_type, packet)));
}

Bytes inner_of(std::string_view destination, std::uint8_t tos = 0) {
    const bool is_ipv4 = address(destination).is_ipv4();
    return ip(is_ipv4 ? "192.0.2.7" : "2001:db8::7", destination, protocol_tcp, payload(), tos);
}

TEST_F(DecapTest, every_tunnel_of_every_pair_of_families_is_opened) {
    for (const Way& way : all_ways()) {
        for (const std::string_view destination :
             {vip, vip6, std::string_view("203.0.113.15"), std::string_view("2001:db8:2::ffff")}) {
            SCOPED_TRACE(way.name + " to " + std::string(destination));
            const Bytes inner = inner_of(destination);
            const Bytes packet = carry(way, inner);
            expect_decapsulated(on_ethernet(packet), on_ethernet(inner), inner, way.counter);
            expect_decapsulated(tagged(packet), tagged(inner), inner, way.counter);
        }
    }
}

TEST_F(DecapTest, what_no_vip_or_prefix_contains_is_not_touched) {
    for (const Way& way : all_ways()) {
        for (const std::string_view destination :
             {other, std::string_view("203.0.113.16"), std::string_view("2001:db8:3::1")}) {
            SCOPED_TRACE(way.name + " to " + std::string(destination));
            expect_untouched(
                on_ethernet(carry(way, inner_of(destination))), PENSTOCK_DECAP_NOT_A_VIP
            );
        }
    }
}

// The map holds IPv4 VIPs as IPv4-mapped IPv6; an IPv6 packet to that form is not to the VIP.
TEST_F(DecapTest, the_mapped_form_of_a_vip_is_not_the_vip) {
    Bytes inner = inner_of(vip6);
    const auto mapped = address(vip).bytes();
    std::copy(mapped.begin(), mapped.end(), inner.begin() + 24);
    for (const Way& way : all_ways())
        expect_untouched(on_ethernet(carry(way, inner)), PENSTOCK_DECAP_NOT_A_VIP);
}

TEST_F(DecapTest, a_prefix_of_one_family_takes_nothing_of_the_other) {
    auto vips = PrefixMap::adopt(program_.map(PENSTOCK_VIPS_MAP), "VIP");
    const std::array six = {prefix("::/0")};
    ASSERT_TRUE(vips && vips->set(six));
    const Way way = all_ways().front();
    expect_untouched(on_ethernet(carry(way, inner_of(vip))), PENSTOCK_DECAP_NOT_A_VIP);
    const Bytes inner = inner_of("2001:db8:77::1");
    expect_decapsulated(on_ethernet(carry(way, inner)), on_ethernet(inner), inner);
    const std::array four = {prefix("0.0.0.0/0")};
    ASSERT_TRUE(vips->set(four));
    expect_untouched(on_ethernet(carry(way, inner)), PENSTOCK_DECAP_NOT_A_VIP);
}

// Whatever a frame is cut to, nothing is read behind its end, and nothing is changed.
TEST_F(DecapTest, every_truncation_of_every_tunnel_is_left_to_the_kernel) {
    for (const Way& way : all_ways()) {
        for (const std::string_view destination : {vip, vip6}) {
            const Bytes whole = tagged(carry(way, inner_of(destination)));
            for (std::size_t length = 14; length < whole.size(); ++length) {
                SCOPED_TRACE(way.name + " cut to " + std::to_string(length));
                const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
                const Counts before = counts();
                const Outcome outcome = program_.run(cut);
                EXPECT_EQ(outcome.verdict, XDP_PASS);
                EXPECT_EQ(outcome.frame, cut);
                const Counts after = counts();
                EXPECT_EQ(
                    after[PENSTOCK_DECAP_PASSED].packets + after[PENSTOCK_DECAP_MALFORMED].packets,
                    before[PENSTOCK_DECAP_PASSED].packets +
                        before[PENSTOCK_DECAP_MALFORMED].packets + 1
                );
            }
        }
    }
}

// The outer packet ends early and says so: every length of what it carries, with lengths that agree.
TEST_F(DecapTest, every_inner_packet_cut_short_is_malformed) {
    for (const Way& way : all_ways()) {
        for (const std::string_view destination : {vip, vip6}) {
            const Bytes inner = inner_of(destination);
            for (std::size_t length = 1; length < inner.size(); ++length) {
                SCOPED_TRACE(way.name + ", inner packet cut to " + std::to_string(length));
                const Bytes cut(inner.begin(), inner.begin() + static_cast<std::ptrdiff_t>(length));
                expect_untouched(on_ethernet(carry(way, cut)), PENSTOCK_DECAP_MALFORMED);
            }
        }
    }
}

TEST_F(DecapTest, gre_that_asks_for_more_is_refused_by_name) {
    const auto with = [](std::uint16_t flags, std::uint16_t ether_type) {
        return on_ethernet(ip(balancer, server, protocol_gre, gre(flags, ether_type, inner_of(vip)))
        );
    };
    // Checksum, routing, every reserved bit and version.
    for (unsigned bit = 0; bit < 16; ++bit) {
        const auto flags = static_cast<std::uint16_t>(1U << bit);
        SCOPED_TRACE(flags);
        if (flags != 0x2000 && flags != 0x1000)
            expect_untouched(with(flags, ether_ipv4), PENSTOCK_DECAP_UNSUPPORTED);
    }
    expect_untouched(with(0, 0x6558), PENSTOCK_DECAP_UNSUPPORTED);   // Ethernet inside
    expect_untouched(with(0, ether_ipv6), PENSTOCK_DECAP_MALFORMED); // what it says is not inside
}

TEST_F(DecapTest, gue_that_asks_for_more_is_refused_by_name) {
    const auto with = [](const Gue& header) {
        const Bytes datagram = udp(gue_port, gue(header, inner_of(vip)));
        return on_ethernet(ip(balancer, server, protocol_udp, datagram));
    };
    expect_untouched(with({.first = 0x20}), PENSTOCK_DECAP_UNSUPPORTED); // control message
    expect_untouched(with({.first = 0x80}), PENSTOCK_DECAP_UNSUPPORTED); // variants 2 and 3
    expect_untouched(with({.first = 0xc0}), PENSTOCK_DECAP_UNSUPPORTED);
    for (const std::uint8_t version : std::to_array<std::uint8_t>({0x50, 0x70}))
        expect_untouched(with({.first = version}), PENSTOCK_DECAP_UNSUPPORTED);
    for (const std::uint8_t protocol : std::to_array<std::uint8_t>({0, 6, 47, 59, 255}))
        expect_untouched(with({.protocol = protocol}), PENSTOCK_DECAP_UNSUPPORTED);
    for (unsigned bit = 1; bit < 16; ++bit)
        expect_untouched(
            with({.flags = static_cast<std::uint16_t>(1U << bit), .optional = Bytes(8, 0)}),
            PENSTOCK_DECAP_UNSUPPORTED
        );
    // Remote checksum offload, and a private flag that nobody defined.
    expect_untouched(
        with({.flags = 1, .optional = {0x80, 0, 0, 0, 0, 0, 0, 6}}), PENSTOCK_DECAP_UNSUPPORTED
    );
    expect_untouched(with({.flags = 1, .optional = {0, 0, 0, 1}}), PENSTOCK_DECAP_UNSUPPORTED);
    // Private flags that the header has no room for.
    expect_untouched(with({.flags = 1}), PENSTOCK_DECAP_MALFORMED);
}

TEST_F(DecapTest, udp_is_gue_by_its_port_alone) {
    const auto to_port = [](std::uint16_t port) {
        const Bytes datagram = udp(port, gue({}, inner_of(vip)));
        return on_ethernet(ip(balancer6, server6, protocol_udp, datagram));
    };
    expect_untouched(to_port(6081), PENSTOCK_DECAP_PASSED);
    auto ports = GuePortMap::adopt(program_.map(PENSTOCK_GUE_PORTS_MAP));
    const std::array<std::uint16_t, 2> two = {6081, 19523};
    ASSERT_TRUE(ports && ports->set(two));
    const Bytes inner = inner_of(vip);
    for (const std::uint16_t port : two)
        expect_decapsulated(to_port(port), on_ethernet(inner), inner, PENSTOCK_DECAP_GUE);
    expect_untouched(to_port(6080), PENSTOCK_DECAP_PASSED);
}

TEST_F(DecapTest, a_udp_length_that_lies_is_malformed) {
    for (const int length : {0, 7, 8, 1000}) {
        SCOPED_TRACE(length);
        Bytes datagram = udp(gue_port, gue({}, inner_of(vip)));
        datagram[4] = static_cast<std::uint8_t>(length >> 8);
        datagram[5] = static_cast<std::uint8_t>(length);
        expect_untouched(
            on_ethernet(ip(balancer, server, protocol_udp, datagram)), PENSTOCK_DECAP_MALFORMED
        );
    }
}

TEST_F(DecapTest, fragments_of_ipv6_tunnels_are_left_to_the_kernel) {
    const auto fragment = [](std::uint8_t protocol, std::uint8_t low_byte, const Bytes& packet) {
        const Bytes header = {protocol, 0, 0, low_byte, 0, 0, 0, 9};
        return on_ethernet(ip(balancer6, server6, protocol_fragment, join(header, packet)));
    };
    const Bytes datagram = udp(gue_port, gue({}, inner_of(vip)));
    for (const std::uint8_t low_byte : std::to_array<std::uint8_t>({0, 1, 8, 9})) {
        SCOPED_TRACE(int{low_byte});
        for (const std::uint8_t protocol : {protocol_ipip, protocol_ipv6, protocol_gre})
            expect_untouched(fragment(protocol, low_byte, inner_of(vip)), PENSTOCK_DECAP_FRAGMENT);
        // Only the first fragment of a datagram has a port to know it by.
        expect_untouched(
            fragment(protocol_udp, low_byte, datagram),
            low_byte < 8 ? PENSTOCK_DECAP_FRAGMENT : PENSTOCK_DECAP_PASSED
        );
        expect_untouched(fragment(protocol_tcp, low_byte, payload()), PENSTOCK_DECAP_PASSED);
    }
}

// RFC 6040, figure 4: the mark of the inner packet by inner (row) and outer mark (column), each in
// the order of their code points: Not-ECT, ECT(1), ECT(0), CE. Nothing: dropped.
TEST_F(DecapTest, congestion_marks_go_to_the_inner_packet) {
    using Left = std::optional<std::uint8_t>;
    const std::array<std::array<Left, 4>, 4> figure_4 = {{
        {not_ect, not_ect, not_ect, std::nullopt},
        {ect_1, ect_1, ect_1, congested},
        {ect_0, ect_1, ect_0, congested},
        {congested, congested, congested, congested},
    }};
    constexpr std::uint8_t dscp = 0xb8;
    for (const Way& way : all_ways()) {
        for (const std::string_view destination : {vip, vip6}) {
            for (std::uint8_t inner_ecn = 0; inner_ecn < 4; ++inner_ecn) {
                for (std::uint8_t outer_ecn = 0; outer_ecn < 4; ++outer_ecn) {
                    SCOPED_TRACE(
                        testing::Message() << way.name << " to " << destination << " inner "
                                           << int{inner_ecn} << " outer " << int{outer_ecn}
                    );
                    const auto marked = [&](std::uint8_t ecn) {
                        return inner_of(destination, static_cast<std::uint8_t>(dscp | ecn));
                    };
                    const Bytes inner = marked(inner_ecn);
                    const Bytes frame = on_ethernet(carry(way, inner, outer_ecn));
                    const Left left = figure_4[inner_ecn][outer_ecn];
                    if (!left)
                        expect(frame, XDP_DROP, frame, PENSTOCK_DECAP_DROPPED_ECN, 0);
                    else
                        expect_decapsulated(frame, on_ethernet(marked(*left)), inner, way.counter);
                }
            }
        }
    }
}

} // namespace

} // namespace penstock::bpf::test
