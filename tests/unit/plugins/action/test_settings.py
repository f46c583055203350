# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mistakes of people at the command line, typed as they type them: real runs of ansible-playbook, no host behind them."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _role_settings, _specs

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]
ROLES = sorted(os.listdir(_specs.ROLES))
OTHERS = re.compile(r"ANSIBLE_|RENTED|XDG_|SSH_|AWS_|GOOGLE|.*API_KEY")
PLUGIN = "plugin: rented.gpu.instances\n"


@pytest.fixture
def run(tmp_path):
    """``run(words)``: status and output of ansible-playbook, in an empty home with a few files."""
    (tmp_path / "own.ini").write_text("[rented]\nbox ansible_host=127.0.0.1 ansible_port=1\n[label_homework]\nbox\n")
    (tmp_path / "rented.yml").write_text(PLUGIN)
    (tmp_path / "mine.yml").write_text(PLUGIN)
    (tmp_path / "homework.yml").write_text("repos_list: [nothing]\n")

    def ansible(*words, **environment):
        keep = {name: value for name, value in os.environ.items() if not OTHERS.match(name)}
        keep.update(HOME=str(tmp_path), ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", COLUMNS="9999", **environment)
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.playbook", *words],
            cwd=tmp_path, env=keep, check=False, timeout=240, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    return ansible


def bootstrap(run, *words):
    return run("rented.gpu.bootstrap", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-i", "own.ini", "-e", "homework.yml"], "-e homework.yml sets nothing: did you mean -e @homework.yml?"),
        (["-i", "own.ini", "-e", "git_keys_name=Ada Lovelace"], "In -e, 'Lovelace' sets nothing, and the value before it ends"),
        (["-i", "own.ini", "-e", "repo_list=x"], "'repo_list' is not a setting. Did you mean 'repos_list'?"),
        (
            ["-i", "own.ini", "-e", "rented_hosts=label_homwork"],
            "-e rented_hosts=label_homwork matches no host of the inventory. Did you mean 'label_homework'?",
        ),
        (["-i", "rented.yml"], "rented.yml: No account of any provider was found. Looked at Vast.ai: $VAST_API_KEY; "),
        (
            ["-i", "mine.yml"],
            "mine.yml: it is an inventory of rented.gpu.instances, whose name has to end in rented.yml or rented.yaml: rename it.",
        ),
    ],
    ids=["no-at", "no-quotes", "name", "hosts", "no-key", "file-name"],
)  # fmt: skip
def test_a_mistake_fails_and_its_cause_is_the_last_thing_said_and_once(run, words, said):
    status, output = bootstrap(run, *words)
    assert status == 2
    end = output[output.index("PLAY [") :]
    assert end.replace("\\", "").count(said) == 1, output
    assert end.index("fatal: [") < end.replace("\\", "").index(said)
    assert "Traceback" not in output and "rented_run" not in output and "^ column" not in end


@pytest.mark.parametrize(
    "words", [["-i", "rented.yml", "--limit", "vast-1"], ["-i", "own.ini", "--limit", "box", "-e", "rented_hosts=label_homwork"]]
)
def test_a_limit_does_not_turn_it_into_a_success(run, words):
    status, output = bootstrap(run, *words)
    assert status not in (0, 2) and "No host matches. Leave out --limit to see why." in output


