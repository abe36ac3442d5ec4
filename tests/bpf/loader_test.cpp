// SPDX-License-Identifier: Apache-2.0
// The loader against real interfaces: programs are found, fed, read, recognised and detached; those
// of others are left alone.
#include "bpf/abi.h"
#include "bpf/decapsulator.hpp"
#include "bpf/steering.hpp"
#include "tests/bpf/frame.hpp"
#include "tests/bpf/loaded_program.hpp"
#include "tests/bpf/scratch_interfaces.hpp"

#include <array>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <optional>
#include <sys/socket.h>

namespace penstock::bpf::test {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DecapsulatorSettings settings(std::string_view vip) {
    return {.vips = {prefix(vip)}, .gue_ports = {6080}};
}

class LoaderTest : public testing::Test {
protected:
    LoaderTest() : interfaces_(make_scratch_interfaces()) {}

    // As DPDK does it: by path, without our code, and without a link that would go away with us.
    void attach_as_dpdk_does(const std::string& path, std::uint32_t flags = XDP_FLAGS_DRV_MODE) {
        std::unique_ptr<bpf_object, decltype(&bpf_object__close)> object(
            bpf_object__open_file(path.c_str(), nullptr), bpf_object__close
        );
        ASSERT_NE(object, nullptr) << path;
        ASSERT_EQ(bpf_object__load(object.get()), 0);
        const bpf_program* program = bpf_object__next_program(object.get(), nullptr);
        ASSERT_EQ(
            bpf_xdp_attach(
                static_cast<int>(interfaces_.first),
                bpf_program__fd(program),
                flags | XDP_FLAGS_UPDATE_IF_NOEXIST,
                nullptr
            ),
            0
        );
    }

    void attach_steering() {
        auto object = write_steering_object();
        ASSERT_TRUE(object) << object.error().text();
        attach_as_dpdk_does(object->path());
    }

    // Any program that is not ours: passes everything.
    void attach_foreign(const char* name) {
        const std::array<bpf_insn, 2> pass = {{
            {.code = BPF_ALU64 | BPF_MOV | BPF_K,
             .dst_reg = 0,
             .src_reg = 0,
             .off = 0,
             .imm = XDP_PASS},
            {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        }};
        const FileDescriptor program(
            bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", pass.data(), pass.size(), nullptr)
        );
        ASSERT_TRUE(program.is_open()) << std::strerror(errno);
        ASSERT_EQ(
            bpf_xdp_attach(
                static_cast<int>(interfaces_.first), program.number(), XDP_FLAGS_DRV_MODE, nullptr
            ),
            0
        );
    }

    [[nodiscard]] std::uint32_t attached_id() const {
        std::uint32_t id = 0;
        EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(interfaces_.first), 0, &id), 0);
        return id;
    }

    void send_from_outside(const Bytes& frame) const {
        const FileDescriptor socket(::socket(AF_PACKET, SOCK_RAW, 0));
        sockaddr_ll to{};
        to.sll_family = AF_PACKET;
        to.sll_ifindex = static_cast<int>(interfaces_.second);
        ASSERT_EQ(
            ::sendto(
                socket.number(),
                frame.data(),
                frame.size(),
                0,
                reinterpret_cast<const sockaddr*>(&to),
                sizeof(to)
            ),
            static_cast<ssize_t>(frame.size())
        ) << std::strerror(errno);
    }

