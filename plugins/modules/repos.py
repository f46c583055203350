#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repos
short_description: Bring checkouts on a rented host to a version, and never overwrite work
version_added: 0.1.0
description:
  - Brings any number of git checkouts to what is wanted, in one remote execution.
  - With O(repos[].url) the host clones or fetches. Without it the commit has already been sent into the repository by the
    action of the same name, over the host's own ssh connection, and no credential is on the host.
  - A checkout is only ever moved forward. Changed files that no commit has, and commits that only the host has, are never
    lost. The module fails and lists them, or leaves the checkout alone when there is nothing new for it.
  - Nothing ever prompts. Git Large File Storage is asked with C(git lfs pull), or served from objects that were sent.
  - Used as a task, the action of the same name runs on the controller. It takes O(items), resolves paths, does not go to the
    host at all when the host is known to be as wanted, and calls this module with O(repos) otherwise.
options:
  items:
    description:
      - What the action takes, the items of the variable C(repos_list). Known keys are C(src), C(dest), C(version), C(mode),
        C(lfs), C(submodules), C(uncommitted).
      - Only the action looks at it.
    type: list
    elements: raw
  mode:
    description: How private repositories are reached when the item does not say. Only the action looks at it.
    type: str
    choices: [push, agent, private_key]
    default: push
  agent:
    description: Whether the connection of this execution forwards an ssh agent. When it should and does not, the module fails.
    type: bool
    default: false
  repos:
    description: The checkouts.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path of the checkout.
        type: path
        required: true
      url:
        description: Where the host clones and fetches from.
        type: str
      version:
        description: Branch, tag or full commit. The default of a O(repos[].url) is its default branch.
        type: str
      commit:
        description: The commit that was sent. Not used with O(repos[].url).
        type: str
      branch:
        description: The branch that O(repos[].commit) belongs to, if any. Without one the checkout is detached.
        type: str
      uncommitted:
        description:
          - A commit on top of O(repos[].commit) whose changes are wanted in the work tree, uncommitted.
          - An empty string says that there are none any more, so that those sent before are taken back.
        type: str
      submodules:
        description: Whether submodules are checked out, recursively.
        type: bool
        default: true
      lfs:
        description: Whether files of Git Large File Storage are fetched. The default is to do it when the repository uses it and git-lfs is there.
        type: bool
      stamp:
        description: Name of the stamp to write.
        type: str
      stamp_wanted:
        description: Digest of the request, computed on the controller.
        type: str
attributes:
  check_mode:
    description: Predicts without changing anything. Commits that are not on the host yet are taken to be a step forward.
    support: full
  diff_mode:
    description: Shows branch and commit before and after.
    support: full
author:
  - The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Send two repositories and clone a third one
  rented.gpu.repos:
    items:
      - src: ~/code/homework
      - {src: ~/code/tools, dest: tools, version: v1.2}
      - {src: "https://example.org/group/dataset.git", lfs: true}
"""

RETURN = r"""
repos:
  description: What was found and done, one entry per checkout.
  type: list
  elements: dict
  returned: always
  contains:
    dest:
      description: Path of the checkout on the host.
      type: str
    changed:
      description: Whether anything was changed.
      type: bool
    did:
      description: One of V(created), V(updated), V(rewritten), V(switched), V(completed), V(nothing).
      type: str
    before:
      description: Commit of HEAD before, null in a new checkout.
      type: str
    commit:
      description: Commit of HEAD.
      type: str
    branch:
      description: Branch that is checked out, null when detached.
      type: str
    ahead:
      description: Number of commits that the host has and the source has not.
      type: int
    work:
      description: Work that exists only there afterwards, as M(rented.gpu.host_facts) tells it; null when there is none. Not in check mode.
      type: dict
    notes:
      description: Sentences that a person should see.
      type: list
      elements: str
    fetch:
      description: Command to run on the controller to fetch what was committed on the host. From the action, for sent repositories.
      type: str
