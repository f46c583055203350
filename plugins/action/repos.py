# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role repos: which checkouts have to change, sending what is sent, one execution for the rest."""

from __future__ import annotations

import contextlib
import posixpath
import shlex
import tempfile
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs, _paths, _rsync
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._git import _repository
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _unsaved_work
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _local_host, _shortcut

LISTED = 3  # names in a message


class ActionModule(RoleAction):
    ARGUMENT_SPEC = {
        "items": {"type": "list", "elements": "raw", "default": []},
        "mode": {"type": "str", "choices": list(_item_specs.MODES), "default": "push"},
    }

    def work(self, arguments: dict) -> dict:
        items = _item_specs.read_repos(arguments["items"], arguments["mode"])
        if not items:
            notes = self.tell_work([], [])
            return {"changed": False, "repos": [], "notes": notes}
        self.know_host()
        for item in items:
            item.path = _paths.on_host(item.dest, self.facts)
            # Of the place, not of how it was written: two spellings are one checkout.
            item.stamp = _paths.stamp_name("repos", item.path)
        _paths.check_dests(_item_specs.REPOS, items)
        if _local_host.is_here(self._connection) and not self.has_git():
            return self.predicted(items)
        with contextlib.ExitStack() as stack:
            items = [item for item in items if not self.in_place(item)]
            for item in items:
                if not item.url:
                    self.prepare(item, stack)
            for item in items:
                item.wanted = self.request(item)
                item.settled = self.is_settled(item)
            todo = [item for item in items if not item.settled]
            if todo and not self.has_git():
                return self.predicted(todo)
            with _commands.program("git push", self._connection, self._task_vars):
                for item in todo:
                    if not item.url:
                        self.send(item)
        results = self.settle_all(todo)
        notes = self.tell(items, results) + self.tell_work(items, results)
        changed = any(result["changed"] for result in results)
        if changed:
            self.set_facts(repos_changed=True)
        return {
            "changed": changed,
            "repos": results,
            "diff": self.diffs,
            "notes": notes,
            "msg": " ".join(notes) or f"{len(todo)} of {len(items)} checkouts had to be looked at.",
        }

    # --- the request ---------------------------------------------------------------------------------------------

    def in_place(self, item: _item_specs.RepoItem) -> bool:
        """Whether a local checkout is its own dest: Ansible runs on the host itself, and there is nothing to bring."""
        path = _paths.on_controller(item.src)
        if item.url or not _local_host.is_here(self._connection) or not _local_host.same_place(path, item.path):
            return False
        source = _repository.Repository(path, item.src).resolve(item.version)
        if not source.current:
            raise Failure(
                f"{item.src} is its own dest, and '{item.version}' is not what is checked out there: check it "
                "out, leave version out, or give another dest."
            )
        return True

    def prepare(self, item: _item_specs.RepoItem, stack) -> None:
        """Look at a local checkout; nothing has been changed anywhere if this fails."""
        path = _paths.on_controller(item.src)
        repository = item.repository = _repository.Repository(path, item.src)
        source = item.source = repository.source(item.version)
        item.modules = repository.submodules(source.commit) if item.submodules else []
        item.snapshot, item.environment = None, None
        if item.uncommitted:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rented-"))
            item.snapshot, item.environment = repository.snapshot(source, folder)
        if item.lfs is None:
            item.lfs = repository.uses_lfs(source.commit) and (not self.facts.get("tools") or bool(self.tool("git-lfs")))
            item.pointers = not item.lfs and repository.uses_lfs(source.commit)
        item.objects = repository.lfs_objects(source.commit) if item.lfs else None
        if item.lfs and self.facts.get("tools") and not self.tool("git-lfs") and not self.check_mode:
            raise Failure(f"{item.src} has lfs: true, and git-lfs is not on the host: add git-lfs to ready_packages.")

    def request(self, item: _item_specs.RepoItem) -> dict:
        """What the stamp stands for."""
        common = {key: getattr(item, key) for key in ("path", "version", "lfs", "submodules")}
        if item.url:
            return dict(common, url=item.url)
        source = item.source
        return dict(
            common, commit=source.commit, branch=source.branch, uncommitted=item.snapshot if item.uncommitted else None,
            modules=[[module.path, module.commit] for module in item.modules],
        )  # fmt: skip

    def is_settled(self, item: _item_specs.RepoItem) -> bool:
        if not self.settled(item.stamp, item.wanted):
            return False
        if not item.url:
            return True
        # A branch may have moved since; a commit has not. Tags rarely move: check mode asks for them, a run does not.
        if self.check_mode and not _repository.COMMIT.match(item.version or ""):
            return False
        return self.facts["stamps"][item.stamp].get("data", {}).get("kind") in ("tag", "commit") and bool(item.version)

    def tool(self, name: str):
        return (self.facts.get("tools") or {}).get(name)

    def has_git(self) -> bool:
        if not self.facts.get("tools") or self.tool("git"):
            return True
        if self.check_mode:
            return False
        raise Failure("git is not on the host: the role `ready` installs it.")

    # --- the work ------------------------------------------------------------------------------------------------

    def send(self, item: _item_specs.RepoItem) -> None:
        """Send a local checkout: commits, those of its submodules, LFS objects. The host's branches and files do not move by this."""
        if self.check_mode:
            return
        repository, source = item.repository, item.source
        ssh = _commands.reach(self._connection, self._task_vars)
        refs = [f"+{source.commit}:{_repository.INCOMING}"]
        if item.snapshot:
            refs.append(f"+{item.snapshot}:{_repository.UNCOMMITTED}")
        self.executions += 1
        repository.push(ssh, item.path, refs, item.environment)
        for module in item.modules:
            self.executions += 1
            below = posixpath.join(item.path, ".git", module.folder)
            _repository.Repository(module.local, module.path).push(
                ssh, below, [f"+{module.commit}:{_repository.INCOMING}"], script=_repository.RECEIVE_MODULE
            )
        if item.objects and item.objects[1]:
            self.executions += 1
            _rsync.send_listed(ssh, item.objects[0], item.objects[1], posixpath.join(item.path, ".git", "lfs", "objects"))

    def settle_all(self, todo: list) -> list:
        """One execution for all, and one more, with a login of its own, for those that borrow the agent."""
        self.diffs: list = []
        results, failures = [], []
        lent = [item for item in todo if item.mode == "agent"]
        for items, agent in (([item for item in todo if item.mode != "agent"], False), (lent, True)):
            if not items:
                continue
            arguments = {"agent": agent, "repos": [self.argument(item) for item in items]}
            with self.lend() if agent else contextlib.nullcontext():
                try:
                    answer = self.remote("repos", arguments)
                except Failure as failure:
                    if "repos" not in failure.details:
                        raise
                    answer = failure.details
                    failures.append(str(failure))
            for item, result in zip(items, answer["repos"]):
                if not item.url:
                    result["fetch"] = self.fetch_command(item)
                results.append(result)
            self.diffs += answer.get("diff") or []
        if failures:
            notes = [
                f" Fetch with: {result['fetch']}" for result in results if "has diverged" in result.get("error", "") and "fetch" in result
            ]
            raise Failure(" ".join(failures) + "".join(notes), repos=results, changed=any(result["changed"] for result in results))
        return results

    def lend(self):
        return _commands.lent_agent(self._connection, self._task_vars)

    def argument(self, item: _item_specs.RepoItem) -> dict:
        argument = {
            "dest": item.path, "submodules": item.submodules, "lfs": item.lfs,
            "stamp": item.stamp, "stamp_wanted": _stamps.digest(item.wanted),
        }  # fmt: skip
        if item.url:
            return dict(argument, url=item.url, version=item.version)
        source = item.source
        argument.update(commit=source.commit, branch=source.branch, version=source.version)
        if item.uncommitted:
            argument["uncommitted"] = item.snapshot or ""
        return argument

    def predicted(self, todo: list) -> dict:
        """Check mode on a host that has no git yet."""
        results = [{"dest": item.path, "changed": True, "did": "created", "notes": []} for item in todo]
        diff = [
            {"before_header": item.path, "after_header": item.path, "before": "(nothing)\n", "after": f"{item.src} created\n"}
            for item in todo
        ]
        return {"changed": True, "repos": results, "diff": diff}

    # --- what people see -----------------------------------------------------------------------------------------

    def fetch_command(self, item: _item_specs.RepoItem, branches: list | None = None) -> str:
        """What brings commits that were made on the host back to the controller."""
        branches = [str(name) for name in branches or [item.source.branch or "HEAD"]]
        if _local_host.is_here(self._connection):
            return " ".join(map(shlex.quote, ["git", "-C", item.repository.path, "fetch", item.path, *branches]))
        words, name = _shortcut.ssh_words(self._connection, self._task_vars)
        if name == _commands.Ssh(self._connection, self._task_vars).address:
            name = _commands.Ssh(self._connection, self._task_vars).in_url
        return (
            f"GIT_SSH_COMMAND={shlex.quote(_shortcut.as_typed(words))} "
            f"{_shortcut.as_typed(['git', '-C', item.repository.path])} fetch "
            f"ssh://{name}{urllib.parse.quote(item.path)} {' '.join(map(shlex.quote, branches))}"
        )

    def tell(self, items: list, results: list) -> list:
        """Say aloud what a person would otherwise not expect."""
        notes = []
        for result in results:
            for note in result["notes"]:
                notes.append(f"{result['dest']}: {note}")
        done = {result["dest"]: result for result in results}
        for item in items:
            if item.url:
                continue
            if item.uncommitted and done.get(item.path, {}).get("changed"):
                notes += self.not_sent(item)
            left = item.source.uncommitted
            if left and not item.uncommitted and item.source.current:
                notes.append(
                    "%s: %d files with uncommitted changes stay here (%s)."
                    % (item.src, len(left), ", ".join(left[:5]) + (", …" if len(left) > 5 else ""))
                )
            if item.pointers:
                notes.append(
                    f"{item.src}: uses Git LFS and git-lfs is not on the host, so its large files are pointers "
                    "there: add git-lfs to ready_packages."
                )
        for note in notes:
            self.say(note)
        return notes

    def not_sent(self, item: _item_specs.RepoItem) -> list:
        """What `uncommitted: true` does not bring, by its reason."""
        reasons: dict = {}
        left = item.source.left_out + [(name, "neither file nor folder") for name in _repository.special_files(item.repository.path)]
        for name, why in left:
            reasons.setdefault(why, []).append(name)
        words = []
        for why, names in reasons.items():
            more = " and %d more" % (len(names) - LISTED) if len(names) > LISTED else ""
            words.append(f"{', '.join(names[:LISTED])}{more} ({why})")
        return [f"{item.src}: not sent: {'; '.join(words)}."] if words else []

    def tell_work(self, items: list, results: list) -> list:
        """Work that exists only on the host is said by every run: it is lost when the instance is destroyed."""
        found = _unsaved_work.entries(self.facts)
        for result in results:
            if "work" in result:  # looked at after the work of this run
                found.pop(result["dest"], None)
                found.update(_unsaved_work.entries({"work": [result["work"]]}))
        here = {item.path: item for item in items}
        notes = []
        for path, entry in sorted(found.items()):
            item = here.get(path)
            repository = item and item.repository
            if repository:
                entry = _unsaved_work.only_there(entry, repository.has)
            said = _unsaved_work.sentence(entry)
            if said and repository and entry.get("commits"):
                said += "\n  fetch: " + self.fetch_command(here[path], entry.get("branches"))
            notes += [said] if said else []
        for note in notes:
            self.say(note)
        return notes
