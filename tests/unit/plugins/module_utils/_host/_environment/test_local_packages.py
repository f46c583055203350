# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines of requirements files, a pyproject.toml and a uv.lock point to."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host._environment import _installed, _local_packages, _requirements


@pytest.mark.parametrize(
    "line, expected",
    [
        (".", (".", False, None)),
        (".[dev,gpu]", (".", False, None)),
        ("./lib", ("./lib", False, None)),
        ("lib/", ("lib/", False, None)),
        ("../lib ; python_version > '3.8'", ("../lib", False, None)),
        ("-e .", (".", True, None)),
        ("-e .[gpu]", (".", True, None)),
        ("--editable=./lib", ("./lib", True, None)),
        ('-e "./my lib"', ("./my lib", True, None)),
        ("-e lib", ("lib", True, None)),
        ("lib @ file:./lib", ("./lib", False, "lib")),
        ("lib[x]@./lib", ("./lib", False, "lib")),
        ("lib @ file:///srv/my%20lib#subdirectory=x", ("/srv/my lib", False, "lib")),
        ("lib @ file://localhost/srv/lib", ("/srv/lib", False, "lib")),
        ("file:///srv/lib", ("/srv/lib", False, None)),
        ("lib @ git+file:///srv/lib@main", ("/srv/lib", False, "lib")),
        ("lib @ file://${PROJECT_ROOT}/lib", ("./lib", False, "lib")),
        ("./lib-1.0-py3-none-any.whl --hash=sha256:00", ("./lib-1.0-py3-none-any.whl", False, None)),
        ("lib-1.0.tar.gz", ("lib-1.0.tar.gz", False, None)),
        ("six", None),
        ("six==1.0 ; sys_platform == 'linux'", None),
        ("lib @ https://example.org/lib.whl", None),
        ("https://example.org/lib.whl", None),
        ("git+https://example.org/lib.git", None),
        ("-e git+ssh://git@example.org/lib.git@main#egg=lib", None),
        ("lib @ git+ssh://git@example.org/lib.git", None),
        ("--no-binary :all:", None),
        ("-r other.txt", None),
    ],
)
def test_what_a_line_points_to(line, expected):
    assert _local_packages.reference(line) == expected


@pytest.mark.parametrize(
    "line, folder",
    [
        ("-f ./wheels", "./wheels"),
        ("--find-links=wheels", "wheels"),
        ("--find-links file:///srv/wheels", "/srv/wheels"),
        ("--extra-index-url file:///srv/simple", "/srv/simple"),
        ("-f https://example.org/wheels", None),
        ("--index-url https://example.org/simple", None),
        ("six", None),
    ],
)
def test_the_folder_of_find_links(line, folder):
    assert _local_packages.links(line) == folder


PYPROJECT = """
[project]
name = "app"
dependencies = ["one", "two", "three", "seven @ file:///srv/seven"]
[tool.uv.sources]
one = { path = "../one" }
two = { path = "./two", editable = true }
five = { git = "https://example.org/five.git" }
six = { workspace = true }
[tool.uv.sources.three]
path = "three"
editable = true
[tool.uv.workspace]
members = [
  "packages/*",
  "tool",
]
[tool.poetry.dependencies]
four = {path = "../four", develop = true}
[tool.other]
path = "not/this"
"""
LOCK = """
[[package]]
name = "app"
source = { editable = "." }
[[package]]
name = "one"
source = { directory = "../one" }
[[package]]
name = "six"
source = { registry = "https://index.example/simple" }
[[package]]
name = "wheel"
source = { path = "w/wheel-1-py3-none-any.whl" }
"""


def test_a_pyproject_and_a_lock():
    assert sorted(_local_packages.of_pyproject(PYPROJECT), key=str) == sorted(
        [
            ("../one", False, "one"), ("./two", True, "two"), ("three", True, "three"), ("../four", True, "four"),
            ("/srv/seven", False, "seven"), ("packages/*", True, None), ("tool", True, None),
        ], key=str,
    )  # fmt: skip
    assert _local_packages.of_lock(LOCK) == [(".", True, None), ("../one", False, None), ("w/wheel-1-py3-none-any.whl", False, None)]


def test_folders_of_wheels_in_the_settings_of_uv():
    text = '[tool.uv]\nfind-links = [\n  "./w",\n  "https://example.org",\n]\n[[tool.uv.index]]\nurl = "file:///srv/simple"\n'
    text += '[tool.x]\nurl = "y"\n'
    assert _local_packages.links_of(text, False) == ["./w", "/srv/simple"]
    assert _local_packages.links_of('find-links = ["w"]\nindex-url = "https://example.org/simple"\n', True) == ["w"]


