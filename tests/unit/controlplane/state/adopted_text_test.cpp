// SPDX-License-Identifier: Apache-2.0
#include "controlplane/state/adopted_text.hpp"

#include "controlplane/config/parse.hpp"

#include <gtest/gtest.h>

namespace penstock {
namespace {

const std::string text = R"(# ünïcode before
[node]
name = "lb-a"
[dataplane]
workers = [1]
[[dataplane.port]]
name = "edge0"
interface = "eth1"
[[service]]
name = "web" # the shop
vip = "198.51.100.10"
protocol = "tcp"
port = 80
forwarding = "ipip"
backend = [
  { name = "wéb-1", address = "10.0.1.11", weight = 100 }, # an old one
  { name = "web-2", address = "10.0.1.12", state = "drain" },
  { name = "web-3", address = "10.0.1.13" },
]
[[service]]
name = "dns"
vip = "198.51.100.11"
protocol = "tcp"
port = 53
forwarding = "ipip"
[[service.backend]]
name = "dns-1"
address = "10.0.1.21" # far away
[[service.backend]]
name = "dns-2"
weight = 7
address = "10.0.1.22"
)";

std::string without_accent(std::string from) {
    from.replace(from.find("wéb-1"), std::string("wéb-1").size(), "web-1");
    return from;
}

Override say(std::optional<AdminState> admin, std::optional<std::uint16_t> weight) {
    return {.admin = admin, .weight = weight, .actor = {}, .since = {}};
}

TEST(AdoptedText, ChangesOnlyWhatWasSaid) {
    const std::string plain = without_accent(text);
    const auto parsed = config::parse_configuration(plain, "test.toml");
    ASSERT_TRUE(parsed) << config::render(parsed.error());
    const auto ref = [&](std::size_t service, std::size_t backend) {
        const ServiceSpec& spec = parsed->services.at(service).spec;
        return BackendRef{.service = spec.key, .backend = spec.backends.at(backend).key};
    };
    const auto adopted = adopt_overrides(
        plain,
        *parsed,
        {{ref(0, 0), say({}, 50)},
         {ref(0, 1), say(AdminState::ready, {})},
         {ref(0, 2), say(AdminState::disabled, 9)},
         {ref(1, 0), say(AdminState::drain, 8)},
         {ref(1, 1), say({}, 70)}}
    );
    ASSERT_TRUE(adopted) << adopted.error();
    const auto has = [&](std::string_view line) {
        return adopted->find(line) != std::string::npos;
    };
    EXPECT_TRUE(has("weight = 50 }, # an old one")) << *adopted;
    EXPECT_TRUE(has("state = \"ready\" }")) << *adopted;
    EXPECT_TRUE(
        has("{ name = \"web-3\", address = \"10.0.1.13\", weight = 9, state = \"disabled\" },")
    ) << *adopted;
    EXPECT_TRUE(has("weight = 70\n")) << *adopted;
    EXPECT_TRUE(has("# ünïcode before")) << *adopted;
    EXPECT_TRUE(has("# far away")) << *adopted;
    EXPECT_EQ(adopt_overrides(plain, *parsed, {}), plain);
}

} // namespace
} // namespace penstock
