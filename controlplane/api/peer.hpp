// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of the control socket, by the kernel's word, and what they may do.
//
// Thread rule: the loop's thread. Looking a user's name up may read files of the machine (NSS); the
// last names are kept.
#pragma once

#include "controlplane/actor.hpp"
#include "dataplane/api/refusal.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>

namespace penstock {

/// Names of groups whose members have a role; empty: no such group.
struct RoleGroups {
    std::string admin;
    std::string shift; ///< operators
    std::string viewer;

    [[nodiscard]] bool empty() const { return admin.empty() && shift.empty() && viewer.empty(); }
};

class PeerRegistry {
public:
    /// Refused if the machine has no group of such a name. Without any group everybody who may open the
    /// socket is an admin.
    [[nodiscard]] static std::expected<PeerRegistry, Refusal> make(const RoleGroups& groups);

    /// True if roles come from groups, so that the socket itself is open to all.
    [[nodiscard]] bool has_roles() const { return has_roles_; }

    /// Of the connected socket `fd` (SO_PEERCRED, SO_PEERGROUPS). root and the user that penstock-cp
    /// runs as are admins.
    [[nodiscard]] Actor identify(int fd);

private:
    PeerRegistry() = default;
    [[nodiscard]] Role judge(std::uint32_t uid, std::uint32_t gid, int fd) const;
    [[nodiscard]] const std::string& user_name(std::uint32_t uid);

    bool has_roles_ = false;
    std::map<std::uint32_t, Role> roles_; ///< by gid
    std::map<std::uint32_t, std::string> names_;
};

} // namespace penstock
