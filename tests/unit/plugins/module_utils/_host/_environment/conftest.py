# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project on this machine, as if it lay on a host."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _maker
from ansible_collections.rented.gpu.plugins.modules.python_env import ARGUMENT_SPEC


@pytest.fixture
def maker(tmp_path, monkeypatch):
    """Makes a `Maker` of a project with these requirements; it runs no program."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def run_command(arguments, **options):
        raise AssertionError("no program is needed: %s" % arguments)

    def make(text="", **wanted):
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / "r.txt").write_text(text)
        arguments = {name: option.get("default") for name, option in ARGUMENT_SPEC.items()}
        arguments.update(project=str(tmp_path / "p"), uv_version="0.0.0", requirements=["r.txt"], **wanted)
        made = _maker.Maker(arguments, run_command, check_mode=True)
        assert made.project.read(check_mode=True) is True
        return made

    return make
