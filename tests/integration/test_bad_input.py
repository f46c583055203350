# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong says so in one clear sentence, before anything changes where that is possible, and other hosts go on.

What one role alone can refuse is tested beside that role; here are whole runs of bootstrap.yml.
"""

from __future__ import annotations

import concurrent.futures
import json
import re
import subprocess

import pytest

TOOLS = "debian-12-tools"


@pytest.fixture(scope="module")
def settings(homework):
    return {
        "repos_list": [{"src": str(homework), "dest": "homework"}],
        "python_env_requirements": ["requirements.txt"],
        "ready_packages": ["git", "tmux", "rsync"],
        "ready_timeout": 12,
    }


@pytest.fixture(scope="module")
def crowd(boxes):
    """Four hosts: each but one has its own trouble."""
    return {
        "good": boxes.rent(name="good", image=TOOLS),
        "locked": boxes.rent(name="locked", image=TOOLS, refuse_key=True),
        "tiny": boxes.rent(name="tiny", image=TOOLS, small_disk_mb=8),
        "gone": boxes.rent(name="gone", image=TOOLS),
    }


# Whoever pushes to "gone" waits in the middle of it.
SLOW_GIT = """\
#!/bin/sh
case " $* " in *" receive-pack "*) touch /tmp/pushing; exec sleep 300 ;; esac
exec /usr/bin/git "$@"
"""


@pytest.fixture(scope="module")
def outcome(crowd, play, settings):
    crowd["gone"].wait_for_ssh()
    crowd["gone"].ssh("cat > /usr/local/bin/git && chmod 755 /usr/local/bin/git", input=SLOW_GIT)

    def vanish():
        """The instance is destroyed at the provider while git pushes to it."""
        crowd["gone"].ssh("until [ -e /tmp/pushing ]; do sleep 0.2; done")
        crowd["gone"].destroy()

    with concurrent.futures.ThreadPoolExecutor() as pool:
        vanished = pool.submit(vanish)
        # With the setting that would let one failed host end the run for all.
        found = play("bootstrap", env={"ANSIBLE_ANY_ERRORS_FATAL": "true"}, **settings)
        vanished.result(timeout=60)
    return found


def test_a_wrong_key_names_what_was_offered_and_what_to_check(outcome, crowd):
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(crowd["locked"].key)], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    message = outcome.message("locked")
    assert fingerprint in message
    assert "does not take" in message and "provider" in message


def test_a_disk_that_is_too_small_says_how_much_there_is(outcome):
    message = outcome.message("tiny")
    assert "MB" in message or "MiB" in message or "GB" in message
    assert "/workspace" in message


def test_an_instance_that_vanishes_is_told_from_a_wrong_one(outcome):
    message = outcome.message("gone")
    assert re.search(r"gone was lost while git push ran there: \S", message), message
    assert "Check at the provider" in message and "\n" not in message
    assert outcome.stats("dark")["gone"] == 1
    assert "Traceback" not in outcome.stdout


def test_the_healthy_host_is_ready_all_the_same(outcome, crowd):
    assert json.loads(crowd["good"].ssh("cat .rented/ready.json"))["ready"] is True


def test_the_summary_marks_the_failed_hosts_and_the_run_fails(outcome):
    assert outcome.rc != 0
    lines = {
        line.split()[0]: line
        for line in outcome.stdout.splitlines()
        if line.split()[:1] and line.split()[0] in ("good", "locked", "tiny", "gone")
    }
    for host in ("locked", "tiny", "gone"):
        assert any("FAILED" in line for line in outcome.stdout.splitlines() if line.startswith(host)), lines


def test_the_summary_says_why_and_how_to_repeat_the_failed_ones_only(outcome):
    shown = " ".join(outcome.stdout.partition("TASK [Show the summary]")[2].split())
    assert "locked is not ready: " in shown and "gone is not ready: was lost while git push ran there" in shown
    assert "the same command with --limit" in shown
    limit = re.search(r"--limit (\S+)", shown).group(1)
    assert set(limit.split(",")) == {"locked", "tiny", "gone"}
    assert "Next: ssh -t " in shown and "attach -t" in shown


def test_each_error_is_printed_once_and_without_figures(outcome):
    assert outcome.stdout.count("Check that the public half of the right key") == 1
    assert "rented_run" not in outcome.stdout
    assert "SPDX-License-Identifier" not in outcome.stdout


def test_a_host_that_does_not_answer_holds_back_no_other(outcome, play, settings):
    found = play("bootstrap", limit="good,locked", **dict(settings, ready_timeout=25))
    ended = [(host, task) for host, task, _result in found.results()]
    # The settings are checked once, on whichever host the inventory lists first.
    refused = next(index for index, (host, task) in enumerate(ended) if host == "locked" and task != "Check the settings")
    assert ended.index(("good", "Write the proof")) < refused
    assert found.stats("dark") == {"locked": 1} and "failures" not in {key for key in found.stats("failures") if key == "good"}


def test_when_every_host_fails_the_summary_is_shown_and_each_is_counted(outcome, play, settings):
    found = play("bootstrap", limit="locked,tiny", **dict(settings, ready_timeout=3))
    assert found.rc != 0
    shown = found.stdout
    assert shown.count("locked is not ready") == 1 and shown.count("tiny is not ready") == 1
    assert sum(line.startswith(("locked ", "tiny ")) and "FAILED" in line for line in shown.splitlines()) == 2
    assert found.stats("dark") == {"locked": 1} and found.stats("failures") == {"tiny": 1}


def only_good(play, **variables):
    return play("bootstrap", limit="good", **variables)


def state_of(box):
    return box.ssh("find . -xdev -newer /proc/1/cmdline -type f 2>/dev/null | sort; ls -A")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"git_keys_nmae": "Ada"}, "Did you mean 'git_keys_name'"),
        ({"python_env_manager": "poetry"}, "python_env_manager"),
        ({"repos_list": [{"src": "/nowhere/homework"}]}, "/nowhere/homework does not exist"),
        ({"data_sync_items": [{"src": "/nowhere/data", "dest": "data"}]}, "/nowhere/data"),
        ({"git_keys_mode": "private_key", "git_keys_private_key": "/nowhere/key"}, "/nowhere/key"),
        ({"repos_list": [{"src": "{{ repo }}", "destination": "x"}], "repo": "/tmp"}, "'destination'"),
    ],
    ids=["misspelt", "choice", "repository", "data", "key", "item-key"],
)
def test_what_can_be_known_is_told_before_the_first_login(play, outcome, settings, change, expected):
    found = only_good(play, **{**settings, **change})
    assert found.rc != 0
    assert expected in found.message("good")
    assert "Nothing was changed" in found.message("good")
    assert found.tasks("good") == ["Check the settings"]


def test_requirements_that_cannot_be_resolved_name_the_culprit(play, outcome, settings):
    found = only_good(play, **{**settings, "python_env_packages": ["this-package-does-not-exist-anywhere-2026"]})
    assert found.rc != 0
    assert "this-package-does-not-exist-anywhere-2026" in found.message("good")
    assert "Traceback" not in found.message("good")


def test_after_the_mistake_is_mended_the_host_ends_ready(play, outcome, settings):
    assert only_good(play, **settings).ok().stats("failures") == {}
    assert only_good(play, **settings).ok().changes() == []


def test_two_hosts_with_one_label_and_a_label_that_is_a_template(boxes, play):
    twins = [boxes.rent(name="twin", image=TOOLS), boxes.rent(name="twin", image=TOOLS)]
    odd = boxes.rent(name="{{ lookup('pipe', 'touch /tmp/rented-gpu-was-here') }}", image=TOOLS)
    shown = subprocess.run(["ansible-inventory", "-i", str(boxes.inventory), "--list"], capture_output=True, text=True, check=True)
    variables = json.loads(shown.stdout)["_meta"]["hostvars"]
    # ansible-inventory marks text that nobody may take for a template.
    by_id = {found["rented_id"]["__ansible_unsafe"]: name for name, found in variables.items()}
    for twin in twins:
        assert by_id[twin.id] == "twin-rehearsal-%s-%s" % (boxes.account, twin.id)
    assert odd.id in by_id
    assert subprocess.run(["test", "-e", "/tmp/rented-gpu-was-here"], check=False).returncode != 0
    raw = [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.debug": {"var": "rented_label"}}]}]
    play(raw).ok()
    assert subprocess.run(["test", "-e", "/tmp/rented-gpu-was-here"], check=False).returncode != 0
