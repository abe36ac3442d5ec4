# SPDX-License-Identifier: Apache-2.0
"""HTTP and HTTPS probes against nginx and nghttpd, and against servers that misbehave."""

import time

import certificates
import pytest
from probe_lab import (
    TcpServer, assert_bad, assert_good, close_at_once, drip, flood, free_port, hang, probe, running, say, wait_port,
)

NAME = certificates.NAME
FOUR_GIB = 4 << 30
OK = b"HTTP/1.1 200 OK\r\n"

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{plain};
    listen [::1]:{plain};
    location = /healthz {{ return 200 "all is well\\n"; }}
    location = /host {{ return 200 "host=$host;probe=$http_x_probe;method=$request_method;agent=$http_user_agent;"; }}
    location = /busy {{ return 503; }}
    location = /loop {{ return 302 /loop; }}
  }}
  server {{
    listen 127.0.0.1:{good} ssl http2;
    server_name {name};
    ssl_certificate {folder}/good.pem; ssl_certificate_key {folder}/good.key;
    location / {{ return 200 "sni=$ssl_server_name;host=$host;protocol=$server_protocol;"; }}
  }}
  server {{
    listen 127.0.0.1:{expired} ssl;
    ssl_certificate {folder}/expired.pem; ssl_certificate_key {folder}/expired.key;
    location / {{ return 200 "ok"; }}
  }}
  server {{
    listen 127.0.0.1:{foreign} ssl;
    ssl_certificate {folder}/foreign.pem; ssl_certificate_key {folder}/foreign.key;
    location / {{ return 200 "ok"; }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nginx")
    certificates.make_all(folder)
    ports = {name: free_port() for name in ("plain", "good", "expired", "foreign")}
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, name=NAME, **ports))
    with running(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]):
        for port in ports.values():
            wait_port(port)
        time.sleep(1.1)  # until the certificate of 0 days has expired
        yield {**ports, "ca": f'tls_ca = "{folder}/ca.pem"', "log": folder / "access.log"}


def http(port: int, more: str = "", address: str = "127.0.0.1"):
    return probe(address, port, f'type = "http"{more}')


def https(nginx: dict, server: str, more: str = f', tls_name = "{NAME}"'):
    return probe("127.0.0.1", nginx[server], f'type = "https", {nginx["ca"]}{more}')


def test_a_good_answer_is_good(nginx):
    assert_good(http(nginx["plain"], ', path = "/healthz", body = "well"'), "http 200")
    assert_good(http(nginx["plain"], ', path = "/healthz"', "::1"), "http 200")
    assert_good(http(nginx["plain"], ', path = "/busy", status = 503'), "http 503")
    assert_good(http(nginx["plain"], ', path = "/healthz", method = "HEAD"'), "http 200")


def test_method_host_and_headers_are_sent(nginx):
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        body = f"host=shop.example.test;probe=7;method={method};agent=penstock-probe/"
        more = ', path = "/host", host = "shop.example.test:8080", headers = { X-Probe = "7" }'
        assert_good(http(nginx["plain"], f'{more}, method = "{method}", body = "{body}"'))


def test_a_wrong_answer_is_bad(nginx):
    assert_bad(http(nginx["plain"], ', path = "/busy"'), "http 503")
    assert_bad(http(nginx["plain"], ', path = "/healthz", body = "ill"'), "http 200, the body lacks 'ill'")
    assert_bad(http(free_port()), "tcp connect refused")


def test_a_redirect_is_not_followed(nginx):
    before = nginx["log"].read_text().count("/loop")
    assert_bad(http(nginx["plain"], ', path = "/loop", status = "200-299"'), r"http 302 to 'http://.*/loop'")
    assert_good(http(nginx["plain"], ', path = "/loop"'), "http 302 to .*")
    assert nginx["log"].read_text().count("/loop") == before + 2


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (hang, "http timeout 500 ms: connected, no response"),
        (close_at_once, "http: connection (closed without a response|broken by the server)"),
        (drip(), "http timeout 500 ms: connected, no response|http: 'Received HTTP/0.9 when not allowed'"),
        (drip(OK), r"http timeout 500 ms: cut after \d+ bytes of headers, 0 of body"),
        (drip(OK + b"Content-Length: 900\r\n\r\n"), r"http timeout 500 ms: cut after 40 bytes of headers, [1-9]\d* of body"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), "http: 'Received HTTP/0.9 when not allowed'"),
        (say(OK + b"Content-Length: 900\r\n\r\nshort"), "http: connection closed before the end of the body"),
        (flood(OK + b"X-Long: ", FOUR_GIB), "http: cut in a header line that does not end"),
        (flood(OK + b"\r\n".join([b"X: " + b"x" * 1000] * 200), FOUR_GIB), "http: cut after 64 KiB of headers"),
    ],
)
def test_a_server_that_misbehaves_is_cut_and_named(serve, words):
    with TcpServer(serve) as server:
        found = http(server.port, ', timeout = "500ms"')
        assert_bad(found, words)
        assert found.spent_ms < 700, found


