// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/interface_facts.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace penstock {

namespace {

class InterfaceQuery {
public:
    explicit InterfaceQuery(const std::string& name)
        : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        name.copy(request_.ifr_name, IFNAMSIZ - 1);
    }

    ~InterfaceQuery() { ::close(fd_); }

    InterfaceQuery(const InterfaceQuery&) = delete;
    InterfaceQuery& operator=(const InterfaceQuery&) = delete;

    /// The answer, or nullptr and errno.
    const ifreq* ask(unsigned long what) {
        return ::ioctl(fd_, what, &request_) == 0 ? &request_ : nullptr;
    }

    /// False if the driver does not answer this question.
    bool ask_ethtool(void* command) {
        request_.ifr_data = static_cast<char*>(command);
        return ::ioctl(fd_, SIOCETHTOOL, &request_) == 0;
    }

    bool is_offload_on(std::uint32_t command) {
        ethtool_value value{.cmd = command, .data = 0};
        return ask_ethtool(&value) && value.data != 0;
    }

private:
    int fd_;
    ifreq request_{};
};

std::string list_interfaces() {
    std::string text;
    struct if_nameindex* const all = ::if_nameindex();
    for (const struct if_nameindex* at = all; at != nullptr && at->if_index != 0; ++at) {
        text += text.empty() ? "" : ", ";
        text += at->if_name;
    }
    ::if_freenameindex(all);
    return text;
}

void read_queues(InterfaceQuery& query, InterfaceFacts& facts) {
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    // A driver without channels has one queue.
    if (query.ask_ethtool(&channels)) {
        facts.has_combined_queues = channels.max_combined != 0;
        facts.rx_queues = std::max(1U, channels.combined_count + channels.rx_count);
    }
}

} // namespace

std::expected<InterfaceFacts, Refusal> read_interface_facts(const std::string& name) {
    const auto fail = [&](const char* what) {
        return std::unexpected(Refusal{
            name, fmt::format("{} cannot be read: {}", what, std::strerror(errno)), "run as root"
        });
    };
    InterfaceQuery query(name);
    InterfaceFacts facts;
    facts.name = name;
    facts.index = name.size() < IFNAMSIZ ? ::if_nametoindex(name.c_str()) : 0;
    if (facts.index == 0) {
        return std::unexpected(Refusal{
            "",
            fmt::format("there is no interface {}", name),
            fmt::format("create it or correct the name; there are: {}", list_interfaces())
        });
    }
    if (const ifreq* answer = query.ask(SIOCGIFHWADDR)) {
        facts.is_ethernet = answer->ifr_hwaddr.sa_family == ARPHRD_ETHER;
        std::memcpy(facts.mac.bytes.data(), answer->ifr_hwaddr.sa_data, facts.mac.bytes.size());
    } else {
        return fail("its MAC address");
    }
    if (const ifreq* answer = query.ask(SIOCGIFFLAGS)) {
        facts.is_up = (answer->ifr_flags & IFF_UP) != 0;
        facts.has_carrier = (answer->ifr_flags & IFF_RUNNING) != 0;
    } else {
        return fail("its state");
    }
    if (const ifreq* answer = query.ask(SIOCGIFMTU)) {
        facts.mtu = static_cast<std::uint32_t>(answer->ifr_mtu);
    } else {
        return fail("its MTU");
    }
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    if (query.ask_ethtool(&driver)) {
        facts.driver = driver.driver;
    }
    read_queues(query, facts);
    facts.tx_checksum = query.is_offload_on(ETHTOOL_GTXCSUM);
    facts.tso = query.is_offload_on(ETHTOOL_GTSO);
    facts.gso = query.is_offload_on(ETHTOOL_GGSO);
    facts.gro = query.is_offload_on(ETHTOOL_GGRO);
    return facts;
}

std::string queue_command(const InterfaceFacts& facts, std::size_t queues) {
    return facts.has_combined_queues
               ? fmt::format("ethtool -L {} combined {}", facts.name, queues)
               : fmt::format("ethtool -L {0} rx {1} tx {1}", facts.name, queues);
}

} // namespace penstock
