// SPDX-License-Identifier: Apache-2.0
// The real penstock-cp against a fake dataplane, probing real HTTP servers on loopback.
//
// This file is long because every case drives the same fixture, a process with its peers.
// All in a network namespace of its own, whose loopback has the backends' addresses.
//
//   test ── API (curl, control.sock) ──► penstock-cp ── dataplane.sock ──► FakeDataplane
//                                            └── HTTP and TCP probes ──► python3 -m http.server,
//                                            one a backend
#include "tests/unit/controlplane/process/penstock_cp_fixture.hpp"

#include "dataplane/api/statistics.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <curl/curl.h>
#include <fmt/format.h>
#include <functional>
#include <future>
#include <gtest/gtest.h>
#include <memory>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>

namespace penstock {
namespace {

TEST_F(PenstockCp, BringsServicesUpWellWithinASecond) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }, milliseconds(1500)));
    const auto count_unresolved = [this] {
        const json::object seen = request("GET", "/v1/status").object();
        return seen.at("dataplane").at("unresolved_next_hops").as_array().size();
    };
    ASSERT_TRUE(wait_until([&] { return count_unresolved() == 2; }, milliseconds(1500)));
    const json::object status = request("GET", "/v1/status").object();
    EXPECT_EQ(status.at("node"), "lb-a");
    EXPECT_EQ(status.at("dataplane").at("state"), "connected");
    EXPECT_EQ(status.at("dataplane").at("version"), "0.0.9");
    EXPECT_EQ(status.at("generation").at("desired"), status.at("generation").at("live"));
    EXPECT_EQ(status.at("configuration").at("file_state"), "same");
    EXPECT_EQ(status.at("last_reload").at("result"), "applied");
    EXPECT_EQ(status.at("services").at("up"), 2);
    EXPECT_TRUE(read_text(temporary_ / "state/applied.toml").starts_with(read_text(config_path())));
    EXPECT_FALSE(fs::exists(temporary_ / "state/pending.toml"));
    struct stat socket{};
    ASSERT_EQ(::stat(socket_path().c_str(), &socket), 0);
    EXPECT_EQ(socket.st_mode & 0777U, 0660U);
    EXPECT_EQ(dataplane.stale_count(), 0U);
    const int ended = cp_->end(SIGTERM);
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0) << ended;
    EXPECT_FALSE(fs::exists(socket_path()));
}

TEST_F(PenstockCp, DetectsAKilledServerAndItsReturn) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const auto killed = Clock::now();
    servers_[0]->end(SIGKILL);
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::down; }));
    const auto detected = dataplane.flips().back().time - killed;
    // Three probes 100 ms apart, the first at most one interval (and jitter) away; the rest is
    // slack.
    EXPECT_LT(detected, milliseconds(2500));
    EXPECT_GT(detected, milliseconds(400)) << "fall = 3 was not respected";
    RecordProperty(
        "detected_ms", static_cast<int>(std::chrono::duration_cast<milliseconds>(detected).count())
    );
    const json::object view = backend("web0");
    EXPECT_EQ(view.at("health"), "down");
    EXPECT_TRUE(view.at("reason").as_string().starts_with("tcp connect refused, 3 of 3; last ok "))
        << view.at("reason");
    EXPECT_EQ(request("GET", "/v1/services/web0").object().at("state"), "down");
    const json::object status = request("GET", "/v1/status").object();
    EXPECT_NE(
        status.at("problems").as_array().at(0).as_string().find("no_backend"), json::string::npos
    );
    EXPECT_EQ(live_health(dataplane, 1), Health::up);
    start_server(0);
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::up; }));
    EXPECT_EQ(backend("web0").at("reason"), "http 200, 2 of 2");
    // Health travels alone: the configuration was pushed once, its generation stood still.
    EXPECT_EQ(dataplane.applied_count(), 1U);
    const json::array events = request("GET", "/v1/events").object().at("events").as_array();
    std::size_t live_events = 0;
    for (const json::value& event : events) {
        live_events += event.at("type") == "health-live" ? 1 : 0;
    }
    EXPECT_GE(live_events, 2U);
}

