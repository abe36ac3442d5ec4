// SPDX-License-Identifier: Apache-2.0
// Numbers that name things inside one dataplane, each a type of its own, so that a backend's number
// cannot index the services.
//
// Thread rule: values. Ids are given out by IdRegistry (id_registry.hpp), mean nothing outside this
// process and are not reused while a flow or a snapshot may still name them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace penstock {

/// Index of a service in a snapshot and in the statistics.
struct ServiceId {
    std::uint16_t value = 0;
    friend constexpr auto operator<=>(ServiceId, ServiceId) = default;
};

/// Index of a backend in a snapshot, in flow entries and in the statistics. 0 is no backend: a
/// zeroed entry must be an error, never somebody's server.
struct BackendId {
    std::uint16_t value = 0;
    friend constexpr auto operator<=>(BackendId, BackendId) = default;
};

inline constexpr BackendId null_backend{0};

/// Index of a port of this dataplane, in the order of the configuration.
struct PortId {
    std::uint8_t value = 0;
    friend constexpr auto operator<=>(PortId, PortId) = default;
};

// Limits of one dataplane. A configuration beyond them is refused, by name.
inline constexpr std::size_t max_services = 4096;
inline constexpr std::size_t max_backends = 16384; ///< ids 1 … max_backends - 1
inline constexpr std::size_t max_ports = 16;
inline constexpr std::size_t max_workers = 64;
inline constexpr std::size_t max_name_bytes = 63; ///< of a service's, backend's or port's name

} // namespace penstock
