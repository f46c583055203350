# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of every role with every wrong value: taken where its meaning is clear, else one sentence, never a Python error."""

from __future__ import annotations

import datetime
import os
import pathlib

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _preflight, _requested, _role_settings, _specs

ROLES = sorted(os.listdir(_specs.ROLES))
OPTIONS = _role_settings.options_of(ROLES)
CANARY = "CANARY"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC%s\n-----END OPENSSH PRIVATE KEY-----\n" % CANARY
ENDLESS: list = []
ENDLESS.append(ENDLESS)
WRONG = [
    None, "", " ", True, False, 0, 1, 5, -1, 3.1, 3.5, -0.5, 1e400, -1e400, float("nan"), 10**400, 10**5000, "x", "yes", "5m", "300",
    "-1", "1e999",
    "9" * 400, "a,b", "[a, b]", "[a", "{a: 1}", "{", "[[", "&a [*a]", "!!python/object:os.system x", "nul\0here", "two\nlines",
    "\udcff", "\x1b[2J",
    "x" * 5000, "x" * 300_000, "../../etc", "~nosuchuser/x", "-oProxyCommand=x", "{{ x }}", "https://[::1/x.git",
    "https://example.org:99999/x",
    "https://ada:CANARY@example.org/x", "https://example.org/x?sig=CANARY", "ssh://[", "git@:", "://", "a:b", "/", ".", "..", KEY,
    KEY.replace("\n", " "),
    [], [[]], [None], ["a"], ["a", 1], [1.5], [True], [KEY], ["nul\0here"], ["x" * 5000], ["\udcff"], [""], [["a"]], [{}],
    [{"a": 1}], [[KEY]], ENDLESS,
    {}, {"a": 1}, {"a": {"b": [1]}}, {1: 2}, {None: None}, {"src": "x"}, {"url": "https://[::1/x"}, {KEY: KEY}, b"bytes", {"a"},
    datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1), object(), (1, 2), 1j,
]  # fmt: skip
ITEM_KEYS = {
    _item_specs.REPOS: _item_specs.REPO_KEYS,
    _item_specs.DATA: _item_specs.DATA_KEYS,
    "known_hosts_extra": OPTIONS["known_hosts_extra"]["options"],
}


def check(variables, render=lambda value: value):
    """The sentences of `rented.gpu.settings` for these variables."""
    values, wrong = _role_settings.read(OPTIONS, variables, render)
    if not wrong:
        for one in _preflight.CHECKS:
            try:
                one(values)
            except (RentedError, Failure) as error:
                wrong.append(str(error))
    if not wrong:
        _requested.asked(values)
    return wrong