def test_what_stands_in_files_is_told_with_its_place(run, tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("course: hpc\npython_requirements: [requirements.txt]\ntorch: cu126\n")
    (tmp_path / "own.ini").write_text("[rented]\nbox ansible_host=127.0.0.1 tmux_sesion=x\n")
    (tmp_path / "password").write_text("not in any text")  # ansible-core 2.22 hides it wherever it is printed
    (tmp_path / "settings.yml").write_text(
        "git_keys_name: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6161\n"
        "rented_work_dir: /data\nrepo: /nothing\nrepos_list: ['{{ repo }}']\npassword: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6161\n"
    )
    status, output = bootstrap(run, "-i", "own.ini", "-e", "@settings.yml", "--vault-password-file", "password")
    assert status == 2
    for said in (
        "'python_requirements' (group_vars/all.yml, line 2) is not a setting. Did you mean 'python_env_requirements'?",
        "'rented_work_dir' (settings.yml, line 4) is not a setting. Did you mean 'rented_workdir'?",
        "'tmux_sesion' (own.ini, line 2) is not a setting. Did you mean 'tmux_session'?",
        "git_keys_name cannot be read: ",
        "[WARNING]: 'torch' (group_vars/all.yml, line 3) is not a setting of these playbooks. If you meant 'python_env_torch', rename it.",
    ):
        assert said in output
    assert "'repo'" not in output and "'course'" not in output and "'password'" not in output


CANARIES = {
    "key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaCCANARYkey\n-----END OPENSSH PRIVATE KEY-----",
    "password": "https://ada:CANARYpassword@example.org/x.git",
    "signature": "https://[::1/x?X-Amz-Signature=CANARYsignature",
    "token": "ghp_CANARYtokenCANARYtokenCANARY",
}


def test_no_secret_in_a_wrong_place_is_printed_or_logged(run, tmp_path):
    """Every setting with every secret, as text, list and dictionary, with all that Ansible can say about it."""
    settings = sorted(_role_settings.options_of(ROLES))
    tasks = []
    for kind, canary in CANARIES.items():
        (tmp_path / "secret").write_text(canary)
        for shape in ("%s", "[%s]", "[{src: %s}]", "{a: %s}"):
            given = {name: yaml.safe_load(shape % "X") for name in settings}
            given = json.loads(json.dumps(given).replace('"X"', json.dumps("{{ lookup('file', '%s') }}" % (tmp_path / kind))))
            tasks.append(
                {
                    "rented.gpu.settings": {"roles": ROLES},
                    "vars": {**given, "git_keys_mode": "private_key"},
                    "ignore_errors": True,
                    "name": "Try",
                }
            )
        (tmp_path / kind).write_text(canary)
    for name in settings:
        value = "{{ lookup('file', '%s') }}" % (tmp_path / "key")
        around = {"git_keys_mode": "private_key"} if name != "git_keys_mode" else {}
        tasks.append({"rented.gpu.settings": {"roles": ROLES}, "vars": {**around, name: value}, "ignore_errors": True, "name": "Try"})
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    status, output = run("-vvvv", "play.yml", "-i", "own.ini", ANSIBLE_LOG_PATH=str(tmp_path / "log"))
    assert status == 0 and output.count("...ignoring") > len(settings)
    assert "git_keys_private_key" in output
    for text in (output, (tmp_path / "log").read_text()):
        assert "CANARY" not in text
        assert "Traceback" not in text
    left = [path for path in (tmp_path / ".local").rglob("*") if path.is_file() and "CANARY" in path.read_text(errors="replace")]
    assert left == []


def test_a_run_that_asks_for_nothing_says_so(run, tmp_path):
    asked = {"repos_list": ["https://example.org/x.git"]}
    task = {"rented.gpu.settings": {"roles": ROLES}}
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump(
            [
                {"hosts": "all", "gather_facts": False, "tasks": [task]},
                {"hosts": "all", "gather_facts": False, "vars": asked, "tasks": [task]},
            ]
        )
    )
    (tmp_path / "own.ini").write_text("[rented]\nbox-1\nbox-2\n")
    status, output = run("play.yml", "-i", "own.ini", "-v")
    assert status == 0
    said = "These settings ask for no repository, no packages and no data: only the login, the keys and the GPU are checked."
    assert output.count(said) == 1 and '"asked": ["repository x"]' in output


def test_the_settings_of_every_host_are_checked_before_the_first_login(run, tmp_path):
    (tmp_path / "two.ini").write_text(
        "[rented]\nbox ansible_host=127.0.0.1 ansible_port=1\nalso ansible_host=127.0.0.1 ansible_port=1 python_env_manager=poetry\n"
    )
    code, said = bootstrap(run, "-i", "two.ini")
    assert code and "Nothing was changed. On also: python_env_manager" in said and "poetry" in said
    assert "Log in" not in said and "UNREACHABLE" not in said
