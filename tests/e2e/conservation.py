# SPDX-License-Identifier: Apache-2.0
"""Σ rx = Σ tx + drops by reason + to the kernel, read at a quiet moment."""

import time

from lab.daemons import Balancer


def balance(balancer: Balancer) -> tuple[int, int]:
    """Packets in, packets accounted for. The drops are summed from their reasons, not taken from the total."""
    totals = balancer.cli_json("stats")["totals"]
    drops = sum(drop["packets"] for drop in balancer.cli_json("drops")["drops"])
    return totals["rx_packets"] + totals["pieces"], totals["tx_packets"] + totals["to_kernel_packets"] + drops


def assert_conserved(balancer: Balancer, least_packets: int) -> None:
    # Late segments of closing connections may still be on their way; conserved means: it comes to rest equal.
    end = time.monotonic() + 10.0
    while True:
        received, accounted = balance(balancer)
        if received == accounted and received >= least_packets:
            return
        assert time.monotonic() < end, f"received {received}, accounted for {accounted}, expected {least_packets}"
        time.sleep(0.3)
