// SPDX-License-Identifier: Apache-2.0
// Lets replies of VIPs in where the kernel's reverse path filter (rp_filter) would drop them: a
// backend answers a probe from the VIP, to which the kernel's routes may lead elsewhere, or nowhere.
//
// IPv4 alone has that filter. Each interface is changed at most once, and put back with this object;
// a kill -9 leaves it changed.
//
// Thread rule: one thread; every call makes system calls.
#pragma once

#include "bpf/error.hpp"
#include "bpf/route_socket.hpp"

#include <map>
#include <string>

namespace penstock::bpf {

class ReversePath {
public:
    ReversePath() = default;

    ReversePath(ReversePath&& other) noexcept : before_(std::move(other.before_)) {
        other.before_.clear();
    }

    ReversePath& operator=(ReversePath&&) = delete;
    ~ReversePath();

    /// Opens `ifindex` to packets from `vip` (IPv4; for IPv6 there is nothing to do): loose (2) if
    /// the kernel has any route to it, else off (0). An error if that of all interfaces forbids it.
    [[nodiscard]] BpfResult<void>
    open(unsigned int ifindex, const IpAddress& vip, RouteSocket& routes);

private:
    std::map<std::string, int> before_; // interface → its setting before we changed it
};

} // namespace penstock::bpf
