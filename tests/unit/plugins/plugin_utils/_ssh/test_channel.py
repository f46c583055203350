# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program that git and rsync start in place of ssh; shells of this machine play the part of ssh."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _channel, _commands, _start_failures

# As ssh does it: a login shell reads the last word. The rest is what a start-up file does first.
QUIET = 'eval "$1"'
NOISY = 'head -c 5000000 /dev/urandom; echo Welcome; echo Hello >&2; printf %s "$1"; printf "no line end"; ' + QUIET


def command(login: str, far: str, seconds="20", name="host", asked="host") -> list:
    words = ["/bin/sh", "-c", login, "login"]
    return [
        sys.executable,
        "-I",
        "-S",
        _commands.PROGRAM,
        name,
        seconds,
        str(len(words)),
        *words,
        asked,
        *([far] if isinstance(far, str) else far),
    ]


def run(login: str, far: str, given: bytes = b"", **options):
    return subprocess.run(command(login, far, **options), input=given, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("login", [QUIET, NOISY])
def test_bytes_pass_unchanged_in_both_directions(login):
    given = os.urandom(3_000_000)
    ran = run(login, "cat; echo end; exit 7", given)
    assert (ran.returncode, ran.stdout) == (7, given + b"end\n")


def test_a_start_up_file_cannot_read_the_input():
    ran = run("read first; " + QUIET, "cat", b"one\ntwo\n", seconds="2")
    # It waits for input that does not come, and the deadline ends it.
    assert ran.returncode == 255 and ran.stderr.startswith(b"rented-channel: silent: 2 s; ")
    ran = run("read -r first < /dev/null; " + QUIET, "cat", b"one\ntwo\n")
    assert ran.stdout == b"one\ntwo\n"


def test_error_output_comes_through():
    ran = run(NOISY, "echo oops >&2")
    assert b"Hello" in ran.stderr and b"oops" in ran.stderr and ran.stdout == b""


@pytest.mark.parametrize(
    ("login", "asked", "sentence"),
    [
        ("echo Choose: 1; exec sleep 3", "host", "did not run the command within 1 s.*it printed: Choose: 1"),
        ("while :; do echo y; done", "host", "did not run the command within 1 s"),
        ("echo Please log in as ubuntu; exit 142", "host", "ended before the command was run.*it printed: Please log in as ubuntu"),
        ("exit 0", "host", "ended before the command was run.*exit status 0"),
        (QUIET, "git.example.org", "objects of git.example.org, which is another server"),
    ],
)
def test_a_command_that_never_starts_gets_a_sentence(login, asked, sentence):
    ran = run(login, "cat", seconds="1", asked=asked)
    assert (ran.returncode, ran.stdout) == (255, b"")
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(_start_failures.explained(ran.stderr.decode()))


def test_what_ssh_itself_says_is_left_alone():
    ran = run("echo 'ssh: connect to host: Connection refused' >&2; exit 255", "cat")
    assert (ran.returncode, ran.stderr) == (255, b"ssh: connect to host: Connection refused\n")


def test_a_missing_program_is_named():
    words = command(QUIET, "cat")
    words[words.index("/bin/sh")] = "/no/such/ssh"
    ran = subprocess.run(words, capture_output=True, check=False)
    assert "/no/such/ssh: No such file or directory" in _start_failures.explained(ran.stderr.decode())


def test_a_signal_of_the_far_side_and_of_this_one(tmp_path):
    assert run(QUIET, "kill -9 $$").returncode == -9
    process = subprocess.Popen(
        command(QUIET, "echo $$ > %s; exec sleep 60" % (tmp_path / "id")), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    while not (tmp_path / "id").exists() or not (tmp_path / "id").read_text().strip():
        time.sleep(0.05)
    process.terminate()
    assert process.wait(20) == -signal.SIGTERM
    far = int((tmp_path / "id").read_text())
    for _try in range(100):
        try:
            os.kill(far, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the far command still runs")


def test_it_ends_when_the_far_command_does_although_input_may_come():
    process = subprocess.Popen(command(QUIET, "echo done"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.read() == b"done\n"
    assert process.wait(20) == 0
    process.stdin.close()


def test_a_reader_that_leaves_ends_it():
    process = subprocess.Popen(command(QUIET, "yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) != 0


def test_home_comes_back_for_ssh():
    environment = dict(os.environ, HOME="/nonexistent", **{_channel.REAL_HOME: "/home/ada"})
    ran = subprocess.run(command('echo "$HOME" >&2; ' + QUIET, "true"), capture_output=True, env=environment, check=False)
    assert ran.stderr == b"/home/ada\n"


HARD = 'printf \'%s|\' "$@"; echo "it\'s a ! \\\\ $((1+1)) `echo q` %d ünï"\nif [ -e / ]; then cat; fi # ' + "x" * 3000 + "\nexit 7"


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh", "fish", "tcsh", "csh", "ksh", "mksh"])
def test_every_shell_hands_a_script_to_sh_unchanged(shell):
    """Those that are installed here; test_noisy_hosts.py has fish, tcsh and zsh."""
    if not shutil.which(shell):
        return
    line = _channel.for_any_shell(HARD)
    assert "\n" not in line and "!" not in line and all(len(word) < 1000 for word in line.split("'"))
    ran = subprocess.run([shell, "-c", line + " 'a b' c"], input=b"INPUT", capture_output=True, check=False)
    assert (ran.returncode, ran.stdout.decode()) == (7, "a b|c|it's a ! \\ 2 q %d ünï\nINPUT"), ran.stderr


def test_a_marker_is_not_found_in_the_text_of_its_own_script():
    marker = _start_failures.Marker()
    script = marker.say("no-git")
    assert marker.said("fish: Unknown command in\n%s\n%s" % (script, _channel.for_any_shell(script))) is None
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert marker.said("Welcome without a line end" + ran.stderr) == "no-git"
    assert hashlib.sha256(marker.nonce.encode()).hexdigest() != hashlib.sha256(_start_failures.Marker().nonce.encode()).hexdigest()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("fatal: protocol error: bad line length character: Welc", "start-up files .* it printed: Welc"),
        ("protocol version mismatch -- is your shell clean?", "start-up files"),
        ("Cannot execute command-line and remote command.", "RemoteCommand is set"),
        ("Could not request local forwarding.", "could not forward a port"),
        ("/home/ada/.ssh/config: line 3: Bad configuration option: usekeychain", "option usekeychain in line 3 of /home/ada/.ssh/config"),
        ("/home/ada/.ssh/config: terminating, 2 bad configuration options", "2 options in /home/ada/.ssh/config"),
    ],
)
def test_words_of_ssh_git_and_rsync_get_a_sentence(said, sentence):
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(_start_failures.explained("before\n%s\nfatal: Could not read from remote repository." % said))
