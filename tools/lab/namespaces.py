# SPDX-License-Identifier: Apache-2.0
"""Network namespaces and the links between them, made and removed by iproute2."""

import subprocess

PREFIX = "penstock-"  # of every namespace of ours: penstock-<lab>-<host>


class LabError(Exception):
    """Something of the laboratory could not be made; the text says what and how to mend it."""


def run(command: list[str], *, text: str | None = None, limit_s: float = 30.0) -> str:
    """Runs to its end and returns what it printed; LabError with its own words if it fails."""
    try:
        answer = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=limit_s, check=False,
            stdin=subprocess.DEVNULL if text is None else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LabError(f"{' '.join(command)}: {error}") from error
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()
        raise LabError(f"{' '.join(command)}: exit {answer.returncode}: {said}")
    return answer.stdout


class Namespace:
    """One host of the laboratory. Removing it removes its interfaces too."""

    def __init__(self, lab: str, host: str) -> None:
        self.host = host
        self.name = f"{PREFIX}{lab}-{host}"
        run(["ip", "netns", "add", self.name])
        try:
            self.ip("link", "set", "lo", "up")
            # Addresses of our own only: no autoconfiguration traffic, and no duplicate detection to wait for.
            self.sysctl("net.ipv6.conf.all.disable_ipv6", "1")
            self.sysctl("net.ipv6.conf.default.disable_ipv6", "1")
            # Replies leave with a VIP as source and come back on other ways: strict reverse paths would drop them.
            self.sysctl("net.ipv4.conf.all.rp_filter", "0")
            self.sysctl("net.ipv4.conf.default.rp_filter", "0")
        except BaseException:
            self.remove()
            raise

    def enable_ipv6(self) -> None:
        """Addresses of our own at once: no duplicate detection, no router advertisements."""
        for key, value in (("accept_dad", "0"), ("accept_ra", "0"), ("disable_ipv6", "0")):
            self.sysctl(f"net.ipv6.conf.default.{key}", value)
            self.sysctl(f"net.ipv6.conf.all.{key}", value)

    def inside(self, *command: str) -> list[str]:
        """`command` as it runs in here; `ip netns exec` replaces itself, so the pid is the command's."""
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, limit_s: float = 30.0) -> str:
        return run(self.inside(*command), limit_s=limit_s)

    def ip(self, *arguments: str) -> str:
        return run(["ip", "-n", self.name, *arguments])

    def sysctl(self, key: str, value: str) -> None:
        self.run("sysctl", "-qw", f"{key}={value}")

    def add_address(self, interface: str, address: str) -> None:
        self.ip("address", "add", address, "dev", interface)

    def set_up(self, interface: str, mtu: int) -> None:
        self.ip("link", "set", interface, "mtu", str(mtu), "up")

    def set_offloads_off(self, interface: str) -> None:
        """veth hands packets on with partial checksums, which a dataplane would see as wrong ones."""
        self.run("ethtool", "-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off")

    def mac_of(self, interface: str) -> str:
        return self.run("cat", f"/sys/class/net/{interface}/address").strip()

    def process_ids(self) -> list[int]:
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return [int(word) for word in listed.stdout.split()]

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)


def link(first: Namespace, first_interface: str, second: Namespace, second_interface: str, mtu: int) -> None:
    """A veth pair, both ends up, without offloads."""
    run([
        "ip", "link", "add", first_interface, "netns", first.name, "type", "veth",
        "peer", "name", second_interface, "netns", second.name,
    ])
    for namespace, interface in ((first, first_interface), (second, second_interface)):
        namespace.set_up(interface, mtu)
        namespace.set_offloads_off(interface)