    // The kernel delivers on another CPU's time: asks until `reached` says so, at most two seconds.
    template <typename Program, typename Counters>
    Counters counters_when(Program& program, bool (*reached)(const Counters&)) {
        Counters last{};
        for (int attempt = 0; attempt < 200; ++attempt) {
            auto counters = program.read_counters();
            EXPECT_TRUE(counters) << counters.error().text();
            last = counters.value_or(Counters{});
            if (reached(last))
                break;
            ::usleep(10'000);
        }
        return last;
    }

    ScratchInterfaces interfaces_;
};

TEST_F(LoaderTest, steering_is_found_fed_and_read_through_its_interface) {
    attach_steering();
    auto steering = find_steering(interfaces_.first);
    ASSERT_TRUE(steering) << steering.error().text();
    EXPECT_EQ(steering->mode(), AttachMode::native);
    EXPECT_EQ(steering->program_id(), attached_id());
    EXPECT_THAT(steering->vips(), IsEmpty());

    const std::array vips = {address("198.51.100.10")};
    ASSERT_TRUE(steering->set_vips(vips));
    for (int packet = 0; packet < 3; ++packet)
        send_from_outside(ethernet(ether_ipv4, ipv4({.destination = "198.51.100.10"}, payload())));
    const auto counters =
        counters_when<Steering, SteeringCounters>(*steering, [](const SteeringCounters& read) {
            return read.dropped_no_socket >= 3;
        });
    EXPECT_EQ(counters.dropped_no_socket, 3U);
    EXPECT_EQ(counters.redirected, 0U);
}

TEST_F(LoaderTest, steering_in_generic_mode_is_found_and_detached) {
    auto object = write_steering_object();
    ASSERT_TRUE(object);
    attach_as_dpdk_does(object->path(), XDP_FLAGS_SKB_MODE);
    auto steering = find_steering(interfaces_.first);
    ASSERT_TRUE(steering) << steering.error().text();
    EXPECT_EQ(steering->mode(), AttachMode::generic);
    EXPECT_EQ(detach_leftover_steering(interfaces_.first), Leftover::detached);
    EXPECT_EQ(attached_id(), 0U);
}

TEST_F(LoaderTest, the_whole_set_of_vips_replaces_the_one_before) {
    attach_steering();
    auto steering = find_steering(interfaces_.first);
    ASSERT_TRUE(steering);
    const IpPrefix a = prefix("198.51.100.1");
    const IpPrefix b = prefix("198.51.100.0/28"); // contains a
    const IpPrefix six = prefix("2001:db8::/64");
    const IpPrefix all = prefix("0.0.0.0/0");
    for (const std::vector<IpPrefix>& wanted :
         {std::vector{b, a, a},
          std::vector{b, six},
          std::vector<IpPrefix>{},
          std::vector{six, a},
          std::vector{all, prefix("::/0"), b}}) {
        ASSERT_TRUE(steering->set_vips(wanted));
        std::vector<IpPrefix> sorted = wanted;
        std::sort(sorted.begin(), sorted.end());
        sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
        EXPECT_EQ(steering->vips(), sorted);
        // What another process would read out of the kernel.
        auto again = find_steering(interfaces_.first);
        ASSERT_TRUE(again);
        EXPECT_EQ(again->vips(), sorted);
    }
}

TEST_F(LoaderTest, tunnels_replace_those_before) {
    attach_steering();
    auto steering = find_steering(interfaces_.first);
    ASSERT_TRUE(steering);
    std::vector<std::uint16_t> ports;
    for (std::uint16_t port = 1; port <= PENSTOCK_MAX_GUE_PORTS; ++port)
        ports.push_back(port);
    ASSERT_TRUE(steering->set_tunnels({{prefix("10.0.0.1"), prefix("2001:db8::1")}, ports}));
    for (std::uint16_t& port : ports)
        port = static_cast<std::uint16_t>(port + 1000);
    ASSERT_TRUE(steering->set_tunnels({{}, ports}));
    ports.push_back(6080);
    const auto refused = steering->set_tunnels({{}, ports});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("65 GUE ports, at most 64 fit"));
    ASSERT_TRUE(steering->set_tunnels({}));
}

