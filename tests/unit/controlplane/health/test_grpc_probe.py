# SPDX-License-Identifier: Apache-2.0
"""gRPC health probes against a real gRPC server, in clear and by TLS, and against what is none."""

import concurrent.futures

import certificates
import grpc
import pytest
from probe_lab import TcpServer, assert_bad, assert_good, close_at_once, free_port, hang, probe, say, flood

NAME = certificates.NAME
SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
STATUSES = {b"": SERVING, b"\x0a\x03web": SERVING, b"\x0a\x04shop": NOT_SERVING, b"\x0a\x03odd": b"\xff\xff"}


def check(request: bytes, context: grpc.ServicerContext) -> bytes:
    if request not in STATUSES:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return STATUSES[request]


def slow(_: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "in \x1b[2J maintenance")


def start(handlers: dict, credentials: grpc.ServerCredentials | None = None) -> tuple[grpc.Server, int]:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    methods = {name: grpc.unary_unary_rpc_method_handler(handler) for name, handler in handlers.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods),))
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    return server, port


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc")
    certificates.make_all(folder)
    pair = ((folder / "good.key").read_bytes(), (folder / "good.pem").read_bytes())
    started = {
        "clear": start({"Check": check}),
        "secure": start({"Check": check}, grpc.ssl_server_credentials([pair])),
        "ill": start({"Check": slow}),
        "other": start({}),
    }
    try:
        yield {name: port for name, (_, port) in started.items()} | {"ca": f"{folder}/ca.pem"}
    finally:
        for server, _ in started.values():
            server.stop(None).wait(5)


def ask(port: int, more: str = ""):
    return probe("127.0.0.1", port, f'type = "grpc", timeout = "900ms"{more}')


def test_a_serving_server_is_good(servers):
    assert_good(ask(servers["clear"]), "grpc SERVING")
    assert_good(ask(servers["clear"], ', grpc_service = "web"'), "grpc SERVING")
    secure = f', tls = true, tls_name = "{NAME}", tls_ca = "{servers["ca"]}"'
    assert_good(ask(servers["secure"], secure), "grpc SERVING")


def test_what_does_not_serve_is_bad_by_name(servers):
    assert_bad(ask(servers["clear"], ', grpc_service = "shop"'), "grpc NOT_SERVING")
    assert_bad(ask(servers["clear"], ', grpc_service = "none"'), "grpc: the server knows no service 'none'")
    assert_bad(ask(servers["clear"], ', grpc_service = "odd"'), "grpc malformed")
    assert_bad(ask(servers["other"]), "grpc: the server has no health service")
    assert_bad(ask(servers["ill"]), r"grpc status '14' 'in .*maintenance'")
    assert_bad(ask(servers["secure"], f', tls = true, tls_name = "x.test", tls_ca = "{servers["ca"]}"'), "tls: .*")
    assert_bad(ask(servers["clear"], ", tls = true, tls_verify = false"), "tls: .*")
    assert_bad(ask(servers["secure"]), "grpc: .*")
    assert_bad(ask(free_port()), "tcp connect refused")


@pytest.mark.parametrize(
    ("serve", "words"),
    [(hang, "grpc timeout 900 ms: connected, no response"), (close_at_once, "grpc: .*"),
     (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "grpc: .*"), (flood(b"", 4 << 30), "grpc: .*")],
)
def test_what_is_no_grpc_server_is_cut_and_named(serve, words):
    with TcpServer(serve) as server:
        found = ask(server.port)
        assert_bad(found, words)
        assert found.spent_ms < 1100, found
