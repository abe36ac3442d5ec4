// SPDX-License-Identifier: Apache-2.0
// Why DPDK does not take a device, in words that an operator can act on.
//
// Thread rule: the main thread.
#pragma once

#include "dataplane/api/refusal.hpp"

#include <string>

namespace penstock {

/// `what` failed with `error` (an errno of either sign): the cause ends in what DPDK said of it
/// last, or else in the text of the error.
[[nodiscard]] Refusal dpdk_refusal(
    const std::string& place, const std::string& what, int error, const std::string& remedy
);

/// Why the PCI device `given` ("0000:3b:00.0", "3b:00.0") is not there for DPDK, from what the
/// kernel knows of it.
[[nodiscard]] Refusal explain_missing_nic(const std::string& place, const std::string& given);

} // namespace penstock
