# SPDX-License-Identifier: Apache-2.0
"""What tools/test runs, how it counts, and what it prints.

outcome.py   one runner's result file and exit status → passed and failed test cases
process.py   one runner: its log, its time limit, its end
catalog.py   the suites: what each builds and which runners it has
__main__.py  arguments, progress, the last line
"""
