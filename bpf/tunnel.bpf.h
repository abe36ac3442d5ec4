// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// What is inside a tunnel packet: opens the outer IPv4 or IPv6 header and the IPIP, GRE or GUE
// header behind it, up to the inner packet. Reads nothing behind the end of the frame, nor behind
// the end that the outer headers give their packet.
#pragma once

#include "bpf/cursor.bpf.h"
#include "bpf/prefix.bpf.h"

#include <linux/in.h>
#include <linux/udp.h>

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define ECN_MASK 3

// A cursor that knows how much of the packet is left by its own lengths, which may be less than the
// frame holds: short frames are padded.
struct walk {
    struct cursor cursor;
    __u32 left;
};

static __always_inline void* take_within(struct walk* walk, __u32 size) {
    if (walk->left < size)
        return NULL;
    void* header = take(&walk->cursor, size);
    if (header)
        walk->left -= size;
    return header;
}

// Steps over `size` bytes without reading them. Returns 0 (and does nothing) if the packet ends
// before.
static __always_inline int skip_within(struct walk* walk, __u32 size) {
    if (walk->left < size)
        return 0;
    walk->cursor.at += size;
    walk->left -= size;
    return 1;
}

enum fragment { WHOLE, FIRST_FRAGMENT, LATER_FRAGMENT };

struct outer {
    void* header;
    __u8 protocol;
    __u8 ecn;
    enum fragment fragment;
};

static __always_inline int is_tunnel_protocol(__u8 protocol) {
    return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE;
}

// The verdict on a header that lies: before the port of UDP is known it may be anybody's.
static __always_inline enum penstock_decap_counter broken(const struct outer* outer) {
    return is_tunnel_protocol(outer->protocol) ? PENSTOCK_DECAP_MALFORMED : PENSTOCK_DECAP_PASSED;
}

#define OPENED PENSTOCK_DECAP_COUNTERS

// Each open_… below returns OPENED, or where to count the packet that stays as it is.
static __always_inline enum penstock_decap_counter
open_outer_ipv4(struct walk* walk, struct outer* outer) {
    struct iphdr* ipv4 = take(&walk->cursor, sizeof(*ipv4));
    if (!ipv4 || ipv4->version != 4)
        return PENSTOCK_DECAP_PASSED;
    outer->header = ipv4;
    outer->protocol = ipv4->protocol;
    outer->ecn = ipv4->tos & ECN_MASK;
    if (!is_tunnel_protocol(outer->protocol) && outer->protocol != IPPROTO_UDP)
        return PENSTOCK_DECAP_PASSED;
    __u32 header_length = ipv4->ihl * 4u;
    __u32 total = bpf_ntohs(ipv4->tot_len);
    if (header_length < sizeof(*ipv4) || total < header_length ||
        (void*)ipv4 + total > walk->cursor.end)
        return broken(outer);
    if (ipv4->frag_off & bpf_htons(IPV4_FRAGMENT_OFFSET))
        outer->fragment = LATER_FRAGMENT;
    else if (ipv4->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS))
        outer->fragment = FIRST_FRAGMENT;
    walk->left = total - sizeof(*ipv4);
    if (!skip_within(walk, header_length - sizeof(*ipv4)))
        return broken(outer);
    return OPENED;
}

struct ipv6_fragment {
    __u8 next_header;
    __u8 reserved;
    __be16 offset_and_flags;
    __be32 identification;
};

// The traffic class spans the first two bytes: four bits in each.
static __always_inline __u8 ipv6_ecn(const struct ipv6hdr* ipv6) {
    return (ipv6->flow_lbl[0] >> 4) & ECN_MASK;
}

// Of extension headers only a fragment header is known: our balancers send none.
static __always_inline enum penstock_decap_counter
open_outer_ipv6(struct walk* walk, struct outer* outer) {
    struct ipv6hdr* ipv6 = take(&walk->cursor, sizeof(*ipv6));
    if (!ipv6 || ipv6->version != 6)
        return PENSTOCK_DECAP_PASSED;
    outer->header = ipv6;
    outer->protocol = ipv6->nexthdr;
    outer->ecn = ipv6_ecn(ipv6);
    walk->left = bpf_ntohs(ipv6->payload_len);
    int fits = walk->cursor.at + walk->left <= walk->cursor.end;
    if (outer->protocol == IPPROTO_FRAGMENT) {
        struct ipv6_fragment* fragment = take_within(walk, sizeof(*fragment));
        if (!fragment)
            return PENSTOCK_DECAP_PASSED;
        outer->protocol = fragment->next_header;
        outer->fragment = fragment->offset_and_flags & bpf_htons(IPV6_FRAGMENT_OFFSET)
                              ? LATER_FRAGMENT
                              : FIRST_FRAGMENT;
    }
    if (!is_tunnel_protocol(outer->protocol) && outer->protocol != IPPROTO_UDP)
        return PENSTOCK_DECAP_PASSED;
    return fits ? OPENED : broken(outer);
}

// RFC 2784 and 2890.
struct gre {
    __be16 flags;
    __be16 protocol;
};

#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000

