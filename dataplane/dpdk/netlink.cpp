// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/netlink.hpp"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace penstock {
namespace {

// Marks the neighbours that we made (NDA_PROTOCOL), so that a process after a kill knows them as
// ours. Above the values that rtnetlink.h gives to others.
constexpr std::uint8_t neighbour_protocol = 0x50;

constexpr int receive_buffer_bytes = 4 << 20;
constexpr int datagrams_a_call = 16;

template <std::size_t Count>
using Attributes = std::array<const nlattr*, Count>;

/// Attributes of `message` behind `Body`, by type; unknown ones are passed over.
template <typename Body, std::size_t Count>
Attributes<Count> parse_attributes(const nlmsghdr* message) {
    Attributes<Count> attributes{};
    mnl_attr_parse(
        message,
        sizeof(Body),
        [](const nlattr* attribute, void* data) {
            auto& out = *static_cast<Attributes<Count>*>(data);
            const std::size_t type = mnl_attr_get_type(attribute);
            if (type < Count) {
                out[type] = attribute;
            }
            return MNL_CB_OK;
        },
        &attributes
    );
    return attributes;
}

/// The address at `bytes`, nothing if the length is of no family.
std::optional<IpAddress> to_address(const void* bytes, std::size_t length) {
    if (length == 4) {
        Be32 address{};
        std::memcpy(&address.raw, bytes, length);
        return IpAddress::from_ipv4(address);
    }
    if (length == 16) {
        std::array<std::uint8_t, 16> address{};
        std::memcpy(address.data(), bytes, length);
        return IpAddress::from_ipv6(address);
    }
    return std::nullopt;
}

std::optional<IpAddress> to_address(const nlattr* attribute) {
    return attribute == nullptr
               ? std::nullopt
               : to_address(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute));
}

std::uint32_t to_u32(const nlattr* attribute) {
    return attribute != nullptr && mnl_attr_get_payload_len(attribute) >= sizeof(std::uint32_t)
               ? mnl_attr_get_u32(attribute)
               : 0;
}

std::uint8_t family_of(const IpAddress& address) {
    return address.is_ipv4() ? AF_INET : AF_INET6;
}

void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
    const auto& bytes = address.bytes();
    if (address.is_ipv4()) {
        mnl_attr_put(message, type, 4, bytes.data() + 12);
    } else {
        mnl_attr_put(message, type, bytes.size(), bytes.data());
    }
}

template <typename Body>
const Body* body_of(const nlmsghdr* message) {
    return mnl_nlmsg_get_payload_len(message) >= sizeof(Body)
               ? static_cast<const Body*>(mnl_nlmsg_get_payload(message))
               : nullptr;
}

void take_route(const nlmsghdr* message, std::vector<NetlinkEvent>& events) {
    const auto* const route = body_of<rtmsg>(message);
    // A notification carries the sequence number of whoever caused it, or 0; only answers are
    // addressed to our port, and the events socket never asks.
    if (route == nullptr) {
        return;
    }
    const auto attributes = parse_attributes<rtmsg, RTA_MAX + 1>(message);
    RouteAnswer answer{.sequence = message->nlmsg_seq};
    answer.is_local = route->rtm_type == RTN_LOCAL;
    answer.ifindex = to_u32(attributes[RTA_OIF]);
    answer.gateway = to_address(attributes[RTA_GATEWAY]);
    if (const nlattr* const via = attributes[RTA_VIA]; via != nullptr && !answer.gateway) {
        // An IPv6 gateway of an IPv4 route: the family, then the address.
        const auto* const bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(via));
        const std::size_t length = mnl_attr_get_payload_len(via);
        if (length > sizeof(std::uint16_t)) {
            answer.gateway =
                to_address(bytes + sizeof(std::uint16_t), length - sizeof(std::uint16_t));
        }
    }
    events.emplace_back(answer);
}