TEST_F(LoaderTest, as_many_vips_as_prefixes_fit_and_no_more) {
    attach_steering();
    auto steering = find_steering(interfaces_.first);
    ASSERT_TRUE(steering);
    std::vector<IpAddress> vips;
    for (std::uint32_t number = 0; number < PENSTOCK_MAX_PREFIXES; ++number)
        vips.push_back(IpAddress::from_ipv4(Be32::from_host(0xc6120000U + number)));
    ASSERT_TRUE(steering->set_vips(vips));
    const std::vector<IpPrefix> full = steering->vips();
    vips.push_back(address("203.0.113.1"));
    const auto refused = steering->set_vips(vips);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("8193 VIPs, at most 8192 fit"));
    EXPECT_EQ(steering->vips(), full);
    // All others at once: there is no room to add before the old ones are gone.
    for (IpAddress& vip : vips)
        vip = IpAddress::from_ipv4(Be32::from_host(vip.ipv4().host() + 0x10000U));
    vips.pop_back();
    ASSERT_TRUE(steering->set_vips(vips));
    auto again = find_steering(interfaces_.first);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->vips(), to_prefixes(vips));
}

TEST_F(LoaderTest, an_interface_without_a_program_says_so) {
    const auto steering = find_steering(interfaces_.first);
    ASSERT_FALSE(steering);
    EXPECT_THAT(steering.error().text(), HasSubstr("steered has no steering program"));
    EXPECT_EQ(detach_leftover_steering(interfaces_.first), Leftover::none);
    const auto missing = find_steering(4711);
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error().text(), HasSubstr("interface 4711"));
    EXPECT_THAT(missing.error().text(), HasSubstr("ip link"));
}

TEST_F(LoaderTest, a_leftover_of_ours_is_detached) {
    attach_steering();
    ASSERT_NE(attached_id(), 0U);
    EXPECT_EQ(detach_leftover_steering(interfaces_.first), Leftover::detached);
    EXPECT_EQ(attached_id(), 0U);
    EXPECT_EQ(detach_leftover_steering(interfaces_.first), Leftover::none);
}

TEST_F(LoaderTest, the_program_of_somebody_else_is_left_and_named) {
    // One of them even bears our name: without the marker map it is not ours.
    for (const char* name : {"their_program", PENSTOCK_STEER_PROGRAM}) {
        SCOPED_TRACE(name);
        attach_foreign(name);
        const std::uint32_t id = attached_id();
        const auto detached = detach_leftover_steering(interfaces_.first);
        ASSERT_FALSE(detached);
        EXPECT_THAT(detached.error().cause, HasSubstr(name));
        EXPECT_THAT(detached.error().remedy, HasSubstr("ip link set dev steered xdp off"));
        EXPECT_FALSE(find_steering(interfaces_.first));
        EXPECT_FALSE(attach_decapsulator(
            interfaces_.first, settings("198.51.100.10"), AttachPolicy::native_or_generic
        ));
        EXPECT_EQ(attached_id(), id);
        ASSERT_EQ(run_command("ip link set dev steered xdp off"), 0); // the remedy works
        EXPECT_EQ(attached_id(), 0U);
    }
}

TEST_F(LoaderTest, steering_and_decapsulator_are_not_mistaken_for_each_other) {
    attach_steering();
    const std::uint32_t id = attached_id();
    EXPECT_FALSE(find_decapsulator(interfaces_.first));
    EXPECT_FALSE(detach_decapsulator(interfaces_.first));
    EXPECT_EQ(attached_id(), id);
}

TEST_F(LoaderTest, the_object_is_a_sealed_file_of_this_process) {
    std::string path;
    {
        auto object = write_steering_object();
        ASSERT_TRUE(object);
        path = object->path();
        std::ifstream file(path, std::ios::binary);
        const std::string read(std::istreambuf_iterator<char>(file), {});
        const auto bytes = steering_object_bytes();
        ASSERT_EQ(read.size(), bytes.size());
        EXPECT_EQ(std::memcmp(read.data(), bytes.data(), bytes.size()), 0);
        const FileDescriptor writable(::open(path.c_str(), O_RDWR));
        EXPECT_LT(::write(writable.number(), "x", 1), 0);
    }
    EXPECT_NE(::access(path.c_str(), F_OK), 0) << "the file outlived its holder";
}

