// SPDX-License-Identifier: Apache-2.0
// What operators do at run time: overrides, with their limits, and who may.
#include "tests/unit/controlplane/process/penstock_cp_fixture.hpp"

#include <boost/json/serialize.hpp>
#include <set>
#include <sys/un.h>
#include <unistd.h>

namespace penstock {
namespace {

/// One service with both servers.
std::string make_pair_config() {
    return "[node]\nname = \"lb-a\"\n[dataplane]\nworkers = [1]\n[[dataplane.port]]\n"
           "name = \"edge0\"\ninterface = \"eth1\"\n"
           "[[service]]\nname = \"web\"\nvip = \"198.51.100.10\"\nprotocol = \"tcp\"\nport = 80\n"
           "forwarding = \"ipip\"\n"
           "probe = { type = \"tcp\", interval = \"250ms\", timeout = \"250ms\", fall = 3, rise = "
           "1 }\n"
           "backend = [ { name = \"b0\", address = \"10.0.1.11\" }, { name = \"b1\", address = "
           "\"10.0.1.12\" } ]\n";
}

class PenstockCpPair : public PenstockCp {
protected:
    PenstockCpPair() : dataplane_(dataplane_path()) {
        write_text(config_path(), make_pair_config());
    }

    bool both_up() const {
        const DesiredState live = dataplane_.live();
        return !live.services.empty() &&
               std::ranges::all_of(live.services[0].backends, takes_new_flows);
    }

    BackendSpec live_backend(std::size_t index) const {
        return dataplane_.live().services.at(0).backends.at(index);
    }

    FakeDataplane dataplane_;
};

TEST_F(PenstockCpPair, WeightIsAnOverrideThatIsListedSavedAndCleared) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    const std::string path = "/v1/services/web/backends/b0/weight";
    EXPECT_EQ(request("PUT", path, R"({"weight":50})").status, 200);
    EXPECT_EQ(live_backend(0).weight, 50);
    EXPECT_EQ(request("PUT", path, R"({"weight":50})").object().at("changed"), false);
    EXPECT_EQ(request("POST", "/v1/services/web/backends/b1/drain").status, 200);
    const json::array list = request("GET", "/v1/overrides").object().at("overrides").as_array();
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].at("backend"), "b0");
    EXPECT_EQ(list[0].at("weight"), 50);
    EXPECT_TRUE(list[0].at("admin").is_null());
    EXPECT_EQ(list[0].at("actor").at("user"), "root");
    EXPECT_EQ(list[1].at("admin"), "drain");
    cp_->end(SIGKILL);
    start_cp();
    EXPECT_EQ(request("GET", "/v1/overrides").object().at("overrides").as_array().size(), 2U);
    ASSERT_TRUE(wait_until([&] { return live_backend(0).weight == 50; }));

    const HttpAnswer adopted = request("GET", "/v1/overrides/configuration");
    ASSERT_EQ(adopted.status, 200) << adopted.body;
    EXPECT_NE(adopted.body.find("address = \"10.0.1.11\", weight = 50 }"), std::string::npos)
        << adopted.body;
    EXPECT_NE(adopted.body.find("state = \"drain\""), std::string::npos) << adopted.body;
    EXPECT_EQ(request("GET", "/v1/config").body, make_pair_config())
        << "the file itself is kept apart";

    EXPECT_EQ(request("DELETE", "/v1/services/web/backends/b0/override").status, 200);
    EXPECT_EQ(live_backend(0).weight, 100);
    EXPECT_EQ(
        request("DELETE", "/v1/services/web/backends/b0/override").object().at("changed"), false
    );
    EXPECT_EQ(request("DELETE", "/v1/overrides").status, 200);
    EXPECT_EQ(live_backend(1).admin, AdminState::ready);
    EXPECT_EQ(request("DELETE", "/v1/overrides").object().at("changed"), false);
    EXPECT_TRUE(request("GET", "/v1/overrides").object().at("overrides").as_array().empty());
}

TEST_F(PenstockCpPair, TheLastHealthyBackendNeedsForce) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    EXPECT_EQ(request("POST", "/v1/services/web/backends/b0/maint").status, 200);
    EXPECT_EQ(live_backend(0).admin, AdminState::disabled);
    const HttpAnswer refused = request("POST", "/v1/services/web/backends/b1/drain");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.object().at("type"), "urn:penstock:problem:last-healthy-backend");
    EXPECT_EQ(request("PUT", "/v1/services/web/backends/b1/weight", R"({"weight":0})").status, 409);
    EXPECT_EQ(live_backend(1).admin, AdminState::ready);
    EXPECT_EQ(request("POST", "/v1/services/web/backends/b1/drain?force=true").status, 200);
    EXPECT_EQ(live_backend(1).admin, AdminState::drain);
}

