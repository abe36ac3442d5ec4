// SPDX-License-Identifier: Apache-2.0
// Steering (steer.bpf.c) from the dataplane's side: the object for DPDK's net_af_xdp to load, and,
// once that has attached it, the VIPs to feed it and the counters to read
// (docs/design/steering.md).
//
// The order of a start, for each interface, under the lock of that interface:
//     detach_leftover_steering(index);       // after a kill -9 the old program is still there
//     auto object = write_steering_object(); // keep it until the port is configured
//     … "net_af_xdp0,iface=eth1,xdp_prog=" + object->path() …
//     auto steering = find_steering(index);  // after rte_eth_dev_configure and queue set-up
//     steering->set_vips(vips);              // with every snapshot
//     steering->set_tunnels(tunnels);        // the same
//
// Thread rule: the main lcore; every call makes system calls and may allocate.
#pragma once

#include "bpf/attachment.hpp"
#include "bpf/counter_map.hpp"
#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"
#include "bpf/gue_port_map.hpp"
#include "bpf/prefix_map.hpp"
#include "dataplane/core/addresses.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock::bpf {

/// Packets that an interface's steering program saw; each is in exactly one.
struct SteeringCounters {
    std::uint64_t redirected = 0; ///< to a socket, which may still lose it if its ring is full
    /// ICMP errors about our tunnel packets, to a socket. Without a socket they are `passed`.
    std::uint64_t tunnel_error = 0;
    std::uint64_t passed = 0;            ///< to the kernel: not to a VIP
    std::uint64_t dropped_no_socket = 0; ///< to a VIP, but no socket serves its RX queue
    std::uint64_t malformed = 0;         ///< to the kernel: no destination can be read

    friend bool operator==(const SteeringCounters&, const SteeringCounters&) = default;
};

/// How the dataplane's tunnel packets are known, when an ICMP error quotes one.
struct Tunnels {
    std::vector<IpPrefix> sources;        ///< of outer headers
    std::vector<std::uint16_t> gue_ports; ///< UDP destination ports, host order
};

/// The steering program of one interface.
class Steering {
public:
    /// Makes exactly `vips` ours, whatever the order (prefix_map.hpp): what is to an address in one
    /// of them, and who asks for one. NAT source addresses belong here too: replies are to them.
    /// Until the first call nothing is ours.
    [[nodiscard]] BpfResult<void> set_vips(std::span<const IpPrefix> vips) {
        return vips_.set(vips);
    }

    [[nodiscard]] BpfResult<void> set_vips(std::span<const IpAddress> vips) {
        return vips_.set(to_prefixes(vips));
    }

    /// What the program takes for the dataplane, sorted.
    [[nodiscard]] const std::vector<IpPrefix>& vips() const { return vips_.prefixes(); }

    /// Makes ICMP errors ours (v4 type 3, v6 types 1 and 2) that quote a packet from one of
    /// `sources` in IPIP, GRE or UDP to one of `gue_ports`. A source may be an address of the
    /// kernel's, which keeps all else. At most PENSTOCK_MAX_PREFIXES and PENSTOCK_MAX_GUE_PORTS.
    /// After an error setting again continues from what the maps hold.
    [[nodiscard]] BpfResult<void> set_tunnels(const Tunnels& tunnels);

    /// Since the program was attached.
    [[nodiscard]] BpfResult<SteeringCounters> read_counters();

    [[nodiscard]] AttachMode mode() const { return mode_; }

    [[nodiscard]] std::uint32_t program_id() const { return program_id_; }

private:
    friend BpfResult<Steering> find_steering(unsigned int interface_index);

    Steering(
        PrefixMap vips,
        PrefixMap tunnel_sources,
        GuePortMap gue_ports,
        CounterMap counters,
        const Attachment& attachment
    )
        : vips_(std::move(vips)),
          tunnel_sources_(std::move(tunnel_sources)),
          gue_ports_(std::move(gue_ports)),
          counters_(std::move(counters)),
          mode_(attachment.mode),
          program_id_(attachment.program_id) {}

    PrefixMap vips_;
    PrefixMap tunnel_sources_;
    GuePortMap gue_ports_;
    CounterMap counters_;
    AttachMode mode_;
    std::uint32_t program_id_;
};

/// The steering program that the interface has. An error if it has none, or somebody else's, or one
/// of another ABI version.
[[nodiscard]] BpfResult<Steering> find_steering(unsigned int interface_index);

/// Detaches steering that a killed process left on the interface. Somebody else's program is an
/// error. REQUIRES: the caller holds the lock of this interface, so that the program serves nobody.
[[nodiscard]] inline BpfResult<Leftover> detach_leftover_steering(unsigned int interface_index) {
    return detach_leftover(interface_index, steering_signature);
}

/// The compiled program as a file without a name, which goes away with its holder (or the process).
class SteeringObject {
public:
    /// What `xdp_prog=` takes: readable by this process alone, as long as this object lives.
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    friend BpfResult<SteeringObject> write_steering_object();

    SteeringObject(FileDescriptor file, std::string path)
        : file_(std::move(file)), path_(std::move(path)) {}

    FileDescriptor file_;
    std::string path_;
};

[[nodiscard]] BpfResult<SteeringObject> write_steering_object();

/// The same bytes, for tests and tools that load the object themselves.
[[nodiscard]] std::span<const std::byte> steering_object_bytes();

} // namespace penstock::bpf
