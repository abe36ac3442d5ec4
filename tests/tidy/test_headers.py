# SPDX-License-Identifier: Apache-2.0
"""Every header compiles alone, so the order of includes never matters."""

import concurrent.futures
import os
import pathlib
import subprocess

import tree

# What a command of compile_commands.json says about its own input and output.
VALUED = ("-o", "-MF", "-MQ", "-MT", "-c")
SINGLE = ("-MD", "-MMD")
SANITIZING = ("-fsanitize",)


def flags_of(command: list[str]) -> list[str]:
    flags, skip = [], False
    for word in command[1:]:
        if skip:
            skip = False
        elif word in VALUED:
            skip = True
        elif word.startswith(SANITIZING) or word in SINGLE or word.endswith(("g++", "c++", "ccache")):
            continue
        else:
            flags.append(word)
    return flags


def command_for(header: str) -> list[str] | None:
    """The command of the source nearest to a header: of the same name, of its folder, of one above it."""
    commands = tree.compile_commands()
    own = header.removesuffix(".hpp") + ".cpp"
    if own in commands:
        return commands[own]
    for folder in (str(parent) + "/" for parent in pathlib.PurePath(header).parents if str(parent) != "."):
        for source in sorted(commands):
            if source.startswith(folder):
                return commands[source]
    return None


def compile_alone(header: str) -> str:
    """An empty text if the header compiles alone."""
    command = command_for(header)
    if command is None:
        return f"{header}: no source near it is compiled, so nobody uses it"
    answer = check_header(flags_of(command), tree.ROOT / header)
    return "" if answer.returncode == 0 else f"{header}:\n{answer.stderr[:2000]}"


def check_header(flags: list[str], header: pathlib.Path) -> subprocess.CompletedProcess:
    # Included, not given: GCC warns of #pragma once in a main file.
    return subprocess.run(
        ["g++", *flags, "-fdiagnostics-color=never", "-fsyntax-only", "-x", "c++", "-"],
        input=f'#include "{header}"\n', cwd=tree.DEBUG, capture_output=True, text=True, check=False,
    )


def test_every_header_compiles_alone():
    headers = tree.files(".hpp")
    assert headers
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = [text for text in pool.map(compile_alone, headers) if text]
    assert not problems, "\n".join(problems)


def test_every_header_guards_itself():
    unguarded = [path for path in tree.files(".hpp") if "\n#pragma once\n" not in tree.text_of(path)]
    assert not unguarded, f"without #pragma once: {unguarded}"


def test_detector_finds_planted(tmp_path):
    header = tmp_path / "planted.hpp"
    header.write_text("#pragma once\ninline std::string name();\n")
    answer = check_header(["-std=c++2b"], header)
    assert answer.returncode != 0
    assert "std" in answer.stderr
