// SPDX-License-Identifier: Apache-2.0
// What the dataplane of this release would refuse of a configuration that is well written: found
// before it is applied, with its place in the file.
//
// Thread rule: pure, but for reading the lines that are quoted.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "controlplane/config/diagnostic.hpp"

namespace penstock::config {

/// One error for each service that is refused; empty if a dataplane that has addresses of its own
/// to tunnel from would take it all.
[[nodiscard]] Diagnostics find_unsupported(const Configuration& configuration);

} // namespace penstock::config
