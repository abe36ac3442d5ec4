# SPDX-License-Identifier: Apache-2.0
"""Licence lines, formatting, and words that have no place in the tree."""

import pathlib
import re
import subprocess

import tree

LICENCE = "SPDX-License-Identifier: Apache-2.0"
BPF_LICENCE = "SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)"
# Names of the machines that this tree is written on, and hosts that an installation must not be tied to.
# In pieces, or this file would hold them.
FOREIGN = re.compile(
    "|".join(
        [
            "/wo" "rk/",
            "/fa" "rm/",
            r"\.lib" "rary",
            "far" "m-(bench|studio)",
            r"deb\.deb" r"ian\.org",
            r"registry\.np" "mjs",
            "suba" "gent",
        ]
    )
)
LOOSE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b|\|\| tr" r"ue\b")


def licensed_files() -> list[str]:
    made = tree.files(*tree.CPP, ".py", ".proto", ".js") + tree.scripts("bash") + tree.scripts("python3")
    return sorted(set(made))


def test_first_line_is_the_licence():
    missing = []
    for path in licensed_files():
        lines = tree.text_of(path).splitlines()[:2]
        # A script's first line is its interpreter.
        line = (lines + ["", ""])[1 if lines and lines[0].startswith("#!") else 0]
        kernel = path.startswith("bpf/") and path.endswith((".c", ".h"))
        if not (LICENCE in line or (kernel and "SPDX-License-Identifier: " in line and "GPL-2.0" in line)):
            missing.append(path)
    assert not missing, f"without {LICENCE} (bpf/*.c: {BPF_LICENCE}) in the first line: {missing}"


def test_clang_format_is_content():
    sources = tree.files(*tree.CPP)
    answer = subprocess.run(
        ["clang-format-19", "--dry-run", "-Werror", *sources],
        cwd=tree.ROOT, capture_output=True, text=True, check=False,
    )
    hint = "run: clang-format-19 -i FILE…"
    assert answer.returncode == 0, f"{hint}\n{answer.stderr[:3000]}"


def test_clang_format_finds_planted(tmp_path):
    planted = tmp_path / "planted.cpp"
    planted.write_text("int  f( ){return 1 ;}\n")
    style = f"--style=file:{tree.ROOT / '.clang-format'}"
    answer = subprocess.run(["clang-format-19", style, "--dry-run", "-Werror", str(planted)], check=False,
                            capture_output=True)
    assert answer.returncode != 0


def found_in_tree(pattern: re.Pattern, paths: list[str]) -> list[str]:
    found = []
    for path in paths:
        try:
            text = tree.text_of(path)
        except UnicodeDecodeError:
            continue  # a capture or another binary file
        found += [f"{path}:{number}: {line.strip()[:120]}"
                  for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return found


def test_no_names_of_a_workplace():
    found = found_in_tree(FOREIGN, list(tree.all_files()))
    assert not found, "\n".join(found)
    assert FOREIGN.search("see /wo" "rk/main"), "the detector must find a planted one"


def test_no_loose_ends():
    """What is to be done is an issue, not a comment; a failure is not swallowed."""
    found = found_in_tree(LOOSE, tree.files(*tree.CPP, ".py", ".md", "meson.build") + tree.scripts("bash"))
    assert not found, "\n".join(found)
    assert LOOSE.search("// TO" "DO later"), "the detector must find a planted one"


def test_scripts_are_executable_and_strict():
    for path in tree.scripts("bash"):
        assert (tree.ROOT / path).stat().st_mode & 0o100, f"{path} is not executable"
        assert "set -euo pipefail" in tree.text_of(path), f"{path}: begin with set -euo pipefail"
    for path in tree.scripts("python3"):
        first = tree.text_of(path).splitlines()[0]
        assert first == "#!/usr/bin/python3", f"{path}: Debian's python holds scapy and pytest: #!/usr/bin/python3"


def test_folder_names_say_what_is_inside():
    vague = re.compile(r"(^|[_-])(util|utils|helper|helpers|manager|misc|common)([_.-]|$)")
    found = [path for path in tree.all_files() if any(vague.search(part) for part in pathlib.PurePath(path).parts)]
    assert not found, f"name the noun instead: {found}"
