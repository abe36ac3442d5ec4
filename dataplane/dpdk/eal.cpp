// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/eal.hpp"

#include "dataplane/dpdk/dpdk_log.hpp"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <spdlog/spdlog.h>

namespace penstock {

namespace {

void remove_folder(const std::string& folder) {
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    if (error) {
        spdlog::warn("{} could not be removed: {}", folder, error.message());
    }
}

} // namespace

std::expected<std::unique_ptr<Eal>, Refusal>
Eal::start(std::vector<std::string> arguments, const std::string& runtime_folder) {
    const std::string folder = runtime_folder + "/dpdk";
    // What a killed process left; the runtime folder is ours alone (runtime_folder.hpp).
    remove_folder(folder);
    // EAL puts its own folder below this one instead of /var/run, where nobody would clean up after
    // a kill.
    if (::setenv("RUNTIME_DIRECTORY", runtime_folder.c_str(), 1) != 0) {
        return std::unexpected(Refusal{"", "no memory for the environment", "free some memory"});
    }
    std::string command;
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
        command += (command.empty() ? "" : " ") + argument;
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    spdlog::debug("EAL arguments: {}", command);

    capture_dpdk_log();
    int result = 0;
    {
        const StderrCapture capture;
        result = ::rte_eal_init(static_cast<int>(arguments.size()), argv.data());
    }
    if (result < 0) {
        Refusal refusal{
            "DPDK",
            fmt::format("did not start: {} ({})", last_dpdk_complaint(), ::rte_strerror(rte_errno)),
            "run with --log-level debug for all that it says, and check [dataplane] eal_args"
        };
        remove_folder(folder);
        return std::unexpected(std::move(refusal));
    }
    forget_dpdk_log();
    return std::unique_ptr<Eal>(new Eal(folder));
}

Eal::~Eal() {
    {
        const StderrCapture capture;
        if (::rte_eal_cleanup() != 0) {
            spdlog::warn("DPDK did not clean up: {}", last_dpdk_complaint());
        }
    }
    remove_folder(folder_);
}

} // namespace penstock
