// SPDX-License-Identifier: Apache-2.0
// Desired state → snapshot: refuses whole or accepts whole.
//
// Thread rule: the builder thread only. The id registry is the builder's; ids() of it change only
// when compilation succeeds.
#pragma once

#include "dataplane/core/compile_error.hpp"
#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/id_registry.hpp"
#include "dataplane/core/snapshot.hpp"

#include <expected>
#include <memory>

namespace penstock {

/// Compiles `desired` into a new snapshot. Tables of services that are equal in `previous` (may be
/// null) are shared with it. Backends that `ids` still remembers but `desired` no longer names stay
/// in the snapshot without slots, so that their flows go on until they end
/// (docs/design/flow-lifetime.md).
[[nodiscard]] std::expected<std::shared_ptr<const Snapshot>, CompileError>
compile_snapshot(const DesiredState& desired, IdRegistry& ids, const Snapshot* previous);

} // namespace penstock
