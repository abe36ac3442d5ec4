// SPDX-License-Identifier: Apache-2.0
// Routes, neighbours and addresses of the kernel as plain values, over libmnl: requests go out,
// answers and notifications come in, nothing waits.
//
// Thread rule: an object belongs to one thread. Every function returns at once; the socket's fd
// becomes readable when something came.
#pragma once

#include "dataplane/api/refusal.hpp"
#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

struct mnl_socket;
struct nlmsghdr;

namespace penstock {

/// The answer to ask_route().
struct RouteAnswer {
    std::uint32_t sequence = 0;
    bool is_local = false;            ///< the address is one of this host
    std::uint32_t ifindex = 0;        ///< leaves here
    std::optional<IpAddress> gateway; ///< nothing: on-link
};

struct NeighbourEvent {
    bool is_removed = false;
    std::uint32_t ifindex = 0;
    IpAddress address;
    std::optional<MacAddress> mac; ///< only if the kernel would use it now
    bool is_failed = false;        ///< asked, and nobody answered
    bool is_permanent = false;
    bool is_managed = false; ///< the kernel keeps it resolved
    bool is_ours = false;    ///< made by a penstock-dp
};

struct AddressEvent {
    bool is_removed = false;
    std::uint32_t ifindex = 0;
    IpAddress address;
    /// Of global scope (not link-local), neither tentative nor deprecated, and no temporary one (RFC
    /// 8981) that would be another tomorrow.
    bool is_usable = false;
};

/// A route or a link changed: what was asked may have another answer now.
struct RoutingEvent {};

/// The end of the answer to one request: 0, or an errno.
struct RequestEnd {
    std::uint32_t sequence = 0;
    int error = 0;
};

/// Messages were lost: ask for everything again.
struct MessagesLost {};

using NetlinkEvent =
    std::variant<RouteAnswer, NeighbourEvent, AddressEvent, RoutingEvent, RequestEnd, MessagesLost>;

class Netlink {
public:
    /// A socket for requests, or one that hears of every change of neighbours, links, routes and
    /// addresses.
    [[nodiscard]] static std::expected<std::unique_ptr<Netlink>, Refusal> open_for_requests();
    [[nodiscard]] static std::expected<std::unique_ptr<Netlink>, Refusal> open_for_events();

    Netlink(const Netlink&) = delete;
    Netlink& operator=(const Netlink&) = delete;
    ~Netlink();

    [[nodiscard]] int fd() const;

    // Each sends one request and returns its sequence number, above 0, or 0 if it could not be sent
    // now. Answers are events with that number; RequestEnd is the last of dumps, failures and
    // changes, while a route's answer stands alone.
    [[nodiscard]] std::uint32_t ask_route(const IpAddress& destination);
    [[nodiscard]] std::uint32_t dump_neighbours();
    [[nodiscard]] std::uint32_t dump_addresses();

    /// Makes the kernel resolve `address` on that interface and keep it so (NTF_EXT_MANAGED),
    /// marked as ours.
    [[nodiscard]] std::uint32_t
    add_managed_neighbour(std::uint32_t ifindex, const IpAddress& address);
    [[nodiscard]] std::uint32_t remove_neighbour(std::uint32_t ifindex, const IpAddress& address);

    /// Appends what came, at most a few datagrams; call again while the fd is readable.
    void receive(std::vector<NetlinkEvent>& events);

private:
    explicit Netlink(mnl_socket* socket) : socket_(socket) {}

    [[nodiscard]] static std::expected<std::unique_ptr<Netlink>, Refusal>
    open(std::span<const int> groups);
    [[nodiscard]] std::uint32_t send(nlmsghdr* message);

    mnl_socket* socket_;
    std::uint32_t next_sequence_ = 1;
    std::vector<char> buffer_;
};

} // namespace penstock