void take_neighbour(const nlmsghdr* message, std::vector<NetlinkEvent>& events) {
    const auto* const neighbour = body_of<ndmsg>(message);
    if (neighbour == nullptr ||
        (neighbour->ndm_family != AF_INET && neighbour->ndm_family != AF_INET6)) {
        return; // bridge forwarding entries share the message
    }
    const auto attributes = parse_attributes<ndmsg, NDA_MAX + 1>(message);
    const std::optional<IpAddress> address = to_address(attributes[NDA_DST]);
    if (!address) {
        return;
    }
    constexpr std::uint16_t usable =
        NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
    NeighbourEvent event{
        .is_removed = message->nlmsg_type == RTM_DELNEIGH,
        .ifindex = static_cast<std::uint32_t>(neighbour->ndm_ifindex),
        .address = *address,
    };
    event.is_failed = (neighbour->ndm_state & NUD_FAILED) != 0;
    event.is_permanent = (neighbour->ndm_state & NUD_PERMANENT) != 0;
    event.is_managed = (to_u32(attributes[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED) != 0;
    const nlattr* const protocol = attributes[NDA_PROTOCOL];
    event.is_ours = protocol != nullptr && mnl_attr_get_u8(protocol) == neighbour_protocol;
    const nlattr* const mac = attributes[NDA_LLADDR];
    if (mac != nullptr && (neighbour->ndm_state & usable) != 0 &&
        mnl_attr_get_payload_len(mac) == sizeof(MacAddress)) {
        std::memcpy(
            event.mac.emplace().bytes.data(), mnl_attr_get_payload(mac), sizeof(MacAddress)
        );
    }
    events.emplace_back(event);
}

void take_address(const nlmsghdr* message, std::vector<NetlinkEvent>& events) {
    const auto* const body = body_of<ifaddrmsg>(message);
    if (body == nullptr) {
        return;
    }
    const auto attributes = parse_attributes<ifaddrmsg, IFA_MAX + 1>(message);
    // IFA_LOCAL is our own address where IFA_ADDRESS is the other end's (point to point).
    const nlattr* const attribute =
        attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    const std::optional<IpAddress> address = to_address(attribute);
    if (!address) {
        return;
    }
    const std::uint32_t flags =
        attributes[IFA_FLAGS] != nullptr ? to_u32(attributes[IFA_FLAGS]) : body->ifa_flags;
    std::uint32_t unusable = IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED;
    if (body->ifa_family == AF_INET6) {
        unusable |= IFA_F_TEMPORARY; // the bit of IPv4's IFA_F_SECONDARY, which is usable
    }
    events.emplace_back(AddressEvent{
        .is_removed = message->nlmsg_type == RTM_DELADDR,
        .ifindex = body->ifa_index,
        .address = *address,
        .is_usable = body->ifa_scope == RT_SCOPE_UNIVERSE && (flags & unusable) == 0,
    });
}

struct Intake {
    std::vector<NetlinkEvent>& events;
    bool hears_changes; ///< a route here is a change, not an answer
};

int take_message(const nlmsghdr* message, void* data) {
    auto& [events, hears_changes] = *static_cast<Intake*>(data);
    switch (message->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (hears_changes) {
            events.emplace_back(RoutingEvent{});
        } else {
            take_route(message, events);
        }
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        events.emplace_back(RoutingEvent{});
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        take_neighbour(message, events);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        take_address(message, events);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

} // namespace

Netlink::~Netlink() {
    mnl_socket_close(socket_);
}

int Netlink::fd() const {
    return mnl_socket_get_fd(socket_);
}

std::expected<std::unique_ptr<Netlink>, Refusal> Netlink::open(std::span<const int> groups) {
    const auto refuse = [](const char* what) {
        return std::unexpected(Refusal{
            "netlink",
            fmt::format("{}: {}", what, std::generic_category().message(errno)),
            "run as root, or with CAP_NET_ADMIN",
        });
    };
    mnl_socket* const socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket == nullptr) {
        return refuse("cannot open a socket");
    }
    std::unique_ptr<Netlink> self(new Netlink(socket));
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        return refuse("cannot bind a socket");
    }
    // A larger buffer makes losses rarer; the plain option is the fallback without CAP_NET_ADMIN.
    if (::setsockopt(self->fd(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof(int)) !=
        0) {
        ::setsockopt(self->fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
    }
    // An acknowledgement need not repeat the request; losses of the kernel's own messages must be
    // heard.
    const int on = 1;
    mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, const_cast<int*>(&on), sizeof(on));
    for (int group : groups) {
        if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
            return refuse("cannot subscribe to changes");
        }
    }
    self->buffer_.resize(65536);
    return self;
}

std::expected<std::unique_ptr<Netlink>, Refusal> Netlink::open_for_requests() {
    return open({});
}

std::expected<std::unique_ptr<Netlink>, Refusal> Netlink::open_for_events() {
    static constexpr std::array groups{
        int{RTNLGRP_NEIGH},
        int{RTNLGRP_LINK},
        int{RTNLGRP_IPV4_ROUTE},
        int{RTNLGRP_IPV6_ROUTE},
        int{RTNLGRP_IPV4_IFADDR},
        int{RTNLGRP_IPV6_IFADDR},
    };
    auto self = open(groups);
    if (self) {
        (*self)->next_sequence_ = 0; // it asks for nothing
    }
    return self;
}

std::uint32_t Netlink::send(nlmsghdr* message) {
    message->nlmsg_seq = next_sequence_;
    if (mnl_socket_sendto(socket_, message, message->nlmsg_len) < 0) {
        return 0;
    }
    next_sequence_ = next_sequence_ == UINT32_MAX ? 1 : next_sequence_ + 1;
    return message->nlmsg_seq;
}

std::uint32_t Netlink::ask_route(const IpAddress& destination) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST;
    auto* const route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    route->rtm_family = family_of(destination);
    route->rtm_dst_len = destination.is_ipv4() ? 32 : 128;
    put_address(message, RTA_DST, destination);
    return send(message);
}

