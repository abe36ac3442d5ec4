# SPDX-License-Identifier: Apache-2.0
"""A worker after start allocates, locks, logs and throws nothing: proven on the call graph of the optimized objects."""

import pathlib
import re
import subprocess

import callgraph
import pytest
import tree

# What a worker runs. Each pattern must match something, or this test guards nothing.
ROOTS = (
    r"^penstock::process_burst\(",
    r"^penstock::expire_flows\(",
    r"^penstock::(dpdk::)?Worker::(run|poll|loop)\b|^penstock::(dpdk::)?run_worker\(",
)
# Everything outside of our own objects that a worker may call: anything else is refused by default.
ALLOWED = re.compile(
    r"^(mem(cpy|set|cmp|move)|bcmp|__mem(cpy|set|move)_chk"  # the compiler's own
    r"|abort|__assert_fail|__stack_chk_fail|std::__glibcxx_assert_fail\(.*|__cxa_pure_virtual"  # broken invariant
    r"|_GLOBAL_OFFSET_TABLE_|__popcountdi2|__tls_get_addr"
    r"|rte_eth_fp_ops|rte_eth_rx_burst|rte_eth_tx_burst|rte_eth_call_[rt]x_callbacks|per_lcore_\w+|rte_mempool_ops_table|rte_config"  # the driver's
    r"|rte_cpu_get_\w+|rte_get_tsc_hz|rte_delay_us|rte_tsc_\w+|rte_pause"
    r"|rte_mbuf_\w+|rte_pktmbuf_\w+|__rte_panic|rte_log_panic"
    r"|clock_gettime|clock_nanosleep|nanosleep|prctl)$"  # the idle wait, its timer slack
)


def objects_of(folder: pathlib.Path) -> list[pathlib.Path]:
    # Ours: not those of generated sources, but those of several of our files at a time.
    return [path for path in sorted(folder.glob("**/*.o"))
            if not path.name.startswith("meson-generated") or "-unity" in path.name]


def worker_objects() -> list[pathlib.Path]:
    folders = [tree.RELEASE / "dataplane" / "core", tree.RELEASE / "dataplane" / "api", tree.RELEASE / "dataplane" / "dpdk"]
    return [path for folder in folders for path in objects_of(folder)]


def refused(graph: callgraph.CallGraph, roots: list[str]) -> list[str]:
    return [
        " → ".join(way)
        for symbol, way in sorted(graph.outside(roots).items())
        if not ALLOWED.match(symbol) and not ALLOWED.match(way[-1])
    ]


def test_workers_call_nothing_that_waits():
    graph = callgraph.CallGraph()
    for path in worker_objects():
        graph.add_object(path)
    roots = []
    for pattern in ROOTS:
        matching = graph.roots(pattern)
        assert matching, f"no function matches {pattern}: name the worker's loop in ROOTS"
        roots += matching
    found = refused(graph, roots)
    assert not found, "a worker can reach:\n" + "\n".join(found)
    assert len(graph.reachable(roots)) > 10, "the call graph is empty"


PLANTED = """
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <vector>
namespace planted {
std::mutex guard;
using Step = void (*)(std::vector<int>&);
static void harmless(std::vector<int>& v) { std::memset(v.data(), 0, v.size() * sizeof(int)); }
__attribute__((noinline)) static void grows(std::vector<int>& v) { v.push_back(1); }
__attribute__((noinline)) static void locks(std::vector<int>&) { std::lock_guard<std::mutex> hold(guard); }
__attribute__((noinline)) static void throws(std::vector<int>& v) { if (v.empty()) throw std::runtime_error("x"); }
__attribute__((noinline)) static void prints(std::vector<int>& v) { std::printf("%zu", v.size()); }
static const std::array<Step, 2> table{{&harmless, &grows}};
void root_clean(std::vector<int>& v) { harmless(v); }
void root_new(std::vector<int>& v) { grows(v); }
void root_mutex(std::vector<int>& v) { locks(v); }
void root_throw(std::vector<int>& v) { throws(v); }
void root_print(std::vector<int>& v) { prints(v); }
void root_malloc(void** p) { *p = std::malloc(8); }
void root_table(std::vector<int>& v, unsigned i) { table[i % 2](v); }
}
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> callgraph.CallGraph:
    folder = tmp_path_factory.mktemp("planted")
    source, made = folder / "planted.cpp", folder / "planted.o"
    source.write_text(PLANTED)
    subprocess.run(["g++", "-std=c++2b", "-O2", "-fPIE", "-c", str(source), "-o", str(made)], check=True)
    graph = callgraph.CallGraph()
    graph.add_object(made)
    return graph


@pytest.mark.parametrize(
    ("root", "called"),
    [
        ("root_new", "operator new"),
        ("root_mutex", "pthread_mutex_lock"),
        ("root_throw", "__cxa_throw"),
        ("root_print", "printf"),
        ("root_malloc", "malloc"),
        ("root_table", "operator new"),
    ],
)
def test_detector_finds_planted(planted, root, called):
    found = refused(planted, planted.roots(rf"^planted::{root}\("))
    assert any(called in line for line in found), f"{called} was not found: {found}"


def test_detector_accepts_the_clean(planted):
    roots = planted.roots(r"^planted::root_clean\(")
    assert roots
    assert not refused(planted, roots)


BANNED_IN_CORE = re.compile(
    r"\bthrow\b|\bstd::(mutex|shared_mutex|cout|cerr|function|thread)\b|\bspdlog::|\b(f|s|sn)?printf\("
    r"|\b(m|c|re)alloc\(|_clock::now\(|\btry\s*\{|\bvirtual\b"
)


def code_without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", "", text, flags=re.DOTALL)


def test_core_is_pure():
    """No exception, lock, log, clock or raw allocation anywhere in core, not only on a worker's way."""
    sources = tree.files(".cpp", ".hpp", under="dataplane/core/")
    assert sources
    found = [
        f"{path}: {match.group(0)}"
        for path in sources
        for match in BANNED_IN_CORE.finditer(code_without_comments(tree.text_of(path)))
    ]
    assert not found, "\n".join(found)
    assert BANNED_IN_CORE.search(code_without_comments('throw Error("x"); // no'))
    assert not BANNED_IN_CORE.search(code_without_comments("// we throw nothing"))
