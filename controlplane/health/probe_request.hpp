// SPDX-License-Identifier: Apache-2.0
// One probe that is to be made.
//
// Thread rule: plain value.
#pragma once

#include "controlplane/backend_ref.hpp"
#include "controlplane/config/probe_config.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <sys/socket.h>

namespace penstock {

/// Shared by a service's backends. Never null. `host` is never empty where HTTP is spoken.
using ProbeConfigPtr = std::shared_ptr<const config::ProbeConfig>;

struct ProbeRequest {
    BackendRef ref;         ///< whom the probe is about
    BackendKey target;      ///< where it is sent: the backend's own address, or the VIP
    ProbeConfigPtr probe;   ///< how
    std::uint32_t mark = 0; ///< SO_MARK of the probe's socket; 0: none

    [[nodiscard]] std::chrono::milliseconds timeout() const {
        return std::chrono::milliseconds(probe->timeout_ms);
    }
};

/// The socket address of a backend; `length` is what of it its family uses.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    explicit SocketAddress(const BackendKey& target);

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&storage);
    }

    [[nodiscard]] int family() const { return storage.ss_family; }
};

/// A non-blocking socket with `mark` on it. Returns it, or the negative errno of what failed.
[[nodiscard]] int open_probe_socket(int family, int type, int protocol, std::uint32_t mark);

} // namespace penstock