def test_all_that_a_project_points_to_is_watched_also_at_second_hand(tmp_path):
    for folder in ("app", "one", "two", "packages/a", "packages/b", "packages/none"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "one" / "pyproject.toml").write_text('[project]\nname = "One.Lib"\n[tool.uv.sources]\ntwo = { path = "../two" }\n')
    for name in "ab":
        (tmp_path / "packages" / name / "pyproject.toml").write_text("[project]\nname = '%s'\n" % name)
    (tmp_path / "app" / "pyproject.toml").write_text(
        '[project]\nname = "app"\ndependencies = [\n  "tqdm[x]>=4",  # bars\n  "idna; python_version < \'3\'",\n  "app[all]",\n]\n'
        '[project.optional-dependencies]\ngpu = ["triton==3"]\ncpu = ["mkl"]\n'
        '[tool.uv.sources]\none = { path = "../one" }\n[tool.uv.workspace]\nmembers = ["../packages/*"]\n'
    )
    inputs = _requirements.Inputs(str(tmp_path / "app"))
    inputs.add_project(str(tmp_path / "app"), ["gpu"])
    found = {path[len(str(tmp_path)) + 1 :]: package.editable for path, package in inputs.packages.items()}
    assert found == {"app": True, "one": False, "two": False, "packages/a": True, "packages/b": True}
    assert inputs.names == {"tqdm", "triton"}


def test_what_differs_from_what_was_built_is_built_anew(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "pyproject.toml").write_text('[project]\nname = "lib"\n')
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "setup.py").write_text("")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "my_wheel-1-py3-none-any.whl").write_text("a")
    (tmp_path / "r.txt").write_text("./lib\n./old\n-f ./w\nmy-wheel\n")

    def look(built):
        inputs = _requirements.Inputs(str(tmp_path))
        inputs.read(str(tmp_path / "r.txt"))
        return _installed.Rebuild(inputs, built, str(tmp_path / "env"))

    first = look({})
    assert first.flags() == ["--reinstall-package", "lib", "--reinstall-package", "my-wheel", "--refresh"]
    assert look(first.state).flags() == []
    (tmp_path / "lib" / "new.py").write_text("")
    assert look(first.state).flags() == ["--reinstall-package", "lib"]
    (tmp_path / "w" / "my_wheel-2-py3-none-any.whl").write_text("b")
    assert look(first.state).linked == {"my-wheel"}
    # The environment itself says what the package is called, whose name only its build tells.
    (tmp_path / "old" / "setup.py").write_text("# two")
    info = tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "Older-1.dist-info"
    info.mkdir(parents=True)
    (info / "direct_url.json").write_text('{"url": "file://%s", "dir_info": {}}' % (tmp_path / "old"))
    assert look(first.state).flags() == [part for name in ("Older", "lib", "my-wheel") for part in ("--reinstall-package", name)]


@pytest.mark.parametrize("built", [{"x": 5}, {"links /x": []}, {"/x": None}])
def test_a_note_of_another_shape_means_that_nothing_is_known(tmp_path, built):
    assert _installed.Rebuild(_requirements.Inputs(str(tmp_path)), built, str(tmp_path)).flags() == []


def test_a_package_that_is_not_on_the_host_is_named_with_its_line(tmp_path):
    (tmp_path / "r.txt").write_text("six\n\n-e ./gone  # mine\n")
    with pytest.raises(_requirements.Wrong, match=r"r\.txt, line 3: '\./gone' is not on the host"):
        _requirements.Inputs(str(tmp_path)).read(str(tmp_path / "r.txt"))
    (tmp_path / "r.txt").write_text("./gone ; sys_platform == 'win32'\n")
    _requirements.Inputs(str(tmp_path)).read(str(tmp_path / "r.txt"))


def test_the_pip_part_of_an_environment_yml(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "more.txt").write_text("./lib\n")
    (tmp_path / "environment.yml").write_text("dependencies:\n  - python=3.11\n  - pip:\n    - -r more.txt\n    - -e .\n  - six\n")
    inputs = _requirements.Inputs(str(tmp_path))
    inputs.read(str(tmp_path / "environment.yml"))
    assert sorted(inputs.packages) == [str(tmp_path), str(tmp_path / "lib")]
    assert str(tmp_path / "more.txt") in inputs.files
