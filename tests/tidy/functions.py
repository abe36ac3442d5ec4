# SPDX-License-Identifier: Apache-2.0
"""Where functions of C++, C, Python and shell files begin and end. Reads code as clang-format leaves it."""

import ast
import dataclasses
import re

# Comments, raw strings, strings and characters: their braces do not count. Digit separators are no quotes.
_OPAQUE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'',
    re.DOTALL,
)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


@dataclasses.dataclass(frozen=True)
class Function:
    head: str
    line: int  # of its head, from 1
    lines: int  # from the head to the closing brace


def _blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group(0))


def _without_parentheses(text: str) -> str:
    """`text` with what stands between ( ) or < > taken out, so that only the outline is left."""
    kept, depth = [], 0
    for character in text:
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif depth == 0:
            kept.append(character)
    return "".join(kept)


def _opens_scope(head: str) -> bool:
    """A namespace or a class opens here, whose inside is looked at; `struct Point make() {` is a function."""
    outline = re.sub(r"\balignas\s*\([^)]*\)|\[\[.*?\]\]|__attribute__\s*\(\(.*?\)\)", " ", head, flags=re.DOTALL)
    outline = re.sub(r"^\s*template\s*<[^{};]*?>\s*(?=class|struct|union)", "", outline, flags=re.DOTALL)
    return bool(_SCOPE.search(outline)) and "(" not in outline and "=" not in outline


def _is_function(head: str) -> bool:
    """Something with a parameter list, and no initializer."""
    outline = _without_parentheses(re.sub(r"\boperator\s*[^\s\w(]+", "operator", head))
    return "(" in head and "=" not in outline.replace("==", "").replace("<=", "").replace(">=", "")


def cpp_functions(source: str) -> list[Function]:
    """Functions at namespace and class level; lambdas and local classes count with the function around."""
    text = _DIRECTIVE.sub(_blank, _OPAQUE.sub(_blank, source))
    found: list[Function] = []
    stack: list[str] = []  # "scope", "function", "other"
    begin = 0  # where the current head begins
    for index, character in enumerate(text):
        inside = stack[-1] if stack else "scope"
        if character == ";" and inside == "scope":
            begin = index + 1
        elif character == "{":
            head = text[begin:index]
            if inside != "scope" or head.count("(") > head.count(")"):
                stack.append("other")  # a block, or a default argument
            elif _opens_scope(head):
                stack.append("scope")
                begin = index + 1
            else:
                stack.append("function" if _is_function(head) else "other")
        elif character == "}" and stack:
            kind = stack.pop()
            if kind == "function":
                _note(found, text, begin, index)
                # `Name(int x) : a_{x} {`: what follows an initializer's brace belongs to the same head.
                if not re.match(r"\s*[,{]", text[index + 1 :]):
                    begin = index + 1
            elif kind == "scope":
                begin = index + 1
    return found


def _note(found: list[Function], text: str, begin: int, end: int) -> None:
    head = text[begin:end]
    start = begin + re.match(r"(\s*(public|protected|private)\s*:)?\s*", head).end()
    line = text.count("\n", 0, start) + 1
    name = " ".join(text[start:end].split("{")[0].split())
    if found and found[-1].line == line and found[-1].head == name:
        found.pop()  # the member initializer's part of the same function
    found.append(Function(name, line, text.count("\n", start, end) + 1))


def python_functions(source: str) -> list[Function]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        Function(node.name, node.lineno, node.end_lineno - node.lineno + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, kinds)
    ]


def shell_functions(source: str) -> list[Function]:
    """`name() {` to the `}` in the same column, and one-liners."""
    found = []
    lines = source.splitlines()
    for index, line in enumerate(lines):
        match = re.match(r"^(\s*)([\w-]+)\(\) *\{(.*)$", line)
        if not match:
            continue
        end = index
        if not match.group(3).rstrip().endswith("}"):
            closing = match.group(1) + "}"
            end = next((i for i in range(index + 1, len(lines)) if lines[i].rstrip() == closing), len(lines) - 1)
        found.append(Function(match.group(2), index + 1, end - index + 1))
    return found
