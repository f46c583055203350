# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role tmux on a real host: a session in the project whose python is the environment's, and nothing of the user's touched."""

from __future__ import annotations

import subprocess
import time

import pytest


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("vm", "vm")
    found.wait_for_ssh()
    found.ssh("command -v tmux >/dev/null || (sudo apt-get -q update && sudo apt-get -q install -y tmux) >/dev/null")
    found.ssh("mkdir -p course.a && printf 'idna\\n' > course.a/requirements.txt")
    return found


@pytest.fixture
def role(box, play):
    def run(check=False, names=("python_env", "tmux"), **variables):
        tasks = [
            {"name": name, "ansible.builtin.import_role": {"name": "rented.gpu." + name, "rolespec_validate": False}} for name in names
        ]
        python = {"ansible_python_interpreter": "/usr/bin/python3"}
        variables = {"python_env_project": "course.a", "python_env_requirements": ["requirements.txt"], **variables}
        return play([{"hosts": box.name, "gather_facts": False, "vars": python, "tasks": tasks}], check=check, **variables)

    return run


def typed(box, session, command):
    """What a command prints that is typed into a session."""
    box.ssh(
        "rm -f /tmp/typed; tmux send-keys -t %s %r Enter" % (session, command + " > /tmp/typed.part 2>&1; mv /tmp/typed.part /tmp/typed")
    )
    end = time.monotonic() + 30
    while box.ssh("test -e /tmp/typed && echo yes || true").strip() != "yes":
        assert time.monotonic() < end, box.ssh("tmux capture-pane -p -t %s" % session)
        time.sleep(0.2)
    return box.ssh("cat /tmp/typed").strip()


def sessions(box):
    return sorted(box.ssh("tmux list-sessions -F '#{session_name}:#{session_created}' 2>/dev/null || true").split())


def test_check_mode_predicts_the_session(box, role):
    predicted = role(check=True).ok()
    assert predicted.results()[-1][2]["changed"] is True
    assert sessions(box) == []
    assert box.ssh("ls -A").count("tmux") == 0


def test_python_in_tmux_is_that_of_the_environment(box, role):
    """Seed defect D7: no absolute paths."""
    made = role().ok()
    assert made.results()[-1][2]["attach"] == "tmux attach -t course_a"
    home = box.ssh("echo $HOME").strip()
    assert typed(box, "course_a", "python -c 'import sys, idna; print(sys.prefix)'") == home + "/course.a/.venv"
    assert typed(box, "course_a", "pwd") == home + "/course.a"
    assert typed(box, "course_a", "locale charmap") == "UTF-8"
    assert "VIRTUAL_ENV=%s/course.a/.venv" % home in box.ssh("cat .rented/env.sh; . .rented/env.sh; echo VIRTUAL_ENV=$VIRTUAL_ENV")
    assert "ANSIBLE" not in typed(box, "course_a", "env").upper()


def test_a_repeat_changes_nothing_and_does_not_go_to_the_host(box, role):
    before = sessions(box)
    again = role().ok()
    assert again.changes() == []
    assert again.run_facts(box.name)["tmux"]["executions"] == 0
    assert sessions(box) == before


def test_sessions_that_are_there_are_untouched(box, role):
    """Seed defect D13: nothing is ended by a broad name."""
    box.ssh("tmux new-session -d -s mine 'sleep 1000'")
    before = sessions(box)
    role(tmux_session="second").ok()
    assert set(before) < set(sessions(box))
    assert [name.split(":")[0] for name in sessions(box) if name not in before] == ["second"]
    assert box.ssh("tmux display-message -p -t mine '#{pane_current_command}'").strip() == "sleep"


def test_a_users_own_configuration_is_left(box, role):
    box.ssh("rm -f .rented/stamps/tmux.json; echo 'set -g status off' > .tmux.conf")
    outcome = role().ok()
    assert outcome.results()[-1][2]["config"] == "the user's own"
    assert box.ssh("cat .tmux.conf").strip() == "set -g status off"
    box.ssh("rm .tmux.conf")
    assert role(tmux_session="third").ok().results()[-1][2]["config"] == "ours"
    assert box.ssh("tmux -L check start-server \\; source-file ~/.tmux.conf \\; show-options -g mouse").strip() == "mouse on"


