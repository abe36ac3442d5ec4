// SPDX-License-Identifier: Apache-2.0
// A probe through the data path, for tests: connects to a VIP by way of one backend, asks for ten
// bytes, and says on stdout what it got, as one JSON object.
//
//     probe-connect MODE VIP BACKEND [hold]      MODE: l2dsr, ipip, gre, gue0 or gue1
//
// With "hold" it waits for the end of its stdin before it takes the path down again.
#include "bpf/probe_path.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <string>
#include <sys/socket.h>
#include <sys/time.h>

namespace penstock::bpf {

namespace {

constexpr std::uint16_t web_port = 80;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
    SocketAddress made;
    if (address.is_ipv4()) {
        sockaddr_in ipv4{};
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htons(port);
        ipv4.sin_addr.s_addr = address.ipv4().raw;
        std::memcpy(&made.storage, &ipv4, sizeof(ipv4));
        made.length = sizeof(ipv4);
        return made;
    }
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    std::memcpy(&ipv6.sin6_addr, address.bytes().data(), address.bytes().size());
    std::memcpy(&made.storage, &ipv6, sizeof(ipv6));
    made.length = sizeof(ipv6);
    return made;
}

const sockaddr* generic(const SocketAddress& address) {
    return reinterpret_cast<const sockaddr*>(&address.storage);
}

// "" or what went wrong. Unbound: the path says where it comes from.
std::string probe(const ProbeRoute& route, const IpAddress& vip) {
    const FileDescriptor socket(::socket(vip.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM, 0));
    const timeval limit{.tv_sec = 2, .tv_usec = 0};
    const SocketAddress to = socket_address(vip, web_port);
    const int number = socket.number();
    if (::setsockopt(number, SOL_SOCKET, SO_MARK, &route.mark, sizeof(route.mark)) != 0 ||
        ::setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        ::setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
        return fmt::format("cannot prepare: {}", std::strerror(errno));
    if (::connect(number, generic(to), to.length) != 0)
        return fmt::format("cannot connect: {}", std::strerror(errno));
    constexpr std::string_view request = "GET /10 HTTP/1.0\r\n\r\n";
    if (::send(number, request.data(), request.size(), 0) < 0)
        return fmt::format("cannot send: {}", std::strerror(errno));
    std::string answer;
    std::array<char, 512> buffer{};
    for (ssize_t length = 1; length > 0;) {
        length = ::recv(number, buffer.data(), buffer.size(), 0);
        if (length < 0)
            return fmt::format("cannot receive: {}", std::strerror(errno));
        answer.append(buffer.data(), static_cast<std::size_t>(length));
    }
    return answer.ends_with("\r\n\r\nxxxxxxxxxx") ? "" : "another answer";
}

int run(ProbeMode mode, const IpAddress& vip, const IpAddress& backend, bool holds) {
    auto path = ProbePath::open();
    if (!path) {
        fmt::print(stderr, "{}\n", path.error().text());
        return 1;
    }
    const auto route = path->add({.vip = vip, .backend = backend, .mode = mode});
    if (!route) {
        fmt::print(stderr, "{}\n", route.error().text());
        return 1;
    }
    const std::string error = probe(*route, vip);
    const auto counters = path->read_counters();
    if (!counters) {
        fmt::print(stderr, "{}\n", counters.error().text());
        return 1;
    }
    fmt::print(
        R"({{"error": "{}", "source": "{}", "sent": {}, "no_target": {}, "no_route": {}, "failed": {}}})"
        "\n",
        error,
        route->source.to_string(),
        counters->sent,
        counters->no_target,
        counters->no_route,
        counters->failed
    );
    std::fflush(stdout);
    while (holds && std::getchar() != EOF) {
    }
    return 0;
}

} // namespace

} // namespace penstock::bpf

int main(int count, char** words) {
    using namespace penstock;
    using bpf::ProbeMode;
    const std::map<std::string, ProbeMode> modes = {
        {"l2dsr", ProbeMode::l2dsr},
        {"ipip", ProbeMode::ipip},
        {"gre", ProbeMode::gre},
        {"gue0", ProbeMode::gue_variant_0},
        {"gue1", ProbeMode::gue_variant_1},
    };
    const auto mode = count > 1 ? modes.find(words[1]) : modes.end();
    const auto vip = count > 2 ? IpAddress::parse(words[2]) : std::nullopt;
    const auto backend = count > 3 ? IpAddress::parse(words[3]) : std::nullopt;
    if (mode == modes.end() || !vip || !backend) {
        fmt::print(stderr, "usage: probe-connect MODE VIP BACKEND [hold]\n");
        return 2;
    }
    return bpf::run(mode->second, *vip, *backend, count > 4);
}
