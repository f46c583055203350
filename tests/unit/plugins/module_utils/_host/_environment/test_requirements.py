# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _requirements


def read(tmp_path, text, **others):
    for name, content in others.items():
        (tmp_path / (name + ".txt")).write_text(content)
    (tmp_path / "r.txt").write_text(text)
    inputs = _requirements.Inputs()
    inputs.read(str(tmp_path / "r.txt"))
    return inputs


def test_included_files_count_and_circles_end(tmp_path):
    inputs = read(tmp_path, "-r a.txt\n--constraint=b.txt  # why\n-c https://example.org/c.txt\n", a="-r r.txt\nsix\n", b="idna\n")
    assert sorted(path.rsplit("/", 1)[1] for path in inputs.files) == ["a.txt", "b.txt", "r.txt"]


def test_a_missing_include_names_both_files(tmp_path):
    with pytest.raises(_requirements.Wrong, match=r"r\.txt includes .*gone\.txt"):
        read(tmp_path, "-r gone.txt\n")


def test_utf16_of_powershell(tmp_path):
    (tmp_path / "r.txt").write_bytes("six\n".encode("utf-16"))
    with pytest.raises(_requirements.Wrong, match="UTF-16"):
        _requirements.Inputs().read(str(tmp_path / "r.txt"))


@pytest.mark.parametrize(
    "text, torch, pinned, version",
    [
        ("six\n", [], False, None),
        ("torchmetrics\ntorch-geometric\n", [], False, None),
        ("torch\n", [""], False, None),
        ("torch==2.6.0\n", ["==2.6.0"], False, "2.6.0"),
        ("Torch >= 2.1 ; python_version > '3.8'\n", [">= 2.1"], False, None),
        ("torch==2.6.0+cu124\n", ["==2.6.0+cu124"], True, "2.6.0"),
        ("torch @ https://example.org/torch.whl\n", ["@ https://example.org/torch.whl"], True, None),
        ("torch==2.6.0 \\\n    --hash=sha256:00\n", ["==2.6.0"], False, "2.6.0"),
        ("# torch\n", [], False, None),
    ],
)
def test_what_is_asked_of_torch(tmp_path, text, torch, pinned, version):
    inputs = read(tmp_path, text)
    assert (inputs.torch, inputs.torch_pinned, inputs.torch_version) == (torch, pinned, version)


def test_hashes_and_own_indexes_are_seen(tmp_path):
    assert read(tmp_path, "six==1 --hash=sha256:00\n").hashed
    assert read(tmp_path, "--extra-index-url https://example.org/whl\ntorch\n").own_index
    assert not read(tmp_path, "six\n").hashed


def test_torch_in_a_pyproject(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\ndependencies = ["torch>=2.1", "torchmetrics"]\n')
    inputs = _requirements.Inputs()
    inputs.read(str(path))
    assert inputs.torch == [">=2.1"]


@pytest.mark.parametrize(
    "asked, version", [("3.11", "3.11"), ("python3.8.5", "3.8.5"), (" Python 3.12", "3.12"), ("==3.12.4", "3.12.4"), ("3", "3")]
)
def test_versions_as_people_write_them(asked, version):
    assert _requirements.python_version(asked) == version


@pytest.mark.parametrize("asked", ["three", "2.7", "3.11.2.1", ">=3.9", "3.x", "/usr/bin/python3"])
def test_what_is_no_version(asked):
    with pytest.raises(_requirements.Wrong, match="python_env_python"):
        _requirements.python_version(asked)


def test_satisfies_compares_numbers_not_letters():
    assert _requirements.satisfies("3.11.2", "3.11")
    assert not _requirements.satisfies("3.11.2", "3.1")
    assert not _requirements.satisfies(None, "3.11")
    assert _requirements.satisfies("3.11.2", "")
