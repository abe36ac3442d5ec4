// SPDX-License-Identifier: Apache-2.0
#include "bpf/route_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

namespace penstock::bpf {

namespace {

constexpr std::size_t buffer_bytes = 32768; // what a dump fills at most at a time

using Attributes = std::array<const nlattr*, RTA_MAX + 1>;

int keep_attribute(const nlattr* attribute, void* data) {
    auto& out = *static_cast<Attributes*>(data);
    if (const std::size_t type = mnl_attr_get_type(attribute); type < out.size())
        out[type] = attribute;
    return MNL_CB_OK;
}

std::optional<IpAddress> to_address(const nlattr* attribute) {
    if (attribute == nullptr)
        return std::nullopt;
    const void* const bytes = mnl_attr_get_payload(attribute);
    if (mnl_attr_get_payload_len(attribute) == 4) {
        Be32 address{};
        std::memcpy(&address.raw, bytes, 4);
        return IpAddress::from_ipv4(address);
    }
    std::array<std::uint8_t, 16> address{};
    if (mnl_attr_get_payload_len(attribute) != address.size())
        return std::nullopt;
    std::memcpy(address.data(), bytes, address.size());
    return IpAddress::from_ipv6(address);
}

RouteFact to_fact(const nlmsghdr* message) {
    const auto* const route = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    Attributes attributes{};
    mnl_attr_parse(message, sizeof(*route), keep_attribute, &attributes);
    RouteFact fact{.is_local = route->rtm_type == RTN_LOCAL};
    if (attributes[RTA_OIF] != nullptr)
        fact.ifindex = mnl_attr_get_u32(attributes[RTA_OIF]);
    fact.source = to_address(attributes[RTA_PREFSRC]);
    return fact;
}

bool says_no_route(int error_number) {
    return error_number == ENETUNREACH || error_number == EHOSTUNREACH || error_number == EACCES ||
           error_number == EINVAL;
}

int call_answer(const nlmsghdr* message, void* data) {
    const auto& answer = *static_cast<const std::function<void(const nlmsghdr*)>*>(data);
    if (answer)
        answer(message);
    return MNL_CB_OK;
}

} // namespace

void RouteSocket::Close::operator()(mnl_socket* socket) const {
    mnl_socket_close(socket);
}

BpfResult<RouteSocket> RouteSocket::open() {
    constexpr std::string_view remedy = "free some file descriptors";
    mnl_socket* const socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (socket == nullptr)
        return kernel_failure("cannot open a socket to the kernel's routing", errno, remedy);
    RouteSocket made(socket);
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) != 0)
        return kernel_failure("cannot bind a socket to the kernel's routing", errno, remedy);
    return made;
}

int RouteSocket::exchange(nlmsghdr* message, const std::function<void(const nlmsghdr*)>& answer) {
    message->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0)
        return errno;
    const bool one_answer = (message->nlmsg_flags & (NLM_F_ACK | NLM_F_DUMP)) == 0;
    const unsigned int port = mnl_socket_get_portid(socket_.get());
    alignas(nlmsghdr) std::array<char, buffer_bytes> buffer{};
    // MNL_CB_STOP is the end of a dump and an acknowledgement; both come by themselves.
    for (int status = MNL_CB_OK; status != MNL_CB_STOP;) {
        const ssize_t length = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
        if (length < 0)
            return errno;
        status = mnl_cb_run(
            buffer.data(),
            static_cast<std::size_t>(length),
            sequence_,
            port,
            call_answer,
            const_cast<std::function<void(const nlmsghdr*)>*>(&answer)
        );
        if (status == MNL_CB_ERROR)
            return errno;
        if (one_answer)
            break;
    }
    return 0;
}

BpfResult<std::optional<RouteFact>> RouteSocket::ask_route(const IpAddress& destination) {
    alignas(nlmsghdr) std::array<char, 256> buffer{};
    nlmsghdr* const message = mnl_nlmsg_put_header(buffer.data());
    message->nlmsg_type = RTM_GETROUTE;
    message->nlmsg_flags = NLM_F_REQUEST;
    auto* const body = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
    const bool is_ipv4 = destination.is_ipv4();
    const std::size_t skipped = is_ipv4 ? 12 : 0;
    const std::size_t length = destination.bytes().size() - skipped;
    body->rtm_family = is_ipv4 ? AF_INET : AF_INET6;
    body->rtm_dst_len = static_cast<unsigned char>(length * 8);
    mnl_attr_put(message, RTA_DST, length, destination.bytes().data() + skipped);
    std::optional<RouteFact> fact;
    const int error_number =
        exchange(message, [&fact](const nlmsghdr* answer) { fact = to_fact(answer); });
    if (says_no_route(error_number))
        return std::nullopt;
    if (error_number != 0)
        return kernel_failure(
            fmt::format("cannot ask for the route to {}", destination.to_string()),
            error_number,
            "see `ip route`"
        );
    return fact;
}

} // namespace penstock::bpf
