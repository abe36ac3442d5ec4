# SPDX-License-Identifier: Apache-2.0
"""Frames of 9,000 bytes, which are five segments each: a buffer holds 2 KiB.

    in.pcap ─► net_pcap ─► worker ─► net_pcap ─► out.pcap      penstock-cp ─► penstock-dp

By files, for no driver of DPDK's that a virtual machine has takes such frames from a real stack: net_af_xdp ends at a page,
net_tap and net_af_packet at 1522 bytes.
"""

import contextlib
import pathlib

import pytest
from conftest import FLAVOUR
from conservation import assert_conserved
from lab.daemons import Balancer, ServicePlan, configuration_text
from lab.processes import wait_until
from lab.topology import BackendPlan
from owned_port import drops_of
from scapy.all import GRE, IP, UDP, Ether, IPv6, RawPcapReader, RawPcapWriter

MTU = 9000
CLIENT, SOURCE, BACKEND_MAC = "192.0.2.7", "198.51.100.240", "02:00:00:00:01:11"
BACKEND = BackendPlan("web-1", "10.0.1.11", 100)
TOPOLOGY = {"backends": ()}
COMMON = {"protocol": "udp", "port": 53, "probe": '{ type = "none" }'}
FORMS = {
    "ipip": ("198.51.100.10", BACKEND, ()),
    "gre": ("198.51.100.11", BACKEND.by_ipv6(), ()),
    "gue": ("198.51.100.12", BACKEND, ()),
    "l2dsr": ("198.51.100.13", BACKEND, ()),
    "nat": ("198.51.100.14", BACKEND, ()),
}
SERVICES = [ServicePlan(name=name, vip=vip, forwarding=name, backends=(backend,), more=more, **COMMON)
            for name, (vip, backend, more) in FORMS.items()]
PORT = f"""device = "net_pcap0,rx_pcap={{folder}}/in.pcap,tx_pcap={{folder}}/out.pcap"
mtu = {MTU}
""" + "".join(f'[[dataplane.neighbour]]\naddress = "{address}"\nmac = "{BACKEND_MAC}"\nport = "edge0"\n'
              for address in (BACKEND.address, BACKEND.address_ipv6))
# UDP data; with all headers the largest has just the port's MTU, in any form of tunnel.
PAYLOADS = (40, 1900, 3000, MTU - 28 - 52)


def question(vip: str, payload: int, port: int) -> bytes:
    data = bytes(i % 251 for i in range(payload))
    return bytes(Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
                 / IP(src=CLIENT, dst=vip, id=7, flags="DF") / UDP(sport=port, dport=53) / data)


def write_frames(path: pathlib.Path, frames: list[bytes]) -> None:
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame, sec=0, usec=0)


QUESTIONS = [(name, question(FORMS[name][0], payload, 1000 + number))
             for name in FORMS for number, payload in enumerate(PAYLOADS)]


@pytest.fixture(scope="module")
def sent(lab):
    """The frames that left, in order."""
    folder = lab.folder
    write_frames(folder / "in.pcap", [frame for _, frame in QUESTIONS])
    text = configuration_text(SERVICES, dataplane='tunnel_source = "10.0.1.1"\ntunnel_source_ipv6 = "2001:db8:1::1"',
                              port=PORT.format(folder=folder), nat_sources=(SOURCE,))
    node = Balancer(lab, FLAVOUR, text)
    node.start_dataplane()
    node.start_controlplane()
    node.wait_in_step()
    received = len(QUESTIONS)
    wait_until("all frames came", lambda: node.cli_json("stats")["totals"]["rx_packets"] >= received, 20.0)
    assert not drops_of(node)
    assert_conserved(node, least_packets=received)
    assert node.dataplane is not None
    assert node.dataplane.stop() == 0
    with contextlib.closing(RawPcapReader(str(folder / "out.pcap"))) as reader:
        return [data for data, _ in reader]


def inner_of(name: str, frame: bytes) -> bytes:
    """The packet of the tunnel in this frame, whose outer headers are what they must be."""
    outer = Ether(frame)
    assert outer.dst == BACKEND_MAC
    if name == "l2dsr":
        return frame[14:]
    if name == "gre":
        assert outer[IPv6].dst == BACKEND.address_ipv6
        assert outer[IPv6].plen == len(frame) - 54
        assert GRE in outer
        return frame[14 + 40 + 4 :]
    assert outer[IP].dst == BACKEND.address
    assert outer[IP].len == len(frame) - 14
    if name == "gue":
        assert outer[UDP].dport == 6080
        assert outer[UDP].len == len(frame) - 34
        return frame[14 + 20 + 8 + 4 :]
    assert outer[IP].proto == 4
    return frame[14 + 20 :]


@pytest.mark.parametrize("name", [name for name in FORMS if name != "nat"])
def test_what_is_inside_is_byte_for_byte_what_came(sent, name):
    of_form = [(received, frame) for (form, received), frame in zip(QUESTIONS, sent, strict=True) if form == name]
    assert len(of_form) == len(PAYLOADS)
    for received, frame in of_form:
        assert inner_of(name, frame) == received[14:]


def test_nat_rewrites_addresses_ports_and_checksums(sent):
    of_form = [(received, frame) for (form, received), frame in zip(QUESTIONS, sent, strict=True) if form == "nat"]
    assert len(of_form) == len(PAYLOADS)
    for received, frame in of_form:
        packet, came = Ether(frame), Ether(received)
        assert (packet.dst, packet[IP].src, packet[IP].dst, packet[UDP].dport) == (BACKEND_MAC, SOURCE, BACKEND.address, 53)
        assert bytes(packet[UDP].payload) == bytes(came[UDP].payload)
        checksums = packet[IP].chksum, packet[UDP].chksum
        del packet[IP].chksum, packet[UDP].chksum
        right = Ether(bytes(packet))
        assert checksums == (right[IP].chksum, right[UDP].chksum)