TEST_F(PenstockCp, StatusOutsideTheRangeIsDown) {
    const FakeDataplane dataplane(dataplane_path());
    fs::remove(docroot(0) + "/healthz"); // down from its first probe on
    start_cp();
    ASSERT_TRUE(wait_until([&] {
        return live_health(dataplane, 0) == Health::down && live_health(dataplane, 1) == Health::up;
    }));
    const std::string events = request("GET", "/v1/events").body;
    EXPECT_NE(
        events.find(R"("severity":"critical","type":"service-state","service":"web0")"),
        std::string::npos
    ) << events;
    fs::remove(docroot(1) + "/healthz");
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 1) == Health::down; }));
    EXPECT_TRUE(backend("web1").at("reason").as_string().starts_with("http 404, 3 of 3; last ok "));
}

TEST_F(PenstockCp, ReloadKeepsHealthAndABadFileChangesNothing) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const std::uint64_t generation = dataplane.live().generation;
    const auto since = backend("web1").at("since");

    write_text(config_path(), make_config("web", "colour = 1\n"));
    EXPECT_EQ(
        request("GET", "/v1/status").object().at("configuration").at("file_state"), "differs"
    );
    cp_->send(SIGHUP);
    ASSERT_TRUE(wait_until([&] {
        return request("GET", "/v1/status").object().at("last_reload").at("result") == "invalid";
    }));
    const HttpAnswer refused = request("POST", "/v1/config?name=mine.toml", "[node]\nnam = 1\n");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(refused.object().at("type"), "urn:penstock:problem:invalid-configuration");
    EXPECT_GE(refused.object().at("diagnostics").as_array().size(), 1U);
    EXPECT_EQ(refused.object().at("diagnostics").at(0).at("file"), "mine.toml");
    EXPECT_EQ(dataplane.live().generation, generation);

    // Renamed services: same keys, so the same backends, whose health must not blink.
    write_text(config_path(), make_config("shop"));
    cp_->send(SIGHUP);
    ASSERT_TRUE(wait_until([&] { return dataplane.live().services.at(0).name == "shop0"; }));
    EXPECT_TRUE(all_live(dataplane)) << "the pushed state itself must have the health";
    EXPECT_GT(dataplane.live().generation, generation);
    EXPECT_EQ(backend("shop1").at("since"), since);
    EXPECT_TRUE(wait_until([&] {
        return read_text(temporary_ / "state/applied.toml").starts_with(read_text(config_path()));
    }));

    const HttpAnswer same = request("POST", "/v1/config", make_config("shop"));
    EXPECT_EQ(same.status, 200);
    EXPECT_EQ(same.object().at("changed"), false);
    const HttpAnswer ports =
        request("POST", "/v1/config", make_config("shop", "") + "[flow]\nudp = \"60s\"\n");
    EXPECT_EQ(ports.status, 200) << ports.body;
    EXPECT_EQ(ports.object().at("result"), "live");
    EXPECT_EQ(ports.object().at("services"), 2);
}

TEST_F(PenstockCp, ARefusalOfTheDataplaneKeepsTheOldConfiguration) {
    FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const std::string before = read_text(temporary_ / "state/applied.toml");
    dataplane.refuse_service("big0");
    const HttpAnswer answer = request("POST", "/v1/config", make_config("big"));
    EXPECT_EQ(answer.status, 409) << answer.body;
    const json::object problem = answer.object();
    EXPECT_EQ(problem.at("type"), "urn:penstock:problem:refused-by-dataplane");
    EXPECT_NE(problem.at("detail").as_string().find("service big0: no room"), json::string::npos);
    EXPECT_EQ(problem.at("remedy"), "remove another service");
    EXPECT_EQ(read_text(temporary_ / "state/applied.toml"), before);
    EXPECT_FALSE(fs::exists(temporary_ / "state/pending.toml"));
    EXPECT_EQ(dataplane.live().services.at(0).name, "web0");
    EXPECT_EQ(request("GET", "/v1/services/web0").status, 200);
    EXPECT_EQ(request("GET", "/v1/services/big0").status, 404);
    const json::object status = request("GET", "/v1/status").object();
    EXPECT_EQ(status.at("generation").at("desired"), status.at("generation").at("live"));
    EXPECT_EQ(status.at("last_reload").at("result"), "refused");
    // It goes on: the next change is taken.
    EXPECT_EQ(request("POST", "/v1/services/web0/backends/b0/drain?force=true").status, 200);
}

