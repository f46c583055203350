# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Makes an environment as it is wanted: looks at what is there, decides, and does what is missing."""

from __future__ import annotations

import os
import shutil
import time

from ansible_collections.rented.gpu.plugins.module_utils._host import _lock, _sources, _stamps, _tools
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import (
    _activation,
    _git_exclude,
    _installed,
    _requirements,
    _torch,
    _uv,
)
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._ledger import Ledger
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._project import FILES, Project
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._report import Report, Trouble
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._site import Site
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._with_conda import WithConda
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._with_uv import WithUv
from ansible_collections.rented.gpu.plugins.module_utils._host._environment._with_venv import WithVenv

STAMP = "python_env"
INSTALLERS = {kind.MANAGER: kind for kind in (WithUv, WithVenv, WithConda)}
# Usable as they are: "ours" was made by this role, "foreign" was not. The others are "none", "broken" (does not run), and
# "unfinished" (an interrupted run of this role).
USABLE = ("ours", "foreign")


class Maker:
    """One run. ``run_command`` and ``check_mode`` are those of the module."""

    def __init__(self, wanted: dict, run_command, check_mode: bool) -> None:
        self.wanted, self.check_mode = wanted, check_mode
        self.home = _stamps.user_home()
        self.ledger = Ledger(self.home)
        self.report = Report()
        self.project = Project(wanted, self.report.warnings)
        self.site = Site(wanted, self.home, self.project, self.report, run_command, list(self.ledger.entries()))
        self.path = self.site.path
        self.installer = INSTALLERS[wanted["manager"]](self.site)

    def run(self) -> dict:
        """The result of the module. Raises `Trouble`."""
        if not self.check_mode:
            self.wait_for_lock()
        stamp = self.read_stamp()
        if stamp:
            return self.result(False, stamp["data"], stamp=stamp)
        self.site.version = _requirements.python_version(self.wanted["python"]) if self.wanted["python"].strip() else ""
        present = self.project.read(self.check_mode)
        self.project.refuse_tracked(self.path)
        self.installer.find()
        tag, why = _torch.choose(self.wanted, self.project.inputs, self.project.syncs(), self.report.warnings)
        state = self.look_at_environment()
        if state not in USABLE:
            self.site.check_disk(tag)
        if self.check_mode:
            return self.predicted(state, present, why)
        changed = self.installer.fetch()
        if self.installer.needs_uv:
            return self.result(False, None, needs_uv=self.installer.needs_uv)
        self.site.cache = self.site.choose_cache()
        if state not in USABLE:
            self.installer.choose_python()
        try:
            return self.make(state, tag, why, changed)
        except Trouble as trouble:
            # What the installer refused is not an interrupted install: it left the environment whole. A full disk did not.
            if not trouble.details.get("disk_full") and _tools.python_version(self.site.python):
                self.remember("failed", made=state != "foreign")
            raise

    def make(self, state: str, tag: str | None, why: str, changed: bool) -> dict:
        doubtful = state == "foreign" and self.ledger.entry(self.path).get("state") == "working"
        before, digest = _installed.packages(self.path), _stamps.env_digest(self.path)
        # An environment that is made anew has nothing built in it.
        built = self.ledger.built(self.path) if state in USABLE and not doubtful else {}
        self.installer.begin(state not in USABLE, doubtful, built)
        _stamps.remove(self.home, STAMP)
        self.remember("working", made=state != "foreign")
        if state == "unfinished":
            self.report.step("remove what an interrupted run left", shutil.rmtree, self.path)
        elif state == "broken":
            self.report.step("put the broken environment aside", self.put_aside)
        if state not in USABLE:
            self.report.step("make the environment", self.installer.create)
            changed = True
        tag = self.report.step("install", self.install_cleanly, tag) or None
        changed = self.report.step("activate", self.activate) or changed
        after, now = _installed.packages(self.path), _stamps.env_digest(self.path)
        self.look_at_packages()
        self.report.changed("packages", _listed(before), _listed(after))
        self.report.warnings += _activation.verify(self.path)
        data = self.describe(tag, why, now, len(after))
        stamp = {"wanted": self.wanted["stamp_wanted"], "watch": self.watch(now), "data": data}
        if stamp["wanted"]:
            _stamps.write(self.home, STAMP, stamp["wanted"], stamp["watch"], data)
        self.ledger.write(self.path, "ready", self.ledger.entry(self.path).get("made", False), self.installer.rebuild.state)
        return self.result(changed or now != digest, data, stamp=stamp)

    def result(self, changed: bool, data: dict | None, **more) -> dict:
        result = dict(changed=changed, steps=self.report.steps, diff=self.report.diff, **more)
        if data:
            result["env"] = {key: value for key, value in data.items() if key != "versions"}
            result["torch"] = (data.get("torch") or {}).get("why") or ""
        return result

    def predicted(self, state: str, present: bool, why: str) -> dict:
        doing = {"none": "would make", "unfinished": "would make anew, after an interrupted run,", "broken": "would make anew"}
        said = f"{doing.get(state, 'would update')} the environment {self.path}"
        self.report.steps.append({"step": said, "seconds": 0.0})
        if not present:
            self.report.steps.append({"step": f"the project {self.project.folder} is not there yet", "seconds": 0.0})
        self.report.changed(self.path, "", said + "\n")
        self.activate(dry=True)
        return self.result(True, None, torch=why if self.project.inputs.torch else "")

    # --- looking -----------------------------------------------------------------------------------------------

    def wait_for_lock(self) -> None:
        """One run at a time. What we start inherits the lock, so that an orphan of a broken connection is waited for too."""
        self.site.lock = _lock.acquire(self.home, STAMP, self.wanted["lock_timeout"])
        if self.site.lock is None:
            raise Trouble(
                f"Another run has been working on this host's Python environment for {self.wanted['lock_timeout']} s. Look for uv or pip "
                "with 'ps aux', end it, and run again."
            )

    def read_stamp(self) -> dict | None:
        """The stamp, when it is of this request and still true: another run may have finished while this one waited."""
        stamp = _stamps.read(self.home, STAMP) if self.wanted["stamp_wanted"] else None
        return stamp if stamp and stamp["wanted"] == self.wanted["stamp_wanted"] and stamp["intact"] else None

    def look_at_environment(self) -> str:
        """The state of what is at the path; see `USABLE`."""
        env = self.path
        if not os.path.lexists(env) or (os.path.isdir(env) and not os.listdir(env)):
            return "none"
        known = self.ledger.entry(env)
        if known.get("made") and known.get("state") == "working":
            return "unfinished"
        is_one = os.path.exists(os.path.join(env, "pyvenv.cfg")) or os.path.isdir(os.path.join(env, "conda-meta"))
        if not is_one and not os.path.lexists(self.site.python) and not known.get("made"):
            raise Trouble(f"{env} is there and is not a Python environment: set python_env_path to another folder. Nothing was changed.")
        found = _tools.python_version(self.site.python)
        if not found:
            return "unfinished" if known.get("made") else "broken"
        if not _requirements.satisfies(found, self.site.version):
            if known.get("made"):
                return "unfinished"
            raise Trouble(
                f"The environment {env} has Python {found} and was not made by this role, but {self.site.version} "
                "is wanted: move it away, or set python_env_path."
            )
        return "ours" if known.get("made") else "foreign"

    def look_at_packages(self) -> None:
        """Whether all that was asked is there, whatever the installer said."""
        missing = sorted(self.project.inputs.names - _installed.names(self.path))
        if missing:
            raise Trouble(
                f"The installer reported success, but {', '.join(missing[:8])} "
                f"{'is' if len(missing) == 1 else 'are'} not in the environment {self.path}. Look for a target, "
                "prefix or user setting in the host's uv.toml, for a uv.lock that is older than its pyproject.toml "
                "(run uv lock and commit it), or name the package with the name that its build gives it."
            )

    # --- doing -------------------------------------------------------------------------------------------------

    def remember(self, state: str, made: bool) -> None:
        """While it is at work, only what is not built anew is known as built."""
        state_now = self.installer.rebuild.state
        built = {name: seen for name, seen in self.ledger.built(self.path).items() if state_now.get(name) == seen}
        self.ledger.write(self.path, state, made, built)

    def put_aside(self) -> None:
        aside = f"{self.path}.broken-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        os.rename(self.path, aside)
        self.report.warnings.append(f"The environment {self.path} did not run and was not made by this role: it is now {aside}.")

    def install_cleanly(self, tag: str | None) -> str | None:
        """Install, and hide from git what builds leave in checkouts."""
        folders = [path for path in {self.project.folder, *self.project.inputs.packages} if os.path.isdir(path)]
        before = {folder: _git_exclude.untracked(folder) for folder in folders}
        try:
            return self.installer.install(tag)
        finally:
            for folder in folders:
                _git_exclude.hide(folder, before[folder])

    def activate(self, dry: bool = False) -> bool:
        conda = self.wanted["manager"] == "conda"
        text = _activation.env_sh(self.path, conda, self.installer.fetched_folder(), self.site.cache or "")
        return _activation.activate(self.home, text, self.report, dry)

    # --- the end -----------------------------------------------------------------------------------------------

    def describe(self, tag: str | None, why: str, digest: str | None, packages: int) -> dict:
        python = _tools.python_version(self.site.python)
        torch = _torch.installed(self.path)
        versions = {"python": python}
        if self.installer.uv:
            versions["uv"] = _uv.version_of(self.installer.uv)
        if torch:
            versions["torch"] = torch["version"]
            warning = _torch.too_new(torch, self.wanted["driver"])
            self.report.warnings += [warning] if warning else []
        about = dict(torch or {"version": None, "cuda": None}, tag=tag, why=why) if torch or self.project.inputs.torch else None
        return {
            "path": self.path,
            "project": self.project.folder,
            "manager": self.wanted["manager"],
            "python": python,
            "packages": packages,
            "digest": digest,
            "torch": about,
            "versions": versions,
            "says": f"Python {python}, {packages} packages",
        }

    def watch(self, digest: str | None) -> dict:
        """What the stamp watches: with all of it as it is now, the environment is as wanted."""
        env_sh = _activation.env_file(self.home)
        names = [self.project.path(name) for name in (*FILES, "uv.toml", "requirements.txt")]
        inputs = self.project.inputs
        watch: dict = {
            "envs": {self.path: digest},
            "files": dict(inputs.files, **{env_sh: _stamps.file_digest(env_sh)}),
            "lines": _activation.watched_lines(self.home),
            "exists": {name: os.path.exists(name) for name in names},
            "archives": {folder: _sources.archives_digest(folder) for folder in inputs.links},
        }
        for path, package in inputs.packages.items():
            watch.setdefault(package.kind, {})[path] = package.digest()
        return watch


def _listed(packages: list) -> str:
    return "".join(name + "\n" for name in packages)
