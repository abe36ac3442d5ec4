// SPDX-License-Identifier: Apache-2.0
// Who may send: a list of prefixes that may not, and one of those that alone may, compiled.
//
// Thread rule: immutable after construction; snapshots share the lists that did not change, for a
// million prefixes take a second to compile.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/core/drop_reason.hpp"
#include "dataplane/core/prefix_set.hpp"

#include <optional>

namespace penstock {

class AccessList {
public:
    explicit AccessList(const AccessSpec& spec)
        : spec_(spec), allow_(spec.allow), deny_(spec.deny) {}

    /// Why a packet from `source` is dropped, if it is: source_denied, or source_not_allowed if
    /// there is a list of those who may.
    [[nodiscard]] std::optional<DropReason> refuse(const IpAddress& source) const {
        if (deny_.contains(source)) {
            return DropReason::source_denied;
        }
        if (!spec_.allow.empty() && !allow_.contains(source)) {
            return DropReason::source_not_allowed;
        }
        return std::nullopt;
    }

    /// What it was made from.
    [[nodiscard]] const AccessSpec& spec() const { return spec_; }

private:
    AccessSpec spec_;
    PrefixSet allow_;
    PrefixSet deny_;
};

} // namespace penstock
