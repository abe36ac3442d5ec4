# SPDX-License-Identifier: Apache-2.0
"""penstock top in a terminal of its own, driven by keys; and its tables for scripts."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from control_plane import recorded, serve
from program import LIMIT_S, PROGRAM, environment, run


def answers() -> dict:
    return {
        ("GET", "/v1/stats"): [recorded("stats"), recorded("stats_later")],
        ("GET", "/v1/backends"): [recorded("backends")],
        ("GET", "/v1/drops"): [recorded("drops")],
    }


class Terminal:
    """The program in a pty of 24 lines; `screen` is what it has drawn, without escape sequences."""

    def __init__(self, *arguments: str):
        self._end, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [PROGRAM, *arguments], stdin=side, stdout=side, stderr=side, env=environment(), start_new_session=True
        )
        os.close(side)
        self.screen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(LIMIT_S)
        os.close(self._end)

    def press(self, keys: str) -> None:
        self.screen = ""
        os.write(self._end, keys.encode())

    def _read(self) -> None:
        if select.select([self._end], [], [], 0.05)[0]:
            try:
                raw = os.read(self._end, 65536).decode(errors="replace")
            except OSError:  # EIO: the program has ended
                time.sleep(0.05)
                return
            self.screen += re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>]|\][^\x07]*\x07)", "", raw)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + 20
        while text not in self.screen:
            assert time.monotonic() < end, f"{text!r} did not appear in {self.screen!r}"
            self._read()

    def wait_for_end(self) -> int:
        end = time.monotonic() + 20
        while self.process.poll() is None:
            assert time.monotonic() < end, "it did not end"
            self._read()
        return self.process.returncode


def test_top_is_driven_by_keys(socket_path):
    with serve(socket_path, answers()) as server, Terminal(
        "top", "--interval", "0.2", "--socket", str(socket_path)
    ) as terminal:
        terminal.wait_for("generation 8")
        terminal.wait_for("SERVICE")
        terminal.press("2")
        terminal.wait_for("web-1")
        terminal.press("4")
        terminal.wait_for("REASON")
        terminal.press("3")
        terminal.wait_for("LCORE")
        terminal.press("2")
        terminal.wait_for("web-2")
        terminal.press("/web-1\n")
        terminal.press("\x0c")  # draws all of it anew, not only what has changed
        terminal.wait_for("filter: web-1")
        assert "web-2" not in terminal.screen
        terminal.press(" ")
        terminal.wait_for("PAUSED")
        time.sleep(0.5)
        asked = len(server.requests)
        time.sleep(1)
        assert len(server.requests) == asked, "paused, it does not ask"
        terminal.press("q")
        assert terminal.wait_for_end() == 0


def test_top_in_batch(socket_path):
    with serve(socket_path, answers()):
        answer = run(
            "top", "--batch", "--view", "backends", "--interval", "0.1", "--count", "2", "--socket", str(socket_path)
        )
    assert answer.returncode == 0, answer.stderr
    first, second = answer.stdout.split("\n\n")
    head, *rows = [line.split("\t") for line in first.splitlines()]
    assert head[:4] == ["SERVICE", "BACKEND", "ADMIN", "HEALTH"]
    assert [row[1] for row in rows] == ["web-1", "web-2"]
    assert "web-1" in second
    assert run("top", "--batch", "--view", "colours", "--socket", str(socket_path)).returncode == 2
    assert run("top", "--socket", str(socket_path)).returncode == 2, "without a terminal"
