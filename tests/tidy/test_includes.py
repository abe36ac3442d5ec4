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
    "dataplane/main.cpp": ("dataplane/", "bpf/", "controlplane/config/"),
    "controlplane/config/": ("dataplane/core/", "controlplane/config/"),
    "controlplane/": ("dataplane/core/", "dataplane/api/", "bpf/", "controlplane/"),
    "bpf/": ("bpf/", "dataplane/core/"),
    "tools/": ("dataplane/core/", "dataplane/api/", "bpf/", "controlplane/config/", "tools/"),
    "bench/": ("dataplane/", "bpf/", "controlplane/config/", "bench/"),
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
        # Generated headers (protobuf, BPF skeletons) keep the folder of their source in their path.
        if own and not own.startswith(allowed):
            found.append(f'{path}: may not include "{own}"; it may include {", ".join(allowed)}')
        if name.startswith("rte_") and not path.startswith(DPDK_HEADERS):
            found.append(f"{path}: DPDK header <{name}> outside of dataplane/dpdk and bench")
        if path.startswith("dataplane/core/") and NOT_IN_CORE.match(name):
            found.append(f"{path}: core is pure, it may not include <{name}>")
        if path.endswith(".hpp") and not path.startswith("tests/") and HEAVY.match(name):
            found.append(f"{path}: heavy header {name} belongs in a .cpp file")
    return found


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
        ("controlplane/api/a.hpp", "#include <boost/beast/http.hpp>"),
        ("elsewhere/a.cpp", ""),
    ],
)
def test_detector_finds_planted(path: str, line: str):
    assert violations(path, f"// SPDX\n{line}\n"), f"{line} in {path} must be refused"


def test_detector_accepts_the_allowed():
    assert not violations("controlplane/health/a.cpp", '#include "dataplane/core/hash.hpp"\n#include <chrono>\n')
    assert not violations("dataplane/dpdk/a.cpp", '#include "controlplane/config/parse.hpp"\n#include <rte_mbuf.h>\n')
