// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/interface_claim.hpp"

#include "bpf/steering.hpp"
#include "dataplane/dpdk/memory_plan.hpp"
#include "dataplane/dpdk/place_text.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace penstock {

namespace {

struct LockAddress {
    sockaddr_un address{};
    socklen_t length = 0;

    explicit LockAddress(const std::string& interface) {
        const std::string name = "penstock-dp/" + interface; // at most 27 bytes of 107
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
        length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    }

    [[nodiscard]] const sockaddr* get() const {
        return reinterpret_cast<const sockaddr*>(&address);
    }
};

// Who listens there; 0 if that cannot be told.
pid_t find_holder(const LockAddress& lock) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ucred holder{};
    socklen_t length = sizeof(holder);
    if (::connect(fd, lock.get(), lock.length) != 0 ||
        ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &holder, &length) != 0) {
        holder.pid = 0;
    }
    ::close(fd);
    return holder.pid;
}

std::expected<int, Refusal> lock_interface(const std::string& interface, const std::string& place) {
    const LockAddress lock(interface);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && ::bind(fd, lock.get(), lock.length) == 0 && ::listen(fd, 1) == 0) {
        return fd;
    }
    const int error = errno;
    if (fd >= 0) {
        ::close(fd);
    }
    if (error == EADDRINUSE) {
        const pid_t holder = find_holder(lock);
        return std::unexpected(Refusal{
            place,
            fmt::format(
                "interface {} is in use by another penstock-dp{}",
                interface,
                holder != 0 ? fmt::format(" (process {})", holder) : ""
            ),
            "stop that one first, or configure another interface"
        });
    }
    return std::unexpected(Refusal{
        place,
        fmt::format("interface {} cannot be locked: {}", interface, std::strerror(error)),
        "raise the limit of open files"
    });
}

} // namespace

std::expected<void, Refusal>
check_interface(const config::PortConfig& port, const InterfaceFacts& facts, std::size_t workers) {
    const auto refuse = [&](std::string cause, std::string remedy) {
        return std::unexpected(Refusal{place_text(port.place), std::move(cause), std::move(remedy)}
        );
    };
    const std::string& name = facts.name;
    if (!facts.is_ethernet) {
        return refuse(
            fmt::format("interface {} is not an Ethernet interface", name), "configure one that is"
        );
    }
    if (!facts.is_up) {
        return refuse(
            fmt::format("interface {} is down", name), fmt::format("ip link set dev {} up", name)
        );
    }
    if (facts.mtu > largest_interface_mtu) {
        return refuse(
            fmt::format(
                "interface {} has an MTU of {}, AF_XDP carries at most {}",
                name,
                facts.mtu,
                largest_interface_mtu
            ),
            fmt::format("ip link set dev {} mtu {}", name, largest_interface_mtu)
        );
    }
    if (port.mtu && *port.mtu > facts.mtu) {
        return refuse(
            fmt::format("mtu = {}, but interface {} has {}", *port.mtu, name, facts.mtu),
            fmt::format("ip link set dev {} mtu {}, or lower mtu", name, *port.mtu)
        );
    }
    if (!facts.has_combined_queues && workers > 1) {
        return refuse(
            fmt::format(
                "interface {} ({}) offers one queue to AF_XDP, but there are {} workers",
                name,
                facts.driver,
                workers
            ),
            "configure one worker"
        );
    }
    if (facts.rx_queues != workers) {
        return refuse(
            fmt::format(
                "interface {} has {} receive queues for {} workers: packets on the others would be "
                "lost",
                name,
                facts.rx_queues,
                workers
            ),
            queue_command(facts, workers)
        );
    }
    return {};
}

std::vector<std::string> interface_warnings(const InterfaceFacts& facts) {
    std::vector<std::string> warnings;
    if (!facts.has_carrier) {
        warnings.push_back(fmt::format("interface {} has no carrier", facts.name));
    }
    if (facts.driver == "veth" && (facts.tx_checksum || facts.tso || facts.gso || facts.gro)) {
        warnings.push_back(fmt::format(
            "interface {} is a veth with offloads on: frames cross it with checksums not yet "
            "computed "
            "and receivers drop them; on both ends of the pair: ethtool -K {} tx off tso off gso "
            "off gro off",
            facts.name,
            facts.name
        ));
    }
    return warnings;
}

std::expected<std::unique_ptr<InterfaceClaim>, Refusal>
InterfaceClaim::take(const config::PortConfig& port, std::size_t workers) {
    const std::string place = place_text(port.place);
    auto facts = read_interface_facts(*port.interface);
    if (!facts) {
        facts.error().place = place;
        return std::unexpected(facts.error());
    }
    auto lock = lock_interface(facts->name, place);
    if (!lock) {
        return std::unexpected(lock.error());
    }
    auto claim = std::unique_ptr<InterfaceClaim>(new InterfaceClaim(*lock, *facts));
    if (auto checked = check_interface(port, *facts, workers); !checked) {
        return std::unexpected(checked.error());
    }
    auto leftover = bpf::detach_leftover_steering(facts->index);
    if (!leftover) {
        return std::unexpected(Refusal{place, leftover.error().cause, leftover.error().remedy});
    }
    if (*leftover == bpf::Leftover::detached) {
        spdlog::info(
            "interface {}: detached the steering that an ended penstock-dp left", facts->name
        );
    }
    claim->is_ours_ = true;
    for (const std::string& warning : interface_warnings(*facts)) {
        spdlog::warn("{}", warning);
    }
    return claim;
}

InterfaceClaim::~InterfaceClaim() {
    if (is_ours_) {
        // DPDK has detached it already, unless it failed half way.
        if (auto detached = bpf::detach_leftover_steering(facts_.index); !detached) {
            spdlog::warn("interface {}: {}", facts_.name, detached.error().text());
        }
    }
    ::close(lock_fd_);
}

} // namespace penstock
