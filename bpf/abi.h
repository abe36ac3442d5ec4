// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What the XDP programs and the processes that feed and read them agree on: names, keys and values
// of maps. C and C++ both include it; every layout is asserted in both.
//
// Thread rule: plain values. One writer of a VIP map (penstock-dp for steering, penstock-decap for
// the decapsulator); counters are per CPU, written by the program alone and summed by the reader.
#pragma once

#include <linux/types.h>

#ifdef __cplusplus
#define PENSTOCK_ABI_ASSERT static_assert
#else
#define PENSTOCK_ABI_ASSERT _Static_assert
#endif

// Raised with every change of this file that an older reader would misread.
#define PENSTOCK_ABI_VERSION 1

// "PSTK". A program is ours if its name is one of ours and its marker map begins with this.
#define PENSTOCK_MARKER_MAGIC 0x4b545350u

#define PENSTOCK_STEER_PROGRAM "penstock_steer"
#define PENSTOCK_STEER_MARKER ".rodata.steer"
#define PENSTOCK_DECAP_PROGRAM "penstock_decap"
#define PENSTOCK_DECAP_MARKER ".rodata.decap"

// Names of maps. `xsks_map` is DPDK's choice (net_af_xdp looks it up), the others are ours.
#define PENSTOCK_SOCKETS_MAP "xsks_map"
#define PENSTOCK_VIPS_MAP "vips"
#define PENSTOCK_STEER_COUNTERS_MAP "steer_counters"
#define PENSTOCK_DECAP_COUNTERS_MAP "decap_counters"

// As many VIPs as a dataplane has services (dataplane/core/identity.hpp).
#define PENSTOCK_MAX_VIPS 4096
// RX queues of one interface; a queue beyond has no socket, so its VIP traffic is dropped and
// counted.
#define PENSTOCK_MAX_QUEUES 1024

// The only entry (key 0) of a marker map, which is read-only and frozen.
struct penstock_marker {
    __u32 magic;
    __u32 abi_version;
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_marker) == 8, "marker layout");

// Key of `vips`: an address in network order, IPv4 as IPv4-mapped IPv6 (::ffff:a.b.c.d).
struct penstock_vip_key {
    __u8 address[16];
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_vip_key) == 16, "VIP key layout");

// Value of `vips`. No flag is defined yet: a writer writes 0, a program ignores it.
struct penstock_vip {
    __u32 flags;
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_vip) == 4, "VIP value layout");

// Keys of `steer_counters` (values: __u64 packets). Each packet that the program sees is in exactly
// one.
enum penstock_steer_counter {
    PENSTOCK_STEER_REDIRECTED, // handed to a socket; it may still be lost there if its ring is full
    PENSTOCK_STEER_PASSED,     // somebody else's: to the kernel
    PENSTOCK_STEER_DROPPED_NO_SOCKET, // ours, but no socket on its RX queue: dropped
    PENSTOCK_STEER_MALFORMED, // too short or too contradictory to have an owner: to the kernel
    PENSTOCK_STEER_COUNTERS,
};

// Keys of `decap_counters` (values: struct penstock_decap_count). Each packet is in exactly one.
enum penstock_decap_counter {
    PENSTOCK_DECAP_DECAPSULATED, // inner packet handed to the kernel; bytes are those of the inner
                                 // packet
    PENSTOCK_DECAP_PASSED,       // not IPIP: to the kernel
    PENSTOCK_DECAP_NOT_A_VIP,    // IPIP to another inner destination: to the kernel as it came
    PENSTOCK_DECAP_FRAGMENT,  // fragment of an outer packet, cannot be decapsulated: to the kernel
                              // as it came
    PENSTOCK_DECAP_MALFORMED, // IPIP with a broken outer or inner header: to the kernel as it came
    PENSTOCK_DECAP_DROPPED_ECN, // congestion mark on the tunnel, inner flow without ECN: dropped
                                // (RFC 6040 4.2)
    PENSTOCK_DECAP_COUNTERS,
};

struct penstock_decap_count {
    __u64 packets;
    __u64 bytes; // of the frame from the IP header on
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_decap_count) == 16, "decapsulator count layout");
