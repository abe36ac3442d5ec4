// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/icmp_probe.hpp"

#include "controlplane/health/datagram_exchange.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <utility>

namespace penstock {

namespace {

struct Echo {
    std::uint8_t type;
    std::uint8_t code;
    std::uint16_t checksum;
    std::uint16_t identifier;
    std::uint16_t sequence;
    std::uint64_t token;
};

static_assert(sizeof(Echo) == 16);

/// RFC 1071. For ICMPv6, and on datagram sockets, the kernel puts its own.
std::uint16_t checksum(const Echo& echo) {
    std::array<std::uint16_t, sizeof(Echo) / 2> words{};
    std::memcpy(words.data(), &echo, sizeof(echo));
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) {
        sum += word;
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

/// A raw IPv4 socket hands out the IP header too; the others begin with ICMP.
std::string_view skip_ip_header(std::string_view packet) {
    if (packet.size() < sizeof(iphdr)) {
        return {};
    }
    const auto words = static_cast<std::uint8_t>(packet.front()) & 0x0fU;
    const std::size_t length = std::size_t{words} * 4;
    return length <= packet.size() ? packet.substr(length) : std::string_view{};
}

} // namespace

void start_icmp_probe(
    boost::asio::io_context& loop, const ProbeRequest& request, std::uint64_t token, ProbeDone done
) {
    ProbeRequest portless = request; // a port would be taken for an ICMPv6 protocol number
    portless.target.port = 0;
    const bool v4 = request.target.address.is_ipv4();
    const int family = v4 ? AF_INET : AF_INET6;
    const int protocol = v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    bool is_raw = false;
    int fd = open_probe_socket(family, SOCK_DGRAM, protocol, request.mark);
    if (fd == -EACCES || fd == -EPROTONOSUPPORT || fd == -EPERM) {
        fd = open_probe_socket(family, SOCK_RAW, protocol, request.mark);
        is_raw = true;
    }
    Echo echo{
        .type = v4 ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST},
        .code = 0,
        .checksum = 0,
        .identifier = static_cast<std::uint16_t>(token >> 48U),
        .sequence = static_cast<std::uint16_t>(token >> 32U),
        .token = token,
    };
    echo.checksum = v4 ? checksum(echo) : std::uint16_t{0};
    auto judge = [v4, is_raw, token](std::string_view packet) -> std::optional<ProbeResult> {
        const std::string_view message = v4 && is_raw ? skip_ip_header(packet) : packet;
        Echo reply{};
        if (message.size() < sizeof(reply)) {
            return std::nullopt;
        }
        std::memcpy(&reply, message.data(), sizeof(reply));
        const auto wanted = v4 ? std::uint8_t{ICMP_ECHOREPLY} : std::uint8_t{ICMP6_ECHO_REPLY};
        // A raw socket sees our own request too when the target is this host.
        if (reply.type != wanted || reply.token != token) {
            return std::nullopt;
        }
        return make_good("icmp echo ok");
    };
    start_datagram_exchange(
        loop,
        portless,
        {.what = "icmp echo",
         .fd = fd,
         .datagram = std::string(reinterpret_cast<const char*>(&echo), sizeof(echo)),
         .judge = std::move(judge)},
        std::move(done)
    );
}

} // namespace penstock