def test_an_answer_of_four_gigabytes_is_cut():
    with TcpServer(flood(OK + b"Content-Length: 4294967296\r\n\r\n", FOUR_GIB)) as server:
        assert_good(http(server.port), "http 200, cut after 64 KiB of body")
        found = http(server.port, ', body = "well"')
        assert_bad(found, "http 200, the body lacks 'well', cut after 64 KiB of body")
        assert found.spent_ms < 500


def test_what_a_server_says_is_shown_without_escapes():
    answer = b"HTTP/1.1 301 Moved\r\nLocation: http://x/\x1b[2J" + b"y" * 300 + b"\r\nContent-Length: 0\r\n\r\n"
    with TcpServer(say(answer)) as server:
        found = http(server.port, ", status = 200")
        assert_bad(found, r"http 301 to 'http://x/\?\[2Jy+…'")
        assert len(found.detail) < 120


def test_https_checks_name_and_authority(nginx):
    assert_good(https(nginx, "good", f', tls_name = "{NAME}", body = "sni={NAME};"'), "http 200")
    assert_good(https(nginx, "good", f', host = "{NAME}", body = "host={NAME};protocol=HTTP/1.1;"'), "http 200")
    assert_good(https(nginx, "good", f', host = "{NAME}", http2 = true, body = "protocol=HTTP/2.0"'), "http 200")
    assert_bad(https(nginx, "good", ', tls_name = "shop.example.test"'), "tls: '.*does not match target host name.*|tls: '.*name.*")
    assert_bad(https(nginx, "good", ""), "tls: '.*name.*")  # the VIP is not in the certificate
    assert_bad(https(nginx, "expired"), "tls: '.*certificate has expired.*")
    assert_bad(https(nginx, "foreign"), "tls: '.*unable to get local issuer certificate.*")
    assert_good(probe("127.0.0.1", nginx["foreign"], 'type = "https", tls_verify = false'), "http 200")
    assert_bad(https(nginx, "plain"), "tls: '.*wrong version number.*")
    assert_bad(https(nginx, "foreign", ", http2 = true"), "tls: .*")


def test_https_names_what_is_ours(nginx):
    found = probe("127.0.0.1", nginx["good"], 'type = "https", tls_ca = "/nonexistent/ca.pem"')
    assert found.outcome == "inconclusive", found
    assert "/nonexistent/ca.pem" in found.detail


def test_http2_is_not_taken_for_http1(nginx):
    more = f', tls_name = "{NAME}", http2 = true, tls_verify = false'
    found = probe("127.0.0.1", nginx["expired"], f'type = "https"{more}')
    assert_bad(found, "http 200 by HTTP/1, not by HTTP/2")


@pytest.mark.parametrize(
    ("serve", "words"),
    [(hang, "tls handshake timeout 500 ms"), (drip(), "tls: .*|tls handshake timeout 500 ms"),
     (close_at_once, "tls: .*"), (say(b"HTTP/1.1 400 Bad\r\n\r\n"), "tls: '.*wrong version number.*")],
)
def test_a_handshake_that_goes_wrong_is_named(serve, words):
    with TcpServer(serve) as server:
        found = probe("127.0.0.1", server.port, 'type = "https", timeout = "500ms"')
        assert_bad(found, words)
        assert found.spent_ms < 700, found


@pytest.fixture(scope="module")
def nghttpd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nghttpd")
    certificates.make_all(folder)
    (folder / "docs").mkdir()
    (folder / "docs" / "healthz").write_text("fine\n")
    clear, secure = free_port(), free_port()
    base = ["nghttpd", "-a", "127.0.0.1", "-d", str(folder / "docs")]
    with running([*base, "--no-tls", str(clear)]), \
            running([*base, str(secure), str(folder / "good.key"), str(folder / "good.pem")]):
        wait_port(clear)
        wait_port(secure)
        yield {"clear": clear, "secure": secure, "ca": f"{folder}/ca.pem"}


def test_http2_speaks_to_a_real_server(nghttpd):
    h2 = ', http2 = true, path = "/healthz"'
    assert_good(http(nghttpd["clear"], f'{h2}, body = "fine"'), "http 200")
    assert_bad(http(nghttpd["clear"], ', http2 = true, path = "/none"'), "http 404")
    assert_bad(http(nghttpd["clear"]), "http: .*")  # HTTP/1 to a server of HTTP/2
    more = f', tls_name = "{NAME}", tls_ca = "{nghttpd["ca"]}"'
    assert_good(probe("127.0.0.1", nghttpd["secure"], f'type = "https"{h2}{more}'), "http 200")
    with TcpServer(hang) as server:
        assert_bad(http(server.port, ', http2 = true, timeout = "300ms"'), "http timeout 300 ms: .*")


def count_time_wait(port: int) -> int:
    time_wait, end = "06", f":{port:04X}"
    with open("/proc/net/tcp", encoding="ascii") as table:
        lines = [line.split() for line in table]
    return sum(end in (line[1][-5:], line[2][-5:]) and line[3] == time_wait for line in lines)


def test_probes_leave_no_time_wait(nginx):
    before = count_time_wait(nginx["plain"])
    for _ in range(3):
        assert_good(http(nginx["plain"], ', path = "/healthz"'))
    assert count_time_wait(nginx["plain"]) <= before
