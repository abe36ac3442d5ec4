# SPDX-License-Identifier: Apache-2.0
"""A stand-in for penstock-cp that replays recorded API documents over a Unix socket, for tests of what the
CLI makes of them. The real control plane is the matter of tests/e2e."""

import contextlib
import datetime
import http.server
import pathlib
import re
import socketserver
import threading
import time
import typing

DOCUMENTS = pathlib.Path(__file__).parent / "documents"


class Answer(typing.NamedTuple):
    body: bytes
    status: int = 200
    delay_s: float = 0


def recorded(name: str, status: int = 200, delay_s: float = 0) -> Answer:
    """A document; "@-190" in it is the time 190.5 s ago: "3 min ago" for as long as a slow test may take."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def to_time(match: re.Match) -> str:
        then = now + datetime.timedelta(seconds=int(match[1]) - 0.5)
        return then.strftime("%Y-%m-%dT%H:%M:%S.") + f"{then.microsecond // 1000:03d}Z"

    text = re.sub(r"@(-\d+)", to_time, (DOCUMENTS / f"{name}.json").read_text())
    return Answer(text.encode(), status, delay_s)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.server.requests.append((self.command, self.path, body, dict(self.headers)))
        answers = self.server.answers.get((self.command, self.path))
        if not answers:
            answers = [Answer(f'{{"detail":"not recorded: {self.command} {self.path}"}}'.encode(), 404)]
        # The last answer is given again and again.
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if self.server.closing.wait(answer.delay_s):
            self.close_connection = True  # as if killed
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json" if answer.status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = reply

    def address_string(self):
        return "unix"

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that gave up waiting is part of the tests


@contextlib.contextmanager
def serve(path: pathlib.Path, answers: dict[tuple[str, str], list[Answer]]):
    """Yields the server; its `requests` are (method, path, body, headers) as they came."""
    with Server(str(path), Handler) as server:
        server.answers = {key: list(value) for key, value in answers.items()}
        server.requests = []
        server.closing = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
            path.unlink()


def wait_for(condition: typing.Callable[[], bool], limit_s: float = 20) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"did not happen within {limit_s} s"
        time.sleep(0.02)