TEST_F(PenstockCp, WhatCouldNotBeSavedIsNotAppliedByTheNextStart) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    // As with a full disk, but only for the number.
    fs::create_directory(temporary_ / "state/generation.unfinished");
    const HttpAnswer refused = request("POST", "/v1/config", make_config("shop"));
    EXPECT_EQ(refused.status, 500) << refused.body;
    EXPECT_FALSE(fs::exists(temporary_ / "state/pending.toml"));
    EXPECT_EQ(request("POST", "/v1/services/web0/backends/b0/drain?force=true").status, 500);
    EXPECT_FALSE(fs::exists(temporary_ / "state/overrides.json"));
    const std::uint64_t generation = dataplane.live().generation;
    cp_->end(SIGKILL);
    fs::remove(temporary_ / "state/generation.unfinished");
    start_cp();
    ASSERT_TRUE(wait_until([&] { return dataplane.live().generation > generation; }));
    EXPECT_EQ(dataplane.live().services.at(0).name, "web0");
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::ready);
}

TEST_F(PenstockCp, ARefusedCandidateDoesNotTakeAnOverrideAlong) {
    FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const auto first = static_cast<std::int64_t>(dataplane.live().generation);
    dataplane.refuse_service("big0");
    dataplane.hold(true);
    const auto post = [this](const std::string& target, const std::string& body = "") {
        return std::async(std::launch::async, [this, target, body] {
            return request("POST", target, body);
        });
    };
    auto under_way = post("/v1/services/web1/backends/b1/drain?force=true");
    ASSERT_TRUE(wait_for_desired(first + 1));
    EXPECT_TRUE(has_problem(fmt::format("generation {} is not live yet", first + 1)));
    auto config = post("/v1/config", make_config("big"));
    ASSERT_TRUE(wait_for_desired(first + 2));
    auto drain = post("/v1/services/big0/backends/b0/drain?force=true");
    ASSERT_TRUE(wait_for_desired(first + 3));
    dataplane.hold(false);
    EXPECT_EQ(under_way.get().status, 200);
    EXPECT_EQ(config.get().status, 409);
    const HttpAnswer drained = drain.get();
    EXPECT_EQ(drained.status, 200) << drained.body;
    EXPECT_EQ(dataplane.live().services.at(0).name, "web0");
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::drain);
    EXPECT_FALSE(has_problem("is not live yet"));
}

TEST_F(PenstockCp, NobodyWaitsWhenARefusalLeavesNothingToSend) {
    FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const auto first = static_cast<std::int64_t>(dataplane.live().generation);
    dataplane.refuse_service("big0");
    dataplane.hold(true);
    auto config = std::async(std::launch::async, [this] {
        return request("POST", "/v1/config", make_config("big"));
    });
    ASSERT_TRUE(wait_for_desired(first + 1));
    auto drain = std::async(std::launch::async, [this] {
        return request("POST", "/v1/services/big0/backends/b0/drain?force=true");
    });
    ASSERT_TRUE(wait_for_desired(first + 2));
    auto enable = std::async(std::launch::async, [this] {
        return request("POST", "/v1/services/big0/backends/b0/enable");
    });
    ASSERT_TRUE(wait_for_desired(first + 3));
    dataplane.hold(false);
    const auto released = Clock::now();
    EXPECT_EQ(config.get().status, 409);
    EXPECT_EQ(drain.get().status, 200);
    EXPECT_EQ(enable.get().status, 200);
    EXPECT_LT(Clock::now() - released, seconds(3));
}

TEST_F(PenstockCp, RefusedFlipsDoNotPutTheRetryOff) {
    FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    dataplane.refuse_flips(true);
    const std::size_t before = dataplane.applied_count();
    const auto begun = Clock::now();
    bool there = true;
    // A flip about every second: more often than the retry.
    while (Clock::now() - begun < seconds(9) && dataplane.applied_count() == before) {
        there = !there;
        if (there) {
            write_text(docroot(0) + "/healthz", "ok\n");
        } else {
            fs::remove(docroot(0) + "/healthz");
        }
        const std::string_view wanted = there ? "up" : "down";
        ASSERT_TRUE(wait_until([&] { return health_of("web0") == wanted; }, seconds(4)));
    }
    EXPECT_GT(dataplane.applied_count(), before);
}

