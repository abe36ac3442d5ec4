// SPDX-License-Identifier: Apache-2.0
// A configuration on trial, the history and the way back, also across kill -9 of penstock-cp.
#include "tests/unit/controlplane/process/penstock_cp_fixture.hpp"

#include <boost/json/serialize.hpp>
#include <set>

namespace penstock {
namespace {

std::string live_name(const FakeDataplane& dataplane) {
    const DesiredState live = dataplane.live();
    return live.services.empty() ? std::string() : live.services.front().name;
}

bool has_event(const json::object& events, std::string_view type) {
    return std::ranges::any_of(events.at("events").as_array(), [type](const json::value& event) {
        return event.at("type").as_string() == type;
    });
}

TEST_F(PenstockCp, WhatIsConfirmedStays) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    EXPECT_EQ(request("POST", "/v1/config/confirm").status, 409);
    const HttpAnswer applied = request("POST", "/v1/config?confirm=2", make_config("shop"));
    ASSERT_EQ(applied.status, 200) << applied.body;
    EXPECT_EQ(applied.object().at("confirmation").at("back_to"), 1);
    EXPECT_TRUE(status().at("confirmation").is_object());
    EXPECT_TRUE(has_problem("a configuration is on trial"));
    const HttpAnswer other = request("POST", "/v1/config", make_config("other"));
    EXPECT_EQ(other.status, 409);
    EXPECT_EQ(other.object().at("type"), "urn:penstock:problem:confirmation-pending");
    cp_->send(SIGHUP);
    EXPECT_TRUE(wait_until([this] { return status().at("last_reload").at("result") == "refused"; })
    );
    ASSERT_EQ(request("POST", "/v1/config/confirm").status, 200);
    EXPECT_TRUE(status().at("confirmation").is_null());
    EXPECT_FALSE(fs::exists(temporary_ / "state/confirmation.json"));
    std::this_thread::sleep_for(milliseconds(2500));
    EXPECT_EQ(live_name(dataplane), "shop0");
    EXPECT_EQ(request("POST", "/v1/config/confirm").status, 409) << "nothing is on trial any more";
}

TEST_F(PenstockCp, WhatNobodyConfirmsIsTakenBack) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const auto begun = Clock::now();
    ASSERT_EQ(request("POST", "/v1/config?confirm=1", make_config("shop")).status, 200);
    EXPECT_EQ(live_name(dataplane), "shop0");
    ASSERT_TRUE(wait_until([&] { return live_name(dataplane) == "web0"; }));
    EXPECT_GT(Clock::now() - begun, milliseconds(900));
    EXPECT_TRUE(wait_until([&] { return request("GET", "/v1/config").body == make_config("web"); })
    );
    EXPECT_TRUE(has_event(request("GET", "/v1/events").object(), "config-rolled-back"));
    const HttpAnswer late = request("POST", "/v1/config/confirm");
    EXPECT_EQ(late.status, 409);
    EXPECT_NE(late.body.find("not-confirmed"), std::string::npos) << late.body;
    const json::object newest =
        request("GET", "/v1/history").object().at("history").at(0).as_object();
    EXPECT_EQ(newest.at("source"), "not-confirmed");
    EXPECT_TRUE(all_live(dataplane)) << "health must not have blinked";
}

TEST_F(PenstockCp, ATrialGoesOnAfterKillAndRestart) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    ASSERT_EQ(request("POST", "/v1/config?confirm=3", make_config("shop")).status, 200);
    cp_->end(SIGKILL);
    start_cp(); // before the deadline: it still runs, and goes by itself
    EXPECT_TRUE(status().at("confirmation").is_object());
    EXPECT_EQ(live_name(dataplane), "shop0");
    ASSERT_TRUE(wait_until([&] { return live_name(dataplane) == "web0"; }));
    ASSERT_TRUE(wait_until([&] { return request("GET", "/v1/config").body == make_config("web"); })
    );

    ASSERT_EQ(request("POST", "/v1/config?confirm=1", make_config("other")).status, 200);
    cp_->end(SIGKILL);
    std::this_thread::sleep_for(milliseconds(1200));
    EXPECT_EQ(live_name(dataplane), "other0") << "nobody is there to take it back";
    start_cp(); // after the deadline: at once
    ASSERT_TRUE(wait_until([&] { return live_name(dataplane) == "web0"; }, seconds(3)));
    EXPECT_TRUE(wait_until([&] { return status().at("confirmation").is_null(); }));
    EXPECT_EQ(dataplane.stale_count(), 0U);
}

