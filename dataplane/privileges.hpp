// SPDX-License-Identifier: Apache-2.0
// What the kernel must let penstock-dp do: root, or some capabilities.
//
// Thread rule: any thread; one system call.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"

#include <expected>

namespace penstock {

/// Refuses with the names of the capabilities that this process lacks for `dataplane`.
[[nodiscard]] std::expected<void, Refusal> check_privileges(const config::DataplaneConfig& dataplane
);

} // namespace penstock