TEST_F(PenstockCp, ADataplaneThatReadTheAppliedConfigurationNeedsARestartForThePendingOne) {
    {
        const FakeDataplane dataplane(dataplane_path());
        start_cp();
        ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    }
    ASSERT_TRUE(wait_until([this] { return status().at("dataplane").at("state") == "connecting"; })
    );
    std::string renamed = make_config("web");
    renamed.replace(renamed.find("lb-a"), 4, "lb-b");
    EXPECT_EQ(request("POST", "/v1/config", renamed).status, 202);
    const FakeDataplane restarted(dataplane_path());
    ASSERT_TRUE(wait_until([&] { return all_live(restarted); }));
    EXPECT_EQ(status().at("dataplane").at("restart_needed"), true);
    EXPECT_TRUE(has_problem("[node] has changed"));
}

TEST_F(PenstockCp, ProblemsNameAStaleWorkerAndAPortWithoutLink) {
    const std::vector<std::uint32_t> lcores{1};
    const auto writer = StatisticsWriter::create(temporary_ / "run/dataplane.stats", lcores);
    ASSERT_TRUE(writer) << to_string(writer.error());
    const auto beat = [&writer](seconds ago) {
        const std::chrono::nanoseconds time = Clock::now().time_since_epoch() - ago;
        (*writer)->worker(0).worker->heartbeat_ns.set(static_cast<std::uint64_t>(time.count()));
    };
    PortStatus port{.name = "edge0", .device = "eth1", .driver = "net_af_xdp", .mtu = 1500};
    FakeDataplane dataplane(dataplane_path());
    dataplane.set_instance((*writer)->instance_id());
    dataplane.set_ports({port});
    beat(seconds(3));
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    EXPECT_TRUE(wait_until([this] { return has_problem("port edge0 (eth1): the link is down"); }));
    EXPECT_TRUE(has_problem("worker 0 (lcore 1) gave its last sign of life"));
    port.link = LinkState::up;
    dataplane.set_ports({port});
    EXPECT_TRUE(wait_until([&] {
        beat(seconds(0));
        return !has_problem("edge0") && !has_problem("worker");
    }));
}

TEST_F(PenstockCp, OverridesSurviveReloadsAndRestarts) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const HttpAnswer drained = request("POST", "/v1/services/web0/backends/b0/drain?force=true");
    EXPECT_EQ(drained.status, 200) << drained.body;
    EXPECT_EQ(drained.object().at("result"), "live");
    EXPECT_EQ(drained.object().at("admin"), "drain");
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::drain);
    EXPECT_EQ(
        request("POST", "/v1/services/web0/backends/b0/drain?force=true").object().at("changed"),
        false
    );
    EXPECT_EQ(request("POST", "/v1/services/web0/backends/none/drain").status, 404);
    EXPECT_EQ(request("GET", "/v1/services/web0/backends/b0/drain").status, 405);
    write_text(config_path(), make_config("shop"));
    cp_->send(SIGHUP);
    ASSERT_TRUE(wait_until([&] { return dataplane.live().services.at(0).name == "shop0"; }));
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::drain);
    const std::uint64_t generation = dataplane.live().generation;
    cp_->end(SIGKILL);
    start_cp();
    ASSERT_TRUE(wait_until([&] { return dataplane.live().generation > generation; }));
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::drain);
    EXPECT_EQ(request("POST", "/v1/services/shop0/backends/b0/enable").status, 200);
    EXPECT_EQ(dataplane.live().services.at(0).backends.at(0).admin, AdminState::ready);
    EXPECT_EQ(request("GET", "/v1/status").object().at("overrides"), 0);
}

