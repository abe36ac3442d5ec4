// SPDX-License-Identifier: Apache-2.0
// One setting of the kernel's networking, in the network namespace of the calling thread.
//
// Thread rule: any thread, no state.
#pragma once

#include "bpf/error.hpp"

#include <optional>
#include <string>

namespace penstock::bpf {

/// The number in /proc/sys/net/`path`; nothing if there is no such setting.
[[nodiscard]] std::optional<int> read_sysctl(const std::string& path);

[[nodiscard]] BpfResult<void> write_sysctl(const std::string& path, int value);

} // namespace penstock::bpf
