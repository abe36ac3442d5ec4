// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// A cursor over the packet for the XDP programs: one bounds check a header, then plain reads.
//
// A header is read where it lies, unaligned: BPF on x86-64 and arm64 allows it, and XDP aligns
// nothing.
#pragma once

#include "bpf/abi.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define MAX_VLAN_TAGS 2

struct cursor {
    void* at;
    void* end;
};

struct vlan_tag {
    __be16 control;
    __be16 ether_type;
};

static __always_inline struct cursor cursor_of(struct xdp_md* ctx) {
    struct cursor cursor = {
        .at = (void*)(long)ctx->data,
        .end = (void*)(long)ctx->data_end,
    };
    return cursor;
}

// The next `size` bytes, and steps over them; NULL (and no step) if the packet ends before.
static __always_inline void* take(struct cursor* cursor, __u32 size) {
    void* header = cursor->at;
    if (header + size > cursor->end)
        return NULL;
    cursor->at = header + size;
    return header;
}

static __always_inline int is_vlan(__be16 ether_type) {
    return ether_type == bpf_htons(ETH_P_8021Q) || ether_type == bpf_htons(ETH_P_8021AD);
}

// Steps over Ethernet and up to two 802.1Q or 802.1ad tags. Returns 0 if the packet ends inside of
// them; after a third tag `ether_type` is that of the tag, which is no protocol of ours.
static __always_inline int
take_ethernet(struct cursor* cursor, __be16* ether_type, __u32* tag_count) {
    struct ethhdr* ethernet = take(cursor, sizeof(*ethernet));
    if (!ethernet)
        return 0;
    *ether_type = ethernet->h_proto;
    *tag_count = 0;
#pragma unroll
    for (int tags = 0; tags < MAX_VLAN_TAGS; tags++) {
        if (!is_vlan(*ether_type))
            break;
        struct vlan_tag* tag = take(cursor, sizeof(*tag));
        if (!tag)
            return 0;
        *ether_type = tag->ether_type;
        (*tag_count)++;
    }
    return 1;
}
