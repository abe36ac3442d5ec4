# SPDX-License-Identifier: Apache-2.0
"""UDP, DNS and ICMP probes: against dnsmasq, the kernel's own echo, and servers that misbehave."""

import socket
import time

import pytest
from probe_lab import UdpServer, assert_bad, assert_good, free_port, probe, running

FAST = ', timeout = "400ms"'


def udp(port: int, more: str = ""):
    return probe("127.0.0.1", port, f'type = "udp"{FAST}, send = "ping"{more}')


def test_udp_takes_an_answer_that_has_what_is_expected():
    with UdpServer(lambda datagram: [b"\x00pong:" + datagram]) as server:
        assert_good(udp(server.port), "udp answer of 10 bytes")
        assert_good(udp(server.port, ', expect = "pong:ping"'))
        assert_good(udp(server.port, ', expect_hex = "00706f6e67"'))
        assert_bad(udp(server.port, ', expect = "well"'), "udp answer '.pong:ping' lacks what is expected")
        more = f'type = "udp"{FAST}, send_hex = "ff00", expect_hex = "ff00"'
        assert_good(probe("127.0.0.1", server.port, more))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: [], "udp timeout 400 ms"),
        (lambda _: [b""], "udp answer '' lacks what is expected"),
        (lambda _: [b"\x1b[2J" + b"z" * 60000], r"udp answer '\?\[2Jz+…' lacks what is expected"),
        (lambda _: [b"x"] * 500, "udp answer 'x' lacks what is expected"),
    ],
)
def test_udp_servers_that_misbehave_are_named(answer, words):
    with UdpServer(answer) as server:
        found = udp(server.port, ', expect = "pong"')
        assert_bad(found, words)
        assert found.spent_ms < 600


def test_a_closed_udp_port_is_named_at_once():
    found = udp(free_port(socket.SOCK_DGRAM))
    assert_bad(found, r"udp: port closed \(icmp port unreachable\)")
    assert found.spent_ms < 200


@pytest.fixture(scope="module")
def dnsmasq(tmp_path_factory):
    port = free_port(socket.SOCK_DGRAM)
    command = [
        "dnsmasq", "--keep-in-foreground", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
        "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--user=root",
        "--host-record=www.example.test,192.0.2.7,2001:db8::7", "--cname=web.example.test,www.example.test",
        "--local=/example.test/",
    ]
    with running(command, cwd=tmp_path_factory.mktemp("dnsmasq")):
        deadline = time.monotonic() + 20
        while ask(port, "www.example.test").outcome != "good":
            assert time.monotonic() < deadline, "dnsmasq does not answer"
            time.sleep(0.1)
        yield port


def ask(port: int, name: str, more: str = ""):
    return probe("127.0.0.1", port, f'type = "dns"{FAST}, query = "{name}"{more}')


def test_dns_asks_a_real_server(dnsmasq):
    assert_good(ask(dnsmasq, "www.example.test"), "dns NOERROR")
    assert_good(ask(dnsmasq, "WWW.example.test.", ', answer = "192.0.2.7"'), "dns NOERROR, 192.0.2.7")
    assert_good(ask(dnsmasq, "web.example.test", ', answer = "192.0.2.7"'))
    assert_good(ask(dnsmasq, "www.example.test", ', record = "AAAA", answer = "2001:db8::7"'))
    assert_good(ask(dnsmasq, "none.example.test", ', rcode = "NXDOMAIN"'), "dns NXDOMAIN")


def test_dns_names_a_wrong_answer(dnsmasq):
    assert_bad(ask(dnsmasq, "none.example.test"), "dns NXDOMAIN")
    assert_bad(ask(dnsmasq, "www.example.test", ', rcode = "REFUSED"'), "dns NOERROR")
    assert_bad(ask(dnsmasq, "www.example.org"), "dns REFUSED")
    words = "dns answer 192.0.2.7 instead of 192.0.2.8"
    assert_bad(ask(dnsmasq, "www.example.test", ', answer = "192.0.2.8"'), words)
    assert_bad(ask(free_port(socket.SOCK_DGRAM), "x.test"), r"dns: port closed \(icmp port unreachable\)")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: [], "dns timeout 400 ms"),
        (lambda query: [b"\x00\x00" + query[2:]] * 10, "dns timeout 400 ms, 10 foreign answers"),
        (lambda query: [bytes([query[0] ^ 1]) + query[1:]] * 500, "dns: cut after 64 foreign answers"),
        (lambda query: [query[:20]], "dns answer is malformed"),
        (lambda _: [b"hello"], "dns answer of 5 bytes is malformed"),
        (lambda query: [query], "dns answer is a query"),
        (lambda query: [query[:2] + b"\x81\x82" + query[4:]], "dns SERVFAIL"),
        (lambda query: [query[:2] + b"\x81\x80" + query[4:].replace(b"\x01x", b"\x01y")],
         "dns answer is to another question"),
    ],
)
def test_dns_servers_that_misbehave_are_cut_and_named(answer, words):
    with UdpServer(answer) as server:
        assert_bad(ask(server.port, "x.test"), words)


def in_namespace(setup: str) -> tuple[str, ...]:
    return ("unshare", "--net", "sh", "-ec", f'ip link set lo up; {setup}; exec "$0" "$@"')


def icmp(address: str, setup: str = "true"):
    return probe(address, 1, f'type = "icmp"{FAST}', prefix=in_namespace(setup))


def test_icmp_echoes_of_both_families_are_good():
    for address in ("127.0.0.1", "::1"):
        assert_good(icmp(address), "icmp echo ok")


@pytest.mark.parametrize(
    ("address", "setup", "words"),
    [
        ("127.0.0.1", "sysctl -qw net.ipv4.icmp_echo_ignore_all=1", "icmp echo timeout 400 ms.*"),
        ("::1", "sysctl -qw net.ipv6.icmp.echo_ignore_all=1", "icmp echo timeout 400 ms.*"),
        ("192.0.2.1", "true", "icmp echo: no route to the network"),
        ("192.0.2.1", "ip route add unreachable 192.0.2.0/24", "icmp echo: no answer from the host.*"),
        ("192.0.2.1", "ip route add blackhole 192.0.2.0/24", "icmp echo: .*"),
        ("192.0.2.1", "ip route add local 192.0.2.0/24 dev lo; "
         "nft add table t; nft add chain t in '{ type filter hook input priority 0; }'; "
         "nft add rule t in icmp type echo-request reject with icmp type host-unreachable",
         "icmp echo: .*|icmp echo timeout.*"),
    ],
)
def test_what_does_not_echo_is_bad(address, setup, words):
    assert_bad(icmp(address, setup), words)


def test_a_ping_socket_does_where_raw_ones_are_not_allowed():
    setup = "sysctl -qw net.ipv4.ping_group_range='0 0'"
    prefix = (*in_namespace(setup)[:-1], f'ip link set lo up; {setup}; exec setpriv --bounding-set -net_raw '
              '--inh-caps -net_raw -- "$0" "$@"')
    for address in ("127.0.0.1", "::1"):
        assert_good(probe(address, 1, f'type = "icmp"{FAST}', prefix=prefix), "icmp echo ok")
