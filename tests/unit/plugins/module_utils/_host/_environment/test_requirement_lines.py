# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requirements files of other computers and other tools: the file, the line and the cure."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _requirement_lines as lines

PIP_LIST = "Package    Version\n---------- -------\nsix        1.17.0\n"
CONDA_LIST = "# packages in environment at /opt/conda:\n#\n# Name  Version  Build  Channel\nsix  1.17.0  pyhd8ed1ab_0  conda-forge\n"
CONDA_EXPORT = "# platform: linux-64\n_libgcc_mutex=0.1=conda_forge\nsix=1.17.0=pyhd8ed1ab_0\n"
CONDA_YAML = "name: base\ndependencies:\n  - python=3.11\n"


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("six\ncertifi @ file:///croot/certifi_1707229174982/work/certifi\n", "r.txt, line 2: 'certifi @ file:///croot/"),
        ("mkl-fft @ file:///tmp/build/80754af9/mkl_fft_1/work\n", "write mkl-fft==VERSION"),
        ("six @ file:///home/conda/feedstock_root/build_artifacts/six_1/work\n", "line 1"),
        ("six @ file:///opt/conda/conda-bld/six_1/work\nidna @ file:///croot/x\n", "(and 1 more line)"),
        ("six @ file:///C:/ci_311/six_1/work\n", "line 1"),
        ("six @ file:///Users/ada/six\n", "line 1"),
        ("six @ file:///private/var/folders/x/six\n", "line 1"),
        ("# froze\n\npkg-resources==0.0.0\n", "r.txt, line 3: 'pkg-resources==0.0.0' is not a package"),
        ("pkg_resources==0.0.0\n", "Delete it"),
        (PIP_LIST, "the output of 'pip list'"),
        (PIP_LIST.replace("\n", "\r\n"), "the output of 'pip list'"),
        (CONDA_LIST, "the output of 'conda list'"),
        (CONDA_EXPORT, "the output of 'conda list --export'"),
        (CONDA_YAML, "'conda env export'"),
        ('[{"name": "six", "version": "1"}]', "the output of 'pip list --format=json'"),
        ("six\n<<<<<<< HEAD\nidna\n", "line 2: it holds the marks of a git merge conflict"),
    ],
)
def test_files_of_another_tool_or_computer(text, sentence):
    with pytest.raises(lines.Wrong) as wrong:
        lines.check("r.txt", text)
    assert sentence in str(wrong.value)
    assert str(wrong.value).endswith((".", "requirements.txt")) and len(str(wrong.value)) < 450


@pytest.mark.parametrize(
    "text",
    [
        "",
        "six==1.17.0\n-e .\nlib @ file:./lib\nlib @ file:///srv/lib\n",
        "# six @ file:///croot/x\nsix\n",
        "torch==2.6.0 \\\n    --hash=sha256:00\n",
        "--index-url https://example.org/simple\ngit+https://example.org/x.git@main\n",
        "package-of-mine\nVersion\n",
    ],
)
def test_files_that_work_are_let_through(text):
    lines.check("r.txt", text)


def test_the_number_is_that_of_the_line_in_the_file():
    text = "# one\n\na==1 \\\n  --hash=sha256:0 \\\n  --hash=sha256:1\n\nb # two\n"
    assert [(number, line.split()[0]) for number, line in lines.lines(text)] == [(3, "a==1"), (7, "b")]
    assert [number for number, _line in lines.lines(text.replace("\n", "\r\n"))] == [3, 7]


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(coding):
    with pytest.raises(lines.Wrong, match="UTF-16"):
        lines.decoded("six==1\nidna\n".encode(coding), "r.txt")


def test_utf8_with_a_mark_is_read_and_a_binary_file_is_not():
    assert lines.decoded("\ufeffsix\n".encode(), "r.txt") == "six\n"
    assert lines.decoded("caf\xe9\n".encode("latin-1"), "r.txt").startswith("caf")
    with pytest.raises(lines.Wrong, match="NUL"):
        lines.decoded(b"\x7fELF\x01\x01\x01\x00\x00\x00", "r.txt")


def test_a_password_is_not_shown():
    with pytest.raises(lines.Wrong) as wrong:
        lines.check("r.txt", "six @ https://ada:secret@example.org/feedstock_root/six.whl\n")
    assert "secret" not in str(wrong.value)
