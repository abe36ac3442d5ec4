# SPDX-License-Identifier: Apache-2.0
"""penstock token: the file of bearer tokens is edited whole or not at all, and never holds a token."""

import hashlib
import json
import os
import re

from program import run


def test_a_token_is_shown_once_and_kept_as_a_hash(tmp_path):
    file = tmp_path / "tokens"
    made = run("token", "create", "ci", "--role", "operator", "--file", str(file))
    assert made.returncode == 0, made.stderr
    token = made.stdout.strip()
    assert re.fullmatch(r"pst_[0-9a-f]{64}", token)
    assert "it is shown this once" in made.stderr
    text = file.read_text()
    assert token not in text and hashlib.sha256(token.encode()).hexdigest() in text
    assert file.stat().st_mode & 0o777 == 0o640
    other = run("token", "create", "eva", "--role", "admin", "--days", "0", "--file", str(file), "--json")
    assert json.loads(other.stdout)["expires"] is None and json.loads(other.stdout)["token"] != token
    listed = run("token", "list", "--file", str(file))
    assert re.search(r"^ci\toperator\t\d{4}-\d\d-\d\dT", listed.stdout, re.MULTILINE), listed.stdout
    assert "eva\tadmin\tnever\n" in listed.stdout


def test_revoking_takes_one_line_and_leaves_the_rest(tmp_path):
    file = tmp_path / "tokens"
    for name in ("a", "b", "c"):
        run("token", "create", name, "--role", "viewer", "--file", str(file))
    file.write_text(file.read_text().replace("b  viewer", "# of the night shift\nb  viewer"))
    file.chmod(0o600)
    gone = run("token", "revoke", "b", "--file", str(file))
    assert gone.returncode == 0 and gone.stdout == "token b is revoked\n"
    assert "# of the night shift\nc  viewer" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("token", "revoke", "b", "--file", str(file))
    assert again.returncode == 1 and "has no token 'b'" in again.stderr
    last = file.read_text().rstrip("\n")
    file.write_text(last)  # without a newline at the end
    assert run("token", "revoke", "c", "--file", str(file)).returncode == 0
    listed = json.loads(run("token", "list", "--file", str(file), "--json").stdout)
    assert [token["name"] for token in listed["tokens"]] == ["a"]


def test_what_is_wrong_changes_nothing(tmp_path):
    file = tmp_path / "tokens"
    run("token", "create", "ci", "--role", "viewer", "--file", str(file))
    before = file.read_text()
    for arguments, code, text in (
        (("ci", "--role", "viewer"), 1, "is there twice"),
        (("a/b", "--role", "viewer"), 1, "is no name"),
        (("eva",), 2, "needs --role"),
        (("eva", "--role", "root"), 2, "'root' is no role"),
        (("eva", "--role", "viewer", "--days", "99999"), 2, "--days"),
    ):
        answer = run("token", "create", *arguments, "--file", str(file))
        assert answer.returncode == code and text in answer.stderr, answer.stderr
        assert answer.stdout == ""
    assert file.read_text() == before
    (tmp_path / "tokens.new").write_text("")
    busy = run("token", "create", "eva", "--role", "viewer", "--file", str(file))
    assert busy.returncode == 1 and "another penstock token is at work" in busy.stderr
    file.write_text("ci viewer never sha256:00\n")
    broken = run("token", "revoke", "ci", "--file", str(file))
    assert broken.returncode == 1 and "tokens:1:17: 'sha256:00' is no hash" in broken.stderr
    assert run("token", "list", "--file", str(tmp_path / "none")).returncode == 1
    assert sorted(os.listdir(tmp_path)) == ["tokens", "tokens.new"]
