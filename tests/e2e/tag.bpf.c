// SPDX-License-Identifier: Apache-2.0
// A switch's tagged port, for kernels without 802.1Q: tc programs of one interface. What leaves gets tags, what arrives
// must have exactly those, and loses them; anything else goes nowhere.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { inner_vlan = 10, outer_vlan = 20, id_mask = 0xfff };

static int pop(struct __sk_buff* frame, __u16 protocol, __u32 vlan) {
    if (!frame->vlan_present || frame->vlan_proto != bpf_htons(protocol) ||
        (frame->vlan_tci & id_mask) != vlan) {
        return TC_ACT_SHOT;
    }
    return bpf_skb_vlan_pop(frame) == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

static int push(struct __sk_buff* frame, __u16 protocol, __u16 vlan) {
    return bpf_skb_vlan_push(frame, bpf_htons(protocol), vlan) == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("tc/put_on_one")

int put_on_one(struct __sk_buff* frame) {
    return push(frame, ETH_P_8021Q, inner_vlan);
}

SEC("tc/take_off_one")

int take_off_one(struct __sk_buff* frame) {
    return pop(frame, ETH_P_8021Q, inner_vlan);
}

SEC("tc/put_on_two")

int put_on_two(struct __sk_buff* frame) {
    const int first = push(frame, ETH_P_8021Q, inner_vlan);
    return first == TC_ACT_OK ? push(frame, ETH_P_8021AD, outer_vlan) : first;
}

SEC("tc/take_off_two")

int take_off_two(struct __sk_buff* frame) {
    const int first = pop(frame, ETH_P_8021AD, outer_vlan);
    return first == TC_ACT_OK ? pop(frame, ETH_P_8021Q, inner_vlan) : first;
}
