# SPDX-License-Identifier: Apache-2.0
"""No file above 800 lines, no function above 70; a file above 400 explains itself."""

import functions
import tree

MAX_FILE_LINES = 800
EXPLAINED_LINES = 400
MAX_FUNCTION_LINES = 70
EXPLANATION = "long because"  # in a comment among the first lines


def code_files() -> list[str]:
    return tree.files(*tree.CPP, ".proto", ".js", "meson.build") + tree.python_files() + tree.scripts("bash")


def functions_of(path: str) -> list[functions.Function]:
    text = tree.text_of(path)
    if path.endswith(tree.CPP):
        return functions.cpp_functions(text)
    if path in tree.python_files():
        return functions.python_functions(text)
    return functions.shell_functions(text) if path in tree.scripts("bash") else []


def test_files_are_short():
    lengths = {path: len(tree.text_of(path).splitlines()) for path in code_files()}
    too_long = {path: length for path, length in lengths.items() if length > MAX_FILE_LINES}
    assert not too_long, f"above {MAX_FILE_LINES} lines, find the second noun in them: {too_long}"
    unexplained = {
        path: length
        for path, length in lengths.items()
        if length > EXPLAINED_LINES and EXPLANATION not in " ".join(tree.text_of(path).splitlines()[:25])
    }
    assert not unexplained, f'above {EXPLAINED_LINES} lines without "{EXPLANATION} …" at the top: {unexplained}'


def test_functions_are_short():
    found = [
        f"{path}:{function.line}: {function.lines} lines: {function.head[:80]}"
        for path in code_files()
        for function in functions_of(path)
        if function.lines > MAX_FUNCTION_LINES
    ]
    assert not found, f"functions above {MAX_FUNCTION_LINES} lines:\n" + "\n".join(found)


CPP_SAMPLE = """\
// SPDX { not a brace
#define MACRO(x) {
namespace a::b {
constexpr int table[] = {
    1, 2,
};
template <typename T>
struct alignas(64) Box : Base<T> {
    explicit Box(T value) : Base<T>{value}, size_{1} {
        const char* text = "}}";
        const auto f = [&](int i) { return i + 1'000; };
        use(R"({{)", '{', f);
    }
    enum class Kind { one, two };

private:
    bool operator==(const Box&) const = default;
    T get() const { return value_; }
    T value_{};
};
[[nodiscard]] std::expected<Box<int>, Error> make(
    int first, const std::string& second = {}
) {
    struct Local {
        int x;
    };
    if (first > 0) {
        return {};
    }
    return Box<int>{first};
}
} // namespace a::b
"""


def test_cpp_functions_are_found():
    found = [(function.line, function.lines) for function in functions.cpp_functions(CPP_SAMPLE)]
    assert found == [(9, 5), (18, 1), (21, 11)]


def test_a_long_function_is_found():
    body = "    step();\n" * 69
    assert functions.cpp_functions(f"void f() {{\n{body}}}\n")[0].lines == 71
    assert functions.cpp_functions(f"A::A(int x) : x_{{x}} {{\n{body}}}\n")[0].lines == 71
    assert functions.python_functions("def f():\n" + "    x = 1\n" * 70)[0].lines == 71
    assert functions.shell_functions("f() {\n" + "  x=1\n" * 69 + "}\n")[0].lines == 71


def test_functions_are_found_in_the_tree():
    count = sum(len(functions_of(path)) for path in tree.files(".cpp", under="dataplane/core/"))
    assert count >= 5
