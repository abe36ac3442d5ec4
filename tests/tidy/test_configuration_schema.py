# SPDX-License-Identifier: Apache-2.0
"""docs/reference/configuration.schema.json has the keys and words that the parser has, and judges files as it does."""

import json
import re
import tomllib

import jsonschema
import pytest
import tree

SCHEMA = json.loads(tree.text_of("docs/reference/configuration.schema.json"))
CONFIG = "controlplane/config/"
KEYS = re.compile(r"constexpr std::array<std::string_view, \d+> (\w+)_keys\{([^}]*)\}")
WORDS = re.compile(r"constexpr std::array (\w+)\{\s*((?:\w+::\w+,?\s*)+)\}")

# Arrays of keys that belong to a probe: its keys depend on its type, and the schema leaves them to the reference.
OF_PROBES = {"probe", "http"}
NAMES = {"root": None, "port": "dataplane_port"}  # array → definition, where they differ


def parsed_keys() -> dict[str, set[str]]:
    found = {}
    for path in tree.files(".cpp", under=CONFIG):
        if "probe" not in path:
            for name, body in KEYS.findall(tree.text_of(path)):
                found[name] = set(re.findall(r'"(\w+)"', body))
    assert len(found) >= 13, f"the arrays of keys were not understood: {sorted(found)}"
    return {name: keys for name, keys in found.items() if name not in OF_PROBES}


def table(name: str) -> dict:
    definition = NAMES.get(name, name)
    return SCHEMA if definition is None else SCHEMA["$defs"][definition]


def test_keys_are_the_parser_s():
    keys = parsed_keys()
    wrong = {name: sorted(table(name)["properties"].keys() ^ read)
             for name, read in keys.items() if table(name)["properties"].keys() != read}
    assert not wrong, f"in the parser or in the schema, not in both: {wrong}"
    closed = {name for name, definition in SCHEMA["$defs"].items() if definition.get("additionalProperties") is False}
    assert closed == {NAMES.get(name, name) for name in keys if name != "root"}


def test_words_are_the_parser_s():
    words = {}
    for path in tree.files(".cpp", under=CONFIG):
        for name, body in WORDS.findall(tree.text_of(path)):
            words[name] = set(re.findall(r"::(\w+)", body))
    pairs = {"protocols": ("service", "protocol"), "forwardings": ("service", "forwarding"),
             "affinities": ("service", "affinity"), "down_policies": ("service", "on_down"),
             "admin_states": ("backend", "state"), "idle_modes": ("dataplane", "idle"),
             "hugepage_modes": ("dataplane", "hugepages")}
    for name, (definition, key) in pairs.items():
        assert set(SCHEMA["$defs"][definition]["properties"][key]["enum"]) == words[name], name


def faults(path: str) -> list[str]:
    document = tomllib.loads(tree.text_of(path))
    return [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)]


def test_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", [path for path in tree.files(".toml", under="docs/examples/")])
def test_accepts_the_examples(path: str):
    assert faults(path) == []


# Broken files whose every kind of mistake is about one value alone.
REFUSED = ["01-unknown-key", "03-wrong-types", "07-weight-out-of-range", "10-missing-keys", "11-missing-sections",
           "24-bad-words", "27-bad-names", "34-table-instead-of-list", "41-forwarding-modes", "42-flow-policy",
           "43-limits", "44-access-lists", "45-quic", "46-nat-sources", "48-nat-section", "49-health-policy",
           "50-api", "51-api-nobody-may", "52-api-without-credentials"]


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_check_refuses(name: str):
    assert faults(f"tests/golden/check/{name}.toml")