TEST_F(PenstockCpPair, AChangeOfAnotherStateThanTheOneThatWasSeenIsRefused) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    const std::string etag =
        fmt::format("\"{}\"", status().at("generation").at("desired").to_number<std::int64_t>());
    const std::string path = "/v1/services/web/backends/b0/";
    EXPECT_EQ(request("POST", path + "drain", "", "If-Match: " + etag).status, 200);
    const HttpAnswer stale = request("POST", path + "enable", "", "If-Match: " + etag);
    EXPECT_EQ(stale.status, 412);
    EXPECT_EQ(stale.object().at("type"), "urn:penstock:problem:changed-meanwhile");
    EXPECT_EQ(live_backend(0).admin, AdminState::drain);
    EXPECT_EQ(request("POST", path + "enable", "", "If-Match: *").status, 200);
}

TEST_F(PenstockCpPair, HostileJsonIsRefusedWithAProblem) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    const std::string path = "/v1/services/web/backends/b0/weight";
    for (const std::string& body : std::vector<std::string>{
             "",
             "{",
             "[]",
             "null",
             R"({"weight":"50"})",
             R"({"weight":50.5})",
             R"({"weight":-1})",
             R"({"weight":65536})",
             R"({"weight":1e400})",
             R"({"weight":99999999999999999999})",
             R"({"weight":50,"weight":60})",
             R"({"weight":50,"colour":1})",
             R"({"weight":50}x)",
             "{\"weight\":50,\"\xff\xfe\":1}",
             std::string(100000, '['),
             "{\"weight\":" + std::string(70000, ' ') + "50}",
         }) {
        const HttpAnswer answer = request("PUT", path, body);
        EXPECT_EQ(answer.status, 400) << body.substr(0, 60);
        EXPECT_EQ(answer.object().at("type"), "urn:penstock:problem:bad-request")
            << body.substr(0, 60);
        EXPECT_FALSE(answer.object().at("detail").as_string().empty());
    }
    EXPECT_EQ(live_backend(0).weight, 100);
}

/// Bytes from a connection of its own, until `done` or the other end closes.
class RawClient {
public:
    explicit RawClient(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        is_open_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    }

    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    ~RawClient() { ::close(fd_); }

    bool is_open() const { return is_open_; }

    void send(const std::string& text) const {
        ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    }

