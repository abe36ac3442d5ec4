// SPDX-License-Identifier: Apache-2.0
#include "controlplane/api/peer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace penstock {

namespace {

constexpr std::size_t max_names = 1024;
constexpr std::size_t name_buffer_bytes = 16384;

std::optional<std::uint32_t> find_group(const std::string& name) {
    std::vector<char> buffer(name_buffer_bytes);
    group entry{};
    group* found = nullptr;
    if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
        found == nullptr) {
        return std::nullopt;
    }
    return found->gr_gid;
}

} // namespace

std::expected<PeerRegistry, Refusal> PeerRegistry::make(const RoleGroups& groups) {
    PeerRegistry registry;
    registry.has_roles_ = !groups.empty();
    const std::array<std::pair<const std::string*, Role>, 3> all{
        {{&groups.viewer, Role::view},
         {&groups.shift, Role::operate},
         {&groups.admin, Role::administer}}
    };
    for (const auto& [name, role] : all) {
        if (name->empty()) {
            continue;
        }
        const auto gid = find_group(*name);
        if (!gid) {
            return std::unexpected(Refusal{
                .place = "group " + *name,
                .cause = "this machine has no such group",
                .remedy = fmt::format("groupadd --system {}, or name another", *name),
            });
        }
        Role& held = registry.roles_[*gid];
        held = std::max(held, role);
    }
    return registry;
}

Actor PeerRegistry::identify(int fd) {
    Actor actor{.user = {}, .uid = {}, .pid = {}, .from = "control.sock", .role = Role::none};
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return actor;
    }
    actor.uid = peer.uid;
    actor.pid = peer.pid;
    actor.user = user_name(peer.uid);
    actor.role = judge(peer.uid, peer.gid, fd);
    return actor;
}

Role PeerRegistry::judge(std::uint32_t uid, std::uint32_t gid, int fd) const {
    if (!has_roles_ || uid == 0 || uid == ::geteuid()) {
        return Role::administer;
    }
    std::vector<gid_t> groups(64);
    socklen_t size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
        groups.resize(size / sizeof(gid_t)); // ERANGE: it says how many there are
        if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
            size = 0;
        }
    }
    groups.resize(size / sizeof(gid_t));
    groups.push_back(gid);
    Role best = Role::none;
    for (const gid_t group : groups) {
        if (const auto found = roles_.find(group); found != roles_.end()) {
            best = std::max(best, found->second);
        }
    }
    return best;
}

const std::string& PeerRegistry::user_name(std::uint32_t uid) {
    if (const auto found = names_.find(uid); found != names_.end()) {
        return found->second;
    }
    if (names_.size() >= max_names) {
        names_.clear();
    }
    std::vector<char> buffer(name_buffer_bytes);
    passwd entry{};
    passwd* found = nullptr;
    const bool known =
        ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    return names_[uid] = known ? std::string(found->pw_name) : fmt::format("uid {}", uid);
}

} // namespace penstock
