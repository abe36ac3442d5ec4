// SPDX-License-Identifier: Apache-2.0
// What the real penstock-cp makes of health beyond the single probe: panic, slow start, and what a
// server's agent says.
#include "tests/unit/controlplane/process/penstock_cp_fixture.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <set>

namespace penstock {
namespace {

class HealthPolicy : public PenstockCp {
protected:
    /// Service web0 gets `lines` before its backends.
    void write_config(const std::string& lines) const {
        std::string text = make_config("web");
        text.insert(text.find("backend = "), lines + "\n");
        write_text(config_path(), text);
    }

    /// Service web0 has both servers, and `lines` before them.
    void write_pair_config(const std::string& lines) const {
        std::string text = make_config("web");
        text.erase(text.rfind("[[service]]"));
        text.erase(text.find("backend = "));
        text += lines +
                "\nbackend = [ { name = \"b0\", address = \"10.0.1.11\" }, { name = \"b1\", "
                "address = \"10.0.1.12\" } ]\n";
        write_text(config_path(), text);
    }

    static std::uint16_t live_weight(const FakeDataplane& dataplane) {
        const DesiredState live = dataplane.live();
        return live.services.empty() ? std::uint16_t{0} : live.services[0].backends[0].weight;
    }

    bool has_event(std::string_view type, std::string_view to) const {
        const json::object seen = request("GET", "/v1/events?limit=1000").object();
        return std::ranges::any_of(seen.at("events").as_array(), [&](const json::value& event) {
            return event.at("type").as_string() == type && event.at("to") == json::value(to);
        });
    }
};

TEST_F(HealthPolicy, PanicUsesWhatIsIllAndSaysSo) {
    write_config("health = { panic_percent = 100, min_healthy = 1 }");
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    servers_[0].reset();
    ASSERT_TRUE(wait_until([&] { return has_event("service-panic", "on"); }));
    EXPECT_TRUE(has_event("service-minimum", "on"));
    EXPECT_EQ(backend("web0").at("health"), "down");
    EXPECT_EQ(backend("web0").at("eligible"), true);
    EXPECT_EQ(live_health(dataplane, 0), Health::up);
    EXPECT_TRUE(has_problem("panic: 0 of 1 ready backends are healthy"));
    EXPECT_TRUE(has_problem("at least 1 are wanted"));
    EXPECT_EQ(status().at("services").at("panic"), 1);
    const auto health = [this] {
        return request("GET", "/v1/services/web0").object().at("health").as_object();
    };
    EXPECT_EQ(health().at("panic"), true);
    EXPECT_EQ(health().at("panics"), 1);
    start_server(0);
    ASSERT_TRUE(wait_until([&] { return has_event("service-panic", "off"); }));
    EXPECT_FALSE(has_problem("panic"));
    EXPECT_EQ(backend("web0").at("health"), "up");
    EXPECT_EQ(status().at("services").at("panic"), 0);
    EXPECT_EQ(health().at("panic"), false);
    EXPECT_EQ(health().at("panics"), 1);
}

TEST_F(HealthPolicy, InPanicTheLastHealthyBackendIsStillGuarded) {
    write_pair_config("health = { panic_percent = 100 }");
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::up; }));
    servers_[1].reset();
    ASSERT_TRUE(wait_until([&] { return has_event("service-panic", "on"); }));
    const std::string b0 = "/v1/services/web0/backends/b0/";
    const std::string b1 = "/v1/services/web0/backends/b1/";
    const HttpAnswer refused = request("POST", b0 + "drain");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.object().at("type"), "urn:penstock:problem:last-healthy-backend");
    EXPECT_NE(refused.body.find("panic threshold"), std::string::npos) << refused.body;
    EXPECT_EQ(request("PUT", b0 + "weight", R"({"weight":0})").status, 409);
    EXPECT_EQ(request("POST", b1 + "drain").status, 200); // it is ill: nothing is lost
    EXPECT_EQ(request("POST", b0 + "maint").status, 409);
    EXPECT_EQ(request("POST", b1 + "enable").status, 200);
    servers_[0].reset();
    ASSERT_TRUE(wait_until([&] { return has_problem("panic: 0 of 2"); }));
    EXPECT_EQ(request("POST", b0 + "drain").status, 200); // none is healthy: any may go
    EXPECT_EQ(request("POST", b1 + "drain").status, 409); // but the last one that is used
    EXPECT_EQ(request("POST", b1 + "drain?force").status, 200);
}