"""

import hashlib
import os
import re
import subprocess

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _lock, _stamps, _urls, _work

INCOMING = "refs/rented/incoming"
INCOMING_UNCOMMITTED = "refs/rented/incoming-uncommitted"
SENT = "refs/rented/sent"  # what this module checked out last: a HEAD that is still there carries no work of the host
UNCOMMITTED = "refs/rented/uncommitted"
IN_THE_WAY = "it has changes of its own that would be overwritten, so nothing was changed: %s; commit them there or put them away (git stash), and run again"
WAIT = 600  # seconds to wait for an earlier run that is still at work
WATCHED = 200  # files of uncommitted work whose loss the next run notices
WATCHED_BYTES = 1 << 20
LISTED = 20  # files named in a message
SHA = re.compile(r"^[0-9a-f]{40}([0-9a-f]{24})?$")


class Trouble(Exception):
    """This checkout cannot be done; the sentence says why."""


class Checkout:
    def __init__(self, item, check_mode, home):
        self.item, self.check_mode, self.home = item, check_mode, home
        self.dest = item["dest"]
        self.notes = []
        self.trees = {}
        self.changed = False
        self.did = "nothing"
        self.environment = dict(os.environ)
        for name in list(self.environment):
            if name.startswith("GIT_"):
                del self.environment[name]
        self.environment.update(
            LC_ALL="C", GIT_TERMINAL_PROMPT="0", GIT_ASKPASS="/bin/false", SSH_ASKPASS="/bin/false", GIT_LFS_SKIP_SMUDGE="1",
            GIT_SSH_COMMAND="ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15",
        )  # fmt: skip

    # --- git -----------------------------------------------------------------------------------------------------

    def run(self, *arguments, **options):
        folder = options.pop("folder", self.dest)
        command = ["git", "-c", "safe.directory=*", "-c", "advice.detachedHead=false"]
        if folder:
            command += ["-C", folder]
        # Bytes: text mode would turn the line ends of Windows into others, in patches and names.
        given = {"input": os.fsencode(options.pop("input"))} if "input" in options else {"stdin": subprocess.DEVNULL}
        ran = subprocess.run(
            command + list(arguments), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **given, **options
        )
        ran.stdout, ran.stderr = os.fsdecode(ran.stdout), os.fsdecode(ran.stderr)
        return ran

    def git(self, *arguments, **options):
        ran = self.run(*arguments, **options)
        if ran.returncode:
            raise Trouble(f"git {' '.join(arguments[:2])} failed: {last_lines(ran.stderr)}")
        return ran.stdout

    def commit_of(self, name):
        ran = self.run("rev-parse", "-q", "--verify", name + "^{commit}")
        return ran.stdout.strip() if ran.returncode == 0 else None

    def contains(self, commit, ancestor):
        return self.run("merge-base", "--is-ancestor", ancestor, commit).returncode == 0

    def count(self, span):
        ran = self.run("rev-list", "--count", span)
        return int(ran.stdout) if ran.returncode == 0 else 0

    def entries(self, commit):
        """Path -> blob (or commit of a submodule) of a commit."""
        if commit not in self.trees:
            lines = self.git("ls-tree", "-r", "-z", commit).split("\0")
            self.trees[commit] = {path: meta.split()[2] for meta, _tab, path in (line.partition("\t") for line in lines if line)}
        return self.trees[commit]

    # --- what is there -------------------------------------------------------------------------------------------

    def look(self):
        """Read the state; True when there is a repository. Fails when dest is something else."""
        self.head = self.branch = None
        if not os.path.lexists(self.dest):
            return False
        if not os.path.isdir(self.dest):
            raise Trouble("it is a file: choose another dest, or move it away")
        if not os.path.lexists(os.path.join(self.dest, ".git")):
            if set(os.listdir(self.dest)) - {".venv"}:  # an environment that python_env made first stays there
                raise Trouble("it holds files but is not a git repository: nothing was changed; choose another dest, or move it away")
            return False
        self.head = self.commit_of("HEAD")
        ran = self.run("symbolic-ref", "-q", "--short", "HEAD")
        self.branch = ran.stdout.strip() or None
        return True

    def drop_dead_locks(self):
        """Remove locks that no running process holds: a git that was cut off leaves them."""
        if self.check_mode:
            return
        for name in ("index.lock", "HEAD.lock", "config.lock"):
            lock = os.path.realpath(os.path.join(self.dest, ".git", name))
            if os.path.exists(lock):
                holder = holder_of(lock)
                if holder:
                    raise Trouble(f"another git process works in it (process {holder}): wait for it, then run again")
                os.unlink(lock)

    def changes(self, targets):
        """``(foreign, ours)``: paths that moving to ``targets`` (commits) would overwrite.

        ``ours`` have the very content that one of the targets, or what was sent before, has: nothing is lost by replacing them.
        Untracked files count when a target has a file of that name.
        """
        base = self.entries(self.head) if self.head else {}
        known = [self.entries(target) for target in targets]
        suspects, both = set(), set()
        status = self.git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--ignore-submodules=untracked")
        for entry in status.split("\0"):
            if entry:
                suspects.add(entry[3:])
                if entry[0] != " " and entry[1] != " ":
                    both.add(entry[3:])
        for tree in known:
            suspects.update(path for path in tree if path not in base and os.path.lexists(os.path.join(self.dest, path)))
        foreign, ours = [], []
        for path in sorted(suspects):
            there = self.content(path)
            if path not in both and any(tree.get(path) == there for tree in known):
                ours.append(path)
            else:
                foreign.append(path)
        return foreign, ours

    def content(self, path):
        """The blob that a file of the work tree would be; None when there is none; the commit of a clean submodule."""
        full = os.path.join(self.dest, path)
        if os.path.islink(full):
            return self.git("hash-object", "--stdin", input=os.readlink(full)).strip()
        if os.path.isdir(full):
            if not os.path.lexists(os.path.join(full, ".git")):
                return None if not os.listdir(full) else "folder"
            dirty = self.git("status", "--porcelain", "--untracked-files=no", folder=full)
            return "dirty" if dirty else self.git("rev-parse", "HEAD", folder=full).strip()
        if not os.path.exists(full):
            return None
        return self.git("hash-object", "--", path).strip()

    def restore(self, paths):
        """Give these paths the content of HEAD."""
        base = self.entries(self.head) if self.head else {}
        for path in paths:
            full = os.path.join(self.dest, path)
            if path in base:
                if os.path.islink(full) or not os.path.isdir(full):
                    self.git("checkout", "-q", self.head, "--", ":(top,literal)" + path)
            else:
                self.git("rm", "-q", "--cached", "--ignore-unmatch", "--", ":(top,literal)" + path)
                if os.path.lexists(full) and not os.path.isdir(full):
                    os.unlink(full)

    def predict(self):
        """Check mode, and the commit is not here: it is taken to be a step forward, unless work is in its way."""
        foreign = self.changes([])[0] if self.head else []
        if foreign:
            raise Trouble(IN_THE_WAY % listed(foreign))
        self.changed, self.did = True, "updated" if self.head else "created"

    # --- moving --------------------------------------------------------------------------------------------------

    def plan(self, commit, branch):
        """``(did, steps)``: git commands that bring HEAD to the version, decided before anything is changed."""
        if self.head is None:
            place = ["-B", branch] if branch else ["--detach"]
            return "created", [["checkout", "-q", "-f"] + place + [commit]]
        if branch is None:
            if self.head == commit:
                return "nothing", []
            if self.branch is None and not self.kept(self.head):
                if self.contains(self.head, commit):
                    return "nothing", []  # work on top of a tag
                raise Trouble("its HEAD has commits that are on no branch: put them on one (git branch NAME), then run again")
            return "switched", [["checkout", "-q", "--detach", commit]]
        if self.contains(self.head, commit):
            return "nothing", []
        if self.branch is None and not self.kept(self.head):
            raise Trouble("its HEAD has commits that are on no branch: put them on one (git branch NAME), then run again")
        switch = [] if self.branch == branch else [["checkout", "-q", branch]]
        at = self.head if self.branch == branch else self.commit_of("refs/heads/" + branch)
        if at is None:
            return "switched", [["checkout", "-q", "-b", branch, commit]]
        if self.contains(commit, at):
            return "switched" if switch else "updated", switch + [["merge", "-q", "--ff-only", commit]]
        if self.contains(at, commit):
            return "switched", switch
        if at == self.commit_of(SENT):
            # The source's history was rewritten, and the host has added nothing to what it got before.
            self.notes.append(f"The history of {branch} was rewritten at its source; the host followed (before: {at[:12]}).")
            return "rewritten", switch + [["reset", "-q", "--keep", commit]]
        base = self.run("merge-base", at, commit)
        if base.returncode:
            raise Trouble("it has another history, with no commit in common with what is wanted: choose another dest")
        raise Trouble(
            "branch %s has diverged: %d commits are only on the host and %d only at the source; fetch the host's, merge, and run again"
            % (branch, self.count(f"{commit}..{at}"), self.count(f"{at}..{commit}"))
        )

    def kept(self, commit):
        """Whether a branch or a tag still leads to the commit when HEAD leaves it, or it is what was sent."""
        if commit == self.commit_of(SENT):
            return True
        return bool(self.git("for-each-ref", "--count=1", "--contains", commit, "refs/heads", "refs/tags", "refs/remotes").strip())

    def move(self, commit, branch):
        item = self.item
        did, steps = self.plan(commit, branch)
        uncommitted = item["uncommitted"] or None
        before = [name for name in (self.commit_of(UNCOMMITTED), self.commit_of(INCOMING_UNCOMMITTED)) if name]
        created = did == "created" and self.run("config", "--get", "rented.creating").returncode == 0
        if uncommitted and not steps and self.head != commit:
            raise Trouble("it has commits of its own, so uncommitted work does not fit on it: fetch them first, then run again")
        take_back = item["uncommitted"] == "" and bool(self.commit_of(UNCOMMITTED)) and (bool(steps) or self.head == commit)
        if steps or uncommitted or take_back:
            targets = [commit] + [name for name in before + [uncommitted] if name]
            foreign, ours = ([], []) if created else self.changes(targets)
            at_rest = not steps and self.same(uncommitted or commit, before + [commit])
            if at_rest:
                ours = []
            elif foreign:
                raise Trouble(IN_THE_WAY % listed(foreign))
            if steps or not at_rest:
                self.changed = True
                self.did = did if steps else "updated"
            if self.check_mode:
                return
            if self.changed and ours:
                self.restore(ours)
            for step in steps:
                self.git(*step)
            self.head = self.commit_of("HEAD")
            if uncommitted and self.changed:
                self.apply(uncommitted)
        elif self.head and self.head != commit and branch:
            ahead = self.count(f"{commit}..HEAD")
            self.notes.append(f"The host is {ahead} commit{'' if ahead == 1 else 's'} ahead; it was left alone.")
        if self.check_mode:
            return
        self.run("config", "--unset", "rented.creating")
        self.git("update-ref", SENT, commit)
        if uncommitted:
            self.git("update-ref", UNCOMMITTED, uncommitted)
        elif take_back or steps:
            self.run("update-ref", "-d", UNCOMMITTED)
        self.run("update-ref", "-d", INCOMING_UNCOMMITTED)

    def same(self, target, others):
        """Whether the work tree already holds what ``target`` has wherever it or the others differ from HEAD."""
        base, wanted = self.entries(self.head), self.entries(target)
        touched = {path for path in wanted if base.get(path) != wanted[path]} | {path for path in base if path not in wanted}
        for other in others:
            tree = self.entries(other)
            touched |= {path for path in set(tree) | set(base) if tree.get(path) != base.get(path)}
        return all(self.content(path) == wanted.get(path) for path in touched)

    def apply(self, uncommitted):
        patch = self.git("diff", "--binary", "--full-index", "HEAD", uncommitted)
        self.git("apply", "--whitespace=nowarn", "-", input=patch)
        files = self.differing(uncommitted)
        wanted = self.entries(uncommitted)
        wrong = [path for path in files if self.content(path) != wanted.get(path)]
        if wrong:
            raise Trouble(f"the uncommitted work was applied, and these files are not as they were sent: {listed(wrong)}")
        self.notes.append(f"Uncommitted work was sent too, and is uncommitted on the host: {listed(files)}.")

    def differing(self, uncommitted):
        """Paths that differ between HEAD and what was sent uncommitted."""
        return [path for path in self.git("diff", "--no-renames", "--name-only", "-z", "HEAD", uncommitted).split("\0") if path]

    def watch(self, commit):
        """What the stamp looks at: the history, submodules that are there, and that uncommitted work was not undone."""
        watch = {"repos": {self.dest: commit}}
        if self.item["submodules"] and os.path.exists(os.path.join(self.dest, ".gitmodules")):
            paths = self.run("config", "-z", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$").stdout.split("\0")
            modules = [os.path.join(self.dest, path.partition("\n")[2], ".git") for path in paths if path]
            watch["exists"] = {path: True for path in modules if os.path.lexists(path)}
        if self.item["uncommitted"]:
            # A file that was changed on the host is work; one that is as it was before was undone, and is brought again.
            base = self.entries(self.head)
            watch["others"] = {}
            for path in self.differing(self.item["uncommitted"])[:WATCHED]:
                size = self.run("cat-file", "-s", base[path]).stdout.strip() if path in base else "0"
                if not size.isdigit() or int(size) > WATCHED_BYTES or os.path.islink(os.path.join(self.dest, path)):
                    continue
                text = os.fsencode(self.git("cat-file", "blob", base[path])) if path in base else None
                watch["others"][os.path.join(self.dest, path)] = None if text is None else hashlib.sha256(text).hexdigest()
        return watch

    # --- submodules, LFS -----------------------------------------------------------------------------------------

    def complete(self, sent):
        """Submodules and LFS files, after HEAD is where it should be."""
        moved = self.changed
        if self.item["submodules"] and os.path.exists(os.path.join(self.dest, ".gitmodules")):
            status = self.git("submodule", "status", "--recursive")
            if moved or any(line.startswith("-") for line in status.splitlines()):
                self.note_change()
                if not self.check_mode:
                    if not sent:
                        self.git("submodule", "-q", "sync", "--recursive")
                    self.git(*(["submodule", "-q", "update", "--init", "--recursive"] + (["--no-fetch"] if sent else [])))
        lfs = self.item["lfs"]
        if lfs is None:
            lfs = bool(self.head) and self.run("grep", "-q", "-e", "filter=lfs", "HEAD", "--", ":(glob)**/.gitattributes").returncode == 0
        if not lfs:
            return
        if self.run("lfs", "version").returncode:
            if self.item["lfs"]:
                raise Trouble("git-lfs is not on the host: add git-lfs to ready_packages")
            self.notes.append(
                "The repository uses Git LFS and git-lfs is not on the host, so its large files are pointers: add git-lfs to ready_packages."
            )
            return
        if self.check_mode:
            return
        self.git("lfs", "install", "--local")
        if any(line.split(" ")[1:2] == ["-"] for line in self.git("lfs", "ls-files").splitlines()):
            self.note_change()
            self.git("lfs", "checkout" if sent else "pull")
            if any(line.split(" ")[1:2] == ["-"] for line in self.git("lfs", "ls-files").splitlines()):
                raise Trouble(f"some LFS files are still pointers after `git lfs {'checkout' if sent else 'pull'}`")

    def note_change(self):
        if not self.changed:
            self.changed, self.did = True, "completed"

    # --- the two ways --------------------------------------------------------------------------------------------

    def from_controller(self):
        there = self.look()
        commit = self.item["commit"]
        if not there or not self.commit_of(commit):
            if self.check_mode:  # the action has sent nothing in check mode
                self.predict()
                return {"branch": self.item["branch"], "commit": commit}
            raise Trouble(f"the commit {commit[:12]} was not sent to it")
        self.drop_dead_locks()
        self.move(commit, self.item["branch"])
        if not (self.check_mode and self.changed):
            self.complete(sent=True)
        return {"branch": self.item["branch"], "commit": commit, "kind": "branch" if self.item["branch"] else "commit"}

    def from_url(self):
        url = self.item["url"]
        there = self.look()
        kind, name, commit = self.ask(url, self.item["version"])
        wanted = {"branch": name if kind == "branch" else None, "commit": commit, "kind": kind}
        if there:
            origin = self.run("config", "--get", "remote.origin.url").stdout.strip()
            if origin and plain(origin) != plain(url):
                raise Trouble(
                    f"it is a checkout of {_urls.without_login(origin)}, and {_urls.without_login(url)} is wanted: choose another dest"
                )
        missing = not there or not self.commit_of(commit)
        if self.check_mode and missing:
            self.predict()
            return wanted
        if not self.check_mode:
            if not there:
                os.makedirs(self.dest, exist_ok=True)
                self.git("init", "-q")
                self.git("config", "rented.creating", "true")
            self.drop_dead_locks()
            if not there or not origin:
                self.git("config", "remote.origin.url", url)
                self.git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
            if missing:
                self.fetch(kind, name, commit)
        self.move(commit, wanted["branch"])
        if wanted["branch"] and not self.check_mode and self.changed:
            self.run("branch", "-q", "--set-upstream-to=origin/" + name, name)
        if not (self.check_mode and self.changed):
            self.complete(sent=False)
        return wanted

    def fetch(self, kind, name, commit):
        refs = []
        if kind == "tag":
            refs = [f"+refs/tags/{name}:refs/tags/{name}"]  # it may have moved
        ran = self.run("fetch", "-q", "--no-recurse-submodules", "origin", *(refs and ["+refs/heads/*:refs/remotes/origin/*"] + refs))
        if ran.returncode:
            raise Trouble(self.reason(ran.stderr))
        if not self.commit_of(commit):
            ran = self.run("fetch", "-q", "--no-recurse-submodules", "origin", commit)
            if ran.returncode or not self.commit_of(commit):
                raise Trouble(f"{_urls.without_login(self.item['url'])} has no commit {commit[:12]}")

    def ask(self, url, version):
        """``(kind, name, commit)`` of the version at its source."""
        if version and SHA.match(version):
            return "commit", version, version
        names = ["refs/heads/" + version, "refs/tags/" + version, "refs/tags/" + version + "^{}"] if version else ["HEAD"]
        ran = self.run("ls-remote", "--symref", url, *names, folder=None)
        if ran.returncode:
            raise Trouble(self.reason(ran.stderr))
        found, target = {}, None
        for line in ran.stdout.splitlines():
            value, _tab, ref = line.partition("\t")
            if value.startswith("ref: "):
                target = value[len("ref: ") :]
            else:
                found[ref] = value
        if not version:
            if "HEAD" not in found:
                raise Trouble(f"{_urls.without_login(url)} has no commit yet")
            if target and target.startswith("refs/heads/"):
                return "branch", target[len("refs/heads/") :], found["HEAD"]
            return "commit", found["HEAD"], found["HEAD"]
        if "refs/heads/" + version in found:
            return "branch", version, found["refs/heads/" + version]
        if "refs/tags/" + version in found:
            return "tag", version, found.get(f"refs/tags/{version}^{{}}", found["refs/tags/" + version])
        raise Trouble(f"{_urls.without_login(url)} has no branch or tag '{version}'; a commit has to be given with all its digits")

    def reason(self, stderr):
        """What git's words about a source that cannot be reached mean."""
        where = _urls.without_login(self.item["url"])
        known = (
            ("Host key verification failed", "the host does not know the key of the server of %s: add it to known_hosts_extra"),
            (
                "Permission denied (publickey",
                "the server of %s accepted none of the ssh keys: is the right key in your agent (mode agent), or in git_keys_private_key?",
            ),
            ("terminal prompts disabled", "%s asks for a name and a password: use mode push, or an ssh URL with mode agent"),
            ("could not read Username", "%s asks for a name and a password: use mode push, or an ssh URL with mode agent"),
            ("Authentication failed", "%s refused the credentials"),
            (
                "Could not resolve host",
                "the host cannot find the server of %s (no network, or a wrong name): mode push needs no network there",
            ),
            ("not found", "%s does not exist, or may not be read with these credentials"),
            ("does not appear to be a git repository", "%s is not a git repository"),
            ("No space left on device", "the disk is full while fetching %s"),
        )
        for sign, meaning in known:
            if sign.lower() in stderr.lower():
                return meaning % where
        return f"{where} could not be read: {last_lines(stderr)}"

    # --- all of it -----------------------------------------------------------------------------------------------

    def work(self):
        result = {"dest": self.dest, "before": None}
        item = self.item
        if not self.check_mode and item["stamp"]:
            _stamps.remove(self.home, item["stamp"])
        wanted = self.from_url() if item["url"] else self.from_controller()
        if not self.check_mode:
            self.look()
            if os.stat(self.dest).st_uid != os.getuid():
                self.trust()
        result.update(
            commit=self.head, branch=self.branch, wanted=wanted, ahead=self.count(f"{wanted['commit']}..HEAD") if self.head else 0
        )
        if not self.check_mode and item["stamp"]:
            data = dict(wanted, way="url" if item["url"] else "push", uncommitted=item["uncommitted"] or None)
            data["says"] = os.path.basename(self.dest)
            _stamps.write(self.home, item["stamp"], item["stamp_wanted"] or "", self.watch(wanted["commit"]), data)
        return result

    def trust(self):
        """On some network volumes every file belongs to another user, and git then refuses to work for the user."""
        known = self.run("config", "--global", "--get-all", "safe.directory", folder=None).stdout.splitlines()
        if self.dest not in known and "*" not in known:
            self.run("config", "--global", "--add", "safe.directory", self.dest, folder=None)
            self.notes.append(f"{self.dest} belongs to another user there, so it was added to git's safe.directory.")