TEST_F(LoaderTest, a_decapsulator_is_attached_found_read_and_detached) {
    for (const AttachPolicy policy :
         {AttachPolicy::native, AttachPolicy::generic, AttachPolicy::native_or_generic}) {
        const DecapsulatorSettings wanted{
            .vips = {prefix("198.51.100.10"), prefix("2001:db8:1::/64"), prefix("198.51.100.8/31")},
            .gue_ports = {6081, 6080},
        };
        auto attached = attach_decapsulator(interfaces_.first, wanted, policy);
        ASSERT_TRUE(attached) << attached.error().text();
        EXPECT_EQ(
            attached->decapsulator.mode(),
            policy == AttachPolicy::generic ? AttachMode::generic : AttachMode::native
        );
        EXPECT_FALSE(attached->replaced_leftover);
        EXPECT_EQ(attached->native_refusal, "");
        const Bytes inner = ipv4({.destination = "198.51.100.10"}, payload());
        const Ipv4 outer{
            .source = "10.0.1.1", .destination = "10.0.1.11", .protocol = protocol_ipip
        };
        send_from_outside(ethernet(ether_ipv4, ipv4(outer, inner)));
        auto found = find_decapsulator(interfaces_.first);
        ASSERT_TRUE(found) << found.error().text();
        EXPECT_THAT(
            found->vips(),
            ElementsAre(
                prefix("198.51.100.8/31"), prefix("198.51.100.10"), prefix("2001:db8:1::/64")
            )
        );
        EXPECT_THAT(found->gue_ports(), ElementsAre(6080, 6081));
        const auto counters = counters_when<Decapsulator, DecapsulatorCounters>(
            *found, [](const DecapsulatorCounters& read) { return read.decapsulated() >= 1; }
        );
        EXPECT_EQ(counters.ipip, 1U);
        EXPECT_EQ(counters.decapsulated_bytes, inner.size());
        EXPECT_EQ(detach_decapsulator(interfaces_.first), Leftover::detached);
        EXPECT_EQ(attached_id(), 0U);
    }
}

TEST_F(LoaderTest, a_leftover_decapsulator_is_replaced_in_either_mode) {
    for (const AttachPolicy before : {AttachPolicy::native, AttachPolicy::generic}) {
        for (const AttachPolicy after :
             {AttachPolicy::native, AttachPolicy::generic, AttachPolicy::native_or_generic}) {
            auto first = attach_decapsulator(interfaces_.first, settings("198.51.100.10"), before);
            ASSERT_TRUE(first) << first.error().text();
            auto second = attach_decapsulator(interfaces_.first, settings("198.51.100.11"), after);
            ASSERT_TRUE(second) << second.error().text();
            EXPECT_TRUE(second->replaced_leftover);
            EXPECT_EQ(second->decapsulator.program_id(), attached_id());
            EXPECT_NE(second->decapsulator.program_id(), first->decapsulator.program_id());
            EXPECT_THAT(second->decapsulator.vips(), ElementsAre(prefix("198.51.100.11")));
            ASSERT_EQ(detach_decapsulator(interfaces_.first), Leftover::detached);
        }
    }
}

TEST_F(LoaderTest, a_driver_that_refuses_native_gets_generic_and_the_reason) {
    // veth takes no native program on an MTU beyond a page.
    ASSERT_EQ(run_command("ip link set outside mtu 9000 && ip link set steered mtu 9000"), 0);
    const DecapsulatorSettings wanted = settings("198.51.100.10");
    const auto refused = attach_decapsulator(interfaces_.first, wanted, AttachPolicy::native);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().remedy, HasSubstr("generic"));
    EXPECT_EQ(attached_id(), 0U);
    auto attached = attach_decapsulator(interfaces_.first, wanted, AttachPolicy::native_or_generic);
    ASSERT_TRUE(attached) << attached.error().text();
    EXPECT_EQ(attached->decapsulator.mode(), AttachMode::generic);
    EXPECT_NE(attached->native_refusal, "");
}

} // namespace

} // namespace penstock::bpf::test
