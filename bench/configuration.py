#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a large configuration costs: `penstock check`, `diff`, and `apply` until it is live, with the real daemons.

penstock-dp runs on DPDK's null device, so no packet and no interface is touched; both daemons and their files are in a folder
that is removed. Root is needed (DPDK). Each figure is the least and the median of --rounds.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "release"
START_S = 60.0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--backends", type=int, default=100, help="of each service")
    parser.add_argument("--probe", choices=("none", "tcp"), default="none")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def write_configuration(path: pathlib.Path, services: int, backends: int, probe: str, weight: int) -> None:
    lines = [
        '[node]', 'name = "bench"', '[dataplane]', 'workers = [0]', 'memory_mb = 512', 'hugepages = "off"',
        'flows_per_worker = 65536', 'tunnel_source = "10.0.0.1"', '[[dataplane.port]]', 'name = "edge0"',
        'device = "net_null0"', 'mtu = 1500',
    ]
    number = 0
    for service in range(services):
        lines += [
            '[[service]]', f'name = "s{service}"', f'vip = "198.51.{service // 250}.{service % 250 + 1}"',
            'protocol = "tcp"', 'port = 80', 'forwarding = "ipip"', 'maglev_size = 16381',
            f'probe = {{ type = "{probe}" }}', 'backend = [',
        ]
        for backend in range(backends):
            number += 1
            address = f"127.{64 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}" if probe == "tcp" else (
                f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}")
            lines.append(f'  {{ name = "b{backend}", address = "{address}", weight = {weight} }},')
        lines.append("]")
    path.write_text("\n".join(lines) + "\n")


class Daemons:
    def __init__(self, folder: pathlib.Path, file: pathlib.Path) -> None:
        self.folders = ["--runtime-dir", str(folder / "run"), "--state-dir", str(folder / "state")]
        self._runtime = folder / "run"
        for name in ("run", "state"):
            (folder / name).mkdir()
        self._processes = []
        for program in ("dataplane/penstock-dp", "controlplane/penstock-cp"):
            with open(folder / f"{pathlib.Path(program).name}.log", "wb") as log:
                self._processes.append(subprocess.Popen(
                    [str(BUILD / program), "--config", str(file), *self.folders], stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT))

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, *arguments: str) -> dict:
        answer = subprocess.run(
            [str(BUILD / "tools/cli/penstock"), "--runtime-dir", str(self._runtime), *arguments, "--json"],
            capture_output=True, text=True, timeout=120, check=False)
        if answer.returncode != 0:
            raise RuntimeError(f"penstock {' '.join(arguments)}: {answer.stdout}{answer.stderr}")
        return json.loads(answer.stdout)

    def wait_live(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                generation = self.ask("status")["generation"]
                if generation["live"] is not None and generation["live"] == generation["desired"]:
                    return
            except RuntimeError:
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise RuntimeError("the first configuration did not become live")
            time.sleep(0.1)

    def memory_mb(self) -> dict[str, float]:
        sizes = {}
        for name, process in zip(("penstock-dp", "penstock-cp"), self._processes):
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            sizes[name] = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
        return sizes


def timed(action) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def measure(arguments: argparse.Namespace, folder: pathlib.Path) -> dict:
    rounds = 1 if arguments.quick else arguments.rounds
    files = [folder / "a.toml", folder / "b.toml"]
    for file, weight in zip(files, (100, 90)):
        write_configuration(file, arguments.services, arguments.backends, arguments.probe, weight)
    small = folder / "small.toml"
    write_configuration(small, 1, 1, arguments.probe, 100)
    penstock = str(BUILD / "tools/cli/penstock")
    times: dict[str, list[float]] = {"check": [], "diff": [], "apply": []}
    daemons = Daemons(folder, small)
    try:
        daemons.wait_live()
        idle = daemons.memory_mb()
        for number in range(rounds):
            file = files[number % 2]
            times["check"].append(timed(lambda: subprocess.run([penstock, "check", str(file)], check=True, capture_output=True)))
            times["diff"].append(timed(lambda: daemons.ask("diff", str(file))))
            times["apply"].append(timed(lambda: daemons.ask("apply", "--force", str(file))))
        return {
            "backends": arguments.services * arguments.backends, "services": arguments.services, "probe": arguments.probe,
            "bytes": files[0].stat().st_size, "rounds": rounds,
            "seconds": {name: {"min": min(values), "median": statistics.median(values)} for name, values in times.items()},
            "memory_mb": {"one backend": idle, "all": daemons.memory_mb()},
        }
    finally:
        daemons.stop()


def main() -> int:
    arguments = parse_arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="penstock-bench-"))
    try:
        result = measure(arguments, folder)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        for log in sorted(folder.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text()[-3000:]}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{result['backends']} backends of {result['services']} services, {result['bytes']} bytes, probe {result['probe']}")
    for name, seconds in result["seconds"].items():
        print(f"  {name:6} {seconds['min']:.2f} s least, {seconds['median']:.2f} s median of {result['rounds']}")
    for name, sizes in result["memory_mb"].items():
        print(f"  memory, {name}: " + ", ".join(f"{program} {size:.0f} MB" for program, size in sizes.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
