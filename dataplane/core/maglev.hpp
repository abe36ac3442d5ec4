// SPDX-License-Identifier: Apache-2.0
// Weighted Maglev hashing (Eisenbud et al., NSDI 2016, section 3.4): slots → backends, shares as
// exact as whole slots allow, with few slots moved when the set changes.
//
// Every backend has a permutation of the slots, made from its identity alone. Backends take turns,
// each taking its next free slot; a backend of weight w has its k-th turn at time (k - 1/2) / w,
// ties by identity. So with weights 10 and 1 the first has ten turns for each of the second, and a
// table depends on the set of (identity, weight) only, not on its order: equal pools agree on every
// node.
//
// Thread rule: pure functions and immutable tables.
#pragma once

#include "dataplane/core/identity.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace penstock {

struct MaglevMember {
    std::uint64_t identity = 0; ///< hash_identity() of the backend
    std::uint16_t weight = 0;   ///< 0 takes no slot
    BackendId id;               ///< what the slots hold

    friend bool operator==(const MaglevMember&, const MaglevMember&) = default;
};

struct MaglevTable {
    std::vector<MaglevMember> members; ///< what it was built from, sorted by identity
    std::vector<std::uint16_t> slots;  ///< BackendId values; empty if no member has weight
};

/// Builds the table. REQUIRES: size is prime and at least the number of members with weight.
[[nodiscard]] MaglevTable build_maglev(std::vector<MaglevMember> members, std::uint32_t size);

/// A number for a byte string that names a backend, equal on every node and in every version.
/// Unkeyed: what it spreads are the operator's own addresses.
[[nodiscard]] std::uint64_t hash_identity(std::span<const std::uint8_t> name);

} // namespace penstock
