// SPDX-License-Identifier: Apache-2.0
// The CPUs of this host: which there are, which this process may use, which are kept free of
// others.
//
// Thread rule: parse_cpu_list() is pure; read_host_cpus() reads /sys and this process's affinity.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace penstock {

struct HostCpus {
    std::set<std::uint16_t> online;
    std::set<std::uint16_t> allowed;  ///< by affinity and cgroup
    std::set<std::uint16_t> isolated; ///< isolcpus=: the kernel puts nobody else there
};

/// The kernel's list format ("0-3,8"); an empty line is the empty set. Nothing: malformed.
[[nodiscard]] std::optional<std::set<std::uint16_t>> parse_cpu_list(std::string_view text);

/// The reverse, for people: "0-3,8".
[[nodiscard]] std::string format_cpu_list(const std::set<std::uint16_t>& cpus);

/// Call it before any affinity is changed.
[[nodiscard]] std::expected<HostCpus, Refusal> read_host_cpus();

} // namespace penstock
