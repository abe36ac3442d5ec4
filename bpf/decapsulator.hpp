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
#include "bpf/vip_map.hpp"
#include "dataplane/core/addresses.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock::bpf {

/// Packets that a decapsulator saw; each is in exactly one (decap_counters in abi.h).
struct DecapsulatorCounters {
    std::uint64_t decapsulated = 0;
    std::uint64_t decapsulated_bytes = 0; ///< of inner packets, from their IP header on
    std::uint64_t passed = 0;             ///< not IPIP
    std::uint64_t not_a_vip = 0;          ///< IPIP, inner destination not a VIP: to the kernel
    std::uint64_t fragment = 0;           ///< IPIP in fragments: to the kernel
    std::uint64_t malformed = 0;          ///< IPIP with a broken header: to the kernel
    std::uint64_t dropped_ecn = 0;        ///< congestion mark that the inner flow cannot carry

    friend bool operator==(const DecapsulatorCounters&, const DecapsulatorCounters&) = default;
};

/// The decapsulator of one interface.
class Decapsulator {
public:
    /// Since it was attached.
    [[nodiscard]] BpfResult<DecapsulatorCounters> read_counters();

    /// Sorted.
    [[nodiscard]] const std::vector<IpAddress>& vips() const { return vips_.vips(); }

    [[nodiscard]] AttachMode mode() const { return mode_; }

    [[nodiscard]] std::uint32_t program_id() const { return program_id_; }

private:
    friend BpfResult<Decapsulator> find_decapsulator(unsigned int interface_index);

    Decapsulator(VipMap vips, CounterMap counters, AttachMode mode, std::uint32_t program_id)
        : vips_(std::move(vips)),
          counters_(std::move(counters)),
          mode_(mode),
          program_id_(program_id) {}

    VipMap vips_;
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

/// Loads the program, fills in `vips` (IPv4 alone so far) and attaches it. Our own leftover is
/// replaced without a gap; somebody else's program is an error. On an error the interface is as it
/// was. REQUIRES: the caller holds the lock of this interface, so that the program there serves
/// nobody.
[[nodiscard]] BpfResult<Attached> attach_decapsulator(
    unsigned int interface_index, std::span<const IpAddress> vips, AttachPolicy policy
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
