# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which uv a project requires, and which one is taken."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _uv_versions


@pytest.mark.parametrize(
    "specifier, allowed, refused",
    [
        ("==0.7.3", ["0.7.3"], ["0.7.30", "0.7.2"]),
        ("0.7.3", ["0.7.3"], ["0.7.4"]),
        (">=0.9,<0.10", ["0.9.0", "0.9.30"], ["0.10.0", "0.8.9"]),
        ("~=0.9.5", ["0.9.5", "0.9.30"], ["0.9.4", "0.10.0"]),
        ("~=0.9", ["0.9.0", "0.13.8"], ["1.0.0", "0.8.9"]),
        ("==0.9.*", ["0.9.1"], ["0.10.1"]),
        ("!=0.9.*", ["0.10.1"], ["0.9.1"]),
        (">0.9.0, !=0.9.2", ["0.9.1"], ["0.9.0", "0.9.2"]),
    ],
)
def test_specifiers(specifier, allowed, refused):
    assert [version for version in allowed + refused if _uv_versions.allows(specifier, version)] == allowed


@pytest.mark.parametrize("specifier", ["", "latest", ">=0.9;<1", "= 0.9", ">=x"])
def test_what_is_no_specifier(specifier):
    with pytest.raises(ValueError):
        _uv_versions.allows(specifier, "0.9.0")
    with pytest.raises(_uv_versions.Unusable, match=r"required-version in p\.toml cannot be read"):
        _uv_versions.wish("0.13.8", False, specifier or ",", "p.toml")


def test_the_nearest_file_counts(tmp_path):
    project = tmp_path / "a" / "b"
    project.mkdir(parents=True)
    assert _uv_versions.required(str(project), str(tmp_path)) == (None, None)
    config = tmp_path / ".config" / "uv"
    config.mkdir(parents=True)
    (config / "uv.toml").write_text('required-version = ">=0.1"\n')
    assert _uv_versions.required(str(project), str(tmp_path))[0] == ">=0.1"
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.uv]\nrequired-version = ">=0.2"\n')
    assert _uv_versions.required(str(project), str(tmp_path)) == (">=0.2", str(tmp_path / "a" / "pyproject.toml"))
    (project / "pyproject.toml").write_text('[tool.other]\nrequired-version = "9"\n[tool.uv]  # ours\nrequired-version = "==0.3"\n')
    assert _uv_versions.required(str(project), str(tmp_path))[0] == "==0.3"
    (project / "uv.toml").write_text('required-version = "==0.4"\n[pip]\nrequired-version = "9"\n')
    assert _uv_versions.required(str(project), str(tmp_path)) == ("==0.4", str(project / "uv.toml"))


@pytest.mark.parametrize(
    "asked, named, specifier, wished",
    [
        ("0.13.8", False, None, ""),
        ("0.9.30", True, None, "==0.9.30"),
        ("0.13.8", False, ">=0.9,<0.10", ">=0.9,<0.10"),
        ("0.9.30", True, ">=0.9,<0.10", "==0.9.30"),
    ],
)
def test_what_is_wished(asked, named, specifier, wished):
    assert _uv_versions.wish(asked, named, specifier, "p.toml") == wished


@pytest.mark.parametrize(
    "asked, specifier, sentence",
    [
        ("0.13.8", "<0.10", "python_env_uv_version is 0.13.8, but p.toml requires uv <0.10"),
        ("0.5.1", None, "needs uv 0.7.0 or later"),
        ("latest", None, "takes a release such as"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(asked, specifier, sentence):
    with pytest.raises(_uv_versions.Unusable, match=sentence):
        _uv_versions.wish(asked, True, specifier, "p.toml")


def test_the_release_to_fetch():
    releases = ["0.1.0", "0.9.1", "0.9.30", "0.9.4", "0.10.0rc1", "0.13.8", ""]
    assert _uv_versions.choose(releases, ">=0.9,<0.10", "0.13.8") == "0.9.30"
    assert _uv_versions.choose(releases, ">=0.9", "0.9.4") == "0.9.4"
    assert _uv_versions.choose(releases, "==0.1.0", "0.13.8") is None


def test_uvs_own_advice_is_never_passed_on():
    said = (
        "error: Required uv version `==0.7.3` does not match the running version `0.13.8`. Update `uv` by running `uv self update 0.7.3`."
    )
    assert "self update" not in _uv_versions.mismatch(said)
    assert "requires uv ==0.7.3" in _uv_versions.mismatch(said)
    assert _uv_versions.mismatch("error: no") is None
