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
#define PENSTOCK_ABI_VERSION 2

// "PSTK". A program is ours if its name is one of ours and its marker map begins with this.
#define PENSTOCK_MARKER_MAGIC 0x4b545350u

#define PENSTOCK_STEER_PROGRAM "penstock_steer"
#define PENSTOCK_STEER_MARKER ".rodata.steer"
#define PENSTOCK_DECAP_PROGRAM "penstock_decap"
#define PENSTOCK_DECAP_MARKER ".rodata.decap"

// Names of maps. `xsks_map` is DPDK's choice (net_af_xdp looks it up), the others are ours.
#define PENSTOCK_SOCKETS_MAP "xsks_map"
#define PENSTOCK_VIPS_MAP "vips"
#define PENSTOCK_TUNNEL_SOURCES_MAP "tunnel_sources"
#define PENSTOCK_GUE_PORTS_MAP "gue_ports"
#define PENSTOCK_STEER_COUNTERS_MAP "steer_counters"
#define PENSTOCK_DECAP_COUNTERS_MAP "decap_counters"

// Prefixes in one map: a VIP of its own for each service of a dataplane
// (dataplane/core/identity.hpp), and as many NAT source addresses.
#define PENSTOCK_MAX_PREFIXES 8192
// UDP destination ports of GUE that differ.
#define PENSTOCK_MAX_GUE_PORTS 64
// RX queues of one interface; a queue beyond has no socket, so its VIP traffic is dropped and
// counted.
#define PENSTOCK_MAX_QUEUES 1024

// The only entry (key 0) of a marker map, which is read-only and frozen.
struct penstock_marker {
    __u32 magic;
    __u32 abi_version;
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_marker) == 8, "marker layout");

// Key of `vips` and of `tunnel_sources`, which are LPM tries: a prefix in network order, IPv4 as
// IPv4-mapped IPv6 (::ffff:a.b.c.d, so a length of 96 more). Bits behind the length are 0.
struct penstock_prefix_key {
    __u32 length; // 0 … 128
    __u8 address[16];
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_prefix_key) == 20, "prefix key layout");

// Value of a prefix. A prefix takes addresses of its own family only: ::/0 contains the mapped form
// of every IPv4 address, and must not take one.
struct penstock_prefix {
    __u32 ip_version; // 4 or 6
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_prefix) == 4, "prefix value layout");

// Key of `gue_ports`: network order. Value: one byte without a meaning.
struct penstock_gue_port {
    __u16 port;
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_gue_port) == 2, "GUE port layout");

// Keys of `steer_counters` (values: __u64 packets). Each packet that the program sees is in exactly
// one.
enum penstock_steer_counter {
    PENSTOCK_STEER_REDIRECTED,   // to a VIP, or asking for one: handed to a socket; it may still be
                                 // lost there if its ring is full
    PENSTOCK_STEER_TUNNEL_ERROR, // ICMP error about one of our tunnel packets: handed to a socket
    PENSTOCK_STEER_PASSED,       // somebody else's: to the kernel
    PENSTOCK_STEER_DROPPED_NO_SOCKET, // ours, but no socket on its RX queue: dropped
    PENSTOCK_STEER_MALFORMED, // too short or too contradictory to have an owner: to the kernel
    PENSTOCK_STEER_COUNTERS,
};

// Keys of `decap_counters` (values: struct penstock_decap_count). Each packet is in exactly one.
enum penstock_decap_counter {
    // Inner packet handed to the kernel; bytes are those of the inner packet.
    PENSTOCK_DECAP_IPIP,
    PENSTOCK_DECAP_GRE,
    PENSTOCK_DECAP_GUE,
    PENSTOCK_DECAP_PASSED,    // no tunnel: to the kernel
    PENSTOCK_DECAP_NOT_A_VIP, // tunnel to another inner destination: to the kernel as it came
    PENSTOCK_DECAP_FRAGMENT,  // fragment of an outer packet, cannot be decapsulated: to the kernel
                              // as it came
    PENSTOCK_DECAP_UNSUPPORTED, // tunnel header that asks for what we do not do (GRE checksum or
                                // routing, GUE control or unknown flags) or holds no IP packet: to
                                // the kernel as it came
    PENSTOCK_DECAP_MALFORMED, // tunnel with a broken outer or inner header: to the kernel as it came
    PENSTOCK_DECAP_DROPPED_ECN, // congestion mark on the tunnel, inner flow without ECN: dropped
                                // (RFC 6040 4.2)
    PENSTOCK_DECAP_COUNTERS,
};

struct penstock_decap_count {
    __u64 packets;
    __u64 bytes; // of the inner packet from its IP header on
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_decap_count) == 16, "decapsulator count layout");

// The probe path (probe.bpf.c). Targets at once: a backend of each service, twice over while a
// configuration changes.
#define PENSTOCK_MAX_PROBE_TARGETS 65536

enum penstock_probe_mode {
    PENSTOCK_PROBE_L2DSR,
    PENSTOCK_PROBE_IPIP,
    PENSTOCK_PROBE_GRE,
    PENSTOCK_PROBE_GUE_0, // variant 0: with a GUE header
    PENSTOCK_PROBE_GUE_1, // variant 1: without
};

// Value of `probe_targets`, by mark. Addresses are in network order, IPv4 as IPv4-mapped IPv6.
struct penstock_probe_target {
    __u8 source[16];      // of the outer header
    __u8 destination[16]; // the backend: of the outer header, or for l2dsr of the next hop alone
    __u8 mode;            // enum penstock_probe_mode
    __u8 ip_version;      // of source and destination: 4 or 6
    __u16 gue_port;       // network order
};

PENSTOCK_ABI_ASSERT(sizeof(struct penstock_probe_target) == 36, "probe target layout");

// Keys of `probe_counters` (values: __u64 packets). Each packet is in exactly one.
enum penstock_probe_counter {
    PENSTOCK_PROBE_SENT,      // on its way to the next hop
    PENSTOCK_PROBE_NO_TARGET, // dropped: its mark is none of ours
    PENSTOCK_PROBE_NO_ROUTE,  // dropped: the kernel has no route to the backend
    PENSTOCK_PROBE_FAILED,    // dropped: the kernel had no room for the outer headers
    PENSTOCK_PROBE_COUNTERS,
};
