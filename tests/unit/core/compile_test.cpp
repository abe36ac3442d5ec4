// SPDX-License-Identifier: Apache-2.0
#include "dataplane/core/compile.hpp"

#include "tests/unit/core/desired.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <limits>

namespace penstock {
namespace {

using test::backend;
using test::desired;
using test::service;

constexpr const char* vip = "198.51.100.10";

DesiredState good() {
    return desired({service(vip, {backend("10.0.1.1"), backend("10.0.1.2")})});
}

struct Refusal {
    const char* name;
    std::function<void(DesiredState&)> spoil;
    const char* place; // part of it
    const char* cause; // part of it
};

const std::vector<Refusal> refusals{
    {"ipv6 backend without a source",
     [](auto& state) { state.services[0].backends[1].key.address = test::ip("2001:db8::1"); },
     "backend b-10.0.1.2",
     "no IPv6 source address"},
    {"family of l2dsr",
     [](auto& state) {
         state.services[0].forwarding = Forwarding::l2dsr;
         state.services[0].backends[1].key.address = test::ip("2001:db8::1");
     },
     "backend b-10.0.1.2",
     "is IPv6, the VIP is IPv4"},
    {"port of any protocol",
     [](auto& state) { state.services[0].key.protocol = Protocol::any; },
     "service s-198.51.100.10",
     "port 80 of any protocol"},
    {"ports beyond the last",
     [](auto& state) { state.services[0].key.more_ports = 65456; },
     "service s-198.51.100.10",
     "65456 ports after port 80"},
    {"host bits",
     [](auto& state) { state.services[0].key.host_bits = 2; },
     "service s-198.51.100.10",
     "not the first address"},
    {"gue variant",
     [](auto& state) {
         state.services[0].forwarding = Forwarding::gue;
         state.services[0].gue_variant = 2;
     },
     "service s-198.51.100.10",
     "GUE variant 2"},
    {"overlap of equal width",
     [](auto& state) {
         state.services[0].key.more_ports = 9;
         state.services.push_back(state.services[0]);
         state.services[1].key.port = 89;
         for (BackendSpec& spec : state.services[1].backends) {
             spec.key.port = 89;
         }
     },
     "service s-198.51.100.10",
     "198.51.100.10:89-98/tcp belongs to another service"},
    {"other port",
     [](auto& state) { state.services[0].backends[1].key.port = 8080; },
     "backend b-10.0.1.2",
     "8080 is not the service's port 80"},
    {"table size",
     [](auto& state) { state.services[0].maglev_size = 65536; },
     "service s-198.51.100.10",
     "65536 slots"},
    {"no source",
     [](auto& state) { state.tunnel_sources.ipv4.reset(); },
     "service s-198.51.100.10",
     "no IPv4 source"},
    {"ipv6 source",
     [](auto& state) { state.tunnel_sources.ipv4 = IpPrefix{.address = test::ip("2001:db8::1")}; },
     "tunnel_source",
     "2001:db8::1 is IPv6"},
    {"backend twice",
     [](auto& state) { state.services[0].backends[1].key = state.services[0].backends[0].key; },
     "backend b-10.0.1.2",
     "10.0.1.1 is listed twice"},
    {"service twice",
     [](auto& state) { state.services.push_back(state.services[0]); },
     "service s-198.51.100.10",
     "198.51.100.10:80/tcp belongs to another"},
    {"timeout 0",
     [](auto& state) { state.timeouts.tcp_syn_s = 0; },
     "tcp_syn",
     "0 s is out of range"},
    {"timeout beyond the wrap",
     [](auto& state) { state.timeouts.tcp_established_s = max_flow_timeout_s + 1; },
     "tcp_established",
     "7441 s is out of range"},
    {"timeout udp", [](auto& state) { state.timeouts.udp_s = 65535; }, "udp", "65535 s"},
    {"timeout closing", [](auto& state) { state.timeouts.tcp_closing_s = 0; }, "tcp_closing", "0 s"
    },
};

TEST(Compile, RefusesByNameAndChangesNothing) {
    for (const Refusal& refusal : refusals) {
        IdRegistry ids;
        DesiredState state = good();
        refusal.spoil(state);
        const auto compiled = compile_snapshot(state, ids, nullptr);
        ASSERT_FALSE(compiled) << refusal.name;
        const CompileError& error = compiled.error();
        EXPECT_NE(error.place.find(refusal.place), std::string::npos) << error.place;
        EXPECT_NE(error.cause.find(refusal.cause), std::string::npos) << error.cause;
        EXPECT_FALSE(error.remedy.empty());
        EXPECT_TRUE(ids.services().empty() && ids.backends().empty()) << refusal.name;
    }
}

TEST(Compile, RefusesMoreServicesThanThereAreIds) {
    std::vector<ServiceSpec> services;
    for (std::uint32_t i = 0; i <= max_services; ++i) {
        services.push_back(service(vip, {}, static_cast<std::uint16_t>(i + 1)));
    }
    IdRegistry ids;
    const auto refused = compile_snapshot(desired(services), ids, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().cause.find("4096"), std::string::npos);
    EXPECT_TRUE(ids.services().empty());
    services.pop_back();
    EXPECT_TRUE(compile_snapshot(desired(services), ids, nullptr));
}

TEST(Compile, AcceptsTheLargestPoolAndRefusesOneMore) {
    std::vector<BackendSpec> backends;
    for (std::uint32_t i = 0; i < max_backends; ++i) {
        BackendSpec spec = backend("10.0.0.0");
        spec.key.address = IpAddress::from_ipv4(Be32::from_host(0x0a000000U + i));
        backends.push_back(spec);
    }
    IdRegistry ids;
    EXPECT_FALSE(compile_snapshot(desired({service(vip, backends)}), ids, nullptr));
    EXPECT_TRUE(ids.backends().empty());
    backends.pop_back();
    auto spec = service(vip, backends);
    spec.maglev_size = default_maglev_size;
    const auto compiled = compile_snapshot(desired({spec}), ids, nullptr);
    ASSERT_TRUE(compiled);
    for (const auto& [name, one] : ids.backends()) {
        ASSERT_TRUE((*compiled)->backend(one.id).in_use);
        ASSERT_NE(one.id, null_backend);
    }
}

// The cost of publishing a change to one of many services.
TEST(Compile, SharesTheTablesThatDidNotChange) {
    IdRegistry ids;
    auto one = service(vip, {backend("10.0.1.1"), backend("10.0.1.2")});
    auto two = service("198.51.100.11", {backend("10.0.1.1"), backend("10.0.1.2")});
    const auto table = [&](const auto& snapshot, const ServiceSpec& spec) {
        return (*snapshot)->table_of(ids.service(spec.key));
    };
    const auto first = compile_snapshot(desired({one, two}), ids, nullptr);
    two.backends[0].weight = 50;
    const auto second = compile_snapshot(desired({one, two}, 2), ids, first->get());
    EXPECT_EQ(table(first, one), table(second, one));
    EXPECT_NE(table(first, two), table(second, two));

    one.name = "renamed"; // names are for people
    std::swap(one.backends[0], one.backends[1]);
    const auto third = compile_snapshot(desired({two, one}, 3), ids, second->get());
    EXPECT_EQ(table(second, one), table(third, one));
    EXPECT_EQ(table(second, two), table(third, two));

    one.maglev_size = 65537;
    two.backends[0].health = Health::down;
    const auto fourth = compile_snapshot(desired({one, two}, 4), ids, third->get());
    EXPECT_EQ(table(fourth, one)->slots.size(), 65537U);
    EXPECT_EQ(table(fourth, two)->members.size(), 1U);
    // The shared table lives as long as any snapshot that shares it.
    EXPECT_EQ(table(first, one)->slots.size(), 16381U);
}

TEST(Compile, DrainDisabledDownUnknownAndWeightlessTakeNoSlots) {
    IdRegistry ids;
    auto spec = service(vip, {});
    for (int i = 1; i <= 6; ++i) {
        spec.backends.push_back(backend("10.0.1." + std::to_string(i)));
    }
    spec.backends[1].admin = AdminState::drain;
    spec.backends[2].admin = AdminState::disabled;
    spec.backends[3].health = Health::down;
    spec.backends[4].health = Health::unknown;
    spec.backends[5].weight = 0;
    const auto snapshot = compile_snapshot(desired({spec}), ids, nullptr);
    ASSERT_TRUE(snapshot);
    const std::array<bool, 6> keeps{true, true, false, false, true, true};
    for (std::size_t i = 0; i < 6; ++i) {
        const BackendEntry& entry =
            (*snapshot)->backend(ids.backend(spec.key, spec.backends[i].key));
        EXPECT_EQ(entry.takes_new_flows, i == 0) << i;
        EXPECT_EQ(entry.keeps_flows, keeps[i]) << i;
    }
    EXPECT_EQ((*snapshot)->table_of(ids.service(spec.key))->members.size(), 1U);
}

// The flows of a removed ipip backend must not leave without their outer header.
TEST(Compile, RemovedTunnelBackendWithoutASourceKeepsNoFlows) {
    IdRegistry ids;
    auto spec = service(vip, {backend("10.0.1.1"), backend("10.0.1.2")});
    const auto first = compile_snapshot(desired({spec}), ids, nullptr);
    const BackendId removed = ids.backend(spec.key, spec.backends[1].key);
    spec.backends.pop_back();
    spec.forwarding = Forwarding::l2dsr;
    DesiredState state = desired({spec}, 2);
    const auto second = compile_snapshot(state, ids, first->get());
    EXPECT_TRUE((*second)->backend(removed).keeps_flows);
    EXPECT_EQ((*second)->backend(removed).rewrite, Rewrite::tunnel_ipv4);
    state.tunnel_sources.ipv4.reset();
    const auto third = compile_snapshot(state, ids, second->get());
    ASSERT_TRUE(third);
    EXPECT_FALSE((*third)->backend(removed).keeps_flows);
}

TEST(Compile, TargetsNameWhatMustBeReachable) {
    IdRegistry ids;
    auto on_link = service("198.51.100.11", {backend("10.0.2.1")});
    on_link.forwarding = Forwarding::l2dsr;
    const auto snapshot =
        compile_snapshot(desired({service(vip, {backend("10.0.1.1")}), on_link}), ids, nullptr);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ((*snapshot)->targets().size(), 2U);
    for (const Snapshot::Target& target : (*snapshot)->targets()) {
        const bool tunnelled = target.address == test::ip("10.0.1.1");
        EXPECT_EQ(target.forwarding, tunnelled ? Forwarding::ipip : Forwarding::l2dsr);
    }
    EXPECT_EQ((*snapshot)->generation(), 1U);
}

TEST(Compile, RefusesMoreSlotsThanMemoryIsMeantFor) {
    // Each table alone is allowed; what is refused is their sum, before anything is built.
    std::vector<ServiceSpec> services;
    for (std::uint16_t port = 1; port <= 458; ++port) {
        services.push_back(service(vip, {backend("10.0.1.1", port)}, port));
        services.back().maglev_size = 655373;
    }
    IdRegistry ids;
    const auto refused = compile_snapshot(desired(std::move(services)), ids, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().cause.find("300000000 is the limit"), std::string::npos)
        << refused.error().cause;
    EXPECT_TRUE(ids.services().empty());
}

} // namespace
} // namespace penstock
