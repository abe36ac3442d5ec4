// SPDX-License-Identifier: Apache-2.0
// Stage 4 of a burst: what has a backend leaves for it, or its verdict says why not.
//
// Thread rule: the worker whose context it is.
#pragma once

#include "dataplane/core/flow.hpp"
#include "dataplane/core/pipeline.hpp"

#include <cstddef>
#include <span>

namespace penstock {

/// Edits the packets of `flows`, whose backends stage 3 has chosen, writes their verdicts and counts
/// them for services and backends. Returns how many are not forwarded. `packets` and `verdicts` are
/// the burst's.
[[nodiscard]] std::size_t rewrite_flows(
    WorkerContext& worker,
    const Snapshot& snapshot,
    CoarseTime now,
    std::span<const Flow> flows,
    std::span<Packet> packets,
    std::span<Verdict> verdicts
);

} // namespace penstock
