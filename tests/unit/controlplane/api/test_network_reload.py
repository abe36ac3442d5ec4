# SPDX-License-Identifier: Apache-2.0
"""The certificate is renewed, the section changes or breaks: what is good stays in use, and what is wrong is said."""

import shutil
import signal
import socket

import pytest
from network_lab import free_port, wait_for


@pytest.fixture(name="lab")
def own_server_certificate(lab):
    for suffix in ("pem", "key"):
        shutil.copy(lab.keys / f"server.{suffix}", lab.place / f"server.{suffix}")
    return lab


def configuration(lab, **more) -> str:
    return lab.configuration(**more).replace(f"{lab.keys}/server", f"{lab.place}/server")


def served(lab) -> bytes:
    with lab.connect("bob") as connection:
        return connection.getpeercert(True)


def put(lab, name: str) -> None:
    """The key first: a look in between finds two that do not fit, and keeps the old ones."""
    for suffix in ("key", "pem"):
        shutil.copy(lab.keys / f"{name}.{suffix}", lab.place / f"server.{suffix}")


def test_a_renewed_certificate_is_taken_by_itself_and_at_once_by_a_reload(lab):
    with lab.running(configuration(lab)):
        first = served(lab)
        put(lab, "renewed")
        wait_for(lambda: served(lab) != first)
        put(lab, "server")
        lab.process.send_signal(signal.SIGHUP)
        wait_for(lambda: served(lab) == first, 3)


def test_a_broken_certificate_leaves_the_old_one_and_says_so(lab):
    with lab.running(configuration(lab)):
        first = served(lab)
        (lab.place / "server.pem").write_text("no certificate")
        wait_for(lambda: lab.status()["api"]["reason"])
        status = lab.status()
        assert status["api"]["state"] == "listening"
        assert any("has no certificate in PEM" in problem for problem in status["problems"])
        assert served(lab) == first
        events = lab.local("GET", "/v1/events").document()["events"]
        assert any(event["type"] == "api-listener" and event["to"] == "failed" for event in events)
        # The same configuration again is a change that would not work.
        refused = lab.local("POST", "/v1/config", configuration(lab))
        assert refused.status == 422
        place = refused.document()["diagnostics"][0]
        assert place["line"] == 10 and "has no certificate in PEM" in place["cause"]
        shutil.copy(lab.keys / "server.pem", lab.place / "server.pem")
        wait_for(lambda: not lab.status()["api"]["reason"])


@pytest.mark.parametrize("change,cause", [
    (lambda lab: shutil.copy(lab.keys / "renewed.key", lab.place / "server.key"), "is not the key of"),
    (lambda lab: (lab.place / "server.key").chmod(0o644), "has mode 0644: others can read"),
    (lambda lab: (lab.place / "server.key").unlink(), "server.key: "),
    (lambda lab: lab.tokens.chmod(0o666), "others can give themselves a token"),
    (lambda lab: lab.tokens.write_text("eva admin never pst_" + "0" * 64 + "\n"), "this is a token, not its hash"),
])
def test_what_would_not_work_is_refused(lab, change, cause):
    with lab.running(configuration(lab, api="")):
        change(lab)
        refused = lab.local("POST", "/v1/config", configuration(lab))
        assert refused.status == 422, refused.body
        assert any(cause in fault["cause"] for fault in refused.document()["diagnostics"]), refused.body
        assert b"pst_0000" not in refused.body
        assert lab.status()["api"]["state"] == "off"


def test_an_expired_certificate_does_not_keep_penstock_cp_from_starting(lab):
    (lab.place / "server.pem").write_text("")
    with lab.running(configuration(lab)):
        assert lab.status()["api"]["state"] == "failed"
        shutil.copy(lab.keys / "server.pem", lab.place / "server.pem")
        wait_for(lambda: lab.status()["api"]["state"] == "listening")
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200


def test_the_listener_follows_the_configuration(lab):
    with lab.running(configuration(lab, api="")):
        assert lab.local("POST", "/v1/config", configuration(lab)).status == 202
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200
        before = lab.port
        stays = lab.connect("eva")
        lab.port = free_port()
        assert lab.local("POST", "/v1/config", configuration(lab)).status == 202
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", before), timeout=5)
        taken = socket.create_server(("127.0.0.1", free_port()))
        with taken:
            lab.port, now = taken.getsockname()[1], lab.port
            refused = lab.local("POST", "/v1/config", configuration(lab))
            assert refused.status == 422 and b"cannot listen at" in refused.body
            lab.port = now
        # Who is connected goes on with what they may now: nothing, when the section is gone.
        with stays:
            assert lab.local("POST", "/v1/config", configuration(lab, api="")).status == 202
            stays.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stays.makefile("rb").readline().startswith(b"HTTP/1.1 401")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", lab.port), timeout=5)
