// SPDX-License-Identifier: Apache-2.0
// The probe path: what its program puts before a probe, byte for byte, and what its loader makes of
// a namespace and takes away again.
#include "bpf/abi.h"
#include "bpf/counter_map.hpp"
#include "bpf/probe_path.hpp"
#include "bpf/sysctl.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/loaded_program.hpp"
#include "tests/bpf/scratch_interfaces.hpp"

#include <arpa/inet.h>
#include <array>
#include <bpf/bpf.h>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>
#include <optional>

namespace penstock::bpf::test {

namespace {

using testing::HasSubstr;

constexpr std::string_view vip4 = "198.51.100.10";
constexpr std::string_view vip6 = "2001:db8:1::10";
constexpr std::string_view node4 = "10.9.0.1";
constexpr std::string_view node6 = "fd00:9::1";
constexpr std::string_view backend4 = "10.9.0.2";
constexpr std::string_view backend6 = "fd00:9::2";
constexpr std::uint32_t mark = probe_mark | 7U;
constexpr std::uint16_t gue_port = 6080;

// "steered" towards the backends, with the node's addresses.
void give_addresses() {
    ASSERT_EQ(
        run_command("ip address add 10.9.0.1/24 dev steered && "
                    "ip address add fd00:9::1/64 dev steered nodad && "
                    "ip -6 route add 2001:db8::/32 via fd00:9::fe && "
                    "ip route add default via 10.9.0.254"),
        0
    );
}

class ProbeProgramTest : public testing::Test {
protected:
    ProbeProgramTest()
        : interfaces_(make_scratch_interfaces()),
          device_(ProbeDevice::open()),
          program_(probe_object_bytes()),
          counters_(CounterMap::adopt(program_.map("probe_counters"), PENSTOCK_PROBE_COUNTERS, 1)) {
        give_addresses();
        EXPECT_TRUE(device_) << device_.error().text();
        EXPECT_TRUE(counters_);
    }

    void set_target(penstock_probe_mode mode, std::string_view from, std::string_view to) {
        penstock_probe_target target{};
        std::memcpy(target.source, address(from).bytes().data(), sizeof(target.source));
        std::memcpy(target.destination, address(to).bytes().data(), sizeof(target.destination));
        target.mode = static_cast<std::uint8_t>(mode);
        target.ip_version = address(to).is_ipv4() ? 4 : 6;
        target.gue_port = htons(gue_port);
        const FileDescriptor targets = program_.map("probe_targets");
        ASSERT_EQ(bpf_map_update_elem(targets.number(), &mark, &target, BPF_ANY), 0);
    }

    std::uint64_t count(penstock_probe_counter counter) {
        std::uint64_t packets = 0;
        EXPECT_TRUE(counters_->read(counter, std::span(&packets, 1)));
        return packets;
    }

    Outcome send(const Bytes& frame, std::uint32_t with_mark = mark) {
        return program_.run_at_egress(frame, with_mark, device_->ifindex());
    }

    void expect_dropped(std::uint32_t with_mark, penstock_probe_counter counter) {
        const std::uint64_t before = count(counter);
        const Bytes frame = ethernet(ether_ipv4, ipv4({.destination = vip4}, payload()));
        EXPECT_EQ(send(frame, with_mark).verdict, static_cast<std::uint32_t>(TC_ACT_SHOT));
        EXPECT_EQ(count(counter), before + 1);
    }

