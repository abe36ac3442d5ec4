# SPDX-License-Identifier: Apache-2.0
"""The completion of bash, in a real bash; the manual page, in a real groff."""

import os
import pathlib
import subprocess

import pytest

from control_plane import recorded, serve
from program import PROGRAM, environment, run

SCRIPT = """
source <("$PROGRAM" completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_penstock
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(*words: str, **more: str) -> list[str]:
    path = f"{pathlib.Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}"
    answer = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", *words], capture_output=True, text=True, check=False, timeout=60,
        env=environment(PROGRAM=PROGRAM, PATH=path, **more),
    )
    assert answer.stderr == ""
    return answer.stdout.split()


@pytest.mark.parametrize("words,wanted", [
    (["penstock", "dr"], ["drops"]),
    (["penstock", "backend", ""], ["list", "drain", "enable", "maint", "disable", "weight"]),
    (["penstock", "--timeout", "5", "override", "s"], ["save"]),
    (["penstock", "backend", "drain", "--w"], ["--wait"]),
    (["penstock", "completion", "z"], ["zsh"]),
])
def test_commands_and_flags(words, wanted):
    assert complete(*words) == wanted


def test_live_names(socket_path):
    with serve(socket_path, {("GET", "/v1/backends"): [recorded("backends")]}):
        found = complete("penstock", "backend", "drain", "dns/", PENSTOCK_SOCKET=str(socket_path))
    assert found == ["dns/dns-1", "dns/dns-2"]
    assert complete("penstock", "backend", "drain", "", PENSTOCK_SOCKET="/nonexistent") == []


def test_man_page_is_good_roff():
    page = run("help", "--man").stdout
    answer = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True, check=False, timeout=60
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    text = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-u"], input=page, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert "penstock backend drain SERVICE/BACKEND" in text and "EXIT STATUS" in text
