# SPDX-License-Identifier: Apache-2.0
"""A penstock-cp of the tests that listens on loopback with TLS, and clients of it. No dataplane, no probes."""

import contextlib
import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT / "tests/unit/controlplane"), str(ROOT / "tests/unit/controlplane/health")]
from control_plane_run import NODE, SERVICE, connect_local, run_control_plane  # noqa: E402
from certificates import KEY, _openssl, make_authority, make_certificate  # noqa: E402

CLI = os.environ.get("PENSTOCK_CLI", str(ROOT / "build/debug/tools/cli/penstock"))


def make_client(folder: pathlib.Path, name: str, authority: str) -> None:
    """NAME.pem and NAME.key of a client: CN=NAME,O=Example, DNS:NAME.example.test."""
    _openssl(folder, "req", *KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/O=Example/CN={name}")
    (folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}.example.test\nextendedKeyUsage=clientAuth\n")
    _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key",
             "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


def make_keys(folder: pathlib.Path) -> None:
    make_authority(folder, "ca")
    make_authority(folder, "other-ca")
    make_certificate(folder, "server", "ca", "IP:127.0.0.1")
    make_certificate(folder, "renewed", "ca", "IP:127.0.0.1")
    for name, authority in (("eva", "ca"), ("bob", "ca"), ("nobody", "ca"), ("mallory", "other-ca")):
        make_client(folder, name, authority)
    for key in folder.glob("*.key"):
        key.chmod(0o600)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, reply: http.client.HTTPResponse):
        self.status = reply.status
        self.fields = reply.headers
        self.body = reply.read()

    def document(self) -> dict:
        return json.loads(self.body)


class Lab:
    """`folder` has the keys; the state is in `place`."""

    def __init__(self, folder: pathlib.Path, place: pathlib.Path):
        self.keys, self.place = folder, place
        self.port = free_port()
        self.tokens = place / "api-tokens"
        self.process = None

    def configuration(self, more: str = "", api: str | None = None) -> str:
        if api is None:
            api = f"""\
[api]
listen = "127.0.0.1:{self.port}"
certificate = "{self.keys}/server.pem"
key = "{self.keys}/server.key"
client_ca = "{self.keys}/ca.pem"
token_file = "{self.tokens}"
rate = 1000
client = [ {{ name = "eva", subject = "CN=eva,O=Example", role = "admin" }},
           {{ name = "bob", san = "DNS:BOB.example.test", role = "viewer" }} ]
"""
        return NODE + api + more + SERVICE

    def token(self, name: str, role: str, *more: str) -> pathlib.Path:
        """A file with a new token."""
        made = self.cli("token", "create", name, "--role", role, "--file", str(self.tokens), *more)
        assert made.returncode == 0, made.stderr
        path = self.place / f"{name}.token"
        path.write_text(made.stdout)
        return path

    def cli(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        return subprocess.run([CLI, *arguments], input=text, capture_output=True, text=True, timeout=60, env=clean,
                              check=False)

    def network_cli(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
        return self.cli("--api", f"https://127.0.0.1:{self.port}", "--cacert", str(self.keys / "ca.pem"), *arguments,
                        text=text)

    @contextlib.contextmanager
    def running(self, configuration: str | None = None):
        with run_control_plane(self.place, configuration or self.configuration()) as self.process:
            wait_for(lambda: (self.place / "run/control.sock").exists() and self.local("GET", "/v1/status").status == 200)
            yield self

    def context(self, certificate: str | None = None, authority: str = "ca") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.keys / f"{authority}.pem"))
        if certificate:
            context.load_cert_chain(self.keys / f"{certificate}.pem", self.keys / f"{certificate}.key")
        return context

    def connect(self, certificate: str | None = None, source: str = "127.0.0.1") -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30, source_address=(source, 0))
        return self.context(certificate).wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(self, method: str, target: str, body: bytes | str = b"", certificate: str | None = None,
            token: str | pathlib.Path | None = None, source: str = "127.0.0.1", **fields: str) -> Answer:
        client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30)
        client.sock = self.connect(certificate, source)
        if isinstance(token, pathlib.Path):
            token = token.read_text().strip()
        if token:
            fields["Authorization"] = f"Bearer {token}"
        with contextlib.closing(client):
            client.request(method, target, body, fields)
            return Answer(client.getresponse())

    def local(self, method: str, target: str, body: bytes | str = b"") -> Answer:
        client = http.client.HTTPConnection("penstock", timeout=30)
        client.sock = connect_local(self.place)
        with contextlib.closing(client):
            client.request(method, target, body)
            return Answer(client.getresponse())

    def status(self) -> dict:
        return self.local("GET", "/v1/status").document()

    def audit(self) -> list[dict]:
        return [json.loads(line) for line in (self.place / "state/audit.log").read_text().splitlines()]


def wait_for(condition, limit_s: float = 20) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"did not happen within {limit_s} s"
        time.sleep(0.05)
