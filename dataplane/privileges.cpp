// SPDX-License-Identifier: Apache-2.0
#include "dataplane/privileges.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <linux/capability.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace penstock {

namespace {

using Capabilities = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool has_capability(const Capabilities& own, unsigned number) {
    return (own[number / 32].effective & (1U << (number % 32))) != 0;
}

} // namespace

std::expected<void, Refusal> check_privileges(const config::DataplaneConfig& dataplane) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    Capabilities own{};
    if (::syscall(SYS_capget, &header, own.data()) != 0) {
        return std::unexpected(Refusal{
            "", fmt::format("capabilities cannot be read: {}", std::strerror(errno)), "run as root"
        });
    }
    std::string missing;
    const auto need = [&](unsigned number, const char* name) {
        if (!has_capability(own, number)) {
            missing += missing.empty() ? "" : ", ";
            missing += name;
        }
    };
    need(CAP_NET_ADMIN, "cap_net_admin");
    need(CAP_NET_RAW, "cap_net_raw");
    const bool has_interface = std::ranges::any_of(dataplane.ports, [](const auto& port) {
        return port.interface.has_value();
    });
    if (has_interface && !has_capability(own, CAP_SYS_ADMIN)) {
        need(CAP_BPF, "cap_bpf");
    }
    if (missing.empty()) {
        return {};
    }
    return std::unexpected(Refusal{
        "",
        fmt::format("not permitted to drive network interfaces (missing: {})", missing),
        "run it as root (sudo penstock-dp), or grant the capabilities (AmbientCapabilities=)"
    });
}

} // namespace penstock
