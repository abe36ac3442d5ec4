// SPDX-License-Identifier: Apache-2.0
// Steering, frame by frame: what goes to the dataplane, what to the kernel, what is dropped, and
// that each frame is counted once and left as it was. It is long because every kind of frame that
// could be ours, and what looks like one, is a case on one fixture.
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
constexpr std::string_view node4 = "10.0.1.1"; // addresses of the node's kernel, and of its tunnels
constexpr std::string_view node6 = "2001:db8:ff::1";
constexpr std::string_view backend4 = "10.0.1.11";
constexpr std::string_view backend6 = "2001:db8:ff::11";
constexpr std::string_view router4 = "10.0.9.9";
constexpr std::string_view router6 = "2001:db8:fe::9";
constexpr std::uint16_t gue_port = 6080;
constexpr std::string_view solicited_node = "ff02::1:ff00:10";

using Counts = std::array<std::uint64_t, PENSTOCK_STEER_COUNTERS>;

class SteerTest : public testing::Test {
protected:
    SteerTest()
        : program_(steering_object_bytes()),
          counters_(CounterMap::adopt(
              program_.map(PENSTOCK_STEER_COUNTERS_MAP), PENSTOCK_STEER_COUNTERS, 1
          )) {
        auto vips = PrefixMap::adopt(program_.map(PENSTOCK_VIPS_MAP), "VIP");
        auto sources = PrefixMap::adopt(program_.map(PENSTOCK_TUNNEL_SOURCES_MAP), "tunnel source");
        auto ports = GuePortMap::adopt(program_.map(PENSTOCK_GUE_PORTS_MAP));
        const std::array wanted = {
            prefix(vip4), prefix(vip6), prefix("203.0.113.0/28"), prefix("2001:db8:2::/64")
        };
        const std::array wanted_sources = {
            prefix(node4), prefix(node6), prefix("172.16.0.0/16"), prefix("2001:db8:7::/48")
        };
        const std::array wanted_ports = {gue_port};
        if (!counters_ || !vips || !vips->set(wanted) || !sources ||
            !sources->set(wanted_sources) || !ports || !ports->set(wanted_ports))
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

    // Ours with a socket; without one the kernel gets it, whose address it is to.
    void expect_error_ours(const Bytes& frame) {
        expect(frame, XDP_PASS, PENSTOCK_STEER_PASSED);
        serve_queue_0();
        expect(frame, XDP_REDIRECT, PENSTOCK_STEER_TUNNEL_ERROR);
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

TEST_F(SteerTest, every_address_of_a_vip_prefix_is_ours_and_no_other) {
    for (const std::string_view inside : {"203.0.113.0", "203.0.113.15"}) {
        SCOPED_TRACE(inside);
        expect_ours(ethernet(ether_ipv4, to4(inside)));
        expect_ours(ethernet(ether_arp, arp(1, inside)));
    }
    for (const std::string_view outside : {"203.0.112.255", "203.0.113.16"}) {
        SCOPED_TRACE(outside);
        expect_passed(ethernet(ether_ipv4, to4(outside)));
        expect_passed(ethernet(ether_arp, arp(1, outside)));
    }
    for (const std::string_view inside : {"2001:db8:2::", "2001:db8:2::ffff:ffff:ffff:ffff"}) {
        SCOPED_TRACE(inside);
        expect_ours(ethernet(ether_ipv6, to6(inside)));
        expect_ours(ethernet(ether_ipv6, solicitation(inside)));
    }
    expect_passed(ethernet(ether_ipv6, to6("2001:db8:2:1::")));
    expect_passed(ethernet(ether_ipv6, solicitation("2001:db8:2:1::")));
}

TEST_F(SteerTest, a_prefix_of_one_family_takes_nothing_of_the_other) {
    auto vips = PrefixMap::adopt(program_.map(PENSTOCK_VIPS_MAP), "VIP");
    const std::array six = {prefix("::/0")};
    ASSERT_TRUE(vips && vips->set(six));
    expect_passed(ethernet(ether_ipv4, to4(vip4)));
    expect_ours(ethernet(ether_ipv6, to6(other6)));
    const std::array four = {prefix("0.0.0.0/0")};
    ASSERT_TRUE(vips->set(four));
    expect_ours(ethernet(ether_ipv4, to4(other4)));
    expect_passed(ethernet(ether_ipv6, to6(other6)));
}

// What an ICMP error of a router says about a packet that we sent into a tunnel to a backend.
Bytes error4(const Bytes& quoted, std::uint8_t type = 3, std::uint8_t code = 4) {
    const Bytes packet = ip(router4, node4, protocol_icmp, icmp_error(type, code, quoted));
    return ethernet(ether_ipv4, packet);
}

Bytes error6(const Bytes& quoted, std::uint8_t type = 2) {
    const Bytes packet = ip(router6, node6, protocol_icmpv6, icmp_error(type, 0, quoted));
    return ethernet(ether_ipv6, packet);
}

Bytes tunnel4(std::uint8_t protocol, const Bytes& inner, std::string_view source = node4) {
    return ip(source, backend4, protocol, inner);
}

Bytes tunnel6(std::uint8_t protocol, const Bytes& inner, std::string_view source = node6) {
    return ip(source, backend6, protocol, inner);
}

TEST_F(SteerTest, errors_about_our_tunnel_packets_are_ours) {
    for (const std::uint8_t protocol : {protocol_ipip, protocol_ipv6, protocol_gre}) {
        SCOPED_TRACE(int{protocol});
        expect_error_ours(error4(tunnel4(protocol, to4(vip4))));
        expect_error_ours(error6(tunnel6(protocol, to4(vip4))));
    }
    const Bytes datagram = udp(gue_port, to4(vip4));
    expect_error_ours(error4(tunnel4(protocol_udp, datagram)));
    expect_error_ours(error6(tunnel6(protocol_udp, datagram)));
    // Every code of "unreachable", not "too big" alone.
    for (const std::uint8_t code : std::to_array<std::uint8_t>({0, 1, 3, 4, 13}))
        expect_error_ours(error4(tunnel4(protocol_ipip, to4(vip4)), 3, code));
    expect_error_ours(error6(tunnel6(protocol_ipip, to4(vip4)), 1));
    // Sources may be a prefix.
    expect_error_ours(error4(tunnel4(protocol_ipip, to4(vip4), "172.16.200.3")));
    expect_error_ours(error6(tunnel6(protocol_ipv6, to6(vip6), "2001:db8:7:8::9")));
}

TEST_F(SteerTest, tags_and_options_do_not_hide_an_error) {
    const Bytes quoted = tunnel4(protocol_gre, gre(0, ether_ipv4, to4(vip4)));
    const Bytes options(40, 0x01);
    const Ipv4 long_header{
        .source = router4, .destination = node4, .protocol = protocol_icmp, .options = options
    };
    const Bytes packet = ipv4(long_header, icmp_error(3, 4, quoted));
    expect_error_ours(ethernet(ether_ipv4, packet));
    expect_error_ours(ethernet(ether_8021ad, vlan(7, ether_8021q, vlan(9, ether_ipv4, packet))));
    const Ipv4 quoted_options{
        .source = node4, .destination = backend4, .protocol = protocol_udp, .options = options
    };
    expect_error_ours(error4(ipv4(quoted_options, udp(gue_port, to4(vip4)))));
}

TEST_F(SteerTest, errors_about_anything_else_are_the_kernels) {
    // The node's own connections, and UDP to another port.
    expect_passed(error4(tunnel4(protocol_tcp, payload())));
    expect_passed(error4(tunnel4(protocol_udp, udp(53, payload()))));
    expect_passed(error6(tunnel6(protocol_tcp, payload())));
    expect_passed(error6(tunnel6(protocol_udp, udp(53, payload()))));
    // Tunnels of somebody else.
    expect_passed(error4(tunnel4(protocol_ipip, to4(vip4), "10.0.1.2")));
    expect_passed(error6(tunnel6(protocol_ipip, to4(vip4), "2001:db8:ff::2")));
    // Other types: an echo reply, time exceeded; for IPv6 what the kernel needs for itself.
    for (const std::uint8_t type : std::to_array<std::uint8_t>({0, 5, 8, 11, 12}))
        expect_passed(error4(tunnel4(protocol_ipip, to4(vip4)), type, 0));
    for (const std::uint8_t type : std::to_array<std::uint8_t>({3, 4, 128, 134, 136}))
        expect_passed(error6(tunnel6(protocol_ipip, to4(vip4)), type));
    // Later fragments: of the error (it has no ICMP header) and of the quoted packet.
    const Ipv4 later{
        .source = router4, .destination = node4, .protocol = protocol_icmp, .fragment = 0x0010
    };
    const Bytes quoted = tunnel4(protocol_ipip, to4(vip4));
    expect_passed(ethernet(ether_ipv4, ipv4(later, icmp_error(3, 4, quoted))));
    const Ipv4 quoted_later{
        .source = node4, .destination = backend4, .protocol = protocol_ipip, .fragment = 0x0010
    };
    expect_passed(error4(ipv4(quoted_later, to4(vip4))));
    // Headers that lie.
    Bytes short_header = quoted;
    short_header[0] = 0x44;
    expect_passed(error4(short_header));
    expect_passed(error4(tunnel6(protocol_ipip, to4(vip4))));
    expect_passed(error6(quoted));
}

TEST_F(SteerTest, an_error_to_a_vip_is_as_any_packet_to_a_vip) {
    const Bytes quoted = ip(vip4, "192.0.2.7", protocol_tcp, payload());
    expect_ours(ethernet(ether_ipv4, ip(router4, vip4, protocol_icmp, icmp_error(3, 4, quoted))));
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

// An error that is cut is the kernel's until the last byte that we need is there.
TEST_F(SteerTest, every_truncation_of_an_error_is_the_kernels) {
    const auto ours = [this](const Bytes& frame) { expect_error_ours(frame); };
    const auto passed = [this](const Bytes& frame) {
        expect(
            frame,
            XDP_PASS,
            frame.size() < 14 + 20 ? PENSTOCK_STEER_MALFORMED : PENSTOCK_STEER_PASSED
        );
    };
    const auto passed6 = [this](const Bytes& frame) {
        expect(
            frame,
            XDP_PASS,
            frame.size() < 14 + 40 ? PENSTOCK_STEER_MALFORMED : PENSTOCK_STEER_PASSED
        );
    };
    const Bytes datagram = udp(gue_port, to4(vip4));
    cut(error4(tunnel4(protocol_ipip, to4(vip4))), 14 + 20 + 8 + 20, ours, passed);
    cut(error4(tunnel4(protocol_udp, datagram)), 14 + 20 + 8 + 20 + 8, ours, passed);
    cut(error6(tunnel6(protocol_ipip, to4(vip4))), 14 + 40 + 8 + 40, ours, passed6);
    cut(error6(tunnel6(protocol_udp, datagram)), 14 + 40 + 8 + 40 + 8, ours, passed6);
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
    auto vips = PrefixMap::adopt(program_.map(PENSTOCK_VIPS_MAP), "VIP");
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