def is_told(wrong, name, also=""):
    for sentence in wrong:
        assert sentence.startswith((name, also or name)), sentence
        assert CANARY not in sentence
        assert "\n" not in sentence and "\0" not in sentence and len(sentence) < 1200
        for word in ("Traceback", "Error:", "object has no attribute", "embedded null", "codec", "<class", "_Ansible", "unhashable"):
            assert word not in sentence, sentence


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_wrong_value_is_taken_or_told_in_a_sentence_that_names_the_setting(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    around = {"git_keys_mode": "private_key"} if name == _role_settings.KEY else {}
    for value in WRONG:
        is_told(check({**around, name: value}), name, "git_keys_mode is private_key, but git_keys_private_key" if around else "")


@pytest.mark.parametrize(("variable", "key"), [(variable, key) for variable, keys in ITEM_KEYS.items() for key in keys])
def test_a_wrong_value_inside_of_an_item_is_told_with_its_item(variable, key, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    good = {
        _item_specs.REPOS: {"src": "https://example.org/x.git"},
        _item_specs.DATA: {"url": "https://example.org/x", "dest": "x"} if key in ("url", "checksum", "unpack") else {"src": "data"},
        "known_hosts_extra": {"host": "example.org", "key": "ssh-ed25519 AAAA"},
    }[variable]
    for value in WRONG:
        is_told(check({variable: [{**good, key: value}]}), variable)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_null_is_the_default(name):
    values, wrong = _role_settings.read({name: OPTIONS[name]}, {name: None}, lambda value: value)
    assert wrong == []
    assert values[name] == OPTIONS[name].get("default")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("repos_list", "~/code/homework", ["~/code/homework"]),
        ("repos_list", {"src": "a", "dest": "b"}, [{"src": "a", "dest": "b"}]),
        ("repos_list", "[a, {src: b}]", ["a", {"src": "b"}]),
        ("python_env_requirements", "requirements.txt", ["requirements.txt"]),
        ("python_env_extras", "[gpu]", ["gpu"]),
        ("python_env_packages", "torch>=2,<3", ["torch>=2,<3"]),
        ("python_env_packages", "pkg[a,b]==1, numpy,pandas", ["pkg[a,b]==1", "numpy", "pandas"]),
        ("python_env_python", 3.11, "3.11"),
        ("python_env_python", "3.10", "3.10"),
        ("tmux_session", 7, "7"),
        ("tmux_config", "no", False),
        ("ready_timeout", "300", 300),
        ("ready_timeout", 300.0, 300),
        ("cuda_check_compute_capability", 8.0, "8.0"),
        ("git_keys_mode", "", "push"),
        ("ready_packages", "git, tmux", ["git", "tmux"]),
    ],
)
def test_a_value_whose_meaning_is_clear_is_taken(name, value, taken):
    assert _role_settings.read({name: OPTIONS[name]}, {name: value}, lambda value: value) == ({name: taken}, [])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("git_keys_name", ["a"], "git_keys_name has to be a text, not a list: ['a']."),
        ("git_keys_name", True, "git_keys_name has to be a text; YAML reads yes, no"),
        ("tmux_session", {"a": 1}, "tmux_session has to be a text, not a dictionary: {'a': 1}."),
        ("rented_workdir", {"a": 1}, "rented_workdir has to be a text, not a dictionary"),
        ("repos_list", 5, "repos_list has to be a list, not a number: 5."),
        ("repos_list", "nul\0here", "repos_list holds a NUL character"),
        ("repos_list", ["https://[::1/x.git"], "repos_list, item 1: src is not a valid URL (Invalid IPv6 URL): 'https://[::1/x.git'."),
        ("data_sync_items", [{"url": "https://[::1/x", "dest": "x"}], "data_sync_items, item 1: url is not a valid URL (Invalid IPv6 URL)"),
        ("repos_list", [{"src": "x", "dest": {"a": 1}}], "repos_list, item 1: dest has to be a text, not a dictionary"),
        ("repos_list", [{"src": "x", "version": 1.1}], "repos_list, item 1: version is the number 1.1 for YAML"),
        ("python_env_python", 3.1, "python_env_python is the number 3.1 for YAML, which reads 3.10 as 3.1: write the version in quotes"),
        ("python_env_python", [3.11], "python_env_python has to be a text, not a list"),
        ("cuda_check_required", {"all": True}, "cuda_check_required has to be a list of texts, not a dictionary"),
        ("ready_timeout", "5m", "ready_timeout has to be a whole number, not a text: 5m."),
        ("ready_timeout", -1, "ready_timeout has to be 0 or more, not -1."),
        ("git_keys_mode", "puhs", "git_keys_mode cannot be 'puhs'. Did you mean 'push'?"),
        ("known_hosts_extra", [{"host": "x"}], "known_hosts_extra item 1 lacks key."),
    ],
)
def test_the_sentence_says_what_the_setting_takes(name, value, said):
    (sentence,) = check({name: value})
    assert sentence.startswith(said)


def test_what_cannot_be_rendered_is_told():
    def render(value):
        raise ValueError("'nothing' is undefined\nand a template with %s in it" % CANARY)

    (sentence,) = check({"repos_list": "{{ nothing }}"}, render)
    assert sentence.startswith("repos_list cannot be read: ") and CANARY not in sentence


def test_the_defaults_of_null_are_those_of_the_roles():
    known = yaml.safe_load(pathlib.Path(_specs.ROLES, "ready", "vars", "main.yml").read_text())
    assert known["__ready_packages"] == OPTIONS["ready_packages"]["default"]
    spec = {"uv_version": {"type": "str", "required": True}, "items": {"type": "list"}, "other": {"type": "int"}}
    assert _role_settings.arguments(spec, {"uv_version": None, "items": None, "other": "3", "more": 1}, "python_env") == {
        "uv_version": OPTIONS["python_env_uv_version"]["default"], "items": None, "other": 3, "more": 1,
    }  # fmt: skip


def test_what_a_run_asks_for():
    assert _requested.asked({}) == _requested.asked({name: option.get("default") for name, option in OPTIONS.items()}) == []
    assert _requested.asked(
        {
            "repos_list": ["~/code/homework", {"src": "git@example.org:ada/x.git"}, {"src": "y", "dest": "z"}],
            "python_env_requirements": ["requirements.txt"],
            "python_env_extras": ["gpu"],
            "python_env_packages": ["a", "b"],
            "data_sync_items": [{"src": "~/data/cifar", "dest": "data/cifar"}, {"url": "https://ada:pw@example.org/x?sig=y", "dest": "w"}],
        }
    ) == [
        "repository homework", "repository x", "repository z", "packages of requirements.txt", "extra gpu", "2 packages by name",
        "data in data/cifar", "data in w",
    ]  # fmt: skip
