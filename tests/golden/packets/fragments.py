# SPDX-License-Identifier: Apache-2.0
"""Datagrams in fragments."""

from scapy.all import IP, IPv6, IPv6ExtHdrFragment, Packet, fragment


def fragments_of(whole: Packet, identification: int, length: int = 1000) -> list[Packet]:
    """RFC 791 3.2 by scapy; RFC 8200 4.5 by hand, for scapy counts its own way. `length`: of the data in each."""
    if isinstance(whole, IP):
        whole.id = identification
        return fragment(whole, fragsize=length)
    data, protocol = bytes(whole)[40:], IPv6(bytes(whole)).nh
    begins = range(0, len(data), length)
    return [IPv6(src=whole.src, dst=whole.dst, nh=44)
            / IPv6ExtHdrFragment(nh=protocol, offset=at // 8, m=int(at != begins[-1]), id=identification)
            / data[at:at + length] for at in begins]
