// SPDX-License-Identifier: Apache-2.0
#include "tools/simulator/pool.hpp"

#include <algorithm>

namespace penstock::simulator {
namespace {

constexpr std::uint32_t first_address = 0x0a800000; // 10.128.0.0
constexpr std::uint32_t last_host = 0xffff;
constexpr std::uint16_t default_weight = 100;

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

void Pool::add_backend() {
    // Addresses come round again: a server that was removed may return.
    const std::uint32_t host = next_host_;
    next_host_ = next_host_ % last_host + 1;
    BackendSpec backend{
        .name = "host-" + std::to_string(host),
        .key = {.address = IpAddress::from_ipv4(Be32::from_host(first_address + host)), .port = 80},
        .weight = default_weight,
        .health = Health::up,
    };
    note(backend);
    backends().push_back(std::move(backend));
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
    const std::size_t index = random_() % pool.size();
    BackendSpec& backend = pool[index];
    const bool takes_away = kind == Change::remove || kind == Change::drain ||
                            kind == Change::disable || kind == Change::down;
    if (takes_away && is_usable(backend) && usable() <= first_size_ / 2) {
        return false;
    }
    switch (kind) {
    case Change::add:
        break;
    case Change::remove:
        // What is removed stays as it was: `keeps_` says so already.
        pool.erase(pool.begin() + static_cast<std::ptrdiff_t>(index));
        return true;
    case Change::weight:
        backend.weight = static_cast<std::uint16_t>(1 + random_() % 200);
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
    return true;
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
