# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks: what has to be free, and where packages are cached."""

from __future__ import annotations

import os

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _report, _site


def test_the_disk_that_torch_needs(maker, monkeypatch):
    monkeypatch.setattr(_site.Site, "free_mb", lambda site: 5000)
    maker("six\n").site.check_disk(None)
    maker("torch\n").site.check_disk("cpu")
    with pytest.raises(_report.Trouble, match="5000 MB free and this environment needs about 9000 MB"):
        maker("torch\n").site.check_disk("cu130")
    maker("torch\n", disk_mb=10).site.check_disk("cu130")


def test_the_cache_lies_on_the_disk_of_the_environment(maker, monkeypatch, tmp_path):
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    shm = "/dev/shm"
    if not os.path.isdir(shm) or os.stat(shm).st_dev == os.stat(str(tmp_path)).st_dev:
        pytest.skip("there is no second file system")
    assert maker("", workdir=str(tmp_path)).site.choose_cache() is None
    assert maker("", path=shm + "/project/.venv", workdir=shm).site.choose_cache() == shm + "/.cache"
    assert maker("", path=shm + "/project/.venv", workdir=str(tmp_path)).site.choose_cache() == shm + "/project/.cache"


def test_a_path_has_to_be_absolute(maker):
    with pytest.raises(_report.Trouble, match="has to be an absolute path"):
        maker("", path="project/.venv")


def test_commands_know_the_cache_and_keep_the_lock(maker):
    made, seen = maker("six\n"), {}
    made.site.run_command = lambda arguments, **options: seen.update(options) or (0, "", "")
    made.site.cache, made.site.lock = "/big/.cache", 7
    made.site.command(["true"], UV_CACHE_DIR="/mine")
    assert seen["pass_fds"] == (7,) and seen["cwd"] == made.project.folder
    assert seen["environ_update"] == {"UV_CACHE_DIR": "/mine", "PIP_CACHE_DIR": "/big/.cache/pip"}
