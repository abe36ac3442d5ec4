// SPDX-License-Identifier: Apache-2.0
// Questions and requests to the kernel's routing (rtnetlink, over libmnl), one at a time, each with
// its answer, in the network namespace of the thread that opened the socket.
//
// Thread rule: one thread. The kernel answers within the call that asks: nothing waits.
#pragma once

#include "bpf/error.hpp"
#include "dataplane/core/addresses.hpp"

#include <functional>
#include <memory>
#include <optional>

struct mnl_socket;
struct nlmsghdr;

namespace penstock::bpf {

/// Where the kernel would send a packet.
struct RouteFact {
    bool is_local = false;           ///< the address is one of this host
    unsigned int ifindex = 0;        ///< leaves here
    std::optional<IpAddress> source; ///< the address that the kernel would send from
};

class RouteSocket {
public:
    [[nodiscard]] static BpfResult<RouteSocket> open();

    /// Nothing: there is no route to it.
    [[nodiscard]] BpfResult<std::optional<RouteFact>> ask_route(const IpAddress& destination);

    /// Sends `message` (with its NLM_F_REQUEST; the sequence number is set here) and calls `answer`
    /// for each message that comes back. Returns 0 or the kernel's error number, which is also
    /// that of a message without NLM_F_ACK or NLM_F_DUMP that was refused.
    [[nodiscard]] int
    exchange(nlmsghdr* message, const std::function<void(const nlmsghdr*)>& answer = {});

private:
    struct Close {
        void operator()(mnl_socket* socket) const;
    };

    explicit RouteSocket(mnl_socket* socket) : socket_(socket) {}

    std::unique_ptr<mnl_socket, Close> socket_;
    unsigned int sequence_ = 0;
};

} // namespace penstock::bpf
