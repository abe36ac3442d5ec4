// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// The backend's decapsulator: takes the outer headers off IPIP (RFC 2003, 2473, 4213), GRE (RFC
// 2784, 2890) and GUE packets over IPv4 or IPv6 whose inner destination is one of our VIPs, and
// hands the inner packet to this server's kernel, which holds the VIP on lo
// (docs/reference/decap.md). Everything else is passed on as it came, also tunnel packets for
// anybody else.
//
// The Ethernet header (and VLAN tags) move up to the inner packet and get its EtherType; the MACs
// stay, because the kernel takes a frame by them. The inner packet is not touched but for the
// congestion mark of RFC 6040.
#include "bpf/tunnel.bpf.h"

struct prefix_map vips SEC(".maps");
struct gue_port_map gue_ports SEC(".maps");

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

#define ECN_NOT_ECT 0
#define ECN_ECT_1 1
#define ECN_ECT_0 2
#define ECN_CE 3
#define MAX_LINK_HEADER (ETH_HLEN + MAX_VLAN_TAGS * sizeof(struct vlan_tag))

struct found {
    __u32 tags;         // 802.1Q tags, at most MAX_VLAN_TAGS
    __u32 outer_length; // all headers before the inner packet, without Ethernet and tags
    __u32 inner_version;
    __u32 inner_length;
    __u8 outer_ecn;
    void* inner; // an IPv4 header without its options, or an IPv6 header, is known to be there
};

// Returns 1 if `inner` is to a VIP, 0 if not, -1 if it is malformed.
static __always_inline int check_inner_ipv4(struct walk* walk, struct found* found) {
    __u32 available = walk->left;
    struct iphdr* inner = take_within(walk, sizeof(*inner));
    if (!inner || inner->version != 4)
        return -1;
    __u32 header_length = inner->ihl * 4u;
    found->inner = inner;
    found->inner_length = bpf_ntohs(inner->tot_len);
    if (header_length < sizeof(*inner) || found->inner_length < header_length ||
        found->inner_length > available)
        return -1;
    return contains_ipv4(&vips, inner->daddr);
}

static __always_inline int check_inner_ipv6(struct walk* walk, struct found* found) {
    __u32 available = walk->left;
    struct ipv6hdr* inner = take_within(walk, sizeof(*inner));
    if (!inner || inner->version != 6)
        return -1;
    found->inner = inner;
    found->inner_length = sizeof(*inner) + bpf_ntohs(inner->payload_len);
    if (found->inner_length > available)
        return -1;
    return contains_ipv6(&vips, &inner->daddr);
}

static __always_inline int is_decapsulated(enum penstock_decap_counter what) {
    return what == PENSTOCK_DECAP_IPIP || what == PENSTOCK_DECAP_GRE || what == PENSTOCK_DECAP_GUE;
}

// Finds the inner packet. What is not is_decapsulated() stays as it is.
static __always_inline enum penstock_decap_counter
find_inner(struct xdp_md* ctx, struct found* found) {
    struct walk walk = {.cursor = cursor_of(ctx)};
    struct outer outer = {};
    __be16 ether_type;
    enum penstock_decap_counter what = PENSTOCK_DECAP_PASSED;
    if (!take_ethernet(&walk.cursor, &ether_type, &found->tags))
        return what;
    if (ether_type == bpf_htons(ETH_P_IP))
        what = open_outer_ipv4(&walk, &outer);
    else if (ether_type == bpf_htons(ETH_P_IPV6))
        what = open_outer_ipv6(&walk, &outer);
    if (what != OPENED)
        return what;
    what = open_tunnel(&walk, &outer, &gue_ports, &found->inner_version);
    if (!is_decapsulated(what))
        return what;
    int is_to_vip =
        found->inner_version == 4 ? check_inner_ipv4(&walk, found) : check_inner_ipv6(&walk, found);
    if (is_to_vip < 0)
        return PENSTOCK_DECAP_MALFORMED;
    if (!is_to_vip)
        return PENSTOCK_DECAP_NOT_A_VIP;
    found->outer_length = (__u32)(found->inner - outer.header);
    found->outer_ecn = outer.ecn;
    return what;
}

