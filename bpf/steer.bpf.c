// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Steering: which packets of an interface are the dataplane's and which are the kernel's
// (docs/design/steering.md). What is addressed to a VIP goes to the AF_XDP socket of its RX queue,
// whatever its protocol: fragments and ICMP carry no ports to decide by. So do ARP requests and
// neighbour solicitations that ask for a VIP, because a VIP belongs to no kernel. Everything else
// is passed on.
//
// So do ICMP errors about the packets that we send into tunnels, from a source that may be the
// kernel's own address: they tell the workers what fits on the way to a backend.
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
#include "bpf/prefix.bpf.h"

#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/udp.h>

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, PENSTOCK_MAX_QUEUES);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

struct prefix_map vips SEC(".maps");
struct prefix_map tunnel_sources SEC(".maps");
struct gue_port_map gue_ports SEC(".maps");

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

// The header of an ICMP error (RFC 792). <linux/icmp.h> pulls in the C library too.
struct icmp_error {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be32 rest;
};

#define ICMP_UNREACHABLE 3
#define ARP_HARDWARE_ETHERNET 1
#define ARP_REQUEST 1
#define NEIGHBOUR_SOLICITATION 135

#define IPV4_FRAGMENT_OFFSET 0x1fff

enum owner { KERNEL, DATAPLANE, DATAPLANE_ERROR, NOBODY };

// Whether a packet of ours that an ICMP error quotes went into a tunnel. `cursor` stands behind its
// IP header, of which only eight bytes need be there.
static __always_inline int is_tunnel(__u8 protocol, struct cursor* cursor) {
    if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE)
        return 1;
    if (protocol != IPPROTO_UDP)
        return 0;
    struct udphdr* udp = take(cursor, sizeof(*udp));
    return udp && is_gue_port(&gue_ports, udp->dest);
}

static __always_inline enum owner owner_of_icmp(struct cursor* cursor) {
    struct icmp_error* icmp = take(cursor, sizeof(*icmp));
    if (!icmp || icmp->type != ICMP_UNREACHABLE)
        return KERNEL;
    struct iphdr* quoted = take(cursor, sizeof(*quoted));
    if (!quoted || quoted->version != 4 || quoted->ihl < sizeof(*quoted) / 4 ||
        quoted->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET) ||
        !contains_ipv4(&tunnel_sources, quoted->saddr))
        return KERNEL;
    cursor->at = (void*)quoted + quoted->ihl * 4u;
    return is_tunnel(quoted->protocol, cursor) ? DATAPLANE_ERROR : KERNEL;
}

// Only as much of a header is checked as it takes to know the destination: what is wrong with a
// packet to a VIP is for the dataplane to name and count.
static __always_inline enum owner owner_of_ipv4(struct cursor* cursor) {
    struct iphdr* ipv4 = take(cursor, sizeof(*ipv4));
    if (!ipv4 || ipv4->version != 4)
        return NOBODY;
    if (contains_ipv4(&vips, ipv4->daddr))
        return DATAPLANE;
    if (ipv4->protocol != IPPROTO_ICMP || ipv4->ihl < sizeof(*ipv4) / 4 ||
        ipv4->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET))
        return KERNEL;
    cursor->at = (void*)ipv4 + ipv4->ihl * 4u;
    return owner_of_icmp(cursor);
}

static __always_inline enum owner owner_of_arp(struct cursor* cursor) {
    struct arp_ipv4* arp = take(cursor, sizeof(*arp));
    if (!arp)
        return NOBODY;
    if (arp->operation != bpf_htons(ARP_REQUEST) || arp->protocol_type != bpf_htons(ETH_P_IP) ||
        arp->hardware_type != bpf_htons(ARP_HARDWARE_ETHERNET))
        return KERNEL;
    return contains_ipv4(&vips, arp->target_address) ? DATAPLANE : KERNEL;
}

static __always_inline enum owner owner_of_icmpv6_error(struct cursor* cursor) {
    struct ipv6hdr* quoted = take(cursor, sizeof(*quoted));
    if (!quoted || quoted->version != 6 || !contains_ipv6(&tunnel_sources, &quoted->saddr))
        return KERNEL;
    return is_tunnel(quoted->nexthdr, cursor) ? DATAPLANE_ERROR : KERNEL;
}

// Neighbour discovery carries no extension headers in practice, and RFC 6980 forbids fragmenting
// it; errors carry none either.
static __always_inline enum owner owner_of_icmpv6(struct cursor* cursor) {
    struct icmp6hdr* icmp = take(cursor, sizeof(*icmp));
    if (!icmp)
        return KERNEL;
    switch (icmp->icmp6_type) {
    case ICMPV6_DEST_UNREACH:
    case ICMPV6_PKT_TOOBIG:
        return owner_of_icmpv6_error(cursor);
    case NEIGHBOUR_SOLICITATION:
        break;
    default:
        return KERNEL;
    }
    void* target = take(cursor, sizeof(struct in6_addr));
    return target && contains_ipv6(&vips, target) ? DATAPLANE : KERNEL;
}

static __always_inline enum owner owner_of_ipv6(struct cursor* cursor) {
    struct ipv6hdr* ipv6 = take(cursor, sizeof(*ipv6));
    if (!ipv6 || ipv6->version != 6)
        return NOBODY;
    if (contains_ipv6(&vips, &ipv6->daddr))
        return DATAPLANE;
    return ipv6->nexthdr == IPPROTO_ICMPV6 ? owner_of_icmpv6(cursor) : KERNEL;
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
    enum owner owner = owner_of_packet(ctx);
    if (owner == KERNEL || owner == NOBODY) {
        count(owner == KERNEL ? PENSTOCK_STEER_PASSED : PENSTOCK_STEER_MALFORMED);
        return XDP_PASS;
    }
    // The flags are the verdict for a queue without a socket: such a slot of the map is empty.
    long verdict = bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_DROP);
    if (verdict == XDP_REDIRECT) {
        count(owner == DATAPLANE ? PENSTOCK_STEER_REDIRECTED : PENSTOCK_STEER_TUNNEL_ERROR);
        return XDP_REDIRECT;
    }
    if (owner == DATAPLANE_ERROR) {
        // Its destination is an address of the kernel's, which may have use for it.
        count(PENSTOCK_STEER_PASSED);
        return XDP_PASS;
    }
    count(PENSTOCK_STEER_DROPPED_NO_SOCKET);
    return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
