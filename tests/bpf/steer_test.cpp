// SPDX-License-Identifier: Apache-2.0
// Steering, frame by frame: what goes to the dataplane, what to the kernel, what is dropped, and
// that each frame is counted once and left as it was.
#include "bpf/abi.h"
#include "bpf/counter_map.hpp"
#include "bpf/steering.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/loaded_program.hpp"

#include <array>
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/socket.h>

namespace penstock::bpf::test {

namespace {

constexpr std::string_view vip4 = "198.51.100.10";
constexpr std::string_view vip6 = "2001:db8:1::10";
constexpr std::string_view other4 = "198.51.100.11";
constexpr std::string_view other6 = "2001:db8:1::11";
constexpr std::string_view solicited_node = "ff02::1:ff00:10";

using Counts = std::array<std::uint64_t, PENSTOCK_STEER_COUNTERS>;

class SteerTest : public testing::Test {
protected:
    SteerTest()
        : program_(steering_object_bytes()),
          counters_(CounterMap::adopt(
              program_.map(PENSTOCK_STEER_COUNTERS_MAP), PENSTOCK_STEER_COUNTERS, 1
          )) {
        auto vips = VipMap::adopt(program_.map(PENSTOCK_VIPS_MAP));
        const std::array wanted = {address(vip4), address(vip6)};
        if (!counters_ || !vips || !vips->set(wanted))
            ADD_FAILURE() << "the maps of the object are not those of abi.h";
    }

    // A socket need not be bound for the map to take it, nor for BPF_PROG_TEST_RUN to say
    // "redirect".
    void serve_queue_0() {
        socket_ = FileDescriptor(::socket(AF_XDP, SOCK_RAW, 0));
        ASSERT_TRUE(socket_.is_open()) << "AF_XDP sockets: " << std::strerror(errno);
        const std::uint32_t queue = 0;
        const int number = socket_.number();
        const FileDescriptor sockets = program_.map(PENSTOCK_SOCKETS_MAP);
        ASSERT_EQ(bpf_map_update_elem(sockets.number(), &queue, &number, BPF_ANY), 0)
            << std::strerror(errno);
    }

    [[nodiscard]] Counts counts() {
        Counts all{};
        for (std::uint32_t counter = 0; counter < all.size(); ++counter) {
            auto read = counters_->read(counter, std::span(&all[counter], 1));
            EXPECT_TRUE(read) << read.error().text();
        }
        return all;
    }

    // The frame gets this verdict, is counted there and nowhere else, and is not changed.
    void expect(const Bytes& frame, std::uint32_t verdict, penstock_steer_counter counter) {
        Counts expected = counts();
        ++expected[counter];
        const Outcome outcome = program_.run(frame);
        EXPECT_EQ(outcome.verdict, verdict);
        EXPECT_EQ(outcome.frame, frame);
        EXPECT_EQ(counts(), expected);
    }

    // Ours: redirected with a socket, dropped without one, never passed.
    void expect_ours(const Bytes& frame) {
        expect(frame, XDP_DROP, PENSTOCK_STEER_DROPPED_NO_SOCKET);
        serve_queue_0();
        expect(frame, XDP_REDIRECT, PENSTOCK_STEER_REDIRECTED);
        socket_ = FileDescriptor();
    }

    void expect_passed(const Bytes& frame) {
        expect(frame, XDP_PASS, PENSTOCK_STEER_PASSED);
        serve_queue_0();
        expect(frame, XDP_PASS, PENSTOCK_STEER_PASSED);
        socket_ = FileDescriptor();
    }

    void expect_malformed(const Bytes& frame) {
        serve_queue_0();
        expect(frame, XDP_PASS, PENSTOCK_STEER_MALFORMED);
        socket_ = FileDescriptor();
    }

