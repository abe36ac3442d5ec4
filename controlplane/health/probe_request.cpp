// SPDX-License-Identifier: Apache-2.0
#include "controlplane/health/probe_request.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <unistd.h>

namespace penstock {

SocketAddress::SocketAddress(const BackendKey& target) {
    if (target.address.is_ipv4()) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(target.port);
        address.sin_addr.s_addr = htonl(target.address.ipv4().host());
        std::memcpy(&storage, &address, sizeof(address));
        length = sizeof(address);
        return;
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(target.port);
    std::memcpy(&address.sin6_addr, target.address.bytes().data(), sizeof(address.sin6_addr));
    std::memcpy(&storage, &address, sizeof(address));
    length = sizeof(address);
}

int open_probe_socket(int family, int type, int protocol, std::uint32_t mark) {
    const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
        return -errno;
    }
    if (mark != 0 && ::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0) {
        const int error = errno;
        ::close(fd);
        return -error;
    }
    return fd;
}

} // namespace penstock
