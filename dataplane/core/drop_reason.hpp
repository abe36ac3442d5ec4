// SPDX-License-Identifier: Apache-2.0
// Every reason for which a packet is dropped: one list that makes the enumeration, the names of the
// counters and the text that `penstock drops` and docs/reference/drop-reasons.md show.
//
// Thread rule: values. A new reason goes at the end of its group; names are stable, numbers are
// not.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// X(name, what it means and what to do)
#define PENSTOCK_DROP_REASONS(X)                                                                   \
    X(truncated_ethernet, "frame shorter than an Ethernet header")                                 \
    X(truncated_vlan, "frame ends inside an 802.1Q tag")                                           \
    X(too_many_vlan_tags, "more than two 802.1Q tags")                                             \
    X(truncated_arp, "ARP packet shorter than 28 bytes")                                           \
    X(bad_arp, "ARP for something other than IPv4 over Ethernet")                                  \
    X(truncated_ipv4, "frame ends inside the IPv4 header")                                         \
    X(bad_ipv4_version, "EtherType says IPv4, the version field does not")                         \
    X(bad_ipv4_header_length, "IPv4 header length below 20 bytes")                                 \
    X(bad_ipv4_total_length, "IPv4 total length larger than the frame or smaller than the header") \
    X(bad_ipv4_checksum, "IPv4 header checksum is wrong")                                          \
    X(truncated_ipv6, "frame ends inside the IPv6 header")                                         \
    X(bad_ipv6_version, "EtherType says IPv6, the version field does not")                         \
    X(bad_ipv6_payload_length, "IPv6 payload length larger than the frame")                        \
    X(truncated_ipv6_extension, "packet ends inside an IPv6 extension header")                     \
    X(too_many_ipv6_extensions, "more than eight IPv6 extension headers")                          \
    X(fragment_without_first, "a later fragment whose first one did not come in time")             \
    X(fragment_early_full, "a fragment before its first one, and no more can be held back")        \
    X(truncated_tcp, "packet ends inside the TCP header")                                          \
    X(bad_tcp_header_length, "TCP data offset below 20 bytes or beyond the packet")                \
    X(truncated_udp, "packet ends inside the UDP header")                                          \
    X(bad_udp_length, "UDP length below 8 bytes or beyond the packet")                             \
    X(truncated_icmp, "packet ends inside the ICMP header")                                        \
    X(bad_icmp_checksum, "ICMP echo request to a VIP with a wrong checksum")                       \
    X(unhandled_icmp, "ICMP to a VIP that is neither an echo request nor an error")                \
    X(bad_icmp_error, "ICMP error that does not quote enough of a packet from this VIP")           \
    X(bad_neighbour_solicitation, "neighbour solicitation for a VIP that breaks RFC 4861 7.1.1")   \
    X(tunnel_error, "ICMP error about one of our own tunnel packets; its MTU is taken note of")    \
    X(no_service, "to a VIP, but no service takes this protocol and port")                         \
    X(no_backend, "the service has no backend that is up, ready and of weight above 0")            \
    X(source_denied, "the source is in a list of those who may not send")                          \
    X(source_not_allowed, "the source is not in the list of those who alone may send")             \
    X(service_flow_rate, "more new flows a second than the service lets in")                       \
    X(source_flow_rate, "more new flows a second than the service lets in from one source")        \
    X(service_flow_limit, "as many flows at once as the service lets in")                          \
    X(backend_flow_limit, "as many flows at once as the service lets in to one backend")           \
    X(nat_no_flow, "of no NAT flow: to a source address of ours, or a RST or ICMP error")          \
    X(nat_table_full, "no room for another NAT flow")                                              \
    X(nat_ports_exhausted, "no free source port towards the backend: add NAT sources")             \
    X(hand_over_full, "of a NAT flow of another worker, whose ring was full")                      \
    X(next_hop_unresolved, "the kernel knows no route or no MAC address towards the backend")      \
    X(too_big, "larger than what may leave towards the backend, and its client could not be told") \
    X(no_headroom, "no room in the buffer for the outer header")                                   \
    X(no_buffer, "no buffer was free for the pieces of a packet that had to be cut")               \
    X(no_snapshot, "arrived before the control plane sent a configuration")                        \
    X(no_exception_path, "for the kernel, but this port has no way to it")                         \
    X(exception_path_full,                                                                         \
      "the kernel did not take what was for it: queue full, or frame too large")                   \
    X(foreign_vlan, "untagged, or of another VLAN than the port stands in")                        \
    X(bad_reply_target, "a request we answer, from a source that cannot be answered")              \
    X(tx_queue_full, "the port's transmit queue was full")

enum class DropReason : std::uint8_t {
#define PENSTOCK_DROP_REASON_ENUM(name, text) name,
    PENSTOCK_DROP_REASONS(PENSTOCK_DROP_REASON_ENUM)
#undef PENSTOCK_DROP_REASON_ENUM
};

inline constexpr std::size_t drop_reason_count = 0
#define PENSTOCK_DROP_REASON_ONE(name, text) +1
    PENSTOCK_DROP_REASONS(PENSTOCK_DROP_REASON_ONE)
#undef PENSTOCK_DROP_REASON_ONE
    ;

/// The name as counters and documents write it, for example "no_backend".
[[nodiscard]] std::string_view drop_reason_name(DropReason reason);

/// One line for people.
[[nodiscard]] std::string_view drop_reason_text(DropReason reason);

} // namespace penstock
