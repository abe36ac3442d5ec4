# SPDX-License-Identifier: Apache-2.0
"""Who may ask over the network, for what, and what is written down about it: the real penstock-cp with real keys."""

import http.client
import json
import os
import ssl

import pytest


def test_without_a_section_nothing_listens(lab):
    with lab.running(lab.configuration(api="")):
        inodes = set()
        for entry in (f"/proc/{lab.process.pid}/net/tcp", f"/proc/{lab.process.pid}/net/tcp6"):
            lines = open(entry, encoding="ascii").read().splitlines()[1:]
            inodes |= {line.split()[9] for line in lines if line.split()[3] == "0A"}
        ours = {os.readlink(f"/proc/{lab.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{lab.process.pid}/fd")}
        assert not {f"socket:[{inode}]" for inode in inodes} & ours
        assert lab.status()["api"]["state"] == "off"


def test_tokens_have_roles(lab):
    viewer, shift, admin = (lab.token(name, name) for name in ("viewer", "operator", "admin"))
    drain = "/v1/services/web/backends/b1/drain"
    with lab.running():
        configuration = lab.configuration().replace("weight = 7", "weight = 8")
        for token, may in ((viewer, (200, 403, 403)), (shift, (200, 202, 403)), (admin, (200, 202, 202))):
            said = [lab.ask("GET", "/v1/status", token=token).status, lab.ask("POST", drain, token=token).status,
                    lab.ask("POST", "/v1/config", configuration, token=token).status]
            # A drain that is there already is no change.
            assert [min(status, 202) if status in (200, 202) else status for status in said][0] == may[0]
            assert (said[1] in (200, 202)) == (may[1] == 202), (token, said)
            assert (said[2] in (200, 202)) == (may[2] == 202), (token, said)
        events = lab.local("GET", "/v1/events").document()["events"]
        actor = next(event["actor"] for event in events if event["type"] == "backend-admin")
        assert actor["user"] == "operator" and actor["from"].startswith("token from 127.0.0.1:")
        audit = lab.audit()
        assert [(entry["actor"]["user"], entry["status"]) for entry in audit if entry["method"] == "POST"][:2] == [
            ("viewer", 403), ("viewer", 403)]
        assert any(entry["actor"]["user"] == "admin" and entry["target"] == "/v1/config" for entry in audit)
        # No token in any log.
        for path in [lab.place / "cp.log", lab.place / "state/audit.log", lab.tokens]:
            assert viewer.read_text().strip() not in path.read_text()


def test_certificates_have_roles(lab):
    with lab.running():
        assert lab.ask("POST", "/v1/services/web/backends/b1/drain", certificate="eva").status == 202
        assert lab.ask("GET", "/v1/services", certificate="bob").status == 200
        assert lab.ask("POST", "/v1/services/web/backends/b1/enable", certificate="bob").status == 403
        stranger = lab.ask("GET", "/v1/status", certificate="nobody")
        assert stranger.status == 403
        assert 'subject = "CN=nobody,O=Example"' in stranger.document()["remedy"]
        assert lab.audit()[0]["actor"]["from"].startswith("certificate from 127.0.0.1:")
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            lab.ask("GET", "/v1/status", certificate="mallory")


def test_who_proves_nothing_is_refused(lab):
    lab.token("viewer", "viewer")
    with lab.running():
        nothing = lab.ask("GET", "/v1/status")
        assert nothing.status == 401
        assert nothing.fields["WWW-Authenticate"].startswith("Bearer")
        assert nothing.fields["Content-Type"] == "application/problem+json"
        assert nothing.document()["type"] == "urn:penstock:problem:unauthorized"
        for bad in ("pst_" + "0" * 64, "x", "pst_" + "ü" * 4000):
            client = lab.ask("GET", "/v1/status", Authorization=f"Bearer {bad}".encode().decode("latin-1"))
            assert client.status == 401, bad
        assert lab.ask("GET", "/v1/status", Authorization="Basic eDp5").status == 401
        # A bad token is not made good by a certificate.
        assert lab.ask("GET", "/v1/status", certificate="eva", token="pst_" + "0" * 64).status == 401
        refused = [entry for entry in lab.audit() if entry["status"] == 401]
        assert len(refused) == 1, "one line in 10 s, or strangers would turn the log over"
        assert refused[0]["actor"]["from"].startswith("127.0.0.1:")
        assert lab.status()["api"]["refused_logins"] == 6


