# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one raw command of `ready` that installs Python, run by a real sh; sudo, id and apt-get are stand-ins."""

from __future__ import annotations

import os
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.action import ready

SECRET = "s3cret $HOME 'x\\n"
SUDO = """
for word; do [ "$word" = -n ] && exit 1; done
IFS= read -r given
printf '%s' "$given" > "$0.given"
[ "$given" = "$(cat "$0.wanted")" ] || exit 1
while [ "${1#-}" != "$1" ]; do [ "$1" = -p ] && shift; shift; done
exec "$@"
"""


@pytest.fixture
def run(tmp_path):
    def stand_in(name, body):
        (tmp_path / name).write_text("#!/bin/sh\n" + body)
        (tmp_path / name).chmod(0o755)

    stand_in("id", "case $1 in -u) echo 1000;; *) echo ubuntu;; esac\n")
    stand_in("sudo", SUDO)
    (tmp_path / "sudo.wanted").write_text(SECRET)
    stand_in("apt-get", 'echo "$@" >> "$0.called"\n')

    def run(given):
        values = {"least": "(99, 0)", "version": "99.0", "install": 1, "limit": 1, "password": 1 if given else 0}
        script = ready.FIND_PYTHON % values
        env = dict(os.environ, PATH="%s:/usr/bin:/bin" % tmp_path)
        text = given + "\n" if given else ""
        return subprocess.run(["sh", "-c", script], input=text, env=env, capture_output=True, text=True, timeout=60, check=False).stdout

    run.folder = tmp_path
    return run


def test_sudo_that_asks_gets_the_password_by_its_input(run):
    said = run(SECRET)
    assert (run.folder / "sudo.given").read_text() == SECRET
    assert "install" in (run.folder / "apt-get.called").read_text() and SECRET not in (run.folder / "apt-get.called").read_text()
    assert "RENTED-INSTALLED=1" in said


def test_a_wrong_password_and_none_are_told(run):
    assert "RENTED-ERROR=sudo does not take the password in ansible_become_password" in run("wrong")
    assert "nor may use sudo without a password (set ansible_become_password" in run(None)
    assert not (run.folder / "apt-get.called").exists()