    ScratchInterfaces interfaces_;
    BpfResult<ProbeDevice> device_;
    LoadedProgram program_;
    BpfResult<CounterMap> counters_;
};

Bytes inner_of(std::string_view vip, std::uint8_t tos) {
    const bool is_ipv4 = address(vip).is_ipv4();
    return ip(is_ipv4 ? node4 : node6, vip, protocol_tcp, payload(), tos);
}

std::uint16_t ether_type_of(const Bytes& packet) {
    return packet[0] >> 4U == 4 ? ether_ipv4 : ether_ipv6;
}

// What is expected behind the outer IP header.
Bytes tunnelled(penstock_probe_mode mode, const Bytes& inner) {
    const std::uint8_t protocol = inner[0] >> 4U == 4 ? protocol_ipip : protocol_ipv6;
    switch (mode) {
    case PENSTOCK_PROBE_GRE:
        return gre(0, ether_type_of(inner), inner);
    case PENSTOCK_PROBE_GUE_0:
        return udp(gue_port, gue({.protocol = protocol}, inner));
    case PENSTOCK_PROBE_GUE_1:
        return udp(gue_port, inner);
    default:
        return inner;
    }
}

std::uint8_t outer_protocol(penstock_probe_mode mode, const Bytes& inner) {
    if (mode == PENSTOCK_PROBE_GRE)
        return protocol_gre;
    if (mode != PENSTOCK_PROBE_IPIP)
        return protocol_udp;
    return inner[0] >> 4U == 4 ? protocol_ipip : protocol_ipv6;
}

// The outer IPv4 header is sent with "don't fragment" and no identification.
Bytes outer_ipv4(const Ipv4& header, const Bytes& payload) {
    Ipv4 with_flag = header;
    with_flag.fragment = 0x4000;
    Bytes packet = ipv4(with_flag, payload);
    packet[4] = packet[5] = 0;
    // The checksum is without the identification 0x1234 that ipv4() writes.
    std::uint32_t sum = static_cast<std::uint32_t>(packet[10] << 8U) + packet[11] + 0x1234U;
    sum = (sum & 0xffffU) + (sum >> 16U);
    packet[10] = static_cast<std::uint8_t>(sum >> 8U);
    packet[11] = static_cast<std::uint8_t>(sum);
    return packet;
}

TEST_F(ProbeProgramTest, every_tunnel_of_every_pair_of_families_is_written) {
    constexpr std::uint8_t tos = 0xb9; // EF, ECT(1)
    for (const penstock_probe_mode mode :
         {PENSTOCK_PROBE_IPIP, PENSTOCK_PROBE_GRE, PENSTOCK_PROBE_GUE_0, PENSTOCK_PROBE_GUE_1}) {
        for (const std::string_view vip : {vip4, vip6}) {
            for (const bool outer_is_ipv4 : {true, false}) {
                SCOPED_TRACE(testing::Message() << mode << " " << vip << " " << outer_is_ipv4);
                set_target(
                    mode, outer_is_ipv4 ? node4 : node6, outer_is_ipv4 ? backend4 : backend6
                );
                const Bytes inner = inner_of(vip, tos);
                const Outcome outcome = send(ethernet(ether_type_of(inner), inner));
                EXPECT_EQ(outcome.verdict, static_cast<std::uint32_t>(TC_ACT_REDIRECT));
                const std::uint8_t protocol = outer_protocol(mode, inner);
                Bytes left = tunnelled(mode, inner);
                if (protocol == protocol_udp) {
                    const std::size_t at = 14 + (outer_is_ipv4 ? 20 : 40);
                    ASSERT_GT(outcome.frame.size(), at + 2);
                    EXPECT_GE(outcome.frame[at], 0xc0); // any ephemeral port
                    std::copy_n(outcome.frame.begin() + static_cast<long>(at), 2, left.begin());
                }
                Bytes outer;
                if (outer_is_ipv4) {
                    outer = outer_ipv4(
                        {.source = node4, .destination = backend4, .protocol = protocol, .tos = tos
                        },
                        left
                    );
                } else {
                    outer = ip(node6, backend6, protocol, left, tos);
                    outer[7] = 64;
                }
                EXPECT_EQ(outcome.frame, ethernet(outer_is_ipv4 ? ether_ipv4 : ether_ipv6, outer));
            }
        }
    }
    EXPECT_EQ(count(PENSTOCK_PROBE_SENT), 16U);
}

TEST_F(ProbeProgramTest, l2dsr_leaves_the_packet_as_it_is) {
    for (const auto& [vip, from, to] :
         {std::tuple{vip4, node4, backend4}, std::tuple{vip6, node6, backend6}}) {
        set_target(PENSTOCK_PROBE_L2DSR, from, to);
        const Bytes inner = inner_of(vip, 0);
        const Bytes frame = ethernet(ether_type_of(inner), inner);
        EXPECT_EQ(send(frame), (Outcome{static_cast<std::uint32_t>(TC_ACT_REDIRECT), frame}));
    }
}

TEST_F(ProbeProgramTest, what_has_no_target_or_no_route_is_dropped) {
    expect_dropped(0, PENSTOCK_PROBE_NO_TARGET);
    expect_dropped(mark, PENSTOCK_PROBE_NO_TARGET);
    set_target(PENSTOCK_PROBE_IPIP, node4, backend4);
    expect_dropped(mark + 1, PENSTOCK_PROBE_NO_TARGET);
    set_target(PENSTOCK_PROBE_IPIP, node6, "fd00:77::1");
    expect_dropped(mark, PENSTOCK_PROBE_NO_ROUTE);
    set_target(PENSTOCK_PROBE_IPIP, node4, "127.0.0.1"); // no other host
    expect_dropped(mark, PENSTOCK_PROBE_NO_ROUTE);
}

class ProbePathTest : public testing::Test {
protected:
    ProbePathTest() : interfaces_(make_scratch_interfaces()) { give_addresses(); }

