# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A repository on the controller: what is to be sent, and sending it over a host's own ssh connection.

Nothing here changes the controller's repository: no index, no ref, no object.
"""

from __future__ import annotations

import os
import posixpath
import re
import shlex
import shutil
import subprocess
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.rented.gpu.plugins.module_utils._errors import nearest
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, MissingTool
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _git_config
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _start_failures

# Where what was sent waits on the host: outside refs/heads, so that no branch and no work tree moves by a push.
INCOMING = "refs/rented/incoming"
UNCOMMITTED = "refs/rented/incoming-uncommitted"

# A pointer file of Git LFS; https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: below 1024 bytes.
POINTER = re.compile(rb"^version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n", re.ASCII)
POINTER_MAX = 1024
COMMIT = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")

# Variables of the host's image that would steer git there.
UNSET = 'for name in $(env | sed -n "s/^\\(GIT_[A-Za-z0-9_]*\\)=.*/\\1/p"); do unset "$name"; done'

# What `sh` runs on the host to receive a push: makes the repository when there is none, and leaves any other folder alone.
RECEIVE = """\
%(unset)s
export GIT_DEFAULT_HASH=%(hash)s GIT_DEFAULT_REF_FORMAT=files
command -v git >/dev/null 2>&1 || { %(no_git)s; exit 1; }
if [ ! -e "$1/.git/HEAD" ] && [ ! -f "$1/.git" ]; then
  if [ -e "$1" ] && [ ! -d "$1" ]; then %(not_a_folder)s; exit 1; fi
  if [ -d "$1" ] && [ ! -d "$1/.git" ] && [ -n "$(ls -A "$1" | grep -vx .venv)" ]; then %(not_a_repository)s; exit 1; fi
  mkdir -p "$1" && git %(settings)s init -q --template= "$1" && git -C "$1" config rented.creating true || exit 1
fi
exec git -c "safe.directory=*" %(settings)s receive-pack "$1"
"""
# The same for the git folder of a submodule; its work tree is made by the checkout on the host.
RECEIVE_MODULE = """\
%(unset)s
export GIT_DEFAULT_HASH=%(hash)s GIT_DEFAULT_REF_FORMAT=files
if [ ! -e "$1/HEAD" ]; then
  mkdir -p "$1" && git %(settings)s init -q --bare --template= "$1" && git -C "$1" config core.bare false || exit 1
fi
exec git -c "safe.directory=*" %(settings)s receive-pack "$1"
"""


@dataclass
class Source:
    """What is to be sent. ``branch`` is None where the version is a tag or a commit."""

    path: str
    version: str
    kind: str  # branch, tag or commit
    commit: str
    branch: str | None = None
    uncommitted: list = field(default_factory=list)  # paths with changes that no commit has
    current: bool = True  # whether the version is what is checked out here
    left_out: list = field(default_factory=list)  # (name, why) of uncommitted work that `snapshot` could not take


@dataclass
class Module:
    """One submodule: its git folder on the host is ``<dest>/.git/<folder>``."""

    path: str  # in the superproject, nested ones joined
    folder: str  # modules/<name>[/modules/<name>…]
    local: str
    commit: str


def clean_environment(**extra) -> dict:
    """This process's environment without what a git hook or a user may have set about another repository."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key.startswith("GIT_TRACE")}
    environment.update(LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_OPTIONAL_LOCKS="0", GIT_LFS_SKIP_SMUDGE="1", **extra)
    return environment


