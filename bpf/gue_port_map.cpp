// SPDX-License-Identifier: Apache-2.0
#include "bpf/gue_port_map.hpp"

#include "bpf/abi.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cerrno>
#include <fmt/format.h>

namespace penstock::bpf {

BpfResult<GuePortMap> GuePortMap::adopt(FileDescriptor map) {
    bpf_map_info info{};
    std::uint32_t info_size = sizeof(info);
    if (bpf_obj_get_info_by_fd(map.number(), &info, &info_size) != 0)
        return kernel_failure("cannot read the map of GUE ports", errno, map_remedy);
    if (info.type != BPF_MAP_TYPE_HASH || info.key_size != sizeof(penstock_gue_port) ||
        info.value_size != sizeof(std::uint8_t))
        return BpfFailure(
            {"the map of GUE ports has another layout than this build knows",
             "another version of Penstock attached the program: stop that one first"}
        );
    std::set<std::uint16_t> ports;
    penstock_gue_port key{};
    const penstock_gue_port* previous = nullptr;
    // Bounded, so that a second writer, against the rule, cannot keep us here.
    for (int listed = 0; listed < PENSTOCK_MAX_GUE_PORTS; ++listed) {
        penstock_gue_port next{};
        if (bpf_map_get_next_key(map.number(), previous, &next) != 0) {
            if (errno != ENOENT)
                return kernel_failure("cannot list the map of GUE ports", errno, map_remedy);
            break;
        }
        key = next;
        previous = &key;
        ports.insert(ntohs(key.port));
    }
    return GuePortMap(std::move(map), std::move(ports));
}

BpfResult<void> GuePortMap::set(std::span<const std::uint16_t> ports) {
    const std::set<std::uint16_t> wanted(ports.begin(), ports.end());
    if (wanted.size() > PENSTOCK_MAX_GUE_PORTS)
        return BpfFailure(
            {fmt::format("{} GUE ports, at most {} fit", wanted.size(), PENSTOCK_MAX_GUE_PORTS),
             "let services share ports"}
        );
    for (const std::uint16_t port : std::set(ports_)) {
        const penstock_gue_port key{.port = htons(port)};
        if (wanted.contains(port))
            continue;
        if (bpf_map_delete_elem(map_.number(), &key) != 0 && errno != ENOENT)
            return kernel_failure(
                fmt::format("cannot remove GUE port {}", port), errno, map_remedy
            );
        ports_.erase(port);
    }
    for (const std::uint16_t port : wanted) {
        const penstock_gue_port key{.port = htons(port)};
        const std::uint8_t value = 1;
        if (ports_.contains(port))
            continue;
        if (bpf_map_update_elem(map_.number(), &key, &value, BPF_ANY) != 0)
            return kernel_failure(fmt::format("cannot add GUE port {}", port), errno, map_remedy);
        ports_.insert(port);
    }
    return {};
}

} // namespace penstock::bpf