std::uint32_t Netlink::dump_neighbours() {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_GETNEIGH;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_nlmsg_put_extra_header(message, sizeof(ndmsg));
    return send(message);
}

std::uint32_t Netlink::dump_addresses() {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_GETADDR;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg));
    return send(message);
}

std::uint32_t Netlink::add_managed_neighbour(std::uint32_t ifindex, const IpAddress& address) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_NEWNEIGH;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
    auto* const neighbour = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
    neighbour->ndm_family = family_of(address);
    neighbour->ndm_ifindex = static_cast<int>(ifindex);
    neighbour->ndm_state = NUD_NONE;
    put_address(message, NDA_DST, address);
    mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
    mnl_attr_put_u8(message, NDA_PROTOCOL, neighbour_protocol);
    return send(message);
}

std::uint32_t Netlink::remove_neighbour(std::uint32_t ifindex, const IpAddress& address) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_DELNEIGH;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    auto* const neighbour = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ndmsg)));
    neighbour->ndm_family = family_of(address);
    neighbour->ndm_ifindex = static_cast<int>(ifindex);
    put_address(message, NDA_DST, address);
    return send(message);
}

void Netlink::receive(std::vector<NetlinkEvent>& events) {
    Intake intake{events, next_sequence_ == 0};
    for (int i = 0; i < datagrams_a_call; ++i) {
        const ssize_t bytes = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
        if (bytes < 0) {
            // ENOSPC is a datagram larger than the buffer: lost as well.
            if (errno == ENOBUFS || errno == ENOSPC) {
                events.emplace_back(MessagesLost{});
            }
            if (errno == EAGAIN) {
                return;
            }
            continue;
        }
        // One by one, because mnl_cb_run() stops at the first error of a batch.
        int left = static_cast<int>(bytes);
        const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data());
        while (mnl_nlmsg_ok(message, left)) {
            if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) {
                events.emplace_back(MessagesLost{}); // the table changed during the dump
            }
            if (message->nlmsg_type == NLMSG_ERROR) {
                if (const auto* const error = body_of<nlmsgerr>(message)) {
                    events.emplace_back(RequestEnd{message->nlmsg_seq, -error->error});
                }
            } else if (message->nlmsg_type == NLMSG_DONE) {
                const auto* const error = body_of<int>(message); // of a dump that broke off
                events.emplace_back(
                    RequestEnd{message->nlmsg_seq, error == nullptr ? 0 : std::abs(*error)}
                );
            } else {
                take_message(message, &intake);
            }
            message = mnl_nlmsg_next(message, &left);
        }
    }
}

} // namespace penstock
