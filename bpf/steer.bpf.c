// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Steering: which packets of an interface are the dataplane's and which are the kernel's
// (docs/design/steering.md). What is addressed to a VIP goes to the AF_XDP socket of its RX queue,
// whatever its protocol: fragments and ICMP carry no ports to decide by. So do ARP requests and
// neighbour solicitations that ask for a VIP, because a VIP belongs to no kernel. Everything else
// is passed on.
//
// VIP traffic never reaches the kernel: it would answer connections that it does not know with RST.
// Where a queue has no socket (the dataplane is not there, or does not serve this queue) it is
// dropped and counted.
//
// DPDK's net_af_xdp loads this object by path and attaches it before any code of ours sees it: it
// must hold one program, need no set-up and behave with empty maps. Nothing is pinned, so that
// nodes in several network namespaces of one machine do not share maps; bpf/steering.hpp finds them
// through the interface.
#include "bpf/cursor.bpf.h"

#include <linux/icmpv6.h>
#include <linux/in.h>

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, PENSTOCK_MAX_QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PENSTOCK_MAX_VIPS);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __type(key, struct penstock_vip_key);
    __type(value, struct penstock_vip);
} vips SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PENSTOCK_STEER_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} steer_counters SEC(".maps");

const volatile struct penstock_marker steer_marker SEC(PENSTOCK_STEER_MARKER) = {
    .magic = PENSTOCK_MARKER_MAGIC,
    .abi_version = PENSTOCK_ABI_VERSION,
};

// ARP over Ethernet for IPv4 (RFC 826), whose target address ends the 28 bytes.
// <linux/if_arp.h> pulls in the C library, which a BPF target has not.
struct arp_ipv4 {
    __be16 hardware_type;
    __be16 protocol_type;
    __u8 hardware_length;
    __u8 protocol_length;
    __be16 operation;
    __u8 sender_mac[ETH_ALEN];
    __u8 sender_address[4];
    __u8 target_mac[ETH_ALEN];
    __be32 target_address;
} __attribute__((packed));

_Static_assert(sizeof(struct arp_ipv4) == 28, "ARP layout");

// A neighbour solicitation up to its target (RFC 4861 4.3).
struct neighbour_solicitation {
    struct icmp6hdr icmp;
    __u8 target_address[16];
};

_Static_assert(sizeof(struct neighbour_solicitation) == 24, "neighbour solicitation layout");

#define ARP_HARDWARE_ETHERNET 1
#define ARP_REQUEST 1
#define NEIGHBOUR_SOLICITATION 135

enum owner { KERNEL, DATAPLANE, NOBODY };

static __always_inline enum owner owner_of(const struct penstock_vip_key* destination) {
    return bpf_map_lookup_elem(&vips, destination) ? DATAPLANE : KERNEL;
}

// Only as much of a header is checked as it takes to know the destination: what is wrong with a
// packet to a VIP is for the dataplane to name and count.
static __always_inline enum owner owner_of_ipv4(struct cursor* cursor) {
    struct iphdr* ipv4 = take(cursor, sizeof(*ipv4));
    if (!ipv4 || ipv4->version != 4)
        return NOBODY;
    struct penstock_vip_key destination;
    set_ipv4_key(&destination, ipv4->daddr);
    return owner_of(&destination);
}

static __always_inline enum owner owner_of_arp(struct cursor* cursor) {
    struct arp_ipv4* arp = take(cursor, sizeof(*arp));
    if (!arp)
        return NOBODY;
    if (arp->operation != bpf_htons(ARP_REQUEST) || arp->protocol_type != bpf_htons(ETH_P_IP) ||
        arp->hardware_type != bpf_htons(ARP_HARDWARE_ETHERNET))
        return KERNEL;
    struct penstock_vip_key target;
    set_ipv4_key(&target, arp->target_address);
    return owner_of(&target);
}

// An IPv6 packet must not match an IPv4 VIP by the form that the map holds it in.
static __always_inline enum owner owner_of_ipv6_address(const void* address) {
    struct penstock_vip_key key;
    struct penstock_vip_key mapped;
    __builtin_memcpy(key.address, address, sizeof(key.address));
    set_ipv4_key(&mapped, 0);
    if (__builtin_memcmp(key.address, mapped.address, IPV4_MAPPED_PREFIX) == 0)
        return KERNEL;
    return owner_of(&key);
}

static __always_inline enum owner owner_of_ipv6(struct cursor* cursor) {
    struct ipv6hdr* ipv6 = take(cursor, sizeof(*ipv6));
    if (!ipv6 || ipv6->version != 6)
        return NOBODY;
    if (owner_of_ipv6_address(&ipv6->daddr) == DATAPLANE)
        return DATAPLANE;
    // Neighbour discovery carries no extension headers in practice, and RFC 6980 forbids
    // fragmenting it.
    if (ipv6->nexthdr != IPPROTO_ICMPV6)
        return KERNEL;
    struct neighbour_solicitation* solicitation = take(cursor, sizeof(*solicitation));
    if (!solicitation || solicitation->icmp.icmp6_type != NEIGHBOUR_SOLICITATION)
        return KERNEL;
    return owner_of_ipv6_address(solicitation->target_address);
}

static __always_inline enum owner owner_of_packet(struct xdp_md* ctx) {
    struct cursor cursor = cursor_of(ctx);
    __be16 ether_type;
    __u32 tags;
    if (!take_ethernet(&cursor, &ether_type, &tags))
        return NOBODY;
    switch (ether_type) {
    case bpf_htons(ETH_P_IP):
        return owner_of_ipv4(&cursor);
    case bpf_htons(ETH_P_IPV6):
        return owner_of_ipv6(&cursor);
    case bpf_htons(ETH_P_ARP):
        return owner_of_arp(&cursor);
    default:
        return KERNEL;
    }
}

static __always_inline void count(__u32 counter) {
    __u64* packets = bpf_map_lookup_elem(&steer_counters, &counter);
    if (packets)
        (*packets)++;
}

SEC("xdp")

int penstock_steer(struct xdp_md* ctx) {
    // A reference keeps the marker map in the program's list of maps on kernels without
    // BPF_PROG_BIND_MAP.
    if (steer_marker.magic != PENSTOCK_MARKER_MAGIC)
        return XDP_ABORTED;
    switch (owner_of_packet(ctx)) {
    case KERNEL:
        count(PENSTOCK_STEER_PASSED);
        return XDP_PASS;
    case NOBODY:
        count(PENSTOCK_STEER_MALFORMED);
        return XDP_PASS;
    case DATAPLANE:
        break;
    }
    // The flags are the verdict for a queue without a socket: such a slot of the map is empty.
    long verdict = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_DROP);
    count(verdict == XDP_REDIRECT ? PENSTOCK_STEER_REDIRECTED : PENSTOCK_STEER_DROPPED_NO_SOCKET);
    return (int)verdict;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