// The header checksum after one 16-bit word of the header changed (RFC 1624, equation 3).
static __always_inline __sum16 update_checksum(__sum16 checksum, __be16 before, __be16 after) {
    __u32 sum = (__u32)(__u16)~checksum + (__u32)(__u16)~before + after;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__sum16)~sum;
}

static __always_inline __u8 inner_ecn(const struct found* found) {
    if (found->inner_version == 4)
        return ((const struct iphdr*)found->inner)->tos & ECN_MASK;
    return ipv6_ecn(found->inner);
}

static __always_inline void set_inner_ecn(const struct found* found, __u8 ecn) {
    if (found->inner_version == 4) {
        struct iphdr* ipv4 = found->inner;
        __be16* first_word = found->inner;
        __be16 before = *first_word;
        ipv4->tos = (ipv4->tos & ~ECN_MASK) | ecn;
        ipv4->check = update_checksum(ipv4->check, before, *first_word);
        return;
    }
    struct ipv6hdr* ipv6 = found->inner;
    ipv6->flow_lbl[0] = (ipv6->flow_lbl[0] & ~(ECN_MASK << 4)) | (ecn << 4);
}

// RFC 6040 4.2, figure 4: a congestion mark of the tunnel goes to the inner packet, or to nobody:
// then the loss of the packet is what tells the sender. ECT(1) on the tunnel of an ECT(0) packet is
// a mark too, of less severity. Returns 0 if the packet must be dropped.
static __always_inline int carry_congestion_mark(const struct found* found) {
    __u8 inner = inner_ecn(found);
    if (inner == ECN_NOT_ECT)
        return found->outer_ecn != ECN_CE;
    int is_congested = found->outer_ecn == ECN_CE && inner != ECN_CE;
    int is_marked = found->outer_ecn == ECN_ECT_1 && inner == ECN_ECT_0;
    if (is_congested || is_marked)
        set_inner_ecn(found, found->outer_ecn);
    return 1;
}

// Moves Ethernet and tags, `length` bytes, up against the inner header. Through the stack, because
// the two places overlap when 22 bytes move by 20. `length` is a constant at every call, as memcpy
// needs it here.
static __always_inline int
move_link_header(struct xdp_md* ctx, const __u32 length, const struct found* found) {
    __u8 link[MAX_LINK_HEADER];
    struct cursor cursor = cursor_of(ctx);
    void* from = take(&cursor, length);
    if (!from)
        return 0;
    __builtin_memcpy(link, from, length);
    __be16 ether_type = found->inner_version == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
    __builtin_memcpy(&link[length - sizeof(ether_type)], &ether_type, sizeof(ether_type));
    if (bpf_xdp_adjust_head(ctx, (int)found->outer_length))
        return 0;
    cursor = cursor_of(ctx);
    void* to = take(&cursor, length);
    if (!to)
        return 0;
    __builtin_memcpy(to, link, length);
    return 1;
}

static __always_inline int remove_outer_headers(struct xdp_md* ctx, const struct found* found) {
    switch (found->tags) {
    case 0:
        return move_link_header(ctx, ETH_HLEN, found);
    case 1:
        return move_link_header(ctx, ETH_HLEN + sizeof(struct vlan_tag), found);
    default:
        return move_link_header(ctx, MAX_LINK_HEADER, found);
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
    if (!is_decapsulated(what)) {
        count(what, 0);
        return XDP_PASS;
    }
    if (!carry_congestion_mark(&found)) {
        count(PENSTOCK_DECAP_DROPPED_ECN, 0);
        return XDP_DROP;
    }
    if (!remove_outer_headers(ctx, &found))
        return XDP_ABORTED;
    count(what, found.inner_length);
    return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