def listed(paths):
    more = len(paths) - LISTED
    return ", ".join(paths[:LISTED]) + (f" and {more} more" if more > 0 else "")


def last_lines(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " ".join(lines[-4:]) or "git said nothing"


def plain(url):
    url = url.rstrip("/")
    return url[: -len(".git")] if url.endswith(".git") else url


def holder_of(path):
    """The id of a process that has this file open; None when there is none that this user can see."""
    for process in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            for handle in os.listdir(f"/proc/{process}/fd"):
                if os.readlink(f"/proc/{process}/fd/{handle}") == path:
                    return process
        except OSError:
            continue
    return None


def main():
    module = AnsibleModule(
        argument_spec={
            "items": {"type": "list", "elements": "raw"},
            "mode": {"type": "str", "choices": ["push", "agent", "private_key"], "default": "push"},
            "agent": {"type": "bool", "default": False},
            "repos": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "dest": {"type": "path", "required": True},
                    "url": {"type": "str"},
                    "version": {"type": "str"},
                    "commit": {"type": "str"},
                    "branch": {"type": "str"},
                    "uncommitted": {"type": "str"},
                    "submodules": {"type": "bool", "default": True},
                    "lfs": {"type": "bool"},
                    "stamp": {"type": "str"},
                    "stamp_wanted": {"type": "str"},
                },
                "required_one_of": [["url", "commit"]],
            },
        },
        supports_check_mode=True,
    )
    home = _stamps.user_home()
    git = module.get_bin_path("git")
    if not git:
        module.fail_json(msg="git is not on the host: the role `ready` installs it.")
    if module.params["agent"] and not os.environ.get("SSH_AUTH_SOCK"):
        module.fail_json(
            msg="The host does not let an ssh agent be forwarded (AllowAgentForwarding in its sshd_config): use mode push or private_key."
        )
    held = None
    if not module.check_mode:
        held = _lock.acquire(home, "repos", WAIT)
        if held is None:
            module.fail_json(msg="An earlier run still works on the checkouts of this host: wait for it, or end it, and run again.")
    results, failures, diffs = [], [], []
    for item in module.params["repos"]:
        checkout = Checkout(item, module.check_mode, home)
        before = (None, None)
        try:
            checkout.look()
            before = (checkout.branch, checkout.head)
            result = checkout.work()
            if not module.check_mode:
                result["work"] = _work.read(git, checkout.dest)
        except Trouble as trouble:
            result = {"dest": checkout.dest, "error": str(trouble), "commit": before[1], "branch": before[0], "ahead": 0}
            failures.append(f"{checkout.dest}: {trouble}.")
        except OSError as error:
            result = {"dest": checkout.dest, "error": str(error), "commit": before[1], "branch": before[0], "ahead": 0}
            failures.append(f"{checkout.dest}: {error}.")
        result.update(before=before[1], changed=checkout.changed, did=checkout.did, notes=checkout.notes)
        results.append(result)
        if checkout.changed:
            after = (result.get("wanted") or {}).get("commit") or result["commit"]
            name = (result.get("wanted") or {}).get("branch") or result["branch"]
            diffs.append(
                {
                    "before_header": checkout.dest,
                    "after_header": checkout.dest,
                    "before": state(*before),
                    "after": state(name, after) + checkout.did + "\n",
                }
            )
    if held is not None:
        os.close(held)
    changed = any(result["changed"] for result in results)
    if failures:
        module.fail_json(msg=" ".join(failures), repos=results, changed=changed)
    module.exit_json(changed=changed, repos=results, diff=diffs)


def state(branch, commit):
    return f"{branch or '(no branch)'} {commit[:12]}\n" if commit else "(nothing)\n"


if __name__ == "__main__":
    main()