    static bool holds(const std::string& command) { return run_command(command) == 0; }

    ScratchInterfaces interfaces_;
    const std::string has_rules_ =
        "test $(ip rule | grep -c 'fwmark 0x50500000/0xfff00000 lookup 20563') = 1 && "
        "test $(ip -6 rule | grep -c 'fwmark 0x50500000/0xfff00000 lookup 20563') = 1";
    const std::string is_clean_ = "! ip rule | grep -q 20563 && ! ip -6 rule | grep -q 20563 && "
                                  "! ip link show dev penstock-probe 2>/dev/null";
};

TEST_F(ProbePathTest, what_it_makes_goes_away_with_it) {
    EXPECT_TRUE(holds(is_clean_));
    {
        auto path = ProbePath::open();
        ASSERT_TRUE(path) << path.error().text();
        EXPECT_TRUE(holds(has_rules_));
        EXPECT_TRUE(holds("ip route show table 20563 | grep -q 'default dev penstock-probe'"));
        EXPECT_TRUE(holds("ip -6 route show table 20563 | grep -q 'default dev penstock-probe'"));
        // Marked packets go there, others do not.
        EXPECT_TRUE(holds("ip route get 198.51.100.10 mark 0x50500007 | grep -q penstock-probe"));
        EXPECT_TRUE(holds("ip route get 198.51.100.10 | grep -q steered"));
    }
    EXPECT_TRUE(holds(is_clean_));
}

TEST_F(ProbePathTest, leftover_rules_are_removed_and_those_of_others_left) {
    const std::string rule = " rule add fwmark 0x50500000/0xfff00000 lookup 20563 priority 20563";
    ASSERT_EQ(run_command("ip" + rule), 0);
    ASSERT_EQ(run_command("ip -6" + rule), 0);
    ASSERT_EQ(run_command("ip rule add fwmark 0x1 lookup 20563 priority 99"), 0);
    {
        auto path = ProbePath::open();
        ASSERT_TRUE(path) << path.error().text();
        EXPECT_TRUE(holds(has_rules_));
    }
    EXPECT_TRUE(holds("ip rule | grep -q '^99:' && ip rule del priority 99"));
    EXPECT_TRUE(holds(is_clean_));
}

TEST_F(ProbePathTest, a_second_one_is_refused_and_harms_nobody) {
    auto path = ProbePath::open();
    ASSERT_TRUE(path);
    const auto second = ProbePath::open();
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().text(), HasSubstr("another process has the probe device"));
    EXPECT_TRUE(holds(has_rules_));
}

TEST_F(ProbePathTest, a_target_gets_a_mark_and_the_nodes_address) {
    auto path = ProbePath::open();
    ASSERT_TRUE(path);
    const auto four = path->add({.vip = address(vip4), .backend = address(backend4)});
    ASSERT_TRUE(four) << four.error().text();
    EXPECT_EQ(four->mark & probe_mark_mask, probe_mark);
    EXPECT_EQ(four->source, address(node4));
    EXPECT_TRUE(holds("ip route get 198.51.100.10 mark 0x50500000 | grep -q 'src 10.9.0.1'"));
    // The inner packet's family decides the source, the outer one's the way.
    const auto mixed = path->add({.vip = address(vip6), .backend = address(backend4)});
    ASSERT_TRUE(mixed) << mixed.error().text();
    EXPECT_NE(mixed->mark, four->mark);
    EXPECT_EQ(mixed->source, address(node6));
    EXPECT_TRUE(holds(
        "ip route get 2001:db8:1::10 mark 0x50500001 | grep -q 'dev penstock-probe.* src fd00:9::1'"
    ));
    path->remove(four->mark);
    path->remove(four->mark); // not given back twice
    const auto third = path->add({.vip = address(vip4), .backend = address(backend6)});
    const auto fourth = path->add({.vip = address(vip4), .backend = address(backend4)});
    ASSERT_TRUE(third && fourth);
    EXPECT_EQ(third->mark, four->mark);
    EXPECT_NE(fourth->mark, four->mark);
    // The kernel's own multicast reports on the device are of no target.
    const auto counters = path->read_counters();
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->sent + counters->no_route + counters->failed, 0U);
}

