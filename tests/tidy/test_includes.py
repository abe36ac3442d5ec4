# SPDX-License-Identifier: Apache-2.0
"""Which folder may include which: core ◄ api ◄ dpdk ◄ dataplane/main; see ARCHITECTURE.md."""

import re

import pytest
import tree

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

# Folder → the project's folders and files that it may include. The longest prefix of a path decides.
ALLOWED = {
    "dataplane/core/": ("dataplane/core/",),
    "dataplane/api/": ("dataplane/core/", "dataplane/api/"),
    "dataplane/dpdk/": ("dataplane/core/", "dataplane/api/", "dataplane/dpdk/", "bpf/", "controlplane/config/"),
    "dataplane/": ("dataplane/", "bpf/", "controlplane/config/"),
    "controlplane/config/": ("dataplane/core/", "controlplane/config/"),
    "controlplane/": ("dataplane/core/", "dataplane/api/", "bpf/", "controlplane/"),
    "bpf/": ("bpf/", "dataplane/core/"),
    "tools/": ("dataplane/core/", "dataplane/api/", "bpf/", "controlplane/config/", "tools/"),
    "bench/": ("dataplane/", "bpf/", "controlplane/config/", "controlplane/health/", "bench/"),
    "tests/": ("dataplane/", "bpf/", "controlplane/", "tools/", "tests/", "bench/"),
}
DPDK_HEADERS = ("dataplane/dpdk/", "bench/", "tests/unit/dpdk/")
# core knows no DPDK, clock or I/O; the standard library and the CPU's intrinsics are all it has.
NOT_IN_CORE = re.compile(
    r"^(rte_.*|boost/.*|toml\+\+/.*|google/.*|spdlog/.*|fmt/.*|curl/.*|sys/.*|linux/.*|net/.*|sys/socket\.h"
    r"|unistd\.h|fcntl\.h|chrono|thread|mutex|shared_mutex|condition_variable|iostream|fstream|cstdio|filesystem"
    r"|random|functional|future)$"
)
# They cost tens of seconds a unit: behind few .cpp files.
HEAVY = re.compile(r"^(boost/beast.*|boost/json/src\.hpp|toml\+\+/.*|.*\.pb\.h|spdlog/sinks/.*)$")


def rule_of(path: str) -> tuple[str, ...] | None:
    prefixes = [prefix for prefix in ALLOWED if path.startswith(prefix)]
    return ALLOWED[max(prefixes, key=len)] if prefixes else None


def violations(path: str, text: str) -> list[str]:
    allowed = rule_of(path)
    if allowed is None:
        return [f"{path}: no rule for this folder in tests/tidy/test_includes.py"]
    found = []
    for own, system in INCLUDE.findall(text):
        name = own or system
        # Generated protobuf headers keep the folder of their source in their path; a BPF skeleton lies beside it.
        skeleton = own.endswith(".skel.h") and path.startswith(("bpf/", "tests/bpf/"))
        if own and not own.startswith(allowed) and not skeleton:
            found.append(f'{path}: may not include "{own}"; it may include {", ".join(allowed)}')
        if name.startswith("rte_") and not path.startswith(DPDK_HEADERS):
            found.append(f"{path}: DPDK header <{name}> outside of dataplane/dpdk and bench")
        if path.startswith("dataplane/core/") and NOT_IN_CORE.match(name):
            found.append(f"{path}: core is pure, it may not include <{name}>")
    return found


def heavy_violations(texts: dict[str, str]) -> list[str]:
    """A header may include a heavy one only if nothing but sources of its own folder include it in turn."""
    found = []
    for path, text in texts.items():
        heavy = [own or system for own, system in INCLUDE.findall(text) if HEAVY.match(own or system)]
        if not path.endswith(".hpp") or path.startswith("tests/") or not heavy:
            continue
        users = [user for user, body in texts.items() if f'#include "{path}"' in body]
        folder = path.rpartition("/")[0] + "/"
        foreign = [user for user in users if not user.startswith((folder, "tests/")) or user.endswith(".hpp")]
        if foreign:
            found.append(f"{path}: includes {heavy[0]}, so only sources of {folder} may include it, not {foreign[0]}")
    return found


def test_heavy_headers_stay_behind_few_sources():
    texts = {path: tree.text_of(path) for path in tree.files(".cpp", ".hpp")}
    found = heavy_violations(texts)
    assert not found, "\n".join(found)
    planted = {"a/b.hpp": "#include <toml++/toml.h>\n", "a/c.hpp": '#include "a/b.hpp"\n'}
    assert heavy_violations(planted)


def test_includes_go_one_way():
    sources = tree.files(".cpp", ".hpp")
    assert sources
    found = [line for path in sources for line in violations(path, tree.text_of(path))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("dataplane/core/a.hpp", '#include "dataplane/api/client.hpp"'),
        ("dataplane/core/a.cpp", "#include <rte_mbuf.h>"),
        ("dataplane/core/a.cpp", "#include <mutex>"),
        ("dataplane/api/a.cpp", '#include "dataplane/dpdk/worker.hpp"'),
        ("dataplane/dpdk/a.cpp", '#include "controlplane/health/probe.hpp"'),
        ("controlplane/config/a.cpp", '#include "controlplane/api/server.hpp"'),
        ("controlplane/health/a.hpp", '#include "dataplane/dpdk/port.hpp"'),
        ("controlplane/health/a.cpp", '#include "tools/cli/client.hpp"'),
        ("tools/cli/a.cpp", '#include "controlplane/health/probe.hpp"'),
        ("dataplane/core/a.cpp", '#include "tests/unit/model.hpp"'),
        ("elsewhere/a.cpp", ""),
    ],
)
def test_detector_finds_planted(path: str, line: str):
    assert violations(path, f"// SPDX\n{line}\n"), f"{line} in {path} must be refused"


def test_detector_accepts_the_allowed():
    assert not violations("controlplane/health/a.cpp", '#include "dataplane/core/hash.hpp"\n#include <chrono>\n')
    assert not violations("dataplane/dpdk/a.cpp", '#include "controlplane/config/parse.hpp"\n#include <rte_mbuf.h>\n')