    LoadedProgram program_;
    BpfResult<CounterMap> counters_;
    FileDescriptor socket_;
};

Bytes to4(std::string_view destination) {
    return ipv4({.destination = destination}, payload());
}

Bytes to6(std::string_view destination) {
    return ipv6({.destination = destination}, payload());
}

Bytes solicitation(std::string_view target) {
    return ipv6(
        {.destination = solicited_node, .next_header = protocol_icmpv6},
        neighbour_message(135, target)
    );
}

TEST_F(SteerTest, ipv4_to_a_vip_is_ours_and_else_the_kernels) {
    expect_ours(ethernet(ether_ipv4, to4(vip4)));
    expect_passed(ethernet(ether_ipv4, to4(other4)));
    // From a VIP is not to a VIP.
    expect_passed(ethernet(ether_ipv4, ipv4({.source = vip4, .destination = other4}, payload())));
}

TEST_F(SteerTest, every_protocol_of_a_vip_is_ours) {
    for (const int protocol : {1, 4, 6, 17, 47, 50, 132, 255}) {
        SCOPED_TRACE(protocol);
        const Ipv4 header{.destination = vip4, .protocol = static_cast<std::uint8_t>(protocol)};
        expect_ours(ethernet(ether_ipv4, ipv4(header, payload())));
    }
}

TEST_F(SteerTest, fragments_and_options_do_not_hide_the_destination) {
    const Bytes options = {0x94, 0x04, 0x00, 0x00}; // router alert
    for (const std::uint16_t fragment :
         std::to_array<std::uint16_t>({0x2000, 0x2010, 0x0010, 0x1fff})) {
        SCOPED_TRACE(fragment);
        expect_ours(
            ethernet(ether_ipv4, ipv4({.destination = vip4, .fragment = fragment}, payload()))
        );
    }
    expect_ours(ethernet(ether_ipv4, ipv4({.destination = vip4, .options = options}, payload())));
    expect_passed(ethernet(ether_ipv4, ipv4({.destination = other4, .options = options}, payload()))
    );
}

TEST_F(SteerTest, a_bad_packet_to_a_vip_is_for_the_dataplane_to_name) {
    Bytes short_header = to4(vip4);
    short_header[0] = 0x44; // four words: below the least
    expect_ours(ethernet(ether_ipv4, short_header));
    Bytes long_total = to4(vip4);
    long_total[2] = 0xff;
    expect_ours(ethernet(ether_ipv4, long_total));
    Bytes bad_checksum = to4(vip4);
    bad_checksum[10] ^= 0xff;
    expect_ours(ethernet(ether_ipv4, bad_checksum));
}

TEST_F(SteerTest, ipv6_to_a_vip_is_ours_and_else_the_kernels) {
    expect_ours(ethernet(ether_ipv6, to6(vip6)));
    expect_passed(ethernet(ether_ipv6, to6(other6)));
    // With a fragment header (44), with hop-by-hop options (0), with nothing (59) behind it.
    for (const std::uint8_t next_header : std::to_array<std::uint8_t>({0, 43, 44, 58, 59})) {
        SCOPED_TRACE(next_header);
        expect_ours(
            ethernet(ether_ipv6, ipv6({.destination = vip6, .next_header = next_header}, payload()))
        );
    }
}

// ::ffff:198.51.100.10 is how the map holds the IPv4 VIP; as an IPv6 destination it is nobody's
// (RFC 4291 2.5.5.2: such addresses are not for the wire), so it must not lead an IPv6 packet to an
// IPv4 service.
TEST_F(SteerTest, the_mapped_form_of_a_vip_is_not_the_vip) {
    const auto mapped = address(vip4).bytes();
    Bytes packet = to6(vip6);
    std::copy(mapped.begin(), mapped.end(), packet.begin() + 24);
    expect_passed(ethernet(ether_ipv6, packet));
    Bytes asked = solicitation(vip6);
    std::copy(mapped.begin(), mapped.end(), asked.end() - 16);
    expect_passed(ethernet(ether_ipv6, asked));
}

TEST_F(SteerTest, tags_are_looked_through_up_to_two) {
    const Bytes one = ethernet(ether_8021q, vlan(100, ether_ipv4, to4(vip4)));
    const Bytes two =
        ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(100, ether_ipv4, to4(vip4))));
    const Bytes three = ethernet(
        ether_8021ad, vlan(7, ether_8021q, vlan(8, ether_8021q, vlan(100, ether_ipv4, to4(vip4))))
    );
    expect_ours(one);
    expect_ours(two);
    expect_passed(three);
    expect_ours(ethernet(ether_8021q, vlan(100, ether_ipv6, to6(vip6))));
    expect_ours(ethernet(ether_8021q, vlan(100, ether_arp, arp(1, vip4))));
    expect_passed(ethernet(ether_8021q, vlan(100, ether_ipv4, to4(other4))));
}