def test_no_tmux_and_no_folder_are_one_sentence(box, role):
    gone = role(names=["tmux"], tmux_project="nowhere", tmux_session="x")
    assert "nowhere, where the tmux session should start, is not on the host" in gone.message()
    box.ssh("sudo mv /usr/bin/tmux /usr/bin/tmux.away")
    try:
        without = role(names=["tmux"], tmux_session="y")
    finally:
        box.ssh("sudo mv /usr/bin/tmux.away /usr/bin/tmux")
    assert "tmux is not on the host" in without.message()


def window(box, session):
    """The Python prefix in a window of the session that is opened now."""
    box.ssh("rm -f /tmp/prefix; tmux new-window -d -t =%s: -n fresh" % session)
    box.ssh(
        "tmux send-keys -t =%s:fresh 'python -c \"import sys; print(sys.prefix)\" > /tmp/prefix.new; mv /tmp/prefix.new /tmp/prefix' Enter"
        % session
    )
    end = time.monotonic() + 30
    while box.ssh("test -e /tmp/prefix && echo yes || true").strip() != "yes":
        assert time.monotonic() < end, box.ssh("tmux capture-pane -p -t =%s:fresh" % session)
        time.sleep(0.2)
    box.ssh("tmux kill-window -t =%s:fresh" % session)
    return box.ssh("cat /tmp/prefix").strip()


def test_each_projects_session_keeps_its_own_environment(box, role):
    home = box.ssh("echo $HOME").strip()
    box.ssh("mkdir -p hw1 hw2 && echo idna > hw1/requirements.txt && echo idna > hw2/requirements.txt")
    role(python_env_project="hw1").ok()
    role(python_env_project="hw2").ok()
    assert window(box, "hw1") == home + "/hw1/.venv"
    assert window(box, "hw2") == home + "/hw2/.venv"
    # The first window too, though the server was running when its session was made.
    assert typed(box, "hw2:0", "python -c 'import sys; print(sys.prefix)'") == home + "/hw2/.venv"
    # Elsewhere the environment is that of the project that was prepared last, and in a session of the user's own.
    assert box.ssh("python -c 'import sys; print(sys.prefix)'").strip() == home + "/hw2/.venv"
    box.ssh("tmux new-session -d -s own")
    assert window(box, "own") == home + "/hw2/.venv"
    assert role(python_env_project="hw2").ok().run_facts(box.name)["tmux"]["executions"] == 0
    # An environment that moved is followed by new windows.
    moved = role(python_env_project="hw1", python_env_path="elsewhere/env").ok()
    assert moved.results()[-1][2]["changed"] is True
    assert window(box, "hw1") == home + "/elsewhere/env"


@pytest.mark.parametrize("term", ["xterm-ghostty"])
def test_the_shown_command_attaches_from_any_terminal(box, role, term):
    """As a person types it; `script` gives it a terminal."""
    shown = role(names=["tmux"]).ok().results()[-1][2]["command"]
    assert "tmux -u attach -t course_a" in shown and "-F" in shown
    command = "TERM=%s %s" % (term, shown)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    attached = subprocess.Popen(["script", "-qec", command, "/dev/null"], **pipes)
    try:
        end = time.monotonic() + 30
        while not box.ssh("tmux list-clients -t =course_a -F '#{client_termname}'").strip():
            assert time.monotonic() < end and attached.poll() is None, attached.communicate()[0]
            time.sleep(0.3)
        assert box.ssh("tmux list-clients -t =course_a -F '#{client_termname} #{client_utf8}'").split() == ["xterm-256color", "1"]
    finally:
        box.ssh("tmux detach-client -s =course_a")
        attached.kill()
        attached.communicate()
