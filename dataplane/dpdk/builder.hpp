// SPDX-License-Identifier: Apache-2.0
// What the builder thread does: desired state with health → snapshot, ids given and taken back, the
// directory of the statistics.
//
// Thread rule: the builder thread only (WorkThread), after construction.
#pragma once

#include "dataplane/api/messages.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/api/statistics.hpp"
#include "dataplane/core/explain.hpp"
#include "dataplane/core/id_registry.hpp"
#include "dataplane/core/snapshot.hpp"
#include "dataplane/dpdk/hop_state.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace penstock {

class Builder {
public:
    struct Order {
        std::shared_ptr<const DesiredState> desired;
        std::vector<UpdateHealth> updates;        ///< put on top, in order
        TunnelSources default_tunnel_sources;     ///< where `desired` names none
        std::shared_ptr<const Snapshot> previous; ///< published last, may be null
    };

    struct Product {
        std::shared_ptr<const DesiredState> desired; ///< with the updates
        std::shared_ptr<const Snapshot> snapshot;
        std::vector<std::uint32_t> unknown_backends; ///< one an update
        bool has_new_backends = false;               ///< targets that `previous` had not
    };

    explicit Builder(StatisticsWriter& statistics);

    /// Compiles; on success the ids and the directory of the statistics follow.
    [[nodiscard]] std::expected<Product, Refusal> build(const Order& order);

    /// Takes back the ids of what is no longer desired and has no flows. Returns true if some are
    /// left. REQUIRES: the last product is published and its grace period over.
    bool free_retired();

    /// The backends of `desired` with their next hops. `hops` is Neighbours::states(), `ports` the
    /// names.
    [[nodiscard]] std::vector<BackendStatus> list_backends(
        const DesiredState& desired,
        const std::vector<HopState>& hops,
        const std::vector<std::string>& ports
    ) const;

    /// What would become of frames that arrive at port 0, and why. `desired` may be null; `ports`
    /// are the names by PortId.
    [[nodiscard]] Explained explain(
        const ExplainPackets& request,
        const ExplainView& view,
        const DesiredState* desired,
        const std::vector<std::string>& ports
    );

private:
    void write_directory(const DesiredState& desired);
    [[nodiscard]] bool has_retired() const;

    StatisticsWriter& statistics_;
    Explainer explainer_;
    IdRegistry ids_;
    std::vector<std::string> service_names_; ///< by id, as written; empty: not in the directory
    std::vector<std::string> backend_names_;
};

} // namespace penstock
