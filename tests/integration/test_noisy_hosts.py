# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts whose login shell prints, is not a Bourne shell, or runs no command; and settings that steer git and rsync, here and there."""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess

import pytest

SHELLS = {"bash": "/bin/bash", "fish": "/usr/bin/fish", "tcsh": "/usr/bin/tcsh", "zsh": "/usr/bin/zsh"}
# Prints on both outputs: a lot, binary, without a line end at last; reads the input; prints at the end too.
NOISE = "head -c 200000 /dev/urandom; echo Welcome; echo Hello >&2; printf 'no line end'"
EARLY = (
    "/root/.bashrc",
    "/root/.zshenv",
    "/root/.ssh/rc",
    "/etc/ssh/sshrc",
    "/root/.config/fish/config.fish",
    "/root/.tcshrc",
    "/root/.popt",
    "/root/.gitconfig",
)


def git(folder, *arguments, **environment) -> str:
    """git on the controller, with an identity of its own."""
    command = ["git", "-C", str(folder), "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ, **environment)).stdout.strip()


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("container", name="box", image="debian-12-tools")
    found.wait_for_ssh()
    found.ssh("apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends fish tcsh zsh")
    return found


@pytest.fixture
def start(box):
    """Sets the login shell and start-up files of root, and takes them back."""

    def start(shell="bash", **files):
        for path, text in files.items():
            box.ssh("mkdir -p $(dirname %s); cat > %s" % (path, path), input=text)
        box.ssh("usermod -s %s root" % SHELLS[shell])

    kept = box.ssh("cat /root/.bashrc 2>/dev/null", check=False)
    yield start
    box.ssh("/bin/sh -c 'rm -f %s; usermod -s /bin/bash root'" % " ".join(EARLY))
    if kept:
        box.ssh("cat > /root/.bashrc", input=kept)


@pytest.fixture
def repo(tmp_path):
    path = tmp_path / "work"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "it's a !.txt").write_text("one\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "Begin")
    return path


@pytest.fixture
def run(box, play):
    def run(repo, data=None, **options):
        roles = ("ready", "repos", "data_sync") if data else ("ready", "repos")
        tasks = [{"ansible.builtin.import_role": {"name": "rented.gpu." + role}} for role in roles]
        variables = {"repos_list": [repo if isinstance(repo, dict) else {"src": str(repo)}], "ready_packages": ["git", "rsync"]}
        if data:
            variables["data_sync_items"] = [{"src": str(data), "dest": "data " + data.name}]
        return play([{"hosts": "all", "gather_facts": False, "tasks": tasks}], **variables, **options)

    return run


@pytest.mark.parametrize(
    ("name", "shell", "path", "text"),
    [
        ("bashrc", "bash", "/root/.bashrc", NOISE + "\ntrap 'echo bye' EXIT\n"),
        ("reading", "bash", "/root/.bashrc", "read -t 1 answer\necho $answer\nset -x\n"),
        ("rc", "bash", "/root/.ssh/rc", NOISE + "\n"),
        ("sshrc", "bash", "/etc/ssh/sshrc", NOISE + "\n"),
        ("zshenv", "zsh", "/root/.zshenv", NOISE + "\nalias sh=false\n"),
        ("fish", "fish", "/root/.config/fish/config.fish", NOISE + "\n"),
        ("tcsh", "tcsh", "/root/.tcshrc", NOISE.replace(">&2", "> /dev/stderr") + "\n"),
    ],
)
def test_repositories_and_data_arrive_whatever_the_login_shell_is_and_prints(box, start, run, repo, tmp_path, name, shell, path, text):
    data = tmp_path / ("set-" + name)
    data.mkdir()
    content = os.urandom(300_000)
    (data / "it's \\ a ! file").write_bytes(content)
    work = repo.rename(tmp_path / ("work-" + name))
    start(shell, **{path: text})
    first = run(work, data).ok()
    assert first.changed("box") > 0
    commit = git(work, "rev-parse", "HEAD")
    assert commit in box.ssh("git -C /workspace/work-%s rev-parse HEAD" % name)
    digest = hashlib.sha256(content).hexdigest()
    assert digest in box.ssh("sha256sum '/workspace/data set-%s/'*" % name)
    second = run(work, data).ok()
    assert (second.changed("box"), second.executions("box")) == (0, 1)


def test_a_login_shell_that_runs_no_command_is_told(box, start, run, repo):
    """The shell lets Ansible work and is replaced where git asks."""
    stuck = 'tr "\\0" " " < /proc/$$/cmdline | grep -q "printf %b" && { echo Choose:; exec sleep 100; }\n'
    start(**{"/root/.bashrc": stuck})
    failed = run({"src": str(repo), "dest": "stuck"}, env={"ANSIBLE_TIMEOUT": "2"})
    assert failed.rc != 0 and "login shell did not run the command" in failed.message() and "Choose:" in failed.message()


def test_the_settings_of_the_host_do_not_steer_what_is_received(box, start, run, repo, tmp_path):
    hooks = "#!/bin/sh\necho no; exit 1\n"
    box.ssh("mkdir -p /root/hooks /root/template/hooks; cat > /root/hooks/pre-receive; chmod +x /root/hooks/pre-receive", input=hooks)
    config = """
        [core]
        hooksPath = /root/hooks
        [init]
        templateDir = /root/template
        defaultBranch = a..b
        [receive]
        denyNonFastForwards = true
        fsckObjects = true
        hideRefs = refs
        maxInputSize = 1
        [transfer]
        hideRefs = refs/rented
        """
    noise = "export GIT_DIR=/nowhere GIT_TRACE=1 GIT_DEFAULT_HASH=sha256 RSYNC_ICONV=utf8,latin1 RSYNC_MAX_ALLOC=1\n"
    start(**{"/root/.bashrc": noise, "/root/.gitconfig": config, "/root/.popt": "rsync alias --server --nothing\n"})
    data = tmp_path / "over there"
    data.mkdir()
    (data / "ü").write_text("x")
    run({"src": str(repo), "dest": "steered"}, data).ok()
    git(repo, "commit", "-q", "--amend", "-m", "Rewritten")
    run({"src": str(repo), "dest": "steered"}, data).ok()
    assert git(repo, "rev-parse", "HEAD") in box.ssh("unset GIT_DIR; git -C /workspace/steered rev-parse HEAD")
    assert box.ssh("ls /workspace/data*there") == "ü\n"


def test_a_repository_with_sha256_arrives(box, run, tmp_path):
    path = tmp_path / "sha256"
    path.mkdir()
    git(path, "init", "-q", "-b", "main", "--object-format=sha256")
    git(path, "commit", "-q", "--allow-empty", "-m", "Begin")
    run(path).ok()
    assert git(path, "rev-parse", "HEAD") in box.ssh("git -C /workspace/sha256 rev-parse HEAD")


HOSTILE = """
Host *
  RemoteCommand tmux new -A -s main
  RequestTTY force
  SessionType none
  StdinNull yes
  ForkAfterAuthentication yes
  LocalForward 127.0.0.1:1 127.0.0.1:1
  ExitOnForwardFailure yes
  ForwardAgent yes
  ForwardX11 yes
  PermitLocalCommand yes
  LocalCommand echo local command
  HostName no-such-host.invalid
  HostKeyAlias other
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  LogLevel DEBUG3
  VisualHostKey yes
  ControlPath none
  Tunnel yes
  EscapeChar a
"""


def test_a_hostile_ssh_configuration_changes_nothing(box, run, repo, tmp_path):
    """A stand-in for ssh adds the configuration file, as if it were ~/.ssh/config: everything else is the real thing."""
    (tmp_path / "config").write_text(HOSTILE)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text('#!/bin/sh\nexec /usr/bin/ssh -F "%s" "$@"\n' % (tmp_path / "config"))
    (folder / "ssh").chmod(0o755)
    data = tmp_path / "hostile"
    data.mkdir()
    (data / "a").write_text("a")
    result = run({"src": str(repo), "dest": "configured"}, data, env={"PATH": "%s:%s" % (folder, os.environ["PATH"])}).ok()
    assert result.changed("box") > 0 and "local command" not in result.stdout
    assert git(repo, "rev-parse", "HEAD") in box.ssh("git -C /workspace/configured rev-parse HEAD")


def test_a_partial_clone_never_asks_the_host_for_objects_of_another_server(box, run, repo, tmp_path):
    (repo / "it's a !.txt").write_text("two\n")
    git(repo, "commit", "-q", "-a", "-m", "Change")
    git(repo, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "file://%s" % repo, str(partial))
    failed = run(partial)
    assert failed.rc != 0 and "fetch --refetch --no-filter" in failed.message()
    assert pathlib.Path(partial).is_dir() and "absent" in box.ssh("[ -e /workspace/partial ] || echo absent")
    git(partial, "fetch", "-q", "--refetch", "--no-filter")
    run(partial).ok()
    assert git(partial, "rev-parse", "HEAD") in box.ssh("git -C /workspace/partial rev-parse HEAD")