def test_an_expired_token_is_refused(lab):
    token = lab.token("old", "admin")
    lab.tokens.write_text("".join(
        " ".join([*line.split()[:2], "2020-01-01T00:00:00Z", line.split()[3]]) + "\n" if line.startswith("old") else line
        for line in lab.tokens.read_text().splitlines(True)))
    with lab.running():
        answer = lab.ask("GET", "/v1/status", token=token)
        assert answer.status == 401 and "expired at 2020-01-01T00:00:00Z" in answer.document()["detail"]


def test_only_tls_1_3(lab):
    with lab.running():
        context = lab.context("eva")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        client = http.client.HTTPSConnection("127.0.0.1", lab.port, context=context, timeout=30)
        with pytest.raises(ssl.SSLError):
            client.request("GET", "/v1/status")
        with lab.connect("eva") as good:
            assert good.version() == "TLSv1.3"


def test_browsers_are_refused(lab):
    with lab.running():
        answer = lab.ask("POST", "/v1/services/web/backends/b1/drain", certificate="eva", Origin="https://evil.example")
        assert answer.status == 403
        assert not lab.local("GET", "/v1/overrides").document()["overrides"]


def test_without_a_token_file_a_certificate_must_be_shown(lab):
    configuration = lab.configuration().replace(f'token_file = "{lab.tokens}"\n', "")
    with lab.running(configuration):
        assert lab.ask("GET", "/v1/status", certificate="bob").status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            lab.ask("GET", "/v1/status")


def test_more_than_the_rate_is_told_to_wait(lab):
    token = lab.token("ci", "viewer")
    with lab.running(lab.configuration().replace("rate = 1000", "rate = 2")):
        with lab.connect() as stream:
            request = b"GET /v1/drops HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n" % (
                token.read_text().strip().encode())
            seen = []
            stream.sendall(request * 8)
            reader = stream.makefile("rb")
            while line := reader.readline():
                if line.startswith(b"HTTP/1.1 "):
                    seen.append(int(line.split()[1]))
                if line.lower().startswith(b"retry-after:"):
                    assert 1 <= int(line.split()[1]) <= 2
            assert seen[-1] == 429 and 4 <= len(seen) <= 6, seen
        # Somebody else is not held up by it, and neither is the socket.
        assert lab.ask("GET", "/v1/drops", token=token, source="127.0.0.2").status != 429
        assert lab.status()["api"]["state"] == "listening"


def test_an_event_stream_ends_with_its_token(lab):
    token = lab.token("ci", "viewer")
    with lab.running():
        with lab.connect() as stream:
            stream.sendall(b"GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: bearer %s\r\n\r\n" % (
                token.read_text().strip().encode()))
            reader = stream.makefile("rb")
            assert reader.readline().startswith(b"HTTP/1.1 200")
            assert lab.cli("token", "revoke", "ci", "--file", str(lab.tokens)).returncode == 0
            (lab.place / "penstock.toml").write_text(lab.configuration())
            lab.process.send_signal(1)  # SIGHUP: at once; without it within 5 s
            assert reader.read().endswith(b"0\r\n\r\n")
        assert lab.ask("GET", "/v1/status", token=token).status == 401


def test_the_command_line_over_the_network(lab):
    shift = lab.token("shift", "operator")
    with lab.running():
        drained = lab.network_cli("backend", "drain", "web/b1", "--token-file", str(shift), "--json")
        assert drained.returncode == 4, drained.stdout + drained.stderr  # no dataplane: pending
        listed = lab.network_cli("override", "list", "--json", "--cert", str(lab.keys / "bob.pem"), "--key",
                                 str(lab.keys / "bob.key"))
        assert json.loads(listed.stdout)["overrides"][0]["actor"]["user"] == "shift"
        denied = lab.network_cli("apply", "-", "--token-file", str(shift), "--force", text=lab.configuration())
        assert denied.returncode == 1 and "needs the role admin" in denied.stderr, denied.stderr
        nobody = lab.network_cli("status")
        assert nobody.returncode == 1 and "neither a token nor" in nobody.stderr
        mistrusted = lab.cli("status", "--api", f"https://127.0.0.1:{lab.port}", "--token-file", str(shift))
        assert mistrusted.returncode == 3 and "--cacert" in mistrusted.stderr
