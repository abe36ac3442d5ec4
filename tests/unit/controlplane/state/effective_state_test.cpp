// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/effective_state.hpp"

#include "controlplane/config/parse.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

config::Configuration parse() {
    const auto parsed = config::parse_configuration(
        R"(
[node]
name = "lb-a"
[dataplane]
workers = [1]
[[dataplane.port]]
name = "edge0"
interface = "eth1"
[[service]]
name = "web"
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
backend = [
  { name = "web-1", address = "10.0.1.11", weight = 100 },
  { name = "web-2", address = "10.0.1.12", weight = 300 },
  { name = "web-3", address = "10.0.1.13", weight = 0 },
]
)",
        "test.toml"
    );
    EXPECT_TRUE(parsed) << config::render(parsed.error());
    return *parsed;
}

BackendRef ref_of(const config::Configuration& configuration, std::size_t index) {
    const ServiceSpec& service = configuration.services.at(0).spec;
    return {.service = service.key, .backend = service.backends.at(index).key};
}

const FindCondition all_up = [](const BackendRef&) {
    return BackendCondition{.health = Health::up, .report = std::nullopt};
};

TEST(EffectiveState, LaysOverridesAndHealthOverTheConfiguration) {
    const auto configuration = parse();
    const BackendRef first = ref_of(configuration, 0);
    const DesiredState state = make_effective_state(
        configuration,
        {{ref_of(configuration, 1),
          Override{.admin = AdminState::drain, .weight = {}, .actor = {}, .since = {}}}},
        [&](const BackendRef& ref) {
            return BackendCondition{
                .health = ref == first ? Health::up : Health::down, .report = std::nullopt
            };
        },
        {1, 2, 3},
        7
    );
    EXPECT_EQ(state.generation, 7U);
    EXPECT_EQ(state.flow_hash_key[1], 2);
    const auto& backends = state.services.at(0).backends;
    EXPECT_EQ(backends[0].health, Health::up);
    EXPECT_EQ(backends[0].admin, AdminState::ready);
    EXPECT_EQ(backends[1].health, Health::down);
    EXPECT_EQ(backends[1].admin, AdminState::drain);
}

TEST(EffectiveState, UnprobedBackendKeepsTheConfiguredHealth) {
    const DesiredState state =
        make_effective_state(parse(), {}, [](const BackendRef&) { return std::nullopt; }, {}, 1);
    EXPECT_EQ(state.services[0].backends[0].health, Health::unknown);
}

TEST(EffectiveState, OverridesEndWithTheirBackend) {
    const auto configuration = parse();
    BackendRef gone = ref_of(configuration, 0);
    gone.backend.port = 9999;
    const Overrides overrides{
        {gone, Override{.admin = AdminState::drain, .weight = {}, .actor = {}, .since = {}}},
        {ref_of(configuration, 0),
         Override{.admin = AdminState::disabled, .weight = {}, .actor = {}, .since = {}}}
    };
    const Overrides kept = keep_known_overrides(overrides, configuration);
    EXPECT_EQ(kept.size(), 1U);
    EXPECT_TRUE(kept.contains(ref_of(configuration, 0)));
}

TEST(ServiceState, FollowsItsBackends) {
    const auto configuration = parse();
    ServiceSpec service = make_effective_state(configuration, {}, all_up, {}, 1).services[0];
    const auto why = [](const BackendRef&) { return std::string("http 503, 3 of 3"); };
    EXPECT_EQ(judge_service(service), ServiceState::up);
    EXPECT_EQ(describe_service(service, why), "");
    service.backends[0].health = Health::down;
    EXPECT_EQ(judge_service(service), ServiceState::degraded);
    EXPECT_NE(describe_service(service, why).find("web-1 (http 503, 3 of 3)"), std::string::npos);
    service.backends[0].admin = AdminState::drain;
    EXPECT_EQ(judge_service(service), ServiceState::up) << "a drained backend is nobody's fault";
    service.backends[1].health = Health::unknown;
    EXPECT_EQ(judge_service(service), ServiceState::down) << "weight 0 takes nothing";
    EXPECT_NE(describe_service(service, why).find("no_backend"), std::string::npos);
    BackendCounts counts;
    count_backends(service, counts);
    EXPECT_EQ(counts.total, 3U);
    EXPECT_EQ(counts.eligible, 0U);
    EXPECT_EQ(counts.up + counts.down + counts.unknown, counts.total);
}

} // namespace
} // namespace penstock
