// SPDX-License-Identifier: Apache-2.0
// The ways of probes through the data path (`via = "vip"`): which socket mark leads a probe of a
// VIP to which backend. The kernel's side is bpf/probe_path.hpp.
//
// The path is opened with the first probe that wants it: who probes servers directly needs neither
// the device nor the rights for it. What fails is logged with its remedy, once a minute, and tried
// again with the next probe; opening every ten seconds at most.
//
// Thread rule: the loop's thread; some calls make system calls, none waits.
#pragma once

#include "bpf/probe_path.hpp"
#include "controlplane/backend_ref.hpp"
#include "controlplane/config/configuration.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace penstock {

/// How the traffic of the service reaches the backend. Nothing: its probes do not go that way, or
/// cannot.
[[nodiscard]] std::optional<bpf::ProbeTarget>
find_way(const config::ServiceConfig& service, const BackendSpec& backend);

class ProbePaths {
public:
    /// Makes `targets` those that have a way. Marks of those that stay as they were stay too.
    void set_targets(const std::map<BackendRef, bpf::ProbeTarget>& targets);

    /// The mark for a probe of this backend; nothing if there is no way now.
    [[nodiscard]] std::optional<std::uint32_t> find_mark(const BackendRef& ref);

private:
    struct Way {
        bpf::ProbeTarget target;
        std::optional<std::uint32_t> mark; ///< nothing: not asked for yet, or refused
    };

    [[nodiscard]] bool open();
    void warn(const std::string& text);

    std::optional<bpf::ProbePath> path_;
    std::map<BackendRef, Way> ways_;
    std::optional<std::chrono::steady_clock::time_point> last_open_;
    std::optional<std::chrono::steady_clock::time_point> last_warning_;
};

} // namespace penstock
