// SPDX-License-Identifier: Apache-2.0
// A penstock-cp of the tests: the real program with its directories, two real HTTP servers to probe
// and a client for its API. Lives in the network namespace that main() of penstock_cp_test.cpp
// made.
#pragma once

#include "tests/unit/controlplane/process/child_process.hpp"
#include "tests/unit/controlplane/process/fake_dataplane.hpp"
#include "tests/unit/controlplane/temporary_directory.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <curl/curl.h>
#include <fmt/format.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace penstock {

namespace fs = std::filesystem;
namespace json = boost::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct HttpAnswer {
    long status = 0;
    std::string body;

    [[nodiscard]] json::object object() const { return json::parse(body).as_object(); }
};

inline std::size_t append_body(char* data, std::size_t size, std::size_t count, void* body) {
    static_cast<std::string*>(body)->append(data, size * count);
    return size * count;
}

inline bool wait_until(const std::function<bool()>& condition, milliseconds limit = seconds(10)) {
    const auto deadline = Clock::now() + limit;
    while (Clock::now() < deadline) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(milliseconds(10));
    }
    return condition();
}

class PenstockCp : public testing::Test {
protected:
    PenstockCp() {
        fs::create_directories(temporary_ / "run");
        for (int i = 0; i < 2; ++i) {
            fs::create_directories(docroot(i));
            write_text(docroot(i) + "/healthz", "ok\n");
            start_server(i);
        }
        // Probes begin when both can answer, or the first result would be about python's start.
        EXPECT_TRUE(wait_until([this] { return answers(0) && answers(1); }));
        write_text(config_path(), make_config("web"));
    }

    ~PenstockCp() override {
        if (HasFailure()) {
            fmt::print("--- log of penstock-cp\n{}\n", read_text(temporary_ / "cp.log"));
        }
    }

    std::string docroot(int i) const { return temporary_ / fmt::format("docs{}", i); }

    std::string config_path() const { return temporary_ / "penstock.toml"; }

    static std::string address(int i) { return fmt::format("10.0.1.1{}", i + 1); }

    std::string socket_path() const { return temporary_ / "run/control.sock"; }

    std::string dataplane_path() const { return temporary_ / "run/dataplane.sock"; }

    void start_server(int i) {
        servers_[i] = std::make_unique<ChildProcess>(
            std::vector<std::string>{
                "/usr/bin/python3",
                "-m",
                "http.server",
                "80",
                "--bind",
                address(i),
                "--directory",
                docroot(i)
            },
            temporary_ / "server.log"
        );
    }

    static bool answers(int i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in server{};
        server.sin_family = AF_INET;
        server.sin_port = htons(80);
        ::inet_pton(AF_INET, address(i).c_str(), &server.sin_addr);
        const bool there = ::connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof(server)) == 0;
        ::close(fd);
        return there;
    }

    /// A service for each of the two servers.
    std::string make_config(const std::string& name, const std::string& more = "") const {
        std::string text =
            "[node]\nname = \"lb-a\"\n[dataplane]\nworkers = [1]\n[[dataplane.port]]\n"
            "name = \"edge0\"\ninterface = \"eth1\"\n";
        for (int i = 0; i < 2; ++i) {
            text += fmt::format(
                "[[service]]\nname = \"{}{}\"\nvip = \"198.51.100.1{}\"\nprotocol = \"tcp\"\nport "
                "= 80\n"
                "forwarding = \"ipip\"\n"
                "probe = {{ type = \"http\", path = \"/healthz\", interval = \"250ms\", "
                "timeout = \"250ms\", fall = 3, rise = 2 }}\n"
                "backend = [ {{ name = \"b{}\", address = \"{}\" }} ]\n",
                name,
                i,
                i,
                i,
                address(i)
            );
        }
        return text + more;
    }

    void start_cp(const std::vector<std::string>& more = {}) {
        std::vector<std::string> command{
            PENSTOCK_CP,
            "--config",
            config_path(),
            "--state-dir",
            temporary_ / "state",
            "--runtime-dir",
            temporary_ / "run"
        };
        command.insert(command.end(), more.begin(), more.end());
        cp_ = std::make_unique<ChildProcess>(command, temporary_ / "cp.log");
        ASSERT_TRUE(wait_until([this] { return request("GET", "/v1/status").status == 200; }))
            << read_text(temporary_ / "cp.log");
    }

    HttpAnswer request(
        const std::string& method,
        const std::string& target,
        const std::string& body = "",
        const std::string& field = ""
    ) const {
        HttpAnswer answer;
        CURL* curl = curl_easy_init();
        const std::string url = "http://penstock" + target;
        const std::string socket = socket_path();
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
        curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 20000L);
        if (method != "GET") {
            curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
        }
        curl_slist* fields = field.empty() ? nullptr : curl_slist_append(nullptr, field.c_str());
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &append_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
        curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_easy_cleanup(curl);
        curl_slist_free_all(fields);
        return answer;
    }

    json::object backend(const std::string& service) const {
        return request("GET", "/v1/backends?service=" + service)
            .object()
            .at("backends")
            .as_array()
            .at(0)
            .as_object();
    }

    std::string health_of(const std::string& service) const {
        return std::string(backend(service).at("health").as_string());
    }

    static Health live_health(const FakeDataplane& dataplane, std::size_t service) {
        const DesiredState live = dataplane.live();
        return live.services.size() <= service ? Health::unknown
                                               : live.services[service].backends.at(0).health;
    }

    /// Status of a dataplane with which everything is well.
    bool all_live(const FakeDataplane& dataplane) const {
        return live_health(dataplane, 0) == Health::up && live_health(dataplane, 1) == Health::up;
    }

    json::object status() const { return request("GET", "/v1/status").object(); }

    bool has_problem(std::string_view text) const {
        const json::object seen = status();
        return std::ranges::any_of(seen.at("problems").as_array(), [text](const json::value& one) {
            return one.as_string().find(text) != json::string::npos;
        });
    }

    bool wait_for_desired(std::int64_t generation) const {
        return wait_until([&] {
            return status().at("generation").at("desired").to_number<std::int64_t>() == generation;
        });
    }

    TemporaryDirectory temporary_;
    std::unique_ptr<ChildProcess> servers_[2];
    std::unique_ptr<ChildProcess> cp_;
};

} // namespace penstock
