# SPDX-License-Identifier: Apache-2.0
"""Keys once a session, a penstock-cp where a test wants one."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import network_lab  # noqa: E402


@pytest.fixture(name="keys", scope="session")
def keys_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    network_lab.make_keys(folder)
    return folder


@pytest.fixture(name="lab")
def lab_fixture(keys, tmp_path):
    """Not running yet; its file of tokens is there and empty."""
    lab = network_lab.Lab(keys, tmp_path)
    lab.tokens.write_text("")
    lab.tokens.chmod(0o640)
    return lab