// Key and sequence number say nothing that we need and are stepped over. A checksum would have to
// be verified over the whole packet, and the rest of the flags (routing, version) is of other times.
static __always_inline enum penstock_decap_counter
open_gre(struct walk* walk, __u32* inner_version) {
    struct gre* gre = take_within(walk, sizeof(*gre));
    if (!gre)
        return PENSTOCK_DECAP_MALFORMED;
    if (gre->flags & bpf_htons((__u16) ~(GRE_KEY | GRE_SEQUENCE)))
        return PENSTOCK_DECAP_UNSUPPORTED;
    if (gre->protocol == bpf_htons(ETH_P_IP))
        *inner_version = 4;
    else if (gre->protocol == bpf_htons(ETH_P_IPV6))
        *inner_version = 6;
    else
        return PENSTOCK_DECAP_UNSUPPORTED;
    __u32 options = gre->flags & bpf_htons(GRE_KEY) ? 4 : 0;
    options += gre->flags & bpf_htons(GRE_SEQUENCE) ? 4 : 0;
    return skip_within(walk, options) ? PENSTOCK_DECAP_GRE : PENSTOCK_DECAP_MALFORMED;
}

// GUE as Linux has it (<net/gue.h>, draft-ietf-intarea-gue). Variant 0 has this header, `words` of
// optional fields and private data behind it; variant 1 is the IP header itself, whose version
// (4 or 6) begins with the variant's bits.
struct gue {
    __u8 variant_control_words;
    __u8 protocol;
    __be16 flags;
};

#define GUE_VARIANT_SHIFT 6
#define GUE_CONTROL 0x20
#define GUE_WORDS 0x1f
#define GUE_PRIVATE_FLAGS 0x0001 // the first optional field: four bytes of private flags

static __always_inline enum penstock_decap_counter
open_gue_variant_0(struct walk* walk, __u32* inner_version) {
    struct gue* gue = take_within(walk, sizeof(*gue));
    if (!gue)
        return PENSTOCK_DECAP_MALFORMED;
    __u32 optional = (gue->variant_control_words & GUE_WORDS) * 4u;
    if (gue->variant_control_words & GUE_CONTROL ||
        gue->flags & bpf_htons((__u16)~GUE_PRIVATE_FLAGS))
        return PENSTOCK_DECAP_UNSUPPORTED;
    if (gue->protocol == IPPROTO_IPIP)
        *inner_version = 4;
    else if (gue->protocol == IPPROTO_IPV6)
        *inner_version = 6;
    else
        return PENSTOCK_DECAP_UNSUPPORTED;
    if (gue->flags & bpf_htons(GUE_PRIVATE_FLAGS)) {
        __be32* private_flags =
            optional < sizeof(*private_flags) ? NULL : take_within(walk, sizeof(*private_flags));
        if (!private_flags)
            return PENSTOCK_DECAP_MALFORMED;
        // Remote checksum offload, the one that Linux knows, asks us to compute a checksum.
        if (*private_flags)
            return PENSTOCK_DECAP_UNSUPPORTED;
        optional -= sizeof(*private_flags);
    }
    // What is left is private data, which nobody told us about: stepped over, as Linux does.
    return skip_within(walk, optional) ? PENSTOCK_DECAP_GUE : PENSTOCK_DECAP_MALFORMED;
}

static __always_inline enum penstock_decap_counter
open_gue(struct walk* walk, __u32* inner_version) {
    struct walk ahead = *walk;
    __u8* first = take_within(&ahead, sizeof(*first));
    if (!first)
        return PENSTOCK_DECAP_MALFORMED;
    switch (*first >> GUE_VARIANT_SHIFT) {
    case 0:
        return open_gue_variant_0(walk, inner_version);
    case 1:
        *inner_version = *first >> 4;
        return *inner_version == 4 || *inner_version == 6 ? PENSTOCK_DECAP_GUE
                                                          : PENSTOCK_DECAP_UNSUPPORTED;
    default:
        return PENSTOCK_DECAP_UNSUPPORTED;
    }
}

// From behind the outer header to the inner packet. Returns PENSTOCK_DECAP_IPIP, …_GRE or …_GUE,
// or where to count the packet that stays as it is. The UDP checksum is not verified: the inner
// packet has its own, and zero is allowed to tunnels in both families (RFC 6935).
static __always_inline enum penstock_decap_counter
open_tunnel(struct walk* walk, const struct outer* outer, void* gue_ports, __u32* inner_version) {
    struct udphdr* udp = NULL;
    if (outer->protocol == IPPROTO_UDP) {
        if (outer->fragment == LATER_FRAGMENT)
            return PENSTOCK_DECAP_PASSED;
        udp = take_within(walk, sizeof(*udp));
        if (!udp || !is_gue_port(gue_ports, udp->dest))
            return PENSTOCK_DECAP_PASSED;
    }
    if (outer->fragment != WHOLE)
        return PENSTOCK_DECAP_FRAGMENT;
    if (outer->protocol == IPPROTO_GRE)
        return open_gre(walk, inner_version);
    if (!udp) {
        *inner_version = outer->protocol == IPPROTO_IPIP ? 4 : 6;
        return PENSTOCK_DECAP_IPIP;
    }
    __u32 length = bpf_ntohs(udp->len);
    if (length < sizeof(*udp) || length - sizeof(*udp) > walk->left)
        return PENSTOCK_DECAP_MALFORMED;
    walk->left = length - sizeof(*udp);
    return open_gue(walk, inner_version);
}
