// SPDX-License-Identifier: Apache-2.0
#include "bpf/steering.hpp"

#include "bpf/abi.h"
#include "steer.skel.h"

#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace penstock::bpf {

namespace {

// Writes all of `bytes`; 0 or the error number.
int write_all(int file, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0)
            bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return 0;
}

} // namespace

BpfResult<Steering> find_steering(unsigned int interface_index) {
    auto attachment = find_attachment(interface_index);
    if (!attachment)
        return std::unexpected(attachment.error());
    if (!attachment->has_value())
        return BpfFailure(
            {fmt::format("{} has no steering program", interface_name(interface_index)),
             "something detached it (`ip link set dev … xdp off`?): restart penstock-dp"}
        );
    const Attachment& found = **attachment;
    if (!is_ours(found, steering_signature))
        return foreign_program_failure(found);
    if (auto checked = check_abi_version(found, steering_signature); !checked)
        return std::unexpected(checked.error());
    auto vips = open_prefix_map(found, PENSTOCK_VIPS_MAP, "VIP");
    if (!vips)
        return std::unexpected(vips.error());
    auto sources = open_prefix_map(found, PENSTOCK_TUNNEL_SOURCES_MAP, "tunnel source");
    if (!sources)
        return std::unexpected(sources.error());
    auto ports = open_gue_port_map(found);
    if (!ports)
        return std::unexpected(ports.error());
    auto counters_map = open_map(found, PENSTOCK_STEER_COUNTERS_MAP);
    if (!counters_map)
        return std::unexpected(counters_map.error());
    auto counters = CounterMap::adopt(std::move(*counters_map), PENSTOCK_STEER_COUNTERS, 1);
    if (!counters)
        return std::unexpected(counters.error());
    return Steering(
        std::move(*vips), std::move(*sources), std::move(*ports), std::move(*counters), found
    );
}

BpfResult<void> Steering::set_tunnels(const Tunnels& tunnels) {
    auto set = tunnel_sources_.set(tunnels.sources);
    return set ? gue_ports_.set(tunnels.gue_ports) : set;
}

BpfResult<SteeringCounters> Steering::read_counters() {
    SteeringCounters counters;
    const auto read = [this](std::uint32_t counter, std::uint64_t& packets) {
        return counters_.read(counter, std::span(&packets, 1));
    };
    for (const auto& [counter, packets] :
         {std::pair{PENSTOCK_STEER_REDIRECTED, &counters.redirected},
          std::pair{PENSTOCK_STEER_TUNNEL_ERROR, &counters.tunnel_error},
          std::pair{PENSTOCK_STEER_PASSED, &counters.passed},
          std::pair{PENSTOCK_STEER_DROPPED_NO_SOCKET, &counters.dropped_no_socket},
          std::pair{PENSTOCK_STEER_MALFORMED, &counters.malformed}}) {
        if (auto done = read(counter, *packets); !done)
            return std::unexpected(done.error());
    }
    return counters;
}

std::span<const std::byte> steering_object_bytes() {
    std::size_t size = 0;
    const void* bytes = steer_bpf::elf_bytes(&size);
    return {static_cast<const std::byte*>(bytes), size};
}

BpfResult<SteeringObject> write_steering_object() {
    constexpr std::string_view memory_remedy = "free some memory or file descriptors";
    FileDescriptor file(::memfd_create("penstock-steer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.is_open())
        return kernel_failure("cannot make a file for the steering program", errno, memory_remedy);
    if (const int error = write_all(file.number(), steering_object_bytes()); error != 0)
        return kernel_failure("cannot write the steering program", error, memory_remedy);
    // What is loaded must be what was written, whoever gets at the descriptor.
    if (::fcntl(file.number(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) != 0)
        return kernel_failure("cannot seal the steering program", errno, memory_remedy);
    std::string path = fmt::format("/proc/self/fd/{}", file.number());
    if (::access(path.c_str(), R_OK) != 0)
        return kernel_failure(fmt::format("cannot read {}", path), errno, "mount /proc");
    return SteeringObject(std::move(file), std::move(path));
}

} // namespace penstock::bpf
