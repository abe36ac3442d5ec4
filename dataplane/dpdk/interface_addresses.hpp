// SPDX-License-Identifier: Apache-2.0
// The usable addresses of the ports' interfaces, and which of them outer headers come from.
//
// Thread rule: plain state of one thread; nothing here asks the kernel. What it hears between
// begin_list() and end_list() is never older than a line of the list, so it comes before it.
#pragma once

#include "dataplane/core/desired_state.hpp"
#include "dataplane/dpdk/netlink.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace penstock {

class InterfaceAddresses {
public:
    /// In the order of the ports; addresses of other interfaces are passed over.
    void follow(std::uint32_t ifindex) { ifindexes_.push_back(ifindex); }

    void take(const AddressEvent& event);

    /// The list that replaces what is known, line by line; it counts when it has ended.
    void begin_list();
    void take_line(const AddressEvent& line);
    void end_list();

    /// Its end will not come: what is known stays.
    void break_off_list() { is_listing_ = false; }

    [[nodiscard]] bool is_listing() const { return is_listing_; }

    /// Of each family, the first usable address of the first port that has one.
    [[nodiscard]] TunnelSources tunnel_sources() const {
        return {.ipv4 = first(Family::ipv4), .ipv6 = first(Family::ipv6)};
    }

private:
    using Addresses = std::map<std::uint32_t, std::vector<IpAddress>>; ///< by ifindex

    static void apply(const AddressEvent& event, Addresses& to);
    [[nodiscard]] std::optional<IpPrefix> first(Family family) const;
    [[nodiscard]] bool follows(const AddressEvent& event) const;

    std::vector<std::uint32_t> ifindexes_;
    Addresses known_;
    bool is_listing_ = false;
    Addresses listed_;                ///< so far
    std::vector<AddressEvent> heard_; ///< while the list runs
};

} // namespace penstock
