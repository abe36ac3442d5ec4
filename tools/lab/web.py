# SPDX-License-Identifier: Apache-2.0
"""nginx of one backend: `/` answers its name, /healthz says ok, /slow is a long download."""

import pathlib
import shutil

from lab.namespaces import LabError, Namespace
from lab.processes import Process, wait_until

SLOW_BYTES = 4 * 1024 * 1024
SLOW_BYTES_PER_S = 400 * 1024  # about ten seconds

CONFIGURATION = """\
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    default_type text/plain;
    add_header X-Backend {name} always;
    server {{
        listen 80 backlog=4096;
        {listen_ipv6}
        root {folder}/files;
        location = / {{ return 200 "{name}\\n"; }}
        location = /healthz {{ return 200 "ok\\n"; }}
        location = /slow {{ limit_rate {rate}; }}
    }}
}}
"""


def nginx_program() -> str:
    found = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        raise LabError("nginx is missing: run tools/setup")
    return found


class WebServer:
    def __init__(self, name: str, namespace: Namespace, folder: pathlib.Path, *, ipv6: bool = False) -> None:
        self.name = name
        self._namespace = namespace
        self._folder = folder
        (folder / "files").mkdir(parents=True)
        with open(folder / "files" / "slow", "wb") as slow:
            slow.truncate(SLOW_BYTES)  # zeros, and no space on the disk
        self._file = folder / "nginx.conf"
        listen_ipv6 = "listen [::]:80 backlog=4096 ipv6only=on;" if ipv6 else ""
        self._file.write_text(
            CONFIGURATION.format(folder=folder, name=name, rate=SLOW_BYTES_PER_S, listen_ipv6=listen_ipv6)
        )
        self._program = nginx_program()
        self.process = self._start()

    def _start(self) -> Process:
        command = [self._program, "-p", str(self._folder), "-c", str(self._file), "-e", "stderr"]
        process = Process(f"nginx of {self.name}", self._namespace, command, self._folder / "nginx.log")
        try:
            wait_until(f"nginx of {self.name} listens", self._listens, 10.0, process=process)
        except BaseException:
            process.kill()
            raise
        return process

    def _listens(self) -> bool:
        return ":80" in self._namespace.run("ss", "-Hltn", "sport", "=", ":80")

    def kill(self) -> None:
        """As a crash: master and worker gone at once, every connection reset."""
        self.process.kill()
        wait_until(f"port 80 of {self.name} is free", lambda: not self._listens(), 10.0)

    def restart(self) -> None:
        self.process = self._start()


