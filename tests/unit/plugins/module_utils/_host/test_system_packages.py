# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages are missing, and what happens when apt or dnf says no. A real apt is in the integration tests."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _system_packages

# apt 2.6.1 (Debian 12), as it says it when another process holds /var/lib/dpkg/lock-frontend.
LOCKED = (
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 605 (unattended-upgr)\n"
    "N: Be aware that removing the lock file is not a solution and may break your system.\n"
    "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n"
)
INTERRUPTED = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. \n"
UNKNOWN = "Reading package lists...\nE: Unable to locate package nosuch\n"


class Host:
    """Answers commands: the first answer whose words are in the command is used up; all others succeed."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.commands = []
        self.now = 0

    def run(self, command):
        self.commands.append(" ".join(command))
        for answer in self.answers:
            if answer[0] in " ".join(command):
                self.answers.remove(answer)
                return answer[1:]
        return 0, "", ""

    def sleep(self, seconds):
        self.now += seconds

    def install(self, manager, names, root=(), limit=20):
        _system_packages.Installer(self.run, list(root), limit, clock=lambda: self.now, sleep=self.sleep).install(manager, names)
        return [command for command in self.commands if "install" in command]


@pytest.fixture(autouse=True)
def _lists(monkeypatch):
    monkeypatch.setattr(_system_packages.glob, "glob", lambda pattern: ["/var/lib/apt/lists/x_Packages"])


def test_one_call_installs_all_without_asking_anything():
    host = Host()
    (command,) = host.install("apt", ["git", "rsync"], root=["sudo", "-n"])
    assert command.startswith("sudo -n env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get install")
    assert command.endswith("git rsync")
    assert len(host.commands) == 1


def test_a_lock_is_waited_for_and_nothing_is_killed_or_removed():
    host = Host(*[("install", 100, "", LOCKED)] * 3)
    host.install("apt", ["git"])
    assert len(host.commands) == 4
    assert host.now > 0
    assert all("apt-get" in command for command in host.commands)


def test_after_the_limit_the_holder_is_named():
    host = Host(*[("install", 100, "", LOCKED)] * 50)
    with pytest.raises(_system_packages.PackageError) as error:
        host.install("apt", ["git"], limit=10)
    assert "unattended-upgr (process 605)" in str(error.value)
    assert "Nothing was killed" in str(error.value)
    assert 10 <= host.now < 12


def test_what_an_interrupted_dpkg_left_is_finished_once():
    host = Host(("install", 100, "", INTERRUPTED))
    host.install("apt", ["git"])
    assert ["dpkg --configure -a" in command for command in host.commands] == [False, True, False]


def test_stale_lists_are_renewed_only_when_a_package_is_not_found():
    host = Host(("install", 100, "", UNKNOWN))
    host.install("apt", ["git"])
    assert ["update" in command for command in host.commands] == [False, True, False]


def test_a_package_that_does_not_exist_is_named():
    host = Host(("install", 100, "", UNKNOWN), ("install", 100, "", UNKNOWN))
    with pytest.raises(_system_packages.PackageError, match="could not install nosuch: E: Unable to locate package nosuch"):
        host.install("apt", ["nosuch"])


def test_a_mirror_that_does_not_answer_is_tried_again_and_then_blamed(monkeypatch):
    monkeypatch.setattr(_system_packages.glob, "glob", lambda pattern: [])
    # apt-get update ends with 0 although nothing came.
    host = Host(*[("update", 0, "", "W: Failed to fetch deb.example.org  Temporary failure resolving\n")] * 3)
    with pytest.raises(_system_packages.PackageError, match=r"update failed 3 times.*Temporary failure resolving"):
        host.install("apt", ["git"])
    assert not [command for command in host.commands if "install" in command]


def test_dnf_gets_its_own_names_and_waits_for_its_lock():
    host = Host(("install", 200, "", ""))
    commands = host.install("dnf", ["openssh-client", "git"])
    assert len(commands) == 2
    assert commands[0].endswith("install openssh-clients git")


def test_no_package_manager_is_a_sentence():
    with pytest.raises(_system_packages.PackageError, match="git, tmux are missing on the host, and it has neither apt nor dnf"):
        Host().install(None, ["git", "tmux"])


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"packages": {"git": None, "htop": None}, "tools": {"git": None}}, ["git", "htop"]),
        ({"packages": {"git": None, "htop": "3.2"}, "tools": {"git": {"path": "/opt/bin/git"}}}, []),
        ({"packages": {"git": "", "htop": "3.2"}, "tools": {}}, []),
        ({"packages": {}, "tools": {}}, ["git", "htop"]),
    ],
)
def test_missing_is_what_neither_the_package_manager_nor_path_knows(facts, missing):
    assert _system_packages.missing(["git", "htop", "git"], facts) == missing


def test_on_dnf_the_other_name_counts():
    facts = {"packages": {"openssh-client": None, "openssh-clients": "9.6"}, "tools": {}, "package_manager": "dnf"}
    assert _system_packages.missing(["openssh-client"], facts) == []
    assert "openssh-clients" in _system_packages.names_to_ask(["openssh-client"])


def test_the_holder_is_looked_for_when_apt_does_not_name_it(tmp_path):
    for pid, name in (("7", "bash"), ("605", "unattended-upgr")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(name + "\n")
    assert _system_packages.holder("E: Unable to lock the administration directory", str(tmp_path)) == "unattended-upgr (process 605)"
    assert _system_packages.holder("", str(tmp_path / "7")) == "a program that cannot be seen from here"
