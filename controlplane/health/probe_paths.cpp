// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_paths.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

namespace penstock {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::minutes warning_interval{1};
// Loading the program takes milliseconds, and there may be thousands of probes.
constexpr std::chrono::seconds open_interval{10};

} // namespace

std::optional<bpf::ProbeTarget>
find_way(const config::ServiceConfig& service, const BackendSpec& backend) {
    if (service.probe.via != config::ProbeVia::vip) {
        return std::nullopt;
    }
    bpf::ProbeTarget target;
    target.vip = service.spec.key.vip;
    target.backend = backend.key.address;
    switch (service.spec.forwarding) {
    case Forwarding::l2dsr:
        target.mode = bpf::ProbeMode::l2dsr;
        return target;
    case Forwarding::ipip:
        target.mode = bpf::ProbeMode::ipip;
        return target;
    case Forwarding::gre:
        target.mode = bpf::ProbeMode::gre;
        return target;
    case Forwarding::gue:
        target.mode = service.spec.gue_variant == 0 ? bpf::ProbeMode::gue_variant_0
                                                    : bpf::ProbeMode::gue_variant_1;
        target.gue_port = service.spec.gue_port;
        return target;
    case Forwarding::nat: // the server takes no packet to the VIP: there is no such way
        return std::nullopt;
    }
    return std::nullopt;
}

void ProbePaths::set_targets(const std::map<BackendRef, bpf::ProbeTarget>& targets) {
    std::map<BackendRef, Way> ways;
    for (const auto& [ref, target] : targets) {
        Way way{.target = target, .mark = std::nullopt};
        const auto before = ways_.find(ref);
        if (before != ways_.end() && before->second.target == target) {
            way.mark = std::exchange(before->second.mark, std::nullopt);
        }
        ways.emplace(ref, way);
    }
    for (const auto& [ref, way] : ways_) {
        if (way.mark) {
            path_->remove(*way.mark);
        }
    }
    ways_ = std::move(ways);
    if (ways_.empty()) {
        path_.reset();
        last_open_.reset();
    }
}

std::optional<std::uint32_t> ProbePaths::find_mark(const BackendRef& ref) {
    const auto found = ways_.find(ref);
    if (found == ways_.end()) {
        return std::nullopt;
    }
    Way& way = found->second;
    if (way.mark) {
        return way.mark;
    }
    if (!open()) {
        return std::nullopt;
    }
    const auto route = path_->add(way.target);
    if (!route) {
        warn(fmt::format(
            "backend {} cannot be probed by way of VIP {}: {}",
            ref.backend.address.to_string(),
            ref.service.vip.to_string(),
            route.error().text()
        ));
        return std::nullopt;
    }
    way.mark = route->mark;
    return way.mark;
}

bool ProbePaths::open() {
    if (path_) {
        return true;
    }
    const auto now = steady_clock::now();
    if (last_open_ && now - *last_open_ < open_interval) {
        return false;
    }
    last_open_ = now;
    auto opened = bpf::ProbePath::open();
    if (!opened) {
        warn("there is no path for probes of VIPs (via = \"vip\"): " + opened.error().text());
        return false;
    }
    path_.emplace(std::move(*opened));
    spdlog::info("probes of VIPs go out by {}", bpf::probe_device_name);
    return true;
}

void ProbePaths::warn(const std::string& text) {
    const auto now = steady_clock::now();
    if (!last_warning_ || now - *last_warning_ >= warning_interval) {
        last_warning_ = now;
        spdlog::warn("{}", text);
    }
}

} // namespace penstock
