// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Maps of prefixes (abi.h) from the side of the programs: whether an address is in one.
#pragma once

#include "bpf/abi.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define IPV4_MAPPED_PREFIX 12
#define WHOLE_ADDRESS 128

struct prefix_map {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, PENSTOCK_MAX_PREFIXES);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG);
    __type(key, struct penstock_prefix_key);
    __type(value, struct penstock_prefix);
};

struct gue_port_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PENSTOCK_MAX_GUE_PORTS);
    __uint(map_flags, BPF_F_RDONLY_PROG);
    __type(key, struct penstock_gue_port);
    __type(value, __u8);
};

static __always_inline int
contains(void* prefixes, const struct penstock_prefix_key* key, __u32 ip_version) {
    const struct penstock_prefix* prefix = bpf_map_lookup_elem(prefixes, key);
    return prefix && prefix->ip_version == ip_version;
}

static __always_inline int contains_ipv4(void* prefixes, __be32 address) {
    struct penstock_prefix_key key = {.length = WHOLE_ADDRESS};
    key.address[10] = 0xff;
    key.address[11] = 0xff;
    __builtin_memcpy(&key.address[IPV4_MAPPED_PREFIX], &address, sizeof(address));
    return contains(prefixes, &key, 4);
}

// An IPv6 packet to ::ffff:a.b.c.d is not to the IPv4 prefix that the map holds in that form: the
// value's version says so.
static __always_inline int contains_ipv6(void* prefixes, const void* address) {
    struct penstock_prefix_key key = {.length = WHOLE_ADDRESS};
    __builtin_memcpy(key.address, address, sizeof(key.address));
    return contains(prefixes, &key, 6);
}

static __always_inline int is_gue_port(void* ports, __be16 port) {
    const struct penstock_gue_port key = {.port = port};
    return bpf_map_lookup_elem(ports, &key) != NULL;
}
