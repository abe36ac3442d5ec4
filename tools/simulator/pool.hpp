// SPDX-License-Identifier: Apache-2.0
// The pool of a service as operators and failures change it: a random walk over add, remove,
// weight, drain, disable, down and up, and changes by name.
//
// Thread rule: one thread. Deterministic: equal seeds make equal walks.
#pragma once

#include "dataplane/core/desired_state.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>

namespace penstock::simulator {

enum class Change : std::uint8_t { add, remove, weight, drain, enable, disable, down, up };

inline constexpr std::array<std::string_view, 8> change_names{
    "add", "remove", "weight", "drain", "enable", "disable", "down", "up"
};

/// Backends are host-1 to host-last_host.
inline constexpr std::uint32_t last_host = 65535;

class Pool {
public:
    /// A service of `backends` backends, all up. REQUIRES: backends >= 2.
    Pool(std::size_t backends, std::uint64_t seed);

    /// Makes one random change that is possible now; at least half of the first size stays usable.
    Change change();

    /// Makes this change to host-`host`, `weight` being its new weight if it is Change::weight. The
    /// error says why it is not possible now, and nothing has changed then.
    [[nodiscard]] std::expected<void, std::string>
    apply(Change kind, std::uint32_t host, std::uint16_t weight);

    [[nodiscard]] const DesiredState& state() const { return state_; }

    /// True if a flow of the backend with this IPv4 address must stay with it: it is neither down
    /// nor disabled. A removed backend stays as it was when it was removed.
    [[nodiscard]] bool keeps_flows(Be32 address) const;

private:
    [[nodiscard]] std::vector<BackendSpec>& backends() { return state_.services.front().backends; }

    [[nodiscard]] std::size_t usable() const;
    void add_backend();
    void add_host(std::uint32_t host);
    void set(Change kind, BackendSpec& backend);
    bool try_change(Change kind);
    void note(const BackendSpec& backend);

    DesiredState state_;
    std::mt19937_64 random_;
    std::size_t first_size_;
    std::uint32_t next_host_ = 1;
    std::unordered_map<std::uint32_t, bool>
        keeps_; ///< by raw address; what was removed stays listed
};

} // namespace penstock::simulator
