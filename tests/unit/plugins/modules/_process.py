# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as a process of its own, in an environment that holds nothing of the user's."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

from ansible_collections.rented.gpu.plugins.module_utils._providers import _arguments

COLLECTIONS = str(pathlib.Path(_arguments.__file__).absolute().parents[6])  # the folder that holds ansible_collections
CODE = """
import importlib, json, sys
from ansible.module_utils.testing import patch_module_args
module = importlib.import_module("ansible_collections.rented.gpu.plugins.modules." + sys.argv[1])
for arguments in json.loads(sys.stdin.read()):
    with patch_module_args(arguments):
        try:
            module.main()
        except SystemExit:
            pass
"""


def run(module, several, env, timeout=60):
    """The process after it has called the module once for each set of arguments; a line of its output is an answer."""
    path = os.pathsep.join(filter(None, [COLLECTIONS, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-c", CODE, module],
        input=json.dumps(several),
        capture_output=True,
        text=True,
        env={"HOME": "/nonexistent", "RENTED_GPU_HOME": os.environ["RENTED_GPU_HOME"], "PYTHONPATH": path, **env},
        timeout=timeout,
        check=False,
    )


def answers(module, several, env=None, secrets=()):
    """The answers to several calls in one process, because a client's import takes a second. None of the secrets is in them."""
    given = [{name: value for name, value in arguments.items() if value is not None} for arguments in several]
    done = run(module, given, {"PATH": os.environ["PATH"], "RENTED_GPU_REHEARSAL": "0", **(env or {})}, timeout=120)
    assert done.stdout.strip(), done.stderr
    assert not [secret for secret in (*secrets, "SECRET-") if secret in done.stdout + done.stderr]
    assert "Traceback" not in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert len(lines) == len(several), done.stdout
    return lines