TEST_F(PenstockCp, RestartAdoptsHealthAndPushesAboveTheLiveGeneration) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const std::uint64_t generation = dataplane.live().generation;
    cp_->end(SIGKILL);
    // Gone while nobody looks: adopted as up first, found out by our own probes after `fall` of
    // them.
    servers_[0]->end(SIGKILL);
    const std::size_t flips_before = dataplane.flips().size();
    // Another file at the old place must not matter: the applied one is what runs after a restart.
    write_text(config_path(), make_config("other"));
    start_cp();
    ASSERT_TRUE(wait_until([&] { return dataplane.live().generation > generation; }));
    EXPECT_EQ(dataplane.live().services.at(0).name, "web0");
    EXPECT_EQ(dataplane.stale_count(), 0U);
    ASSERT_TRUE(wait_until([&] { return health_of("web0") == "down"; }));
    ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::down; }));
    const auto flips = dataplane.flips();
    ASSERT_EQ(flips.size(), flips_before + 1) << "web1 must not have blinked";
    EXPECT_TRUE(backend("web0").at("reason").as_string().starts_with("tcp connect refused, 3 of 3")
    );
    EXPECT_EQ(
        request("GET", "/v1/status").object().at("configuration").at("file_state"), "differs"
    );
}

TEST_F(PenstockCp, AwayDataplaneGetsTheNewestStateWhenItIsBack) {
    start_cp();
    EXPECT_EQ(request("GET", "/v1/status").object().at("dataplane").at("state"), "connecting");
    const HttpAnswer first = request("POST", "/v1/config", make_config("one"));
    EXPECT_EQ(first.status, 202) << first.body;
    EXPECT_EQ(first.object().at("result"), "pending");
    EXPECT_EQ(request("POST", "/v1/config", make_config("two")).status, 202);
    EXPECT_EQ(request("POST", "/v1/services/two1/backends/b1/disable?force=true").status, 202);
    EXPECT_EQ(request("GET", "/v1/stats").status, 503);
    // What was promised as pending is remembered by a restart.
    cp_->end(SIGKILL);
    start_cp();
    {
        const FakeDataplane dataplane(dataplane_path());
        ASSERT_TRUE(wait_until([&] { return live_health(dataplane, 0) == Health::up; }));
        EXPECT_EQ(dataplane.live().services.at(0).name, "two0");
        EXPECT_EQ(dataplane.live().services.at(1).backends.at(0).admin, AdminState::disabled);
        EXPECT_EQ(dataplane.applied_count(), 1U) << "nothing queues but the newest";
        EXPECT_TRUE(wait_until([&] {
            return read_text(temporary_ / "state/applied.toml").starts_with(make_config("two"));
        }));
    }
    ASSERT_TRUE(wait_until([&] {
        return request("GET", "/v1/status").object().at("dataplane").at("state") == "connecting";
    }));
    // A dataplane that restarts empty gets everything again.
    const FakeDataplane restarted(dataplane_path());
    ASSERT_TRUE(wait_until([&] { return live_health(restarted, 0) == Health::up; }));
    EXPECT_EQ(restarted.live().services.size(), 2U);
}

TEST_F(PenstockCp, EventsAreWaitedFor) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    std::this_thread::sleep_for(milliseconds(300));
    const json::object before = request("GET", "/v1/events").object();
    const std::string next = fmt::format(
        "/v1/events?after={}&instance={}&wait=10",
        before.at("newest").as_int64(),
        std::string_view(before.at("instance").as_string())
    );
    std::thread killer([this] {
        std::this_thread::sleep_for(milliseconds(200));
        fs::remove(docroot(0) + "/healthz");
    });
    const auto asked = Clock::now();
    const json::object after = request("GET", next).object();
    killer.join();
    EXPECT_GT(Clock::now() - asked, milliseconds(200));
    EXPECT_LT(Clock::now() - asked, seconds(9));
    EXPECT_EQ(after.at("events").at(0).at("type"), "backend-health");
    EXPECT_EQ(after.at("lost"), 0);
    EXPECT_EQ(request("GET", "/v1/events?wait=31").status, 400);
    EXPECT_EQ(request("GET", "/v1/events?after=x").status, 400);
}