class Repository:
    """A checkout (or bare repository) on the controller. Raises `Failure` with the name of the item in it."""

    def __init__(self, path: str, said: str) -> None:
        self.path = path
        self.said = said  # as the user wrote it, for messages
        if not shutil.which("git"):
            raise MissingTool("Mode push needs git on this machine, and it is not here: install it (apt-get install git).")
        if not os.path.exists(path):
            raise Failure(f"The repository {said} does not exist (looked for {path}): give the path of a local checkout, or a URL.")
        if not os.path.isdir(path):
            raise Failure(f"The repository {said} is a file, not a checkout: give the folder.")
        found = self._run("rev-parse", "--is-bare-repository", "--show-cdup", check=False)
        if found.returncode:
            reason = found.stderr.strip().splitlines()
            if any("dubious ownership" in line for line in reason):
                raise Failure(f"git refuses {said}, which belongs to another user: run `git config --global --add safe.directory {path}`.")
            raise Failure(
                f"{said} is not a git repository: give a checkout (git init and commit there), or feed a plain folder with data_sync_items."
            )
        lines = found.stdout.split("\n")
        self.bare = lines[0] == "true"
        if not self.bare and len(lines) > 1 and lines[1]:
            top = os.path.normpath(os.path.join(path, lines[1]))
            raise Failure(f"{said} is a folder inside the repository {top}: give the repository itself.")
        if self.git("rev-parse", "--is-shallow-repository") == "true":
            raise Failure(f"{said} is a shallow clone, which cannot be sent whole: run `git -C {path} fetch --unshallow` first.")

    def _run(self, *arguments, check=True, environment=None, stdin=None, binary=False):
        ran = subprocess.run(
            ["git", *_git_config.here(), "-C", self.path, *arguments],
            env=environment or clean_environment(), input=stdin, capture_output=True, check=False,
        )  # fmt: skip
        if check and ran.returncode:
            raise Failure(f"git {arguments[0]} failed in {self.said}: {ran.stderr.decode('utf-8', 'replace').strip()}")
        if not binary:
            # Not in text mode, which turns a carriage return in a name into a line feed.
            ran.stdout, ran.stderr = (said.decode("utf-8", "surrogateescape") for said in (ran.stdout, ran.stderr))
        return ran

    def git(self, *arguments, **options) -> str:
        """What git says, without the line end; spaces at the end may belong to a path."""
        return self._run(*arguments, **options).stdout.rstrip("\n")

    def _commit(self, name: str) -> str | None:
        ran = self._run("rev-parse", "-q", "--verify", name + "^{commit}", check=False)
        return ran.stdout.strip() if ran.returncode == 0 else None

    def has(self, commit: str) -> bool:
        """Whether this repository has the commit, wherever it came from."""
        return bool(COMMIT.match(commit)) and self._commit(commit) is not None

    def source(self, version: str | None) -> Source:
        """What ``version`` means here, and what of the work here no commit has."""
        found = self.resolve(version)
        self.check_whole(found.commit)
        if not self.bare:
            status = self._run("status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=untracked")
            found.uncommitted = status_paths(status.stdout)
        return found

    def resolve(self, version: str | None) -> Source:
        """What ``version`` (a branch, a tag, a commit; None: what is checked out) means here; the work tree is not looked at."""
        current = self._run("symbolic-ref", "-q", "--short", "HEAD", check=False).stdout.strip() or None
        head = self._commit("HEAD")
        if version is None:
            if head is None:
                raise Failure(f"{self.said} has no commit yet: commit something, then run again.")
            found = Source(self.path, current or head, "branch" if current else "commit", head, current)
        else:
            for kind, name in (
                ("branch", "refs/heads/" + version),
                ("tag", "refs/tags/" + version),
                ("branch", "refs/remotes/origin/" + version),
            ):
                commit = self._commit(name)
                if commit:
                    found = Source(self.path, version, kind, commit, version if kind == "branch" else None)
                    break
            else:
                commit = self._commit(version) if re.match(r"^[0-9a-f]{7,64}$", version) else None
                if not commit:
                    known = self.git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").split()
                    if not known:
                        raise Failure(f"{self.said} has no commit yet: commit something, then run again.")
                    raise Failure(f"{self.said} has no branch, tag or commit '{shown(version)}'. {nearest(version[:80], known)}")
                found = Source(self.path, version, "commit", commit)
        found.current = head == found.commit and (found.branch is None or found.branch == current)
        return found

    def contains(self, commit: str, ancestor: str) -> bool | None:
        """Whether ``ancestor`` is in the history of ``commit``; None when it is not known here."""
        return {0: True, 1: False}.get(self._run("merge-base", "--is-ancestor", ancestor, commit, check=False).returncode)

    # --- uncommitted work ----------------------------------------------------------------------------------------

    def snapshot(self, source: Source, folder: str) -> tuple:
        """A commit on top of ``source.commit`` with all that is uncommitted and not ignored, and the environment in which it exists.

        Its objects lie in ``folder``; the repository, its index and its work tree are left as they are.
        """
        if not source.current:
            raise Failure(
                f"{self.said}: uncommitted work belongs to what is checked out, which is not '{source.version}': "
                "check it out, or leave version out."
            )
        if self.git("ls-files", "-u"):
            raise Failure(f"{self.said} is in the middle of a merge with conflicts: finish it, then send uncommitted work.")
        index = os.path.join(folder, "index")
        real = self.git("rev-parse", "--path-format=absolute", "--git-path", "index")
        if os.path.exists(real):
            shutil.copyfile(real, index)  # so that unchanged files are not read again
        objects = os.path.join(folder, "objects")
        os.makedirs(objects, exist_ok=True)
        environment = clean_environment(
            GIT_INDEX_FILE=index, GIT_OBJECT_DIRECTORY=objects,
            GIT_ALTERNATE_OBJECT_DIRECTORIES=self.git("rev-parse", "--path-format=absolute", "--git-path", "objects"),
        )  # fmt: skip
        # What cannot be read is left out, and named by `left_out`.
        self._run("add", "-A", "--ignore-errors", check=False, environment=environment)
        source.left_out = self.left_out(source, environment)
        tree = self.git("write-tree", environment=environment)
        if tree == self.git("rev-parse", source.commit + "^{tree}"):
            return None, None
        # The same work gives the same commit: its date is that of its parent.
        stamp = self.git("log", "-1", "--format=%cI", source.commit)
        for who in ("AUTHOR", "COMMITTER"):
            environment.update({f"GIT_{who}_NAME": "rented", f"GIT_{who}_EMAIL": "rented@localhost", f"GIT_{who}_DATE": stamp})
        commit = self.git("commit-tree", tree, "-p", source.commit, "-m", "Uncommitted work", environment=environment)
        return commit, environment

    def left_out(self, source: Source, environment: dict) -> list:
        """``(name, why)`` of what ``git add`` did not take; repositories inside are taken back out, because their content is not sent."""
        found = []
        before = self._links("ls-tree", "-r", "-z", source.commit)
        for name, commit in self._links("ls-files", "-s", "-z", environment=environment).items():
            if before.get(name) == commit:
                continue
            if name in before:
                self.git("update-index", "--cacheinfo", f"160000,{before[name]},{name}", environment=environment)
                found.append((name, "another commit of a submodule"))
            else:
                self.git("update-index", "--force-remove", "--", name, environment=environment)
                found.append((name + "/", "a repository of its own"))
        known = {name for name, _why in found}
        status = self._run(
            "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching", "--ignore-submodules=none",
            environment=environment,
        ).stdout  # fmt: skip
        for entry in status.split("\0"):
            code, name = entry[:2], entry[3:]
            if code == "!!":
                found.append((name, "ignored"))
            elif code[1:].strip() and name not in known and name + "/" not in known:
                found.append((name, "changes in a submodule" if name in before else "git could not read it"))
        return found

    def _links(self, *arguments: str, **options) -> dict:
        """path -> commit of what is a repository of its own in a tree or an index."""
        found = {}
        for line in self._run(*arguments, **options).stdout.split("\0"):
            meta, tab, path = line.partition("\t")
            if tab and meta.startswith("160000 "):
                found[path] = next(word for word in meta.split() if COMMIT.match(word))
        return found

    # --- LFS and submodules --------------------------------------------------------------------------------------

    def uses_lfs(self, commit: str) -> bool:
        """Whether a .gitattributes of the commit hands files to Git LFS."""
        return self._run("grep", "-q", "-e", "filter=lfs", commit, "--", ":(glob)**/.gitattributes", check=False).returncode == 0

    def lfs_objects(self, commit: str) -> tuple:
        """``(folder, names)``: the LFS objects of a commit as paths below the folder. Raises `Failure` when one is not here."""
        small = []
        for line in self.git("ls-tree", "-r", "-l", "-z", commit).split("\0"):
            parts = line.split("\t", 1)[0].split()
            if len(parts) == 4 and parts[1] == "blob" and int(parts[3]) < POINTER_MAX:
                small.append(parts[2])
        answer = (
            self._run("cat-file", "--batch", stdin="\n".join(sorted(set(small))).encode() + b"\n", binary=True).stdout if small else b""
        )
        folder = self.git("rev-parse", "--path-format=absolute", "--git-common-dir") + "/lfs/objects"
        names, missing, start = [], 0, 0
        while start < len(answer):
            end = answer.index(b"\n", start)
            length = int(answer[start:end].split()[2])
            pointer = POINTER.match(answer[end + 1 : end + 1 + length])
            start = end + 1 + length + 1
            if not pointer or pointer.group(2) == b"0":
                continue
            oid = pointer.group(1).decode()
            names.append(f"{oid[:2]}/{oid[2:4]}/{oid}")
            missing += not os.path.isfile(os.path.join(folder, names[-1]))
        if missing:
            raise Failure(
                f"{self.said} lacks {missing} of the {len(names)} LFS files of this version: run `git -C {self.path} lfs pull` first."
            )
        return folder, sorted(set(names))

    def submodules(self, commit: str, prefix: str = "", folder: str = "modules") -> list:
        """Every submodule of the commit, nested ones too. Raises `Failure` when one is not checked out here or lacks its commit."""
        found: list = []
        entries = [line.split("\t", 1) for line in self.git("ls-tree", "-r", "-z", commit).split("\0") if line.startswith("160000 ")]
        if not entries:
            return found
        config = self._run("config", "-z", "--blob", commit + ":.gitmodules", "--get-regexp", r"^submodule\..*\.path$", check=False).stdout
        names = {}
        for pair in config.split("\0"):
            key, _sep, path = pair.partition("\n")
            names[path] = key[len("submodule.") : -len(".path")]
        for meta, path in entries:
            if path not in names:
                raise Failure(
                    f"{self.said} has the submodule {prefix + path}, which its .gitmodules does not name: mend it, "
                    "or set submodules to false."
                )
            wanted, local = meta.split()[2], os.path.join(self.path, path)
            said = posixpath.join(self.said, path)
            if not os.path.exists(os.path.join(local, ".git")):
                raise Failure(
                    f"The submodule {said} is not checked out here, so it cannot be sent: run `git -C {self.path} "
                    "submodule update --init --recursive`, or set submodules to false."
                )
            module = Repository(local, said)
            if not module._commit(wanted):
                raise Failure(
                    f"The submodule {said} lacks the commit {wanted[:12]} that {self.said} wants: run `git -C "
                    f"{self.path} submodule update`."
                )
            module.check_whole(wanted)
            below = posixpath.join(folder, names[path])
            found.append(Module(prefix + path, below, local, wanted))
            found += module.submodules(wanted, prefix + path + "/", posixpath.join(below, "modules"))
        return found

    # --- sending -------------------------------------------------------------------------------------------------

    def push(self, ssh, dest: str, refspecs: list, environment: dict | None = None, script: str = RECEIVE) -> None:
        """Send commits to ``dest`` on the host, over its own ssh connection (`_commands.reach`). Raises `Failure`."""
        environment = dict(environment or clean_environment())
        # LFS objects do not go this way (a plain ssh host is not an LFS server): its hook must not try.
        environment.update(GIT_SSH_COMMAND=ssh.command(), GIT_SSH_VARIANT=ssh.variant, GIT_LFS_SKIP_PUSH="1")
        url = f"ssh://{ssh.alias}{urllib.parse.quote(os.fsencode(dest))}"
        marker = _start_failures.Marker()
        script = script % {
            "unset": UNSET, "hash": self.object_format(), "settings": shlex.join(_git_config.there()),
            **{word.replace("-", "_"): marker.say(word) for word in ("no-git", "not-a-folder", "not-a-repository")},
        }  # fmt: skip
        receive = f"/bin/sh -c {shlex.quote(script)} rented-receive"
        ran = self._run(
            *_git_config.own_address(url), "push", "--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
            "--receive-pack=" + receive, url, *refspecs, check=False, environment=environment,
        )  # fmt: skip
        if ran.returncode:
            raise Failure(push_error(self.said, dest, ran.stderr, marker.said(ran.stderr)), stderr=ran.stderr.strip())

    def object_format(self) -> str:
        """How objects are named: sha1 or sha256. The repository on the host needs the same."""
        ran = self._run("rev-parse", "--show-object-format", check=False)
        return "sha256" if ran.stdout.strip() == "sha256" else "sha1"

    def check_whole(self, commit: str) -> None:
        """Raises `Failure` for a partial clone that lacks objects of the commit's history.

        git would fetch them in the middle of the push, and through the connection of the push, which leads to the host.
        """
        partial = self._run("config", "--get-regexp", r"^(remote\..*\.promisor|extensions\.partialclone)$", check=False)
        if not partial.stdout.strip():
            return
        command = ["git", *_git_config.here(), "-C", self.path, "rev-list", "--objects", "--no-object-names", "--missing=print", commit]
        with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as listed:
            lacks = sum(line.startswith(b"?") for line in listed.stdout or ())
        if lacks or listed.returncode:
            raise Failure(
                "%s is a partial clone and lacks %s of its history, so it cannot be sent whole: "
                "run `git -C %s fetch --refetch --no-filter` first." % (self.said, f"{lacks} objects" if lacks else "a part", self.path)
            )