TEST_F(ProbePathTest, targets_that_cannot_be_reached_are_refused_with_the_remedy) {
    auto path = ProbePath::open();
    ASSERT_TRUE(path);
    const auto refusal = [&](const ProbeTarget& target) {
        const auto route = path->add(target);
        return route ? std::string("taken") : route.error().text();
    };
    const IpAddress vip = address(vip4);
    EXPECT_THAT(
        refusal({.vip = vip, .backend = address("fd00:77::1")}), HasSubstr("no route to fd00:77::1")
    );
    EXPECT_THAT(
        refusal({.vip = vip, .backend = address(node4)}), HasSubstr("is an address of this node")
    );
    EXPECT_THAT(
        refusal({.vip = vip, .backend = address(backend6), .mode = ProbeMode::l2dsr}),
        HasSubstr("not of the family of VIP")
    );
    EXPECT_THAT(
        refusal({.vip = vip, .backend = address(backend4), .outer_source = address(node6)}),
        HasSubstr("not of the family of backend")
    );
}

TEST_F(ProbePathTest, the_reverse_path_filter_is_opened_and_put_back) {
    const std::string all = "ipv4/conf/all/rp_filter";
    const std::string own = "ipv4/conf/steered/rp_filter";
    const ProbeTarget target{.vip = address(vip4), .backend = address(backend4)};
    ASSERT_TRUE(write_sysctl(own, 1));
    for (const int of_all : {0, 1}) {
        ASSERT_TRUE(write_sysctl(all, of_all));
        auto path = ProbePath::open();
        ASSERT_TRUE(path && path->add(target));
        EXPECT_EQ(read_sysctl(own), 2); // there is a default route
    }
    EXPECT_EQ(read_sysctl(own), 1);

    ASSERT_EQ(run_command("ip route del default"), 0);
    {
        auto path = ProbePath::open();
        ASSERT_TRUE(path);
        const auto refused = path->add(target);
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().text(), HasSubstr("no route to VIP 198.51.100.10"));
        ASSERT_TRUE(write_sysctl(all, 0));
        ASSERT_TRUE(path->add(target)); // trying again is right
        EXPECT_EQ(read_sysctl(own), 0);
    }
    EXPECT_EQ(read_sysctl(own), 1);
}

} // namespace

} // namespace penstock::bpf::test
