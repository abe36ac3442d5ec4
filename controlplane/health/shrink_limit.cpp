// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/shrink_limit.hpp"

#include "controlplane/health/service_decision.hpp"

#include <algorithm>

namespace penstock {

bool limits_shrinking(const config::HealthPolicy& policy) {
    return policy.shrink_limit != 0 || policy.shrink_percent != 0;
}

std::size_t shrink_places(const config::HealthPolicy& policy, std::size_t ready) {
    const std::size_t places =
        policy.shrink_limit != 0 ? policy.shrink_limit : ready * policy.shrink_percent / 100;
    return std::max<std::size_t>(places, 1);
}

void ShrinkLimit::look(
    const ServiceSpec& service,
    const std::vector<bool>& held,
    const config::HealthPolicy& policy,
    Time now
) {
    std::size_t ready = 0;
    std::vector<BackendKey> going; // those that were kept longest first, then the new ones
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
        const BackendSpec& backend = service.backends[i];
        const bool is_up = backend.health == Health::up && !held[i];
        if (!is_ready(backend)) {
            in_use_.erase(backend.key); // the operator has taken it: it needs no place
            kept_.erase(backend.key);
            out_.erase(backend.key);
            continue;
        }
        ++ready;
        if (is_up) {
            in_use_.insert(backend.key);
            kept_.erase(backend.key);
            out_.erase(backend.key);
        } else if (in_use_.contains(backend.key)) {
            kept_.try_emplace(backend.key, now);
            going.push_back(backend.key);
        }
    }
    forget(service);
    const std::chrono::milliseconds window(policy.shrink_window_ms);
    const auto recent = static_cast<std::size_t>(std::ranges::count_if(out_, [&](const auto& item) {
        return item.second + window > now;
    }));
    const std::size_t places = shrink_places(policy, ready);
    std::ranges::stable_sort(going, {}, [this](const BackendKey& key) { return kept_.at(key); });
    going.resize(std::min(going.size(), places - std::min(places, recent)));
    for (const BackendKey& key : going) {
        in_use_.erase(key);
        kept_.erase(key);
        out_[key] = now;
    }
}

void ShrinkLimit::forget(const ServiceSpec& service) {
    std::set<BackendKey> there;
    for (const BackendSpec& backend : service.backends) {
        there.insert(backend.key);
    }
    const auto is_gone = [&](const auto& item) { return !there.contains(item.first); };
    std::erase_if(in_use_, [&](const BackendKey& key) { return !there.contains(key); });
    std::erase_if(out_, is_gone);
    std::erase_if(kept_, is_gone);
}

std::optional<ShrinkLimit::Time>
ShrinkLimit::next_change(const config::HealthPolicy& policy, Time now) const {
    std::optional<Time> next;
    if (kept_.empty()) {
        return next;
    }
    for (const auto& [key, at] : out_) {
        const Time free = at + std::chrono::milliseconds(policy.shrink_window_ms);
        if (free > now && (!next || free < *next)) {
            next = free;
        }
    }
    return next;
}

} // namespace penstock