def special_files(folder: str) -> list:
    """Names of what is neither a file, a folder nor a link; git passes over them without a word."""
    found = []
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            full = os.path.join(here, name)
            if not os.path.islink(full) and not os.path.isfile(full) and os.path.exists(full):
                found.append(os.path.relpath(full, folder))
    return sorted(found)


def status_paths(porcelain: str) -> list:
    """The paths of ``git status --porcelain -z``; of a renamed file the new one."""
    paths, entries = [], iter(porcelain.split("\0"))
    for entry in entries:
        if entry[:2].strip():
            paths.append(entry[3:])
            # Renamed in the index, or in the work tree after `git add -N`.
            if "R" in entry[:2] or "C" in entry[:2]:
                next(entries, None)
    return paths


def push_error(said: str, dest: str, stderr: str, word: str | None = None) -> str:
    """What a failed push means. ``word`` is what our script on the host said."""
    own = {
        "no-git": "git is not on the host: the role `ready` installs it",
        "not-a-folder": f"{dest} on the host is a file: choose another dest, or move it away",
        "not-a-repository": (
            f"{dest} on the host holds files but is not a git repository: nothing was changed; choose another dest, or move it away"
        ),
    }
    known = {
        "No space left on device": "the host's disk is full: free some space, or rent a larger one",
        "Permission denied (publickey": "the host refused the ssh key",
        "Host key verification failed": "the host's key is not the one that is known",
        "does not support this repository's hash algorithm": (
            f"{dest} on the host names its objects in another way (sha1 or sha256) than yours: choose another dest, or move it away"
        ),
    }
    meaning = own.get(word or "") or _start_failures.explained(stderr)
    for sign, text in known.items():
        if not meaning and sign in stderr:
            meaning = text
    if meaning:
        return f"Sending {said} did not work: {meaning}."
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    return f"Sending {said} to {dest} by git push did not work: {' '.join(lines[-3:]) or 'git said nothing'}"