TEST_F(SteerTest, arp_requests_for_a_vip_are_ours) {
    expect_ours(ethernet(ether_arp, arp(1, vip4)));
    expect_passed(ethernet(ether_arp, arp(1, other4)));
    expect_passed(ethernet(ether_arp, arp(2, vip4))); // a reply asks for nothing
    Bytes infiniband = arp(1, vip4);
    infiniband[1] = 32;
    expect_passed(ethernet(ether_arp, infiniband));
    Bytes other_protocol = arp(1, vip4);
    other_protocol[2] = 0x86;
    expect_passed(ethernet(ether_arp, other_protocol));
}

TEST_F(SteerTest, neighbour_solicitations_for_a_vip_are_ours) {
    expect_ours(ethernet(ether_ipv6, solicitation(vip6)));
    expect_passed(ethernet(ether_ipv6, solicitation(other6)));
    const Ipv6 header{.destination = solicited_node, .next_header = protocol_icmpv6};
    expect_passed(ethernet(ether_ipv6, ipv6(header, neighbour_message(136, vip6))));
    // Behind an extension header it is the kernel's: RFC 6980 has it ignored.
    const Bytes hop_by_hop = {protocol_icmpv6, 0, 1, 4, 0, 0, 0, 0};
    expect_passed(ethernet(
        ether_ipv6,
        ipv6(
            {.destination = solicited_node, .next_header = 0},
            join(hop_by_hop, neighbour_message(135, vip6))
        )
    ));
}

TEST_F(SteerTest, other_ether_types_are_the_kernels) {
    expect_passed(ethernet(0x88cc, payload())); // LLDP
    expect_passed(ethernet(46, payload()));     // an IEEE 802.3 length
    expect_passed(ethernet(0x8847, to4(vip4))); // MPLS
}

// Every length that a frame can be cut to: below the last byte of the destination it has no owner.
void cut(const Bytes& frame, std::size_t needed, const auto& expect_whole, const auto& expect_cut) {
    for (std::size_t length = 14; length <= frame.size(); ++length) {
        SCOPED_TRACE(length);
        const Bytes cut_frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
        if (length >= needed)
            expect_whole(cut_frame);
        else
            expect_cut(cut_frame);
    }
}

TEST_F(SteerTest, every_truncation_has_a_verdict) {
    const auto ours = [this](const Bytes& frame) { expect_ours(frame); };
    const auto malformed = [this](const Bytes& frame) { expect_malformed(frame); };
    cut(ethernet(ether_ipv4, to4(vip4)), 14 + 20, ours, malformed);
    cut(ethernet(ether_ipv6, to6(vip6)), 14 + 40, ours, malformed);
    cut(ethernet(ether_arp, arp(1, vip4)), 14 + 28, ours, malformed);
    cut(ethernet(ether_8021q, vlan(1, ether_ipv4, to4(vip4))), 18 + 20, ours, malformed);
    cut(ethernet(ether_8021ad, vlan(1, ether_8021q, vlan(2, ether_ipv6, to6(vip6)))),
        22 + 40,
        ours,
        malformed);
    // A solicitation's IPv6 header stands on its own: it is to somebody, if not to a VIP.
    const Bytes asked = ethernet(ether_ipv6, solicitation(vip6));
    cut(
        asked,
        14 + 40,
        [&](const Bytes& frame) {
            if (frame.size() == asked.size())
                expect_ours(frame);
            else
                expect_passed(frame);
        },
        malformed
    );
}

TEST_F(SteerTest, a_wrong_version_has_no_owner) {
    expect_malformed(ethernet(ether_ipv4, to6(vip6)));
    expect_malformed(ethernet(ether_ipv6, to4(vip4)));
}

TEST_F(SteerTest, a_closed_socket_leaves_its_queue_dropping) {
    const Bytes frame = ethernet(ether_ipv4, to4(vip4));
    serve_queue_0();
    expect(frame, XDP_REDIRECT, PENSTOCK_STEER_REDIRECTED);
    socket_ = FileDescriptor(); // as after kill -9 of the dataplane
    expect(frame, XDP_DROP, PENSTOCK_STEER_DROPPED_NO_SOCKET);
}

TEST_F(SteerTest, without_vips_everything_is_the_kernels) {
    auto vips = VipMap::adopt(program_.map(PENSTOCK_VIPS_MAP));
    ASSERT_TRUE(vips && vips->set({}));
    for (const Bytes& frame :
         {ethernet(ether_ipv4, to4(vip4)),
          ethernet(ether_ipv6, to6(vip6)),
          ethernet(ether_arp, arp(1, vip4)),
          ethernet(ether_ipv6, solicitation(vip6))})
        expect_passed(frame);
}

} // namespace

} // namespace penstock::bpf::test
