// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The backend's decapsulator: takes the outer IPv4 header off IPIP packets (RFC 2003) whose inner
// destination is one of our VIPs and hands the inner packet to this server's kernel, which holds
// the VIP on lo (docs/reference/decap.md). Everything else is passed on as it came, also IPIP for
// anybody else.
//
// The Ethernet header (and VLAN tags) move up to the inner packet; the MACs stay, because the
// kernel takes a frame by them. The inner packet is not touched but for the congestion mark of RFC
// 6040.
#include "bpf/cursor.bpf.h"

#include <linux/in.h>

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PENSTOCK_MAX_VIPS);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __type(key, struct penstock_vip_key);
    __type(value, struct penstock_vip);
} vips SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, PENSTOCK_DECAP_COUNTERS);
    __type(key, __u32);
    __type(value, struct penstock_decap_count);
} decap_counters SEC(".maps");

const volatile struct penstock_marker decap_marker SEC(PENSTOCK_DECAP_MARKER) = {
    .magic = PENSTOCK_MARKER_MAGIC,
    .abi_version = PENSTOCK_ABI_VERSION,
};

#define IPV4_MORE_FRAGMENTS_OR_OFFSET 0x3fff
#define ECN_MASK 3
#define ECN_CE 3
#define MAX_LINK_HEADER (ETH_HLEN + MAX_VLAN_TAGS * sizeof(struct vlan_tag))

struct found {
    __u32 tags;         // 802.1Q tags, at most MAX_VLAN_TAGS
    __u32 outer_length; // outer IPv4 header with options
    struct iphdr* outer;
    struct iphdr* inner;
};

static __always_inline __u32 header_length(const struct iphdr* ipv4) {
    return ipv4->ihl * 4u;
}

// Finds the inner packet. Anything but PENSTOCK_DECAP_DECAPSULATED means: leave it as it is.
static __always_inline enum penstock_decap_counter
find_inner(struct xdp_md* ctx, struct found* found) {
    struct cursor cursor = cursor_of(ctx);
    __be16 ether_type;
    if (!take_ethernet(&cursor, &ether_type, &found->tags) || ether_type != bpf_htons(ETH_P_IP))
        return PENSTOCK_DECAP_PASSED;
    struct iphdr* outer = take(&cursor, sizeof(*outer));
    if (!outer || outer->version != 4 || outer->protocol != IPPROTO_IPIP)
        return PENSTOCK_DECAP_PASSED;
    __u32 outer_length = header_length(outer);
    __u32 outer_total = bpf_ntohs(outer->tot_len);
    if (outer_length < sizeof(*outer) || outer_total < outer_length ||
        (void*)outer + outer_total > cursor.end)
        return PENSTOCK_DECAP_MALFORMED;
    if (outer->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS_OR_OFFSET))
        return PENSTOCK_DECAP_FRAGMENT;

    struct cursor inner_cursor = {.at = (void*)outer + outer_length, .end = cursor.end};
    struct iphdr* inner = take(&inner_cursor, sizeof(*inner));
    if (!inner || inner->version != 4)
        return PENSTOCK_DECAP_MALFORMED;
    __u32 inner_total = bpf_ntohs(inner->tot_len);
    if (header_length(inner) < sizeof(*inner) || inner_total < header_length(inner) ||
        inner_total > outer_total - outer_length)
        return PENSTOCK_DECAP_MALFORMED;

    struct penstock_vip_key destination;
    set_ipv4_key(&destination, inner->daddr);
    if (!bpf_map_lookup_elem(&vips, &destination))
        return PENSTOCK_DECAP_NOT_A_VIP;
    found->outer_length = outer_length;
    found->outer = outer;
    found->inner = inner;
    return PENSTOCK_DECAP_DECAPSULATED;
}

// The header checksum after one 16-bit word of the header changed (RFC 1624, equation 3).
static __always_inline __sum16 update_checksum(__sum16 checksum, __be16 before, __be16 after) {
    __u32 sum = (__u32)(__u16)~checksum + (__u32)(__u16)~before + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__sum16)~sum;
}

// RFC 6040 4.2: a congestion mark of the tunnel goes to the inner packet, or to nobody: then the
// loss of the packet is what tells the sender. Returns 0 if the packet must be dropped.
static __always_inline int carry_congestion_mark(const struct iphdr* outer, struct iphdr* inner) {
    if ((outer->tos & ECN_MASK) != ECN_CE || (inner->tos & ECN_MASK) == ECN_CE)
        return 1;
    if ((inner->tos & ECN_MASK) == 0)
        return 0;
    __be16* first_word = (__be16*)inner;
    __be16 before = *first_word;
    inner->tos |= ECN_CE;
    inner->check = update_checksum(inner->check, before, *first_word);
    return 1;
}

// Moves Ethernet and tags, `length` bytes, up against the inner header. Through the stack, because
// the two places overlap when 22 bytes move by 20. `length` is a constant at every call, as memcpy
// needs it here.
static __always_inline int
move_link_header(struct xdp_md* ctx, const __u32 length, __u32 distance) {
    __u8 link[MAX_LINK_HEADER];
    struct cursor cursor = cursor_of(ctx);
    void* from = take(&cursor, length);
    if (!from)
        return 0;
    __builtin_memcpy(link, from, length);
    if (bpf_xdp_adjust_head(ctx, (int)distance))
        return 0;
    cursor = cursor_of(ctx);
    void* to = take(&cursor, length);
    if (!to)
        return 0;
    __builtin_memcpy(to, link, length);
    return 1;
}

static __always_inline int remove_outer_header(struct xdp_md* ctx, const struct found* found) {
    switch (found->tags) {
    case 0:
        return move_link_header(ctx, ETH_HLEN, found->outer_length);
    case 1:
        return move_link_header(ctx, ETH_HLEN + sizeof(struct vlan_tag), found->outer_length);
    default:
        return move_link_header(ctx, MAX_LINK_HEADER, found->outer_length);
    }
}

static __always_inline void count(__u32 counter, __u64 bytes) {
    struct penstock_decap_count* total = bpf_map_lookup_elem(&decap_counters, &counter);
    if (total) {
        total->packets++;
        total->bytes += bytes;
    }
}

SEC("xdp")

int penstock_decap(struct xdp_md* ctx) {
    // A reference keeps the marker map in the program's list of maps on kernels without
    // BPF_PROG_BIND_MAP.
    if (decap_marker.magic != PENSTOCK_MARKER_MAGIC)
        return XDP_ABORTED;
    struct found found = {};
    enum penstock_decap_counter what = find_inner(ctx, &found);
    if (what != PENSTOCK_DECAP_DECAPSULATED) {
        count(what, 0);
        return XDP_PASS;
    }
    if (!carry_congestion_mark(found.outer, found.inner)) {
        count(PENSTOCK_DECAP_DROPPED_ECN, 0);
        return XDP_DROP;
    }
    __u32 inner_total = bpf_ntohs(found.inner->tot_len);
    if (!remove_outer_header(ctx, &found))
        return XDP_ABORTED;
    count(PENSTOCK_DECAP_DECAPSULATED, inner_total);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
