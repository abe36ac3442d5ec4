// SPDX-License-Identifier: Apache-2.0
// penstock-dp: flags, configuration, log and an Instance, wired.
#include "controlplane/config/parse.hpp"
#include "dataplane/dpdk/instance.hpp"
#include "dataplane/log.hpp"
#include "dataplane/options.hpp"
#include "dataplane/privileges.hpp"
#include "dataplane/sd_notify.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>

namespace penstock {

namespace {

constexpr int exit_not_started = 1;
constexpr int exit_usage = 2;

// Every thread inherits it, so that the main lcore's loop alone hears of the end.
void block_signals() {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    // A habit from other daemons, or a closed terminal: its default would leave XDP attached and the VIPs
    // without workers. What can be reloaded is reloaded by penstock-cp.
    std::signal(SIGHUP, SIG_IGN);
}

// What penstock-cp applied last is what runs, whatever the file says meanwhile (ARCHITECTURE.md).
std::string choose_configuration(const Options& options) {
    const std::string applied = options.state_folder + "/applied.toml";
    std::error_code error;
    // An error is not absence: what cannot be looked at is chosen, and the reader says why it cannot be read.
    if (std::filesystem::exists(applied, error) || error) {
        spdlog::info(
            "penstock-dp {}: configuration {} (last applied; {} is not read)",
            PENSTOCK_VERSION,
            applied,
            options.config_file
        );
        return applied;
    }
    spdlog::info("penstock-dp {}: configuration {}", PENSTOCK_VERSION, options.config_file);
    return options.config_file;
}

int report(const Refusal& refusal, const LogOptions& log) {
    if (log.is_json) {
        spdlog::error("{}", to_string(refusal));
        close_log();
    } else {
        close_log(); // first what led to it
        fmt::print(stderr, "penstock-dp: {}\n", to_string(refusal));
    }
    return exit_not_started;
}

int serve(const Options& options) {
    block_signals();
    open_log(options.log);
    const auto configuration = config::read_configuration(choose_configuration(options));
    if (!configuration) {
        close_log();
        fmt::print(stderr, "{}", config::render(configuration.error()));
        return exit_not_started;
    }
    const config::DataplaneConfig& dataplane = configuration->dataplane;
    if (auto permitted = check_privileges(dataplane); !permitted) {
        return report(permitted.error(), options.log);
    }
    auto instance = Instance::start(dataplane, options.runtime_folder);
    if (!instance) {
        return report(instance.error(), options.log);
    }
    spdlog::info("ready");
    if (!notify_systemd("READY=1")) {
        spdlog::warn("systemd was not told: {}", std::strerror(errno));
    }
    (*instance)->run();
    spdlog::info("stopping");
    if (!notify_systemd("STOPPING=1")) {
        spdlog::warn("systemd was not told: {}", std::strerror(errno));
    }
    instance->reset();
    spdlog::info("stopped");
    close_log();
    return 0;
}

} // namespace
} // namespace penstock

int main(int argc, char** argv) {
    const auto options = penstock::parse_options(argc, argv);
    if (!options) {
        fmt::print(stderr, "penstock-dp: {}\n", options.error());
        return penstock::exit_usage;
    }
    switch (options->action) {
    case penstock::Action::print_help:
        fmt::print("{}", penstock::help_text());
        return 0;
    case penstock::Action::print_version:
        fmt::print("penstock-dp {}\n", PENSTOCK_VERSION);
        return 0;
    case penstock::Action::serve:
        return penstock::serve(*options);
    }
}
