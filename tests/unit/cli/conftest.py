# SPDX-License-Identifier: Apache-2.0
"""What the tests of the CLI share."""

import pathlib
import tempfile

import pytest


@pytest.fixture(name="socket_path")
def socket_path_fixture():
    # The path of a socket has at most 107 characters; pytest's own folders may be longer.
    with tempfile.TemporaryDirectory(prefix="penstock-cli-") as folder:
        yield pathlib.Path(folder) / "control.sock"
