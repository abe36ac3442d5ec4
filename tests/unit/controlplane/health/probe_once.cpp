// SPDX-License-Identifier: Apache-2.0
// probe-once ADDRESS PORT PROBE [MARK]: makes one probe as penstock-cp would, and prints what it
// found as one line of JSON. PROBE is the table of the configuration file: '{ type = "tcp" }'. For
// tests against real servers.
#include "controlplane/config/parse.hpp"
#include "controlplane/health/prober.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <csignal>
#include <curl/curl.h>
#include <fmt/format.h>
#include <string>

namespace {

using namespace penstock;

std::string write_configuration(const char* probe) {
    return fmt::format(
        "[node]\nname = \"t\"\n[dataplane]\nworkers = [1]\n[[dataplane.port]]\nname = \"e\"\n"
        "interface = \"e\"\n[[service]]\nname = \"s\"\nvip = \"198.51.100.10\"\nprotocol = "
        "\"tcp\"\nport = 80\nforwarding = \"ipip\"\nprobe = {}\n"
        "backend = [{{ name = \"b\", address = \"192.0.2.1\" }}]\n",
        probe
    );
}

const char* word_of(ProbeOutcome outcome) {
    switch (outcome) {
    case ProbeOutcome::good:
        return "good";
    case ProbeOutcome::bad:
        return "bad";
    case ProbeOutcome::inconclusive:
        break;
    }
    return "inconclusive";
}

int run(const ProbeRequest& request) {
    boost::asio::io_context loop;
    Prober prober(loop);
    const auto started = std::chrono::steady_clock::now();
    std::optional<ProbeResult> result;
    prober.start(request, [&](ProbeResult found) {
        result = std::move(found);
        loop.stop();
    });
    loop.run_for(std::chrono::seconds(60));
    if (!result) {
        fmt::print(stderr, "probe-once: no result\n");
        return 1;
    }
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - started;
    boost::json::object object{
        {"outcome", word_of(result->outcome)},
        {"detail", result->detail},
        {"spent_ms", spent.count()},
        {"report", nullptr},
    };
    if (result->report) {
        object["report"] = boost::json::object{
            {"weight_percent", result->report->weight_percent},
            {"admin", to_string(result->report->admin)},
        };
    }
    fmt::print("{}\n", boost::json::serialize(object));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const auto address = argc < 4 ? std::nullopt : IpAddress::parse(argv[1]);
    if (!address) {
        fmt::print(stderr, "usage: probe-once ADDRESS PORT PROBE [MARK]\n");
        return 2;
    }
    const auto parsed = config::parse_configuration(write_configuration(argv[3]), "probe");
    if (!parsed) {
        fmt::print(stderr, "{}", config::render(parsed.error()));
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const config::ServiceConfig& service = parsed->services.front();
    auto probe = std::make_shared<config::ProbeConfig>(service.probe);
    if (probe->host.empty()) {
        probe->host = service.spec.key.vip.to_string();
    }
    const auto port = static_cast<std::uint16_t>(std::stoul(argv[2]));
    const BackendKey backend{.address = *address, .port = port};
    const BackendKey target{.address = *address, .port = probe->port.value_or(port)};
    const int code = run({
        .ref = {.service = service.spec.key, .backend = backend},
        .target = target,
        .probe = std::move(probe),
        .mark = argc > 4 ? static_cast<std::uint32_t>(std::stoul(argv[4])) : 0,
    });
    curl_global_cleanup();
    return code;
}