    bool read_until(std::string_view wanted, milliseconds limit = seconds(5)) {
        const timeval wait{.tv_sec = 0, .tv_usec = 100000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        return wait_until(
            [&] {
                char buffer[4096];
                const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
                text_.append(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
                return text_.find(wanted) != std::string::npos;
            },
            limit
        );
    }

    const std::string& text() const { return text_; }

private:
    int fd_;
    bool is_open_ = false;
    std::string text_;
};

TEST_F(PenstockCpPair, BackendsComeInPages) {
    start_cp();
    const json::object first = request("GET", "/v1/backends?limit=1").object();
    EXPECT_EQ(first.at("backends").as_array().size(), 1U);
    EXPECT_EQ(first.at("total"), 2);
    EXPECT_EQ(first.at("next"), 1);
    const json::object second =
        request("GET", "/v1/backends?service=web&limit=1&offset=1").object();
    EXPECT_EQ(second.at("backends").at(0).at("name"), "b1");
    EXPECT_TRUE(second.at("next").is_null());
    EXPECT_TRUE(request("GET", "/v1/backends?offset=9").object().at("backends").as_array().empty());
    EXPECT_EQ(request("GET", "/v1/services").object().at("total"), 1);
    EXPECT_EQ(request("GET", "/v1/services?limit=0").status, 400);
}

TEST_F(PenstockCpPair, EventsAreStreamed) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    RawClient client(socket_path());
    client.send("GET /v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(client.read_until("event: started")) << client.text();
    EXPECT_NE(client.text().find("text/event-stream"), std::string::npos);
    EXPECT_EQ(request("POST", "/v1/services/web/backends/b0/drain").status, 200);
    ASSERT_TRUE(client.read_until("event: backend-admin")) << client.text();
    const json::object seen = request("GET", "/v1/events").object();
    const std::string instance(seen.at("instance").as_string());
    const auto newest = seen.at("newest").to_number<std::int64_t>();
    RawClient again(socket_path());
    again.send(fmt::format(
        "GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nLast-Event-ID: {}/{}\r\n\r\n",
        instance,
        newest
    ));
    EXPECT_EQ(request("POST", "/v1/services/web/backends/b0/enable").status, 200);
    ASSERT_TRUE(again.read_until("event: backend-admin")) << again.text();
    EXPECT_EQ(again.text().find("event: started"), std::string::npos) << "only what is new";
}

TEST_F(PenstockCpPair, TenThousandConnectionsAreBounded) {
    start_cp();
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    std::size_t opened = 0;
    for (int round = 0; round < 100; ++round) {
        std::vector<std::unique_ptr<RawClient>> clients;
        for (int i = 0; i < 100; ++i) {
            clients.push_back(std::make_unique<RawClient>(socket_path()));
            opened += clients.back()->is_open() ? 1 : 0;
            if (i % 2 == 0) {
                clients.back()->send("GET /v1/stat"); // half a request
            }
        }
    }
    EXPECT_EQ(opened, 10000U);
    EXPECT_TRUE(wait_until([this] { return request("GET", "/v1/status").status == 200; }));
    EXPECT_TRUE(both_up()) << "probing went on";
}

/// The document against the server: every operation of it is there, and nothing else answers.
TEST_F(PenstockCpPair, TheOpenApiDocumentIsWhatTheServerDoes) {
    start_cp();
    const json::object document = request("GET", "/v1/openapi.json").object();
    std::string published = read_text(PENSTOCK_OPENAPI);
    ASSERT_FALSE(published.empty()) << PENSTOCK_OPENAPI;
    EXPECT_EQ(json::parse(published), document)
        << "run: penstock-cp --openapi > docs/reference/openapi.json";
    for (const auto& path : document.at("paths").as_object()) {
        std::string target(path.key());
        for (std::size_t open = target.find('{'); open != std::string::npos;
             open = target.find('{')) {
            target.replace(open, target.find('}') - open + 1, "none");
        }
        for (const char* method : {"GET", "POST", "PUT", "DELETE", "PATCH"}) {
            std::string lower(method);
            std::ranges::transform(lower, lower.begin(), [](char c) {
                return static_cast<char>(c | 0x20);
            });
            if (target == "/v1/events/stream" && lower == "get") {
                continue; // it does not end
            }
            const HttpAnswer answer = request(method, target);
            const bool is_there = path.value().as_object().contains(lower);
            EXPECT_EQ(answer.status == 405, !is_there) << method << " " << target;
            if (!is_there) {
                continue;
            }
            const bool is_missing_thing = answer.status == 404;
            EXPECT_FALSE(is_missing_thing && answer.body.find("no such path") != std::string::npos)
                << method << " " << target;
            const json::object& operation = path.value().at(lower).as_object();
            if (answer.status >= 400) {
                EXPECT_EQ(answer.object().at("status").to_number<long>(), answer.status);
            } else {
                EXPECT_TRUE(
                    operation.at("responses").as_object().contains(std::to_string(answer.status))
                ) << method
                  << " " << target << " " << answer.status;
            }
        }
    }
}

/// A process of another user, in these groups, asks; the status that it gets.
long ask_as(
    const std::string& socket, gid_t group, const std::string& method, const std::string& target
) {
    const std::string command = fmt::format(
        "setpriv --reuid=65534 --regid=65534 --groups={} curl -s -o /dev/null -w '%{{http_code}}' "
        "-X {} "
        "--unix-socket {} http://penstock{}",
        group,
        method,
        socket,
        target
    );
    FILE* pipe = ::popen(command.c_str(), "r");
    char text[16] = {};
    if (std::fgets(text, sizeof text, pipe) == nullptr) {
        text[0] = '0';
    }
    ::pclose(pipe);
    return std::strtol(text, nullptr, 10);
}

TEST_F(PenstockCpPair, RolesComeFromGroups) {
    fs::permissions(temporary_.path(), fs::perms::others_exec, fs::perm_options::add);
    // Groups that every Debian has: games 60, man (group) 12, mail 8.
    start_cp({"--viewer-group", "games", "--operator-group", "man", "--admin-group", "mail"});
    ASSERT_TRUE(wait_until([&] { return both_up(); }));
    const std::string drain = "/v1/services/web/backends/b0/drain";
    const auto ask = [this](gid_t group, const std::string& method, const std::string& target) {
        return ask_as(socket_path(), group, method, target);
    };
    EXPECT_EQ(ask(65534, "GET", "/v1/status"), 403) << "no role at all";
    EXPECT_EQ(ask(60, "GET", "/v1/status"), 200);
    EXPECT_EQ(ask(60, "POST", drain), 403);
    EXPECT_EQ(ask(12, "POST", drain), 200);
    EXPECT_EQ(ask(12, "POST", "/v1/config"), 403);
    EXPECT_EQ(ask(8, "POST", "/v1/config"), 422) << "allowed, and found empty";
    EXPECT_EQ(request("POST", "/v1/config").status, 422) << "root is an admin";
    const std::string audit = read_text(temporary_ / "state/audit.log");
    EXPECT_NE(audit.find("\"status\":403"), std::string::npos) << audit;
    EXPECT_NE(audit.find("\"user\":\"nobody\""), std::string::npos) << audit;
    ChildProcess unknown(
        {PENSTOCK_CP,
         "--config",
         config_path(),
         "--state-dir",
         temporary_ / "s",
         "--runtime-dir",
         temporary_ / "r",
         "--admin-group",
         "no-such-group"},
        temporary_ / "group.log"
    );
    const int ended = unknown.wait();
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 1);
    EXPECT_NE(read_text(temporary_ / "group.log").find("no such group"), std::string::npos);
}

} // namespace
} // namespace penstock
