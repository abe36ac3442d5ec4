// SPDX-License-Identifier: Apache-2.0
// The backend's decapsulator (decap.bpf.c): attach it to an interface, read it, take it off
// (docs/reference/decap.md).
//
// The program is attached to the interface, not to a process: if the process that attached it dies,
// traffic flows on. The next start puts a new program in the place of the old one without a gap,
// and whoever must can take it off with `ip link set dev eth0 xdp off`, which a bpf_link would
// refuse.
//
// Thread rule: one thread; every call makes system calls and may allocate.
#pragma once

#include "bpf/attachment.hpp"
#include "bpf/counter_map.hpp"
#include "bpf/error.hpp"
#include "bpf/gue_port_map.hpp"
#include "bpf/prefix_map.hpp"
#include "dataplane/core/ip_prefix.hpp"

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace penstock::bpf {

/// Packets that a decapsulator saw; each is in exactly one (decap_counters in abi.h).
struct DecapsulatorCounters {
    // Inner packet handed to the kernel.
    std::uint64_t ipip = 0;
    std::uint64_t gre = 0;
    std::uint64_t gue = 0;
    // To the kernel as it came.
    std::uint64_t passed = 0;      ///< no tunnel
    std::uint64_t not_a_vip = 0;   ///< inner destination not a VIP
    std::uint64_t fragment = 0;    ///< of an outer packet
    std::uint64_t unsupported = 0; ///< a tunnel header that asks for what we do not do
    std::uint64_t malformed = 0;   ///< a broken outer or inner header
    // Dropped.
    std::uint64_t dropped_ecn = 0; ///< congestion mark that the inner flow cannot carry
    /// Of the inner packets that were handed to the kernel, from their IP header on.
    std::uint64_t decapsulated_bytes = 0;

    [[nodiscard]] std::uint64_t decapsulated() const { return ipip + gre + gue; }

    friend bool operator==(const DecapsulatorCounters&, const DecapsulatorCounters&) = default;
};

/// The decapsulator of one interface.
class Decapsulator {
public:
    /// Since it was attached.
    [[nodiscard]] BpfResult<DecapsulatorCounters> read_counters();

    /// Sorted.
    [[nodiscard]] const std::vector<IpPrefix>& vips() const { return vips_.prefixes(); }

    /// Host order.
    [[nodiscard]] const std::set<std::uint16_t>& gue_ports() const { return gue_ports_.ports(); }

    [[nodiscard]] AttachMode mode() const { return mode_; }

    [[nodiscard]] std::uint32_t program_id() const { return program_id_; }

private:
    friend BpfResult<Decapsulator> find_decapsulator(unsigned int interface_index);

    Decapsulator(
        PrefixMap vips, GuePortMap gue_ports, CounterMap counters, const Attachment& attachment
    )
        : vips_(std::move(vips)),
          gue_ports_(std::move(gue_ports)),
          counters_(std::move(counters)),
          mode_(attachment.mode),
          program_id_(attachment.program_id) {}

    PrefixMap vips_;
    GuePortMap gue_ports_;
    CounterMap counters_;
    AttachMode mode_;
    std::uint32_t program_id_;
};

enum class AttachPolicy : std::uint8_t {
    native_or_generic, ///< native if the driver can
    native,            ///< or fail
    generic,
};

struct Attached {
    Decapsulator decapsulator;
    bool replaced_leftover = false;
    std::string native_refusal; ///< why it is generic under native_or_generic, or empty
};

/// What to take out of which tunnels.
struct DecapsulatorSettings {
    std::vector<IpPrefix> vips;           ///< inner destinations
    std::vector<std::uint16_t> gue_ports; ///< UDP destination ports of GUE, host order
};

/// Loads the program, fills in `settings` and attaches it. Our own leftover is replaced without a
/// gap; somebody else's program is an error. On an error the interface is as it was. REQUIRES: the
/// caller holds the lock of this interface, so that the program there serves nobody.
[[nodiscard]] BpfResult<Attached> attach_decapsulator(
    unsigned int interface_index, const DecapsulatorSettings& settings, AttachPolicy policy
);

/// The decapsulator that the interface has, whoever attached it. An error if there is none.
[[nodiscard]] BpfResult<Decapsulator> find_decapsulator(unsigned int interface_index);

/// Detaches our decapsulator; somebody else's program is an error.
[[nodiscard]] inline BpfResult<Leftover> detach_decapsulator(unsigned int interface_index) {
    return detach_leftover(interface_index, decapsulator_signature);
}

/// The bytes of the compiled object, for tests and tools that load it themselves.
[[nodiscard]] std::span<const std::byte> decapsulator_object_bytes();

} // namespace penstock::bpf
