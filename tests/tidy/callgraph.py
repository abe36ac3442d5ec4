# SPDX-License-Identifier: Apache-2.0
"""What a function can call, read from object files: through inlining, templates and tables of functions.

Indirect calls through a pointer that another unit stored are not seen; taking a function's address or naming a
table that holds it counts as calling it.
"""

import pathlib
import re
import subprocess

_SYMBOL = re.compile(r"^[0-9a-f]+ <(.+)>:$")
_BRANCH = re.compile(r"\b(?:call|j[a-z]+|lea)\b.*<([^>+]+)(?:\+0x[0-9a-f]+)?>$")
_RELOCATION = re.compile(r"R_X86_64_(\S+)\s+(\S+?)([+-]0x[0-9a-f]+)?$")
_SECTION = re.compile(r"^RELOCATION RECORDS FOR \[([^\]]+)\]:$")
_ENTRY = re.compile(r"^([0-9a-f]{8,}) (.{7}) (\S+)\t[0-9a-f]+ +(?:\.hidden )?(\S+)$")
_DATA = (".data", ".rodata", ".bss", ".tbss", ".tdata")


class ObjectSymbols:
    """Where the symbols of one object lie."""

    def __init__(self, path: pathlib.Path) -> None:
        self.name = path.name
        self.functions: dict[str, list[tuple[int, str]]] = {}  # section → (address, symbol), in order
        self.data: dict[str, str] = {}  # symbol → section
        for line in _run(["objdump", "-tw", str(path)]):
            match = _ENTRY.match(line)
            if not match:
                continue
            address, flags, section, symbol = match.groups()
            if "F" in flags and section.startswith("."):
                self.functions.setdefault(section, []).append((int(address, 16), symbol))
            elif section.startswith(_DATA):
                self.data[symbol] = section
        for entries in self.functions.values():
            entries.sort()

    def node_of(self, target: str, addend: int) -> str | None:
        """A relocation's target as a node: a function, or the data section it lies in."""
        if target in self.functions:  # the assembler names a local function by its section and offset
            at_or_before = [symbol for address, symbol in self.functions[target] if address <= addend]
            return at_or_before[-1] if at_or_before else None
        if target in self.data or target.startswith(_DATA):
            return f"{self.name}[{self.data.get(target, target)}]"
        return None if target.startswith(".") else target


class CallGraph:
    """Edges between symbols; a data section of an object is a node too, named `object[section]`."""

    def __init__(self) -> None:
        self.edges: dict[str, set[str]] = {}
        self.defined: set[str] = set()

    def add_object(self, path: pathlib.Path) -> None:
        symbols = ObjectSymbols(path)
        current = ""
        for line in _run(["objdump", "-dr", "--no-show-raw-insn", "-w", str(path)]):
            if match := _SYMBOL.match(line):
                current = match.group(1)
                self.edges.setdefault(current, set())
                self.defined.add(current)
            elif current and (match := _RELOCATION.search(line)):
                addend = int(match.group(3) or "0", 16)
                # PC-relative addends count from the end of the 4-byte field.
                relative = 4 if match.group(1) in ("PC32", "PLT32") else 0
                self._add_edge(current, symbols.node_of(match.group(2), addend + relative))
            elif current and (match := _BRANCH.search(line.rstrip())):
                self._add_edge(current, match.group(1))
        self._add_tables(path, symbols)

    def _add_tables(self, path: pathlib.Path, symbols: ObjectSymbols) -> None:
        """Pointers that lie in data. A jump table has relative entries and leads back into its own function."""
        node = ""
        for line in _run(["objdump", "-rw", str(path)]):
            if match := _SECTION.match(line):
                node = f"{path.name}[{match.group(1)}]" if match.group(1).startswith(_DATA) else ""
            elif node and (match := _RELOCATION.search(line)) and match.group(1) == "64":
                self._add_edge(node, symbols.node_of(match.group(2), int(match.group(3) or "0", 16)))

    def _add_edge(self, source: str, target: str | None) -> None:
        if target is not None and target != source:
            self.edges.setdefault(source, set()).add(target)

    def roots(self, pattern: str) -> list[str]:
        """Defined symbols whose demangled name matches."""
        names = sorted(self.defined)
        return [name for name, plain in zip(names, demangle(names), strict=True) if re.search(pattern, plain)]

    def reachable(self, roots: list[str]) -> dict[str, str]:
        """Symbol → the one that led to it."""
        reached = {root: "" for root in roots}
        waiting = list(roots)
        while waiting:
            symbol = waiting.pop()
            for target in sorted(self.edges.get(symbol, ())):
                if target not in reached:
                    reached[target] = symbol
                    waiting.append(target)
        return reached

    def outside(self, roots: list[str]) -> dict[str, list[str]]:
        """What the roots can call that no object defines → the way there, demangled, root first."""
        reached = self.reachable(roots)
        found = {}
        for symbol in reached:
            if symbol in self.defined or "[" in symbol or symbol in self.edges:
                continue
            way, at = [], symbol
            while at:
                way.append(at)
                at = reached[at]
            found[symbol] = demangle(way[::-1])
        return found


def demangle(names: list[str]) -> list[str]:
    if not names:
        return []
    answer = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


def _run(command: list[str]) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