TEST_F(PenstockCp, KillAtAnyMomentOfATrialEndsInOneOfTheTwoConfigurations) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    for (int round = 0; round < 12; ++round) {
        std::thread killer([this, round] {
            std::this_thread::sleep_for(milliseconds(1 + round * 3));
            cp_->send(SIGKILL);
        });
        request("POST", "/v1/config?confirm=1", make_config("shop"));
        killer.join();
        cp_->wait();
        start_cp();
        ASSERT_TRUE(wait_until([&] {
            return live_name(dataplane) == "web0" && status().at("confirmation").is_null() &&
                   request("GET", "/v1/config").body == make_config("web");
        })) << "round "
            << round << ": " << json::serialize(status());
        EXPECT_TRUE(status().at("problems").as_array().empty() || !has_problem("set aside"));
    }
    for (const auto& entry : fs::directory_iterator(temporary_ / "state")) {
        EXPECT_EQ(entry.path().native().find(".damaged"), std::string::npos) << entry.path();
    }
}

TEST_F(PenstockCp, HistorySaysWhoAndRollsBack) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    EXPECT_EQ(request("POST", "/v1/config/rollback").status, 404) << "there is nothing before";
    ASSERT_EQ(request("POST", "/v1/config?name=shop.toml", make_config("shop")).status, 200);
    ASSERT_EQ(request("POST", "/v1/config?name=third.toml", make_config("third")).status, 200);
    const json::object page = request("GET", "/v1/history?limit=2").object();
    const json::object newest = page.at("history").at(0).as_object();
    EXPECT_EQ(newest.at("number"), 3);
    EXPECT_EQ(newest.at("current"), true);
    EXPECT_EQ(newest.at("name"), "third.toml");
    EXPECT_EQ(newest.at("actor").at("user"), "root");
    EXPECT_EQ(newest.at("actor").at("uid"), 0);
    EXPECT_EQ(newest.at("actor").at("pid"), static_cast<std::int64_t>(::getpid()));
    EXPECT_EQ(page.at("next"), 2);
    const json::object rest = request("GET", "/v1/history?before=2").object();
    EXPECT_EQ(rest.at("history").as_array().size(), 1U);
    EXPECT_EQ(rest.at("history").at(0).at("source"), "start");
    EXPECT_EQ(request("GET", "/v1/history/2").body, make_config("shop"));
    EXPECT_EQ(request("GET", "/v1/history/9").status, 404);
    EXPECT_EQ(request("POST", "/v1/history/1/rollback").status, 200);
    EXPECT_EQ(live_name(dataplane), "web0");
    EXPECT_EQ(request("POST", "/v1/config/rollback").status, 200);
    EXPECT_EQ(live_name(dataplane), "third0");
    const std::string audit = read_text(temporary_ / "state/audit.log");
    EXPECT_NE(audit.find("/v1/history/1/rollback"), std::string::npos) << audit;
    EXPECT_NE(audit.find("\"user\":\"root\""), std::string::npos);
}

TEST_F(PenstockCp, ADamagedAppliedConfigurationGivesWayToTheNewestOfTheHistory) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    ASSERT_EQ(request("POST", "/v1/config", make_config("shop")).status, 200);
    cp_->end(SIGKILL);
    std::string applied = read_text(temporary_ / "state/applied.toml");
    applied.at(applied.find("198.51.100.10") + 12) = '9';
    write_text(temporary_ / "state/applied.toml", applied);
    start_cp();
    ASSERT_TRUE(wait_until([this] { return has_problem("its checksum does not fit"); }));
    EXPECT_EQ(request("GET", "/v1/config").body, make_config("shop"));
    EXPECT_EQ(live_name(dataplane), "shop0");
}

} // namespace
} // namespace penstock
