// SPDX-License-Identifier: Apache-2.0
// The right to drive a kernel interface by AF_XDP, taken before DPDK touches it: a second instance
// must fail before DPDK gets the chance to remove the first one's XDP program, which it does on
// every failure.
//
// Thread rule: the main thread, in the network namespace that the interface is in.
#pragma once

#include "controlplane/config/configuration.hpp"
#include "dataplane/api/refusal.hpp"
#include "dataplane/dpdk/interface_facts.hpp"

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace penstock {

/// Refuses an interface that AF_XDP with `workers` sockets would lose packets of, or could not
/// serve.
[[nodiscard]] std::expected<void, Refusal>
check_interface(const config::PortConfig& port, const InterfaceFacts& facts, std::size_t workers);

/// What an operator should mend although it does not prevent a start; each with its command.
[[nodiscard]] std::vector<std::string> interface_warnings(const InterfaceFacts& facts);

class InterfaceClaim {
public:
    /// Locks the interface by name: an abstract socket "penstock-dp/<name>", so that the lock is
    /// one per network namespace and vanishes with the process. Then checks it, and detaches
    /// steering that a killed process left there; somebody else's XDP program is an error.
    [[nodiscard]] static std::expected<std::unique_ptr<InterfaceClaim>, Refusal>
    take(const config::PortConfig& port, std::size_t workers);

    InterfaceClaim(const InterfaceClaim&) = delete;
    InterfaceClaim& operator=(const InterfaceClaim&) = delete;

    /// Gives the interface back: whatever steering of ours is still attached is detached first.
    ~InterfaceClaim();

    [[nodiscard]] const InterfaceFacts& facts() const { return facts_; }

private:
    InterfaceClaim(int lock_fd, InterfaceFacts facts)
        : lock_fd_(lock_fd), facts_(std::move(facts)) {}

    int lock_fd_;
    InterfaceFacts facts_;
    bool is_ours_ = false; ///< the XDP hook is ours to use, and to clean
};

} // namespace penstock