TEST_F(PenstockCp, HostileClientsCostTheirConnectionOnly) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    std::vector<int> idle;
    const auto connect = [this] {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        socket_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        return fd;
    };
    const auto converse = [&connect](const std::string& text) {
        const int fd = connect();
        EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), std::ssize(text));
        std::string answer(4096, '\0');
        const ssize_t got = ::recv(fd, answer.data(), answer.size(), 0);
        ::close(fd);
        answer.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
        return answer;
    };
    EXPECT_TRUE(converse("rubbish\r\n\r\n").starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(
        converse("GET / HTTP/1.1\r\nx: " + std::string(20000, 'y')).starts_with("HTTP/1.1 431")
    );
    EXPECT_TRUE(converse("POST /v1/config HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n")
                    .starts_with("HTTP/1.1 413"));
    EXPECT_EQ(request("DELETE", "/v1/status").status, 405);
    // A large body is no hostility.
    EXPECT_EQ(
        request("POST", "/v1/config", make_config("web") + "#" + std::string(5U << 20U, 'x'))
            .status,
        200
    );
    EXPECT_EQ(request("GET", "/v2/status").status, 404);
    for (int i = 0; i < 64; ++i) {
        idle.push_back(connect());
    }
    ASSERT_TRUE(wait_until([this] { return request("GET", "/v1/status").status == 503; }));
    for (const int fd : idle) {
        ::close(fd);
    }
    EXPECT_TRUE(wait_until([this] { return request("GET", "/v1/status").status == 200; }));
    EXPECT_TRUE(wait_until([&] { return all_live(dataplane); }));
}

TEST_F(PenstockCp, RefusesToStartWithOneLineAndExitCodeOne) {
    write_text(config_path(), "[node]\nnam = \"x\"\n");
    ChildProcess bad(
        {PENSTOCK_CP,
         "--config",
         config_path(),
         "--state-dir",
         temporary_ / "state",
         "--runtime-dir",
         temporary_ / "new-run"},
        temporary_ / "cp.log"
    );
    const int status = bad.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    EXPECT_NE(read_text(temporary_ / "cp.log").find("penstock.toml:2:1: error:"), std::string::npos)
        << read_text(temporary_ / "cp.log");
    EXPECT_FALSE(fs::exists(temporary_ / "new-run"));
    EXPECT_FALSE(fs::exists(temporary_ / "state")) << "a first start that fails leaves nothing";
    ChildProcess usage({PENSTOCK_CP, "--colour"}, temporary_ / "usage.log");
    const int usage_status = usage.wait();
    EXPECT_TRUE(WIFEXITED(usage_status) && WEXITSTATUS(usage_status) == 2);
}

TEST_F(PenstockCp, SecondInstanceFailsAndHarmsNothing) {
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ChildProcess second(
        {PENSTOCK_CP,
         "--config",
         config_path(),
         "--state-dir",
         temporary_ / "state",
         "--runtime-dir",
         temporary_ / "run"},
        temporary_ / "second.log"
    );
    const int status = second.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    EXPECT_NE(read_text(temporary_ / "second.log").find("another penstock-cp"), std::string::npos);
    ChildProcess third(
        {PENSTOCK_CP,
         "--config",
         config_path(),
         "--state-dir",
         temporary_ / "state3",
         "--runtime-dir",
         temporary_ / "run"},
        temporary_ / "third.log"
    );
    const int third_status = third.wait();
    EXPECT_TRUE(WIFEXITED(third_status) && WEXITSTATUS(third_status) == 1);
    EXPECT_EQ(request("GET", "/v1/status").status, 200);
}

TEST_F(PenstockCp, DamagedAppliedConfigurationIsSetAsideAndSaid) {
    fs::create_directories(temporary_ / "state");
    write_text(temporary_ / "state/applied.toml", "[node\n");
    const FakeDataplane dataplane(dataplane_path());
    start_cp();
    ASSERT_TRUE(wait_until([&] { return all_live(dataplane); }));
    const json::array problems = request("GET", "/v1/status").object().at("problems").as_array();
    bool said = false;
    for (const json::value& problem : problems) {
        said = said || problem.as_string().find("applied.toml.damaged-") != json::string::npos;
    }
    EXPECT_TRUE(said) << json::serialize(problems);
}

/// A network of our own: backends may not have loopback addresses, and nothing leaves it.
bool enter_network_namespace() {
    return ::unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up") == 0 &&
           std::system("ip addr add 10.0.1.11/32 dev lo") == 0 &&
           std::system("ip addr add 10.0.1.12/32 dev lo") == 0;
}

} // namespace
} // namespace penstock

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (!penstock::enter_network_namespace()) {
        fmt::print(
            stderr, "cannot make a network namespace: run as root, with iproute2 installed\n"
        );
        return 1;
    }
    return RUN_ALL_TESTS();
}
