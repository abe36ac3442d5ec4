// SPDX-License-Identifier: Apache-2.0
// A pair of joined interfaces in a network namespace of this process's own. The namespace, and all
// that is attached in it, goes away with the process, however that ends.
#pragma once

#include <string>

namespace penstock::bpf::test {

struct ScratchInterfaces {
    unsigned int first = 0; ///< index of "steered"
    unsigned int second = 0;
};

/// Moves the calling thread into a new namespace and makes a veth pair there, both ends up. Aborts
/// the test run if it cannot.
[[nodiscard]] ScratchInterfaces make_scratch_interfaces();

/// Runs a shell command in the thread's namespace; its exit code.
[[nodiscard]] int run_command(const std::string& command);

} // namespace penstock::bpf::test
