// SPDX-License-Identifier: Apache-2.0
#include "tools/simulator/pool.hpp"

#include <algorithm>

namespace penstock::simulator {
namespace {

constexpr std::uint32_t first_address = 0x0a800000; // 10.128.0.0
constexpr std::uint16_t default_weight = 100;
constexpr std::size_t max_scripted_backends =
    8000; // half of the ids: what is removed keeps its own

bool is_usable(const BackendSpec& backend) {
    return backend.admin == AdminState::ready && backend.health == Health::up && backend.weight > 0;
}

} // namespace

Pool::Pool(std::size_t backends, std::uint64_t seed) : random_(seed), first_size_(backends) {
    state_.generation = 1;
    state_.tunnel_sources.ipv4 = IpPrefix::parse("10.0.0.2");
    state_.services.push_back(
        {.name = "simulated", .key = {.vip = *IpAddress::parse("198.51.100.10"), .port = 80}}
    );
    for (std::size_t i = 0; i < backends; ++i) {
        add_backend();
    }
}

void Pool::note(const BackendSpec& backend) {
    keeps_[backend.key.address.ipv4().raw] =
        backend.admin != AdminState::disabled && backend.health != Health::down;
}

void Pool::add_host(std::uint32_t host) {
    BackendSpec backend{
        .name = "host-" + std::to_string(host),
        .key = {.address = IpAddress::from_ipv4(Be32::from_host(first_address + host)), .port = 80},
        .weight = default_weight,
        .health = Health::up,
    };
    note(backend);
    backends().push_back(std::move(backend));
}

void Pool::add_backend() {
    // Addresses come round again: a server that was removed may return. A script may have put
    // another back already.
    const auto is_there = [this](std::uint32_t host) {
        return std::ranges::find(backends(), "host-" + std::to_string(host), &BackendSpec::name) !=
               backends().end();
    };
    while (is_there(next_host_)) {
        next_host_ = next_host_ % last_host + 1;
    }
    add_host(next_host_);
    next_host_ = next_host_ % last_host + 1;
}

std::size_t Pool::usable() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(state_.services.front().backends, is_usable)
    );
}

bool Pool::try_change(Change kind) {
    auto& pool = backends();
    if (kind == Change::add) {
        if (pool.size() >= first_size_ * 2) {
            return false;
        }
        add_backend();
        return true;
    }
    if (pool.empty()) {
        return false;
    }
    const std::size_t index = random_() % pool.size();
    BackendSpec& backend = pool[index];
    const bool takes_away = kind == Change::remove || kind == Change::drain ||
                            kind == Change::disable || kind == Change::down;
    if (takes_away && is_usable(backend) && usable() <= first_size_ / 2) {
        return false;
    }
    if (kind == Change::remove) {
        // What is removed stays as it was: `keeps_` says so already.
        pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(index));
        return true;
    }
    if (kind == Change::weight) {
        backend.weight = static_cast<std::uint16_t>(1 + random_() % 200);
    }
    set(kind, backend);
    return true;
}

// The state of one that stays.
void Pool::set(Change kind, BackendSpec& backend) {
    switch (kind) {
    case Change::add:
    case Change::remove:
    case Change::weight:
        break;
    case Change::drain:
        backend.admin = AdminState::drain;
        break;
    case Change::enable:
        backend.admin = AdminState::ready;
        break;
    case Change::disable:
        backend.admin = AdminState::disabled;
        break;
    case Change::down:
        backend.health = Health::down;
        break;
    case Change::up:
        backend.health = Health::up;
        break;
    }
    note(backend);
}

std::expected<void, std::string>
Pool::apply(Change kind, std::uint32_t host, std::uint16_t weight) {
    const std::string name = "host-" + std::to_string(host);
    const auto found = std::ranges::find(backends(), name, &BackendSpec::name);
    if (kind == Change::add) {
        if (found != backends().end()) {
            return std::unexpected(name + " is in the pool already");
        }
        if (backends().size() >= max_scripted_backends) {
            return std::unexpected("the pool is full");
        }
        add_host(host);
    } else if (found == backends().end()) {
        return std::unexpected(name + " is not in the pool");
    } else if (kind == Change::remove) {
        backends().erase(found);
    } else {
        found->weight = kind == Change::weight ? weight : found->weight;
        set(kind, *found);
    }
    ++state_.generation;
    return {};
}

Change Pool::change() {
    for (;;) {
        const auto kind = static_cast<Change>(random_() % change_names.size());
        if (try_change(kind)) {
            ++state_.generation;
            return kind;
        }
    }
}

bool Pool::keeps_flows(Be32 address) const {
    return keeps_.at(address.raw);
}

} // namespace penstock::simulator