TEST_F(HealthPolicy, MoreThanMayBeTakenOutAtOnceStayInUse) {
    write_pair_config("health = { shrink_limit = 1, shrink_window = \"6s\" }");
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    const auto count_up = [&] {
        const DesiredState live = dataplane.live();
        return live.services.empty()
                   ? 0
                   : std::ranges::count(
                         live.services[0].backends, Health::up, &BackendSpec::health
                     );
    };
    ASSERT_TRUE(wait_until([&] { return count_up() == 2; }));
    servers_[0].reset();
    servers_[1].reset();
    ASSERT_TRUE(wait_until([&] { return has_event("service-shrink", "on"); }));
    const auto began = Clock::now();
    EXPECT_TRUE(has_problem("1 more went down than may be taken out within 6 s (shrink_limit = 1)")
    );
    EXPECT_EQ(count_up(), 1);
    const auto health = request("GET", "/v1/services/web0").object().at("health");
    EXPECT_EQ(health.at("kept"), 1);
    EXPECT_EQ(health.at("healthy"), 0);
    ASSERT_TRUE(wait_until([&] { return count_up() == 0; }, seconds(15)));
    EXPECT_GT(Clock::now() - began, seconds(3)); // not at once: when the window had passed
    ASSERT_TRUE(wait_until([&] { return has_event("service-shrink", "off"); }));
    start_server(0);
    EXPECT_TRUE(wait_until([&] { return count_up() == 1; }));
}

TEST_F(HealthPolicy, ARecoveredBackendGetsItsWeightInSteps) {
    write_config("health = { slow_start = \"4s\" }");
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    EXPECT_EQ(live_weight(dataplane), 100); // not at the start
    servers_[0].reset();
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::down; }));
    start_server(0);
    std::set<std::uint16_t> seen;
    bool came_full = false;
    EXPECT_TRUE(wait_until(
        [&] {
            if (live_health(dataplane, 0) == Health::up) {
                came_full = came_full || (seen.empty() && live_weight(dataplane) == 100);
                seen.insert(live_weight(dataplane));
            }
            return seen.contains(100);
        },
        seconds(20)
    ));
    EXPECT_FALSE(came_full);
    EXPECT_TRUE(seen.contains(10)) << testing::PrintToString(seen);
    EXPECT_GE(seen.size(), 3U);
    EXPECT_EQ(dataplane.stale_count(), 0U);
}

TEST_F(HealthPolicy, WhatAnAgentSaysIsInForce) {
    const std::string said = temporary_ / "said";
    write_text(said, "up 40% # warm");
    const ChildProcess agent(
        {"/usr/bin/python3",
         "-c",
         fmt::format(
             "import socket\n"
             "s = socket.create_server(('{}', 5555))\n"
             "while True:\n"
             "    c, _ = s.accept()\n"
             "    c.sendall(open('{}', 'rb').read() + b'\\n')\n"
             "    c.close()\n",
             address(0),
             said
         )},
        temporary_ / "agent.log"
    );
    std::string text = make_config("web");
    const std::size_t begin = text.find("probe = ");
    text.replace(
        begin,
        text.find('\n', begin) - begin,
        "probe = { type = \"agent\", port = 5555, interval = \"250ms\", timeout = \"250ms\" }"
    );
    write_text(config_path(), text);
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return live_weight(dataplane) == 40; }));
    EXPECT_EQ(backend("web0").at("report").at("weight_percent"), 40);
    EXPECT_TRUE(has_event("backend-report", "weight 40 %"));
    write_text(said, "ready 100% drain");
    ASSERT_TRUE(wait_until([&] {
        const DesiredState live = dataplane.live();
        return live.services[0].backends[0].admin == AdminState::drain;
    }));
    EXPECT_EQ(live_weight(dataplane), 100);
    write_text(said, "down");
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::down; }));
    EXPECT_TRUE(backend("web0").at("reason").as_string().starts_with("agent says down, 3 of 3"));
}

} // namespace
} // namespace penstock
