# SPDX-License-Identifier: Apache-2.0
"""The documents name what the code has, and their links lead somewhere."""

import pathlib
import re

import tree

REFERENCE = tree.ROOT / "docs" / "reference"
REASON = re.compile(r"^\s*X\((\w+),", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def drop_reasons() -> list[str]:
    names = REASON.findall(tree.text_of("dataplane/core/drop_reason.hpp"))
    assert len(names) > 20, "the list of drop reasons was not understood"
    return names


def test_every_drop_reason_is_documented():
    text = (REFERENCE / "drop-reasons.md").read_text(encoding="utf-8")
    missing = [name for name in drop_reasons() if f"`{name}`" not in text]
    assert not missing, f"not in docs/reference/drop-reasons.md: {missing}"


def test_no_invented_drop_reason():
    text = (REFERENCE / "drop-reasons.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|\s*`(\w+)`", text, re.MULTILINE)
    assert rows, "docs/reference/drop-reasons.md has no table of reasons"
    invented = sorted(set(rows) - set(drop_reasons()))
    assert not invented, f"the code has no such drop reason: {invented}"


def anchor_of(heading: str) -> str:
    """As the common renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def broken_links(path: str, text: str) -> list[str]:
    found = []
    for target in LINK.findall(FENCE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            continue  # the outside is not ours to check
        name, _, anchor = target.partition("#")
        goal = (tree.ROOT / path).parent / name if name else tree.ROOT / path
        if not goal.exists():
            found.append(f"{path}: {target} leads nowhere")
        elif anchor and goal.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", goal.read_text(encoding="utf-8")), re.MULTILINE)
            if anchor not in [anchor_of(heading) for heading in headings]:
                found.append(f"{path}: {goal.name} has no heading for #{anchor}")
    return found


def test_links_lead_somewhere():
    documents = tree.files(".md")
    assert documents
    found = [line for path in documents for line in broken_links(path, tree.text_of(path))]
    assert not found, "\n".join(found)


def test_detector_finds_planted():
    assert broken_links("README.md", "see [there](docs/nowhere.md)")
    assert broken_links("README.md", "see [there](#no-such-heading-here)")
    assert not broken_links("README.md", "see [there](https://example.org/) and [src](tests/tidy/test_docs.py)")


def test_one_h1_a_page():
    wrong = []
    for path in tree.files(".md"):
        headings = re.findall(r"^# .*$", FENCE.sub("", tree.text_of(path)), re.MULTILINE)
        if len(headings) != 1:
            wrong.append(f"{path}: {len(headings)}")
    assert not wrong, f"one H1 a page: {wrong}"


def test_reference_pages_are_linked():
    """A page that nothing leads to is not found at 3 a.m."""
    linked = set()
    for path in tree.files(".md"):
        base = (tree.ROOT / path).parent
        for target in LINK.findall(tree.text_of(path)):
            if not re.match(r"[a-z]+:", target):
                linked.add((base / target.partition("#")[0]).resolve())
    pages = [path for path in tree.files(".md", under="docs/") if path != "docs/README.md"]
    lonely = [path for path in pages if (tree.ROOT / path).resolve() not in linked]
    assert not lonely, f"no document links to: {lonely}"
    assert pathlib.Path(REFERENCE).is_dir()
