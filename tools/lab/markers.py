# SPDX-License-Identifier: Apache-2.0
"""What a laboratory made, on file: cleaning up takes what stands here, never what merely has such a name.

One file a laboratory, named by the pid of its maker: its folder, then its namespaces, one a line, each written before
it is made. In /run, where only root writes and which a reboot empties, as it does namespaces.
"""

import pathlib

from lab.namespaces import PREFIX, LabError

FOLDER = pathlib.Path("/run/penstock-lab")


def begin(lab: str, folder: pathlib.Path) -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    (FOLDER / lab).write_text(f"{folder}\n")


def add_namespace(lab: str, name: str) -> None:
    with open(FOLDER / lab, "a") as marker:
        marker.write(f"{name}\n")


def end(lab: str) -> None:
    (FOLDER / lab).unlink(missing_ok=True)


def existing() -> list[str]:
    if not FOLDER.is_dir():
        return []
    return sorted(entry.name for entry in FOLDER.iterdir() if entry.name.isdecimal())


def read(lab: str) -> tuple[pathlib.Path, list[str]]:
    """Its folder and namespaces. LabError for a file that no laboratory wrote so."""
    folder, *names = (FOLDER / lab).read_text().splitlines() or [""]
    if not pathlib.Path(folder).name.startswith(f"penstock-{lab}-"):
        raise LabError(f"{FOLDER / lab} does not name a laboratory's folder: look at it, then remove it by hand")
    for name in names:
        if not name.startswith(f"{PREFIX}{lab}-"):
            raise LabError(f"{FOLDER / lab} names {name!r}, no laboratory's: look at it, then remove it by hand")
    return pathlib.Path(folder), names
