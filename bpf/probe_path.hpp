// SPDX-License-Identifier: Apache-2.0
// Probes that go the way of the traffic (docs/design/probe-path.md): to the VIP, through the tunnel
// of one backend, so that a server without the VIP or with a broken decapsulator is found.
//
// A probe is an ordinary socket of the kernel. Before it connects to the VIP it gets a mark
// (SO_MARK):
//     auto path = ProbePath::open();
//     auto route = path->add({.vip = …, .backend = …, .mode = ProbeMode::ipip});
//     setsockopt(fd, SOL_SOCKET, SO_MARK, &route->mark, sizeof route->mark);
//     connect(fd, vip, port);
// It may be bound to route->source; unbound it comes from there too, or, if backends of one VIP are
// reached from several addresses of this node, from that of the one added last.
// The mark routes its packets out of the probe device, where a tc program (probe.bpf.c) puts the
// backend's outer headers before them and hands them to the kernel's next hop towards the backend.
// The backend answers the source address directly, as it answers clients.
//
// One ProbePath a network namespace: the device's name, the rules and the marks are fixed. What it
// makes goes away with it; after a kill -9 the device is gone too, and the next open() removes the
// rules. REQUIRES: root, or CAP_NET_ADMIN, CAP_BPF and CAP_NET_RAW, /dev/net/tun, a writable
// /proc/sys/net.
//
// Thread rule: one thread; every call makes system calls and may allocate, and none waits.
#pragma once

#include "bpf/counter_map.hpp"
#include "bpf/error.hpp"
#include "bpf/file_descriptor.hpp"
#include "bpf/mark_routing.hpp"
#include "bpf/probe_device.hpp"
#include "bpf/reverse_path.hpp"
#include "dataplane/core/addresses.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace penstock::bpf {

/// How the service's traffic reaches its backends.
enum class ProbeMode : std::uint8_t {
    l2dsr, ///< as it came, to the backend's MAC address
    ipip,
    gre,
    gue_variant_0, ///< with a GUE header
    gue_variant_1, ///< IP in UDP
};

/// One backend of one service.
struct ProbeTarget {
    IpAddress vip;     ///< where the probe connects to
    IpAddress backend; ///< destination of the outer header; with l2dsr of the vip's family, on-link
    ProbeMode mode = ProbeMode::ipip;
    std::uint16_t gue_port = 6080; ///< host order
    /// Source of the outer header, of the backend's family. Nothing: the node's own address.
    std::optional<IpAddress> outer_source;

    friend bool operator==(const ProbeTarget&, const ProbeTarget&) = default;
};

struct ProbeRoute {
    std::uint32_t mark = 0; ///< for SO_MARK
    IpAddress source;       ///< of the vip's family: the node's address towards the backend
};

/// Packets that probes sent; each is in exactly one.
struct ProbeCounters {
    std::uint64_t sent = 0;
    std::uint64_t no_target = 0; ///< dropped: of no target (any more)
    std::uint64_t no_route = 0;  ///< dropped: the kernel has no route to the backend
    std::uint64_t failed = 0;    ///< dropped: no room for the outer headers

    friend bool operator==(const ProbeCounters&, const ProbeCounters&) = default;
};

class ProbePath {
public:
    /// Makes the device, attaches the program and routes the marks. On an error nothing is left.
    [[nodiscard]] static BpfResult<ProbePath> open();

    /// Takes a mark for `target`, from now until remove(). At most PENSTOCK_MAX_PROBE_TARGETS
    /// (abi.h). Errors: no route to the backend, no source address, mixed families with l2dsr, a
    /// reverse path filter that cannot be opened. They may pass: adding again is right.
    [[nodiscard]] BpfResult<ProbeRoute> add(const ProbeTarget& target);

    /// Gives a mark back that add() returned. Sockets that still bear it send nothing any more.
    void remove(std::uint32_t mark);

    [[nodiscard]] BpfResult<ProbeCounters> read_counters();

    [[nodiscard]] unsigned int ifindex() const { return device_.ifindex(); }

private:
    ProbePath(
        ProbeDevice device,
        MarkRouting routing,
        FileDescriptor program,
        FileDescriptor targets,
        CounterMap counters
    )
        : device_(std::move(device)),
          routing_(std::move(routing)),
          program_(std::move(program)),
          targets_(std::move(targets)),
          counters_(std::move(counters)) {}

    [[nodiscard]] std::optional<std::uint32_t> take_mark();

    ProbeDevice device_;
    MarkRouting routing_; // goes before the device
    ReversePath reverse_path_;
    FileDescriptor program_;
    FileDescriptor targets_;
    CounterMap counters_;
    std::uint32_t used_marks_ = 0;          // given out at least once, from the first on
    std::vector<std::uint32_t> free_marks_; // given back
};

/// The bytes of the compiled object, for tests that load it themselves.
[[nodiscard]] std::span<const std::byte> probe_object_bytes();

} // namespace penstock::bpf
