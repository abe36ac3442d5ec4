# SPDX-License-Identifier: Apache-2.0
"""What tools/demo measured, what it promises of it, and the object that --json prints."""

import dataclasses

SHARE_TOLERANCE = 0.02  # of 1


@dataclasses.dataclass
class Failed:
    """Failed requests by part of the story; None where it did not come to it."""

    spread: int | None = None
    before_kill: int | None = None  # ended before the server was killed
    kill_before: int | None = None  # started before the generation without the dead backend was live
    kill_after: int | None = None  # started afterwards, until the backend was back and the load ended
    reload: int | None = None
    cp_kill: int | None = None


@dataclasses.dataclass
class Figures:
    requests: int | None = None
    shares: dict[str, float] = dataclasses.field(default_factory=dict)
    expected: dict[str, float] = dataclasses.field(default_factory=dict)
    failed: Failed = dataclasses.field(default_factory=Failed)
    detected_ms: int | None = None
    download_completed: bool = False

    def document(self) -> dict:
        return dataclasses.asdict(self)


def broken_promises(figures: Figures, least_requests: int) -> list[str]:
    """One sentence for each criterion that does not hold; empty when the demonstration succeeded."""
    broken = []
    if (figures.requests or 0) < least_requests:
        broken.append(f"only {figures.requests} requests were made of at least {least_requests}")
    for name, expected in figures.expected.items():
        share = figures.shares.get(name, 0.0)
        if abs(share - expected) > SHARE_TOLERANCE:
            broken.append(f"{name} got {share:.1%} of the requests, its weight asks for {expected:.1%}")
    for part in ("spread", "before_kill", "kill_after", "reload", "cp_kill"):
        count = getattr(figures.failed, part)
        if count != 0:
            broken.append(f"{part}: {'not measured' if count is None else f'{count} requests failed'}")
    if not figures.failed.kill_before:
        broken.append("kill_before: no request met the dead server, so that its replacement proves nothing")
    if figures.detected_ms is None:
        broken.append("the dead backend was not detected")
    if not figures.download_completed:
        broken.append("the download through the drained backend did not complete")
    return broken
