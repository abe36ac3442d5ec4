// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The probe path (docs/design/probe-path.md): a probe to a VIP leaves as the service's traffic
// does. It runs at the egress of the probe device, where a packet comes by its mark; the mark says
// which backend is meant. The packet gets the outer headers of that backend's tunnel (none for
// l2dsr), and the kernel sends it to the next hop towards the backend, whose MAC address it keeps
// or asks for.
//
// Nothing is to be sent by the probe device itself: a packet without a target is dropped and
// counted.
#include "bpf/abi.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// <sys/socket.h> is not for a BPF target; these are the kernel's own numbers.
#define AF_INET 2
#define AF_INET6 10

#define HOP_LIMIT 64
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MAPPED_PREFIX 12
#define FIRST_EPHEMERAL_PORT 0xc000

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PENSTOCK_MAX_PROBE_TARGETS);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
    __type(key, __u32); // mark
    __type(value, struct penstock_probe_target);
} probe_targets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PENSTOCK_PROBE_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} probe_counters SEC(".maps");

static __always_inline void count(__u32 counter) {
    __u64* packets = bpf_map_lookup_elem(&probe_counters, &counter);
    if (packets)
        (*packets)++;
}

static __always_inline int drop(__u32 counter) {
    count(counter);
    return TC_ACT_SHOT;
}

static __always_inline __be32 ipv4_of(const __u8* mapped) {
    __be32 address;
    __builtin_memcpy(&address, mapped + IPV4_MAPPED_PREFIX, sizeof(address));
    return address;
}

// Where the kernel would forward a packet to the backend: interface and next hop. Returns 0 if
// nowhere. A missing neighbour is no reason: the kernel will ask for it.
static __always_inline int find_next_hop(
    struct __sk_buff* skb,
    const struct penstock_probe_target* target,
    struct bpf_fib_lookup* route,
    struct bpf_redir_neigh* next_hop
) {
    route->ifindex = skb->ifindex;
    if (target->ip_version == 4) {
        route->family = AF_INET;
        route->ipv4_src = ipv4_of(target->source);
        route->ipv4_dst = ipv4_of(target->destination);
    } else {
        route->family = AF_INET6;
        __builtin_memcpy(route->ipv6_src, target->source, sizeof(route->ipv6_src));
        __builtin_memcpy(route->ipv6_dst, target->destination, sizeof(route->ipv6_dst));
    }
    long found = bpf_fib_lookup(skb, route, sizeof(*route), 0);
    if (found != BPF_FIB_LKUP_RET_SUCCESS && found != BPF_FIB_LKUP_RET_NO_NEIGH)
        return 0;
    // The family may have changed: an IPv4 route may have an IPv6 gateway.
    next_hop->nh_family = route->family;
    if (route->family == AF_INET)
        next_hop->ipv4_nh = route->ipv4_dst;
    else
        __builtin_memcpy(next_hop->ipv6_nh, route->ipv6_dst, sizeof(next_hop->ipv6_nh));
    return 1;
}

// Everything that stands before the inner packet, at most.
#define MAX_OUTER (sizeof(struct ipv6hdr) + sizeof(struct udphdr) + 4)

struct outer_headers {
    __u8 bytes[MAX_OUTER];
};

static __always_inline __u8 inner_protocol(__be16 ether_type) {
    return ether_type == bpf_htons(ETH_P_IP) ? IPPROTO_IPIP : IPPROTO_IPV6;
}

// The tunnel header behind the outer IP header, into `at`; returns its length. `length` is that of
// the inner packet.
static __always_inline __u32 write_tunnel_header(
    __u8* at,
    struct __sk_buff* skb,
    const struct penstock_probe_target* target,
    __be16 ether_type,
    __u32 length
) {
    if (target->mode == PENSTOCK_PROBE_IPIP)
        return 0;
    if (target->mode == PENSTOCK_PROBE_GRE) {
        const __be16 gre[2] = {0, ether_type};
        __builtin_memcpy(at, gre, sizeof(gre));
        return sizeof(gre);
    }
    __u32 gue_length = target->mode == PENSTOCK_PROBE_GUE_0 ? 4 : 0;
    // No checksum: the inner packet has its own (RFC 6935).
    const struct udphdr udp = {
        .source = bpf_htons(FIRST_EPHEMERAL_PORT | (bpf_get_hash_recalc(skb) & 0x3fff)),
        .dest = target->gue_port,
        .len = bpf_htons(sizeof(udp) + gue_length + length),
    };
    __builtin_memcpy(at, &udp, sizeof(udp));
    if (gue_length) {
        const __u8 gue[4] = {0, inner_protocol(ether_type), 0, 0};
        __builtin_memcpy(at + sizeof(udp), gue, sizeof(gue));
    }
    return sizeof(udp) + gue_length;
}

static __always_inline __u8
outer_protocol(const struct penstock_probe_target* target, __be16 ether_type) {
    switch (target->mode) {
    case PENSTOCK_PROBE_IPIP:
        return inner_protocol(ether_type);
    case PENSTOCK_PROBE_GRE:
        return IPPROTO_GRE;
    default:
        return IPPROTO_UDP;
    }
}

