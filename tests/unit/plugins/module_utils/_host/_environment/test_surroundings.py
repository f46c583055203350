# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the surroundings of pip, uv and conda is kept, and that the page about it is complete."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _surroundings as surroundings

PAGE = pathlib.Path(__file__).resolve().parents[6] / "docs" / "surroundings_python.md"


@pytest.mark.parametrize(
    "name",
    ["PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_INDEX_MINE_PASSWORD", "UV_HTTP_TIMEOUT", "CONDA_CHANNELS", "MAMBA_ROOT_PREFIX", "PYTHONUTF8",
     "HTTPS_PROXY", "CUDA_HOME", "MAX_JOBS", "PATH", "HOME", "TORCH_CUDA_ARCH_LIST"],
)  # fmt: skip
def test_kept(name):
    assert surroundings.clear({name: "x"}) == []


@pytest.mark.parametrize(
    "name",
    ["PIP_USER", "PIP_TARGET", "PIP_NO_BUILD_ISOLATION", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT", "UV_TORCH_BACKEND", "CONDA_PREFIX",
     "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS", "VIRTUAL_ENV", "PIP_SOME_LATER_OPTION", "UV_SOME_LATER_OPTION"],
)  # fmt: skip
def test_taken_out(name):
    environ = {name: "x", "HOME": "/root"}
    assert surroundings.clear(environ) == [name]
    assert environ == {"HOME": "/root"}


def test_the_page_names_what_the_code_keeps():
    page = PAGE.read_text(encoding="utf-8")
    families = [name for names in surroundings.KEPT.values() for name in names]
    spoken = {
        "UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL", "UV_ASTRAL_MIRROR_URL",
        "UV_PYTHON_CACHE_DIR", "UV_GITHUB_TOKEN", "UV_CREDENTIALS_DIR", "UV_S3_ENDPOINT_URL", "UV_GCS_ENDPOINT_URL",
        "UV_AZURE_ENDPOINT_URL", "UV_COMPILE_BYTECODE*", "PYTHON_KEYRING_BACKEND", "UV_INDEX*",
    }  # fmt: skip
    assert [name for name in families if "`%s`" % name not in page and name not in spoken] == []
    # And nothing is said to be neutralised that is kept.
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 4 and cells[3].startswith("neutralised") and "environment" in (cells[1] or "environment"):
            assert [name for name in re.findall(r"`((?:PIP|UV|CONDA|MAMBA)_[A-Z_]+)`", cells[2]) if surroundings.kept(name)] == []


def test_pips_files_are_read_for_what_is_kept_and_for_nothing_else(tmp_path):
    user = tmp_path / ".config" / "pip"
    user.mkdir(parents=True)
    (user / "pip.conf").write_text(
        "[global]\nindex-url = https://example.org/simple\nuser = true\nextra-index-url =\n    https://a.example\n    https://b.example\n"
        "[install]\ntarget = /x\nfind-links = /w\n[freeze]\ntimeout = 1\n"
    )
    named = tmp_path / "mine.conf"
    named.write_text("[global]\nindex_url = https://other.example/simple\n")
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "none")}
    files = surroundings.pip_files(str(tmp_path), environ, "/none")
    wanted = {
        "PIP_INDEX_URL": "https://example.org/simple",
        "PIP_EXTRA_INDEX_URL": "https://a.example https://b.example",
        "PIP_FIND_LINKS": "/w",
    }
    found = surroundings.from_pip_files([path for path in files if path.startswith(str(tmp_path))])
    assert found == wanted
    assert surroundings.from_pip_files([str(user / "pip.conf"), str(named)])["PIP_INDEX_URL"] == "https://other.example/simple"
    assert surroundings.pip_files(str(tmp_path), {"PIP_CONFIG_FILE": os.devnull}, "/none") == []
    (user / "pip.conf").write_bytes(b"\xff\xfe not an ini")
    assert surroundings.from_pip_files([str(user / "pip.conf")]) == {}


UV_TOML = """# mine
offline = true
index-url = "https://example.org/simple"
no-build-package = [
  "six",
]
[[index]]
name = "own"
url = "https://own.example/simple"
[pip]
target = "/tmp/x"
[[index]]
url = "https://two.example/simple"
"""


def test_a_uv_toml_without_what_steers(tmp_path):
    cleaned = surroundings.without_steering(UV_TOML)
    assert cleaned == (
        '# mine\nindex-url = "https://example.org/simple"\n[[index]]\nname = "own"\nurl = "https://own.example/simple"\n'
        '[[index]]\nurl = "https://two.example/simple"\n'
    )
    assert surroundings.without_steering(cleaned) == cleaned
    (tmp_path / ".config" / "uv").mkdir(parents=True)
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "none")}
    assert surroundings.for_uv(str(tmp_path), environ) == {}
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(cleaned)
    assert surroundings.for_uv(str(tmp_path), environ) == {}
    (tmp_path / ".config" / "uv" / "uv.toml").write_text(UV_TOML)
    folder = surroundings.for_uv(str(tmp_path), environ)["XDG_CONFIG_HOME"]
    assert pathlib.Path(folder, "uv", "uv.toml").read_text() == cleaned
    assert os.stat(os.path.join(folder, "uv", "uv.toml")).st_mode & 0o777 == 0o600


def test_looking_for_pip_warns_of_nothing():
    """setuptools puts a finder before all others, which warns when pip is looked for and distutils is loaded."""
    code = """
import sys, warnings
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "pip":
            warnings.warn("Setuptools is replacing distutils.")
sys.meta_path.insert(0, Finder())
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _uv_wheel
_uv_wheel.default_index()
_uv_wheel._tools()
"""
    collections = str(pathlib.Path(surroundings.__file__).absolute().parents[7])
    path = os.pathsep.join(filter(None, [collections, os.environ.get("PYTHONPATH")]))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ, PYTHONPATH=path))
    assert "replacing distutils" not in ran.stderr
