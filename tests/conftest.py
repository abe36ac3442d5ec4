# SPDX-License-Identifier: Apache-2.0
"""tools/lab and tools/suites for every Python test, also when pytest is called by hand."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
