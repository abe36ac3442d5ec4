// SPDX-License-Identifier: Apache-2.0
// Gives services and backends their local ids, and takes an id back only when no flow can name it.
//
//   assigned ──(no longer desired)──► retired ──(grace period over, no flow on any worker)──► free
//      ▲                                 │
//      └────────(desired again)──────────┘
//
// Thread rule: the builder thread only.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/identity.hpp"
#include "dataplane/core/tunnel_kind.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace penstock {

class IdRegistry {
public:
    struct Service {
        ServiceId id;
        bool desired = true;
    };

    struct Backend {
        BackendId id;
        ServiceId service{};
        bool desired = true;
        // As it was when last desired:
        TunnelKind tunnel;
        bool keeps_flows = true;
        bool resets_flows = false;
    };

    using BackendName = std::pair<ServiceKey, BackendKey>;

    /// Gives every service and backend of `desired` an id and marks all others as retired. Returns
    /// false and changes nothing if ids run out: max_services or max_backends, retired ones
    /// included.
    [[nodiscard]] bool assign(const DesiredState& desired);

    /// Frees the ids of retired backends for which `flows[id]` is 0, and of retired services that
    /// have no backend left. REQUIRES: `flows` holds, by id, the sum over all workers, read after
    /// the grace period of the publication that retired them: from then on no worker can make a
    /// flow to them.
    void free_retired(std::span<const std::uint64_t> flows);

    [[nodiscard]] const std::map<ServiceKey, Service>& services() const { return services_; }

    [[nodiscard]] const std::map<BackendName, Backend>& backends() const { return backends_; }

    /// REQUIRES: assigned.
    [[nodiscard]] ServiceId service(const ServiceKey& key) const { return services_.at(key).id; }

    [[nodiscard]] BackendId backend(const ServiceKey& service, const BackendKey& backend) const {
        return backends_.at({service, backend}).id;
    }

private:
    std::map<ServiceKey, Service> services_;
    std::map<BackendName, Backend> backends_;
    std::vector<ServiceId> free_service_ids_;
    std::vector<BackendId> free_backend_ids_;
    std::uint16_t next_service_ = 0;
    std::uint16_t next_backend_ = 1; // 0 is null_backend
};

} // namespace penstock