static __always_inline void write_ipv4(
    __u8* at, const struct penstock_probe_target* target, __u8 protocol, __u8 tos, __u32 payload
) {
    struct iphdr ipv4 = {
        .version = 4,
        .ihl = sizeof(ipv4) / 4,
        .tos = tos,
        .tot_len = bpf_htons(sizeof(ipv4) + payload),
        .frag_off = bpf_htons(IPV4_DONT_FRAGMENT),
        .ttl = HOP_LIMIT,
        .protocol = protocol,
        .saddr = ipv4_of(target->source),
        .daddr = ipv4_of(target->destination),
    };
    __u16 words[sizeof(ipv4) / 2];
    __builtin_memcpy(words, &ipv4, sizeof(ipv4));
    __u32 sum = 0;
#pragma unroll
    for (__u32 word = 0; word < sizeof(ipv4) / 2; word++)
        sum += words[word];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    ipv4.check = (__sum16)~sum;
    __builtin_memcpy(at, &ipv4, sizeof(ipv4));
}

static __always_inline void write_ipv6(
    __u8* at, const struct penstock_probe_target* target, __u8 protocol, __u8 tos, __u32 payload
) {
    struct ipv6hdr ipv6 = {
        .version = 6,
        .priority = tos >> 4,
        .flow_lbl = {(__u8)(tos << 4), 0, 0},
        .payload_len = bpf_htons(payload),
        .nexthdr = protocol,
        .hop_limit = HOP_LIMIT,
    };
    __builtin_memcpy(&ipv6.saddr, target->source, sizeof(ipv6.saddr));
    __builtin_memcpy(&ipv6.daddr, target->destination, sizeof(ipv6.daddr));
    __builtin_memcpy(at, &ipv6, sizeof(ipv6));
}

static __always_inline __u64 room_flags(const struct penstock_probe_target* target) {
    __u64 flags =
        target->ip_version == 4 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
    if (target->mode == PENSTOCK_PROBE_GRE)
        return flags | BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
    return target->mode == PENSTOCK_PROBE_IPIP ? flags : flags | BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
}

// DSCP and ECN of the inner packet, which the outer one gets (RFC 6040 4.1). -1 if there is none.
static __always_inline int inner_tos(struct __sk_buff* skb, __be16 ether_type) {
    __be16 first;
    if (bpf_skb_load_bytes(skb, ETH_HLEN, &first, sizeof(first)))
        return -1;
    if (ether_type == bpf_htons(ETH_P_IP))
        return bpf_ntohs(first) & 0xff;
    return ether_type == bpf_htons(ETH_P_IPV6) ? (bpf_ntohs(first) >> 4) & 0xff : -1;
}

// Puts the outer headers between Ethernet and the inner packet. Returns 0 if the kernel refuses.
static __always_inline int
encapsulate(struct __sk_buff* skb, const struct penstock_probe_target* target) {
    __be16 ether_type = (__be16)skb->protocol;
    int tos = inner_tos(skb, ether_type);
    if (tos < 0)
        return 0;
    __u32 length = skb->len - ETH_HLEN;
    struct outer_headers outer = {};
    __u8 protocol = outer_protocol(target, ether_type);
    __u32 size;
    if (target->ip_version == 4) {
        size = write_tunnel_header(
            outer.bytes + sizeof(struct iphdr), skb, target, ether_type, length
        );
        write_ipv4(outer.bytes, target, protocol, (__u8)tos, size + length);
        size += sizeof(struct iphdr);
    } else {
        size = write_tunnel_header(
            outer.bytes + sizeof(struct ipv6hdr), skb, target, ether_type, length
        );
        write_ipv6(outer.bytes, target, protocol, (__u8)tos, size + length);
        size += sizeof(struct ipv6hdr);
    }
    if (size > sizeof(outer.bytes) ||
        bpf_skb_adjust_room(skb, (int)size, BPF_ADJ_ROOM_MAC, room_flags(target)) ||
        bpf_skb_store_bytes(skb, ETH_HLEN, outer.bytes, size, 0))
        return 0;
    __be16 outer_type = target->ip_version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
    return !bpf_skb_store_bytes(
        skb, offsetof(struct ethhdr, h_proto), &outer_type, sizeof(outer_type), 0
    );
}

SEC("tc")

int penstock_probe(struct __sk_buff* skb) {
    __u32 mark = skb->mark;
    const struct penstock_probe_target* target = bpf_map_lookup_elem(&probe_targets, &mark);
    if (!target)
        return drop(PENSTOCK_PROBE_NO_TARGET);
    struct bpf_fib_lookup route = {};
    struct bpf_redir_neigh next_hop = {};
    if (!find_next_hop(skb, target, &route, &next_hop))
        return drop(PENSTOCK_PROBE_NO_ROUTE);
    if (target->mode != PENSTOCK_PROBE_L2DSR && !encapsulate(skb, target))
        return drop(PENSTOCK_PROBE_FAILED);
    // With its mark it would be routed to the probe device again.
    skb->mark = 0;
    count(PENSTOCK_PROBE_SENT);
    return (int)bpf_redirect_neigh(route.ifindex, &next_hop, sizeof(next_hop), 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
