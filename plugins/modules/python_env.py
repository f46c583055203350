#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: python_env
short_description: Make a project's Python environment on a rented host, and make it active everywhere
version_added: 0.1.0
description:
  - Makes the environment, installs what the project asks for, and makes it active in login shells, in C(ssh host command) and
    in tmux, all in one remote execution.
  - Works as root and as a user without root. Neither pip nor ensurepip nor a preinstalled uv is needed.
  - An install that was interrupted is mended by the next run. Packages that were installed by hand are left alone.
  - Used as a task, the action of the same name runs on the controller. It resolves paths, does not go to the host at all when
    the host is known to be as wanted, and calls this module otherwise.
options:
  manager:
    description: What makes the environment. V(conda) takes micromamba, mamba or conda, whichever is on the host.
    type: str
    choices: [uv, venv, conda]
    default: uv
  python:
    description: The version of Python, such as V(3.11) or V(3.12.4). When it is empty, the manager chooses.
    type: str
    default: ''
  project:
    description: Folder of the project. When it is empty, the action takes the first of O(repos).
    type: path
    default: ''
  repos:
    description: The variable C(repos_list). Only the action looks at it.
    type: list
    elements: raw
    default: []
  path:
    description: Folder of the environment. The default is C(.venv) in the project.
    type: path
    default: ''
  requirements:
    description:
      - Requirements files, relative to the project. What they include counts too.
      - C(pylock.toml) with V(uv), C(environment.yml) with V(conda).
    type: list
    elements: str
    default: []
  extras:
    description: Extras of the project's C(pyproject.toml).
    type: list
    elements: str
    default: []
  packages:
    description: More packages.
    type: list
    elements: str
    default: []
  torch:
    description:
      - Which build of torch to install. V(auto) takes the one that fits the driver, V(none) takes what the index offers first.
      - A tag, such as V(cu126) or V(cpu), takes that build.
    type: str
    default: auto
  uv_version:
    description:
      - The release of uv that is fetched to a host that has none, or only one that is too old.
      - A C(required-version) of the project comes first. A fitting release is then fetched beside the others.
    type: str
    required: true
  uv_named:
    description: Use exactly O(uv_version), because the user asked for it. The action sets it.
    type: bool
    default: false
  disk_mb:
    description: How much has to be free on the disk of the environment before it is made, in MB. 0 takes a guess from the requirements.
    type: int
    default: 0
  lock_timeout:
    description: Seconds to wait for another run that works on the host's environment.
    type: int
    default: 900
  workdir:
    description: The folder for large things. The package cache goes there when the environment is on that disk and the home is not.
    type: str
    default: ''
  index:
    description: Package index that uv is fetched from when the host has none configured. The action sets it.
    type: str
    default: ''
  uv_wheel:
    description: A wheel of uv that has been put on the host. The action sets it, when the host could not fetch uv itself.
    type: str
    default: ''
  driver:
    description: Version of the GPU driver, empty without GPU. The action sets it.
    type: str
    default: ''
  capabilities:
    description: Compute capabilities of the GPUs. The action sets it.
    type: list
    elements: str
    default: []
  pending:
    description: The project would have been changed earlier in this run, which is in check mode. The action sets it.
    type: bool
    default: false
  stamp_wanted:
    description: Digest of the request. The action sets it.
    type: str
    default: ''
attributes:
  check_mode:
    description: Predicts without changing anything.
    support: full
  diff_mode:
    description: Shows the changes of shell files and the packages before and after.
    support: full
author: The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Install what the homework asks for
  rented.gpu.python_env:
    project: homework
    requirements: [requirements.txt]
    uv_version: 0.13.9

- name: Sync a project with its lock file and the extra for GPUs
  rented.gpu.python_env:
    project: homework
    extras: [gpu]
    python: "3.12"
    uv_version: 0.13.9
"""

RETURN = r"""
env:
  description: The environment.
  type: dict
  returned: when there is one
  contains:
    path: {description: Its folder., type: str, returned: always}
    python: {description: Version of its Python., type: str, returned: always}
    manager: {description: What made it., type: str, returned: always}
    packages: {description: How many packages are in it., type: int, returned: always}
    digest: {description: Digest of the installed packages., type: str, returned: always}
    torch: {description: 'version and CUDA of the torch in it, the tag that was asked, and why.', type: dict, returned: always}
torch:
  description: A sentence that says which build of torch was chosen, and why.
  type: str
  returned: when torch is asked or there
steps:
  description: What was done, or would be, with seconds.
  type: list
  elements: dict
  returned: always
stamp:
  description: The stamp that was written.
  type: dict
  returned: when it was written
needs_uv:
  description: Why uv could not be fetched by the host, and what its machine is, so that the action can send it.
  type: dict
  returned: when the host has no uv and cannot fetch one
details:
  description: All that a failed command said.
  type: str
  returned: when a command failed
"""

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda, _lock, _shell_files, _sources, _stamps, _tools
from ansible_collections.rented.gpu.plugins.module_utils._host._environment import (
    _build_errors,
    _git_exclude,
    _installed,
    _requirements,
    _surroundings,
    _uv,
    _uv_versions,
)

STAMP = "python_env"
# Free disk before a new environment: a plain one; torch for CPUs; torch with CUDA (5.9 GB measured, and room to unpack).
DISK_MB = 300
DISK_TORCH_CPU_MB = 2500
DISK_TORCH_MB = 9000
PROJECT_FILES = ("pyproject.toml", "uv.lock", ".python-version")

ARGUMENT_SPEC = {
    "manager": {"type": "str", "choices": ["uv", "venv", "conda"], "default": "uv"},
    "python": {"type": "str", "default": ""},
    "project": {"type": "path", "default": ""},
    "repos": {"type": "list", "elements": "raw", "default": []},
    "path": {"type": "path", "default": ""},
    "requirements": {"type": "list", "elements": "str", "default": []},
    "extras": {"type": "list", "elements": "str", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "torch": {"type": "str", "default": "auto"},
    "uv_version": {"type": "str", "required": True},
    "uv_named": {"type": "bool", "default": False},
    "disk_mb": {"type": "int", "default": 0},
    "lock_timeout": {"type": "int", "default": 900},
    "workdir": {"type": "str", "default": ""},
    "index": {"type": "str", "default": ""},
    "uv_wheel": {"type": "str", "default": ""},
    "driver": {"type": "str", "default": ""},
    "capabilities": {"type": "list", "elements": "str", "default": []},
    "pending": {"type": "bool", "default": False},
    "stamp_wanted": {"type": "str", "default": ""},
}


class Trouble(Exception):
    """The module fails with this sentence."""

    def __init__(self, message, **details):
        super().__init__(message)
        self.details = details


class Environment:
    def __init__(self, module):
        self.module = module
        self.wanted = module.params
        self.home = _stamps.user_home()
        self.project = self.wanted["project"]
        self.path = self.wanted["path"] or os.path.join(self.project, ".venv")
        if not os.path.isabs(self.path):
            raise Trouble("'project' or 'path' has to be an absolute path when python_env runs without its action plugin.")
        self.steps, self.warnings, self.diff = [], [], []
        self.doubtful = False  # an environment of the user's in which a run of this role was interrupted
        self.inputs = _requirements.Inputs(self.project)
        self.uv = None
        self.needs_uv = None
        self.python = None
        self.lock = None
        self.cache = None
        self.search = _tools.folders(self.home)
        self.forget_active_environments()

    # --- the whole ---------------------------------------------------------------------------------------------

    def run(self):
        if not self.module.check_mode:
            self.wait_for_lock()
        stamp = self.read_stamp()
        if stamp:
            return self.result(False, stamp["data"], stamp=stamp)
        self.version = _requirements.python_version(self.wanted["python"]) if self.wanted["python"].strip() else ""
        present = self.look_at_project()
        self.refuse_tracked()
        conda = self.find_conda() if self.wanted["manager"] == "conda" else None
        tag, why = self.choose_torch()
        state = self.look_at_environment()
        if state in ("none", "broken", "unfinished"):
            self.check_disk(tag)
        if self.module.check_mode:
            return self.predicted(state, present, why)
        changed = self.get_uv() if self.wanted["manager"] != "venv" else False
        if self.uv is None and self.wanted["manager"] != "venv":
            return self.result(False, None, needs_uv=self.needs_uv)
        self.cache = self.choose_cache()
        self.python = self.get_python() if state not in ("ours", "foreign") else None
        made = state != "foreign"
        try:
            return self.make(state, conda, tag, why, changed)
        except Trouble as trouble:
            # What the installer refused is not an interrupted install: it left the environment whole. A full disk did not.
            if not trouble.details.get("disk_full") and _tools.python_version(os.path.join(self.path, "bin", "python")):
                self.remember("failed", made)
            raise

    def make(self, state, conda, tag, why, changed):
        self.doubtful = state == "foreign" and self.known().get("state") == "working"
        before = _installed.packages(self.path)
        # What is not built from what lies there now is built anew; an environment that is made anew knows of nothing built.
        self.fresh = state not in ("ours", "foreign")
        built = self.known().get("built") if not self.fresh and not self.doubtful else {}
        self.built = built if isinstance(built, dict) else {}
        self.rebuild = _installed.Rebuild(self.inputs, self.built, self.path)
        digest = _stamps.env_digest(self.path)
        _stamps.remove(self.home, STAMP)
        self.remember("working", made=state != "foreign")
        if state == "unfinished":
            self.step("remove what an interrupted run left", shutil.rmtree, self.path)
        elif state == "broken":
            self.step("put the broken environment aside", self.put_aside)
        if state not in ("ours", "foreign"):
            self.step("make the environment", self.create, conda)
            changed = True
        tag = self.step("install", self.install_cleanly, conda, tag) or None
        changed = self.step("activate", self.activate) or changed
        after = _installed.packages(self.path)
        self.look_at_packages()
        self.diff.append({"before_header": "packages", "after_header": "packages", "before": _listed(before), "after": _listed(after)})
        now = _stamps.env_digest(self.path)
        changed = changed or now != digest
        self.verify()
        data = self.describe(tag, why, now, len(after))
        stamp = {"wanted": self.wanted["stamp_wanted"], "watch": self.watch(now), "data": data}
        if stamp["wanted"]:
            _stamps.write(self.home, STAMP, stamp["wanted"], stamp["watch"], data)
        self.remember("ready", made=self.known().get("made", False), built=self.rebuild.state)
        return self.result(changed, data, stamp=stamp)

    def result(self, changed, data, **more):
        for warning in self.warnings:
            self.module.warn(warning)
        result = dict(changed=changed, steps=self.steps, diff=self.diff, **more)
        if data:
            result["env"] = {key: value for key, value in data.items() if key != "versions"}
            result["torch"] = (data.get("torch") or {}).get("why") or ""
        return result

    def predicted(self, state, present, why):
        doing = {"none": "would make", "unfinished": "would make anew, after an interrupted run,", "broken": "would make anew"}
        said = f"{doing.get(state, 'would update')} the environment {self.path}"
        self.steps.append({"step": said, "seconds": 0.0})
        if not present:
            self.steps.append({"step": f"the project {self.project} is not there yet", "seconds": 0.0})
        self.diff.append({"before_header": self.path, "after_header": self.path, "before": "", "after": said + "\n"})
        self.activate(dry=True)
        return self.result(True, None, torch=why if self.inputs.torch else "")

    def step(self, name, work, *arguments):
        start = time.monotonic()
        answer = work(*arguments)
        self.steps.append({"step": name, "seconds": round(time.monotonic() - start, 2)})
        return answer

    # --- looking -----------------------------------------------------------------------------------------------

    def wait_for_lock(self):
        """One run at a time. What we start inherits the lock, so that an orphan of a broken connection is waited for too."""
        self.lock = _lock.acquire(self.home, STAMP, self.wanted["lock_timeout"])
        if self.lock is None:
            raise Trouble(
                f"Another run has been working on this host's Python environment for {self.wanted['lock_timeout']} s. Look for uv or pip "
                "with 'ps aux', end it, and run again."
            )

    def read_stamp(self):
        """The stamp, when it is of this request and still true: another run may have finished while this one waited."""
        path = os.path.join(_stamps.folder(self.home), STAMP + ".json")
        try:
            with open(path, encoding="utf-8") as handle:
                stamp = json.load(handle)
        except (OSError, ValueError):
            return None
        same = self.wanted["stamp_wanted"] and stamp.get("wanted") == self.wanted["stamp_wanted"] and stamp.get("schema") == _stamps.SCHEMA
        return stamp if same and not _stamps.verify(stamp) else None

    def forget_active_environments(self):
        """This module's shell may have an environment active, ours or another; it must not count as the host's Python.

        What else an image or the user has set about pip, uv and conda must not steer them.
        """
        from_files = _surroundings.from_pip_files(_surroundings.pip_files(self.home, os.environ, self.path))
        _surroundings.clear(os.environ)
        os.environ.update({name: value for name, value in from_files.items() if name not in os.environ}, **_surroundings.SET)
        ours = {os.path.join(path, "bin") for path in list(self.environments()) + [self.path]}
        self.search = [folder for folder in self.search if folder not in ours and not _in_venv(folder)]
        path = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder not in ours and not _in_venv(folder)]
        os.environ["PATH"] = os.pathsep.join(path)

    def look_at_project(self):
        """Read all inputs; whether the project is there. What is missing is said before anything changes."""
        wanted = self.wanted
        if not _cuda.CHOICES.match(wanted["torch"]):
            raise Trouble(f"python_env_torch is '{wanted['torch']}'; it takes auto, none, cpu or a CUDA tag such as cu126.")
        if not os.path.isdir(self.project):
            if self.module.check_mode:
                return False
            if wanted["requirements"] or wanted["extras"]:
                raise Trouble(
                    f"The project {self.project} is not on the host: name it in repos_list and run the role repos "
                    "before python_env, or set python_env_project."
                )
            return False
        for name in wanted["requirements"]:
            path = os.path.join(self.project, name)
            if not os.path.exists(path):
                if wanted["pending"]:
                    return False
                raise Trouble(
                    f"The requirements file {name} is not in the project {self.project}, which has: "
                    f"{self.listing()}. Nothing was changed. Correct python_env_requirements."
                )
            if _requirements.LOCKS.search(name) and wanted["manager"] != "uv":
                raise Trouble(f"{name} is a lock file that only uv reads: set python_env_manager to uv.")
            if name.endswith((".yml", ".yaml")) and wanted["manager"] != "conda":
                raise Trouble(f"{name} describes a conda environment: set python_env_manager to conda.")
            self.inputs.read(path)
        for package in wanted["packages"]:
            self.inputs.note(package)
        for name in PROJECT_FILES:
            path = os.path.join(self.project, name)
            if os.path.exists(path) and (name == ".python-version" or self.syncs()):
                self.inputs.read(path)
        for name in ("uv.toml", "pyproject.toml"):  # settings of uv, such as required-version and indexes
            path = os.path.join(self.project, name)
            if os.path.exists(path) and wanted["manager"] != "venv":
                self.inputs.note_settings(path)
        if self.syncs():
            self.inputs.add_project(self.project, wanted["extras"])
        if wanted["extras"] and not os.path.exists(os.path.join(self.project, "pyproject.toml")):
            raise Trouble(
                f"python_env_extras names {', '.join(wanted['extras'])}, but the project {self.project} has no "
                f"pyproject.toml; it has: {self.listing()}. Nothing was changed."
            )
        unread = [name for name in ("requirements.txt", "pyproject.toml") if os.path.exists(os.path.join(self.project, name))]
        if self.syncs() and not wanted["requirements"]:
            unread = []
        if unread and not any(wanted[name] for name in ("requirements", "extras", "packages")):
            self.warnings.append(
                f"{self.project} has {' and '.join(unread)}, which nothing asks for: name it in python_env_requirements to install it."
            )
        if wanted["extras"] and wanted["manager"] == "conda":
            raise Trouble("python_env_extras needs python_env_manager uv or venv, not conda.")
        return True

    def listing(self):
        names = sorted(name + ("/" if os.path.isdir(os.path.join(self.project, name)) else "") for name in os.listdir(self.project))
        names = [name for name in names if name not in (".git/", ".venv/")]
        return (", ".join(names[:25]) + (" …" if len(names) > 25 else "")) or "nothing"

    def syncs(self):
        """Whether the pyproject.toml is what is installed.

        It is when extras are asked, and when no requirements are asked and it has a lock file or is all that the project has.
        """
        path = os.path.join(self.project, "pyproject.toml")
        if not os.path.exists(path):
            return False
        if self.wanted["extras"]:
            return True
        if self.wanted["requirements"] or self.wanted["manager"] == "conda":
            return False
        locked = os.path.exists(os.path.join(self.project, "uv.lock")) and self.wanted["manager"] == "uv"
        alone = not os.path.exists(os.path.join(self.project, "requirements.txt"))
        return locked or (alone and _requirements.describes_project(path))

    def refuse_tracked(self):
        """An environment in tracked files would make the checkout differ from its repository, and no update could pass."""
        files = _git_exclude.tracked(self.project, self.path)
        if files:
            name = os.path.relpath(self.path, self.project)
            raise Trouble(
                "The repository of %s contains a virtual environment (%s and %d more files in %s), which works on the computer where it was "
                "made only. Take it out of the repository with 'git rm -r -q --cached %s', add '%s/' to .gitignore, commit, and run again; or "
                "set python_env_path to another folder. Nothing was changed."
                % (self.project, files[0], len(files) - 1, name, shlex.quote(name), name)
            )

    def look_at_environment(self):
        """none, ours, foreign (usable, not made by us), unfinished (an interrupted run of this role), or broken (does not run)."""
        if not os.path.lexists(self.path) or (os.path.isdir(self.path) and not os.listdir(self.path)):
            return "none"
        known = self.known()
        if known.get("made") and known.get("state") == "working":
            return "unfinished"
        python = os.path.join(self.path, "bin", "python")
        is_one = os.path.exists(os.path.join(self.path, "pyvenv.cfg")) or os.path.isdir(os.path.join(self.path, "conda-meta"))
        if not is_one and not os.path.lexists(python) and not known.get("made"):
            raise Trouble(
                f"{self.path} is there and is not a Python environment: set python_env_path to another folder. Nothing was changed."
            )
        found = _tools.python_version(python)
        if not found:
            return "unfinished" if known.get("made") else "broken"
        if not _requirements.satisfies(found, self.version):
            if known.get("made"):
                return "unfinished"
            raise Trouble(
                f"The environment {self.path} has Python {found} and was not made by this role, but {self.version} "
                "is wanted: move it away, or set python_env_path."
            )
        return "ours" if known.get("made") else "foreign"

    def find_conda(self):
        folders = self.search + [os.path.join(self.home, "micromamba", "bin"), "/opt/micromamba/bin", "/opt/mamba/bin"]
        for name in ("micromamba", "mamba", "conda"):
            for folder in folders:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and os.access(path, os.X_OK):
                    return path
        raise Trouble(
            "python_env_manager is conda, but the host has no micromamba, mamba or conda (looked in PATH, ~/miniforge3, ~/miniconda3, "
            "/opt/conda). Rent an image that has it, put micromamba into ~/.local/bin, or use python_env_manager uv. Nothing was changed."
        )

    def check_disk(self, tag):
        needed = self.wanted["disk_mb"]
        if not needed:
            needed = DISK_MB
            if self.inputs.torch:
                needed = DISK_TORCH_CPU_MB if tag == "cpu" else DISK_TORCH_MB
        free = _free_mb(self.path)
        if free < needed:
            raise Trouble(
                f"The disk of {self.path} has {free:.0f} MB free and this environment needs about {needed} MB: free "
                "some, set python_env_path to another disk, or rent a larger one (python_env_disk_mb changes the "
                "limit). Nothing was changed."
            )

    # --- memory of what was made: an interrupted run must be known as such --------------------------------------

    def ledger(self):
        return os.path.join(self.home, _stamps.HOME, "environments.json")

    def environments(self):
        try:
            with open(self.ledger(), encoding="utf-8") as handle:
                known = json.load(handle)
        except (OSError, ValueError):
            return {}
        return {path: entry for path, entry in known.items() if isinstance(entry, dict)} if isinstance(known, dict) else {}

    def known(self):
        return self.environments().get(self.path, {})

    def remember(self, state, made, built=None):
        """``built``: what the local packages were built from. While it is at work, what is not built anew is known as before."""
        known = self.environments()
        if built is None:
            before = self.known().get("built")
            built = {
                name: seen for name, seen in (before if isinstance(before, dict) else {}).items() if self.rebuild.state.get(name) == seen
            }
        known[self.path] = {"state": state, "made": bool(made), "built": built}
        _stamps.write_private(self.ledger(), json.dumps(known, sort_keys=True, indent=1) + "\n")

    # --- torch -------------------------------------------------------------------------------------------------

    def choose_torch(self):
        """``(tag or None, sentence)``: the build of torch that fits."""
        asked, driver = self.wanted["torch"], self.wanted["driver"]
        if self.wanted["manager"] == "venv":
            return None, "venv and pip take torch from the index that pip is configured for"
        if self.syncs():
            return None, "the project's own pyproject.toml and lock file decide where torch comes from"
        if asked == "none":
            return None, "python_env_torch is none: torch is what the index offers first"
        if asked != "auto":
            if driver and _cuda.cuda_of_tag(asked) and not _cuda.runs(driver, asked):
                self.warnings.append(
                    "python_env_torch asks for %s, which needs driver >= %s; the host has %s. %s would run."
                    % (asked, _cuda.min_driver(asked), driver, _cuda.torch_tag(driver, self.wanted["capabilities"]) or "cpu")
                )
            return asked, f"python_env_torch asks for {asked}"
        if self.inputs.torch_pinned:
            return None, "the requirements fix the build of torch"
        if self.inputs.own_index:
            return None, "the requirements name their own index"
        if not driver:
            return "cpu", "no real GPU: torch for CPUs"
        if self.inputs.torch_version and not _cuda.offered_tags(self.inputs.torch_version):
            return None, (
                f"torch {self.inputs.torch_version} is older than the table of CUDA builds ({_cuda.oldest_release()} and "
                "later): torch is what the index offers"
            )
        assumed = _cuda.assumption(self.inputs.torch_version)
        self.warnings.extend([assumed] if assumed else [])
        tag = _cuda.torch_tag(driver, self.wanted["capabilities"], self.inputs.torch_version)
        if not tag:
            return "cpu", f"driver {driver} runs no CUDA build of this torch on these GPUs: torch for CPUs"
        return tag, (
            f"driver {driver} is of CUDA {_cuda.native_cuda(driver) or '?'} and runs builds of CUDA "
            f"{_cuda.cuda_of_tag(tag)} (>= {_cuda.min_driver(tag)} is enough): torch from {tag}"
        )

    def installed_torch(self):
        """``version`` and ``cuda`` of the torch in the environment, from the file where its build wrote them; None without torch."""
        library = os.path.join(self.path, "lib")
        for version in os.listdir(library) if os.path.isdir(library) else []:
            text = _shell_files.read(os.path.join(library, version, "site-packages", "torch", "version.py"))
            found = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)", text, re.M)
            if found:
                cuda = re.search(r"^cuda\b[^=]*=\s*['\"]([^'\"]+)", text, re.M)
                return {"version": found.group(1), "cuda": cuda.group(1) if cuda else None}
        return None

    # --- doing -------------------------------------------------------------------------------------------------

    def get_uv(self):
        """Find a fitting uv, or fetch it; whether it was fetched. `self.uv` stays None when it could not be had."""
        version = self.wanted["uv_version"]
        specifier, where = _uv_versions.required(self.project, self.home)
        specifier = _uv_versions.wish(version, self.wanted["uv_named"], specifier, where)
        self.uv = _uv.find([path for path in [_tools.which("uv", self.search)] + _uv.fetched(self.home) if path], specifier)
        if self.uv:
            return False
        start = time.monotonic()
        try:
            if self.wanted["uv_wheel"]:
                self.uv, how = _uv.unpack(self.wanted["uv_wheel"], self.home), "sent by the controller"
            else:
                self.uv, how = _uv.fetch(self.home, version, self.wanted["index"], specifier, where)
        except _uv.Unobtainable as error:
            self.needs_uv = {
                "why": str(error), "machine": platform.machine(), "glibc": platform.libc_ver()[0] == "glibc",
                "specifier": specifier or "==" + version,
            }  # fmt: skip
            return False
        found = _uv.version_of(self.uv)
        if not found:
            raise Trouble(f"uv was put on the host ({self.uv}) but does not run there: use python_env_manager venv.")
        if specifier and not _uv_versions.allows(specifier, found):
            raise Trouble(f"uv {found} was put on the host, and {specifier} is asked ({where or 'python_env_uv_version'}).")
        self.steps.append({"step": f"uv {found} {how}", "seconds": round(time.monotonic() - start, 2)})
        return True

    def choose_cache(self):
        """Where packages are cached: on the environment's own disk, so that they are linked, not copied, and a small root disk stays free."""
        parent = _existing(self.path)
        usual = os.environ.get("XDG_CACHE_HOME") or os.path.join(self.home, ".cache")
        for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR"):
            if os.environ.get(name):
                return None
        if os.stat(_existing(usual)).st_dev == os.stat(parent).st_dev:
            return None
        workdir = self.wanted["workdir"]
        if workdir and os.path.isdir(workdir) and os.stat(workdir).st_dev == os.stat(parent).st_dev and os.access(workdir, os.W_OK):
            return os.path.join(workdir, ".cache")
        return os.path.join(os.path.dirname(self.path), ".cache")

    def surroundings(self):
        values = {}
        if self.cache:
            values.update(UV_CACHE_DIR=os.path.join(self.cache, "uv"), PIP_CACHE_DIR=os.path.join(self.cache, "pip"))
        return values

    def command(self, arguments, **values):
        cwd = self.project if os.path.isdir(self.project) else None
        passed = {"pass_fds": (self.lock,)} if self.lock is not None else {}
        if arguments[0] == self.uv:
            values = dict(_surroundings.for_uv(self.home, os.environ), **values)
        return self.module.run_command(arguments, cwd=cwd, environ_update=dict(self.surroundings(), **values), **passed)

    def must(self, what, arguments, **values):
        rc, out, err = self.command(arguments, **values)
        if rc:
            self.fail(what, err + "\n" + out)
        return err + "\n" + out

    def fail(self, what, output):
        full = _uv.no_space(output)
        if full:
            said = "The disk of %s is full (%d MB free): free some, or rent a larger one." % (self.path, _free_mb(self.path))
        elif _uv.unreachable(output):
            address = re.search(r"https?://[^\s`'\")]+", output)
            said = "%s: the host cannot reach %s." % (
                what,
                re.sub(r"//[^/@]*@", "//", address.group(0)) if address else "the package index",
            )
        else:
            said = f"{what}: {self.cause(output)}"
        raise Trouble(said, details=output.strip()[-6000:], disk_full=full)

    def cause(self, output):
        """What the installer's error means, and the way out where there is one."""
        local = sorted({package.name or os.path.basename(path) for path, package in self.inputs.packages.items()})
        if len(local) > 1 and _build_errors.happened(output) and not _build_errors.package(output):
            local = self.which_fails() or local
        built = _build_errors.sentence(output, self.wanted["manager"], local)
        if built:
            return built
        required = _uv_versions.mismatch(output)
        if required:
            return required
        cure = _build_errors.fits_not(output)
        return _uv.cause(output) + (" " + cure if cure else "")

    def which_fails(self):
        """uv does not name a package whose name only its build tells: the first that does not build by itself."""
        for path in sorted(self.inputs.packages)[:6] if self.uv else []:
            command = [self.uv, "pip", "install", "--python", os.path.join(self.path, "bin", "python"), "--no-deps", "--dry-run", path]
            if self.command(command)[0]:
                return [self.inputs.packages[path].name or os.path.basename(path)]
        return []

    def put_aside(self):
        aside = f"{self.path}.broken-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
        os.rename(self.path, aside)
        self.warnings.append(f"The environment {self.path} did not run and was not made by this role: it is now {aside}.")

    def create(self, conda):
        if conda:
            return self.create_with_conda(conda)
        if self.wanted["manager"] == "venv":
            return self.create_with_venv()
        command = [self.uv, "venv", "--allow-existing"] + (["--python", self.python] if self.python else []) + [self.path]
        self.must(f"The environment {self.path} could not be made", command)

    def interpreters(self):
        """Path -> version of the host's interpreters; one that is only seen through an environment is named as itself."""
        found = {}
        for path, version in _tools.interpreters(self.home, self.search).items():
            path = os.path.realpath(path) if _in_venv(os.path.dirname(path)) else path
            if _tools.private(path):
                continue
            found[path] = version or _tools.python_version(path)
        return {path: version for path, version in found.items() if version}

    def get_python(self):
        """The interpreter for the version that is asked: one of the host's, else one that uv downloads. None when none is asked."""
        if not self.version or self.wanted["manager"] == "conda":
            return None
        known = self.interpreters()
        fitting = [(_cuda.version(version), path) for path, version in known.items() if _requirements.satisfies(version, self.version)]
        if fitting:
            return max(fitting)[1]
        why = "python_env_manager venv downloads none"
        output = ""
        if self.uv:
            rc, out, err = self.command([self.uv, "python", "install", self.version], UV_HTTP_RETRIES="1")
            if rc == 0:
                return self.version
            output = (err + "\n" + out).strip()
            why = "the host cannot reach the place it would come from" if _uv.unreachable(output) else _uv.cause(output).rstrip(".")
        there = ", ".join(f"{version} ({path})" for path, version in sorted(known.items(), key=lambda item: _cuda.version(item[1])))
        raise Trouble(
            f"Python {self.version} cannot be had: the host has {there or 'none'}, and it could not be downloaded "
            f"({why}). Nothing was changed. Set python_env_python to a version that is there, install it with "
            "ready_packages, or rent an image that has it.",
            details=output[-6000:],
        )

    def create_with_venv(self):
        python = self.python or _tools.which("python3", self.search) or os.path.realpath(sys.executable)
        if _tools.private(python):
            raise Trouble("The host has no Python of its own for python_env_manager venv: add python3-venv to ready_packages, or use uv.")
        rc, out, err = self.command([python, "-m", "venv", self.path])
        if rc and "ensurepip" in out + err:
            shutil.rmtree(self.path, ignore_errors=True)
            raise Trouble(
                f"{python} cannot make environments, because the package python3-venv is missing: add it to "
                "ready_packages, or use python_env_manager uv, which does not need it.",
                details=(out + err).strip(),
            )
        if rc:
            self.fail(f"The environment {self.path} could not be made", err + "\n" + out)
        ignore = os.path.join(self.path, ".gitignore")
        if not os.path.exists(ignore):
            _shell_files.write(ignore, "*\n")

    def create_with_conda(self, conda):
        files = [name for name in self.wanted["requirements"] if name.endswith((".yml", ".yaml"))]
        if files:
            verb = [conda, "create", "-y"] if os.path.basename(conda) == "micromamba" else [conda, "env", "create"]
            command = verb + ["-p", self.path, "-f", os.path.join(self.project, files[0])]
        else:
            command = [conda, "create", "-y", "-p", self.path, "python=" + self.version if self.version else "python", "pip"]
        self.must(f"The conda environment {self.path} could not be made", command)
        _shell_files.write(os.path.join(self.path, ".gitignore"), "*\n")

    def install(self, conda, tag):
        """Install all that is asked. The tag of torch that was really used, or None."""
        if conda and not self.fresh:
            self.update_with_conda(conda)
        names = [name for name in self.wanted["requirements"] if not (conda and name.endswith((".yml", ".yaml")))]
        files = [os.path.join(self.project, name) for name in names]
        locks = [path for path in files if _requirements.LOCKS.search(path)]
        files = [path for path in files if path not in locks]
        if self.wanted["manager"] == "venv":
            return self.install_with_pip(files)
        python = os.path.join(self.path, "bin", "python")
        if self.syncs():
            self.sync()
        base = [self.uv, "pip", "install", "--python", python] + (["--reinstall"] if self.doubtful else []) + self.rebuild.flags()
        for path in locks:
            self.must(f"The lock file {path} cannot be installed", base + ["-r", path])
        # With pip: `pip install` typed by a person must go into this environment, not beside it.
        packages = ["pip"] + self.wanted["packages"]
        if self.inputs.hashed and files:
            self.must("pip cannot be installed", base + ["pip"])
            packages = self.wanted["packages"]
        command = base + [part for path in files for part in ("-r", path)]
        tail = ["--"] + packages
        rc, out, err = self.command(command + (["--torch-backend", tag] if tag else []) + tail)
        if rc and tag and self.wanted["torch"] == "auto" and _uv.torch_index_unreachable(err):
            self.warnings.append(f"The host cannot reach the index of torch builds for {tag}: torch is taken from the usual index.")
            self.check_disk(None)
            tag = None
            rc, out, err = self.command(command + tail)
        if rc:
            self.fail(f"What {self.asked_in()} asks for cannot be installed", err + "\n" + out)
        return tag

    def asked_in(self):
        named = self.wanted["requirements"] + (["python_env_packages"] if self.wanted["packages"] else [])
        return " and ".join(named) or ("python_env_extras" if self.wanted["extras"] else "the role itself")

    def sync(self):
        lock = os.path.join(self.project, "uv.lock")
        locked = os.path.exists(lock)
        command = [self.uv, "sync", "--inexact", "--python", os.path.join(self.path, "bin", "python")]
        command += ["--frozen"] if locked else []
        command += [part for extra in self.wanted["extras"] for part in ("--extra", extra)] + self.rebuild.flags()
        try:
            self.must(f"The project {self.project} cannot be synced", command, UV_PROJECT_ENVIRONMENT=self.path)
        finally:
            # A lock file that the project did not have would make the checkout differ from its repository.
            if not locked and os.path.exists(lock):
                os.unlink(lock)

    def install_with_pip(self, files):
        pip = [os.path.join(self.path, "bin", "python"), "-m", "pip"]
        there = self.rebuild.linked & _installed.names(self.path)
        if there:  # pip takes a package of the same version for the same package
            self.must("What was replaced cannot be taken out", pip + ["uninstall", "-y"] + sorted(there))
        command = pip + ["install"] + [part for path in files for part in ("-r", path)]
        if self.syncs():
            command += ["-e", self.project + (f"[{','.join(self.wanted['extras'])}]" if self.wanted["extras"] else "")]
        if files or self.wanted["packages"] or self.syncs():
            self.must(f"What {self.asked_in()} asks for cannot be installed", command + ["--"] + self.wanted["packages"])
        if self.rebuild.wheels:
            again = pip + ["install", "--no-deps", "--force-reinstall", "--"] + self.rebuild.wheels
            self.must("The replaced wheels cannot be installed", again)

    def update_with_conda(self, conda):
        """Bring an environment to a changed environment.yml."""
        for name in [name for name in self.wanted["requirements"] if name.endswith((".yml", ".yaml"))]:
            path = os.path.join(self.project, name)
            if self.built.get("file " + path) != self.inputs.files.get(path):
                verb = [conda, "update", "-y"] if os.path.basename(conda) == "micromamba" else [conda, "env", "update"]
                self.must(f"What {name} asks for cannot be installed", verb + ["-p", self.path, "-f", path])

    def install_cleanly(self, conda, tag):
        """Install, and hide from git what builds leave in checkouts."""
        folders = [path for path in {self.project, *self.inputs.packages} if os.path.isdir(path)]
        before = {folder: _git_exclude.untracked(folder) for folder in folders}
        try:
            return self.install(conda, tag)
        finally:
            for folder in folders:
                _git_exclude.hide(folder, before[folder])

    def look_at_packages(self):
        """Whether all that was asked is there, whatever the installer said."""
        missing = sorted(self.inputs.names - _installed.names(self.path))
        if missing:
            raise Trouble(
                f"The installer reported success, but {', '.join(missing[:8])} "
                f"{'is' if len(missing) == 1 else 'are'} not in the environment {self.path}. Look for a target, "
                "prefix or user setting in the host's uv.toml, for a uv.lock that is older than its pyproject.toml "
                "(run uv lock and commit it), or name the package with the name that its build gives it."
            )

    # --- active everywhere -------------------------------------------------------------------------------------

    def activate(self, dry=False):
        """One file that every shell reads. Whether anything changed."""
        changed = self.put(os.path.join(self.home, _stamps.HOME, "env.sh"), lambda text: self.env_sh(), dry)
        for path, name, top in self.shell_files():
            changed = self.put(path, lambda text, name=name, top=top: _shell_files.with_block(text, name, [SOURCE], top), dry) or changed
        return changed

    def put(self, path, edit, dry):
        before = _shell_files.read(path)
        after = edit(before)
        if after == before:
            return False
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})
        if not dry:
            _shell_files.write(path, after)
        return True

    def shell_files(self):
        """``(path, name of the block, at the top?)``. Bash leaves ~/.bashrc early in a non-interactive shell, so the first block is its first lines.

        The second one is at the end, because images put their own environment in front there.
        """

        def inside(name):
            return os.path.join(self.home, name)

        files = [(inside(".bashrc"), "python_env", True), (inside(".bashrc"), "python_env again", False)]
        login = [name for name in (".bash_profile", ".bash_login", ".profile") if os.path.exists(inside(name))]
        files += [(inside(name), "python_env", False) for name in login or [".profile"]]
        if os.environ.get("SHELL", "").endswith("/zsh") or os.path.exists(inside(".zshrc")):
            files += [(inside(".zshenv"), "python_env", True), (inside(".zshrc"), "python_env", False)]
        return files

    def env_sh(self):
        if self.cache is None and not self.module.check_mode:
            self.cache = self.choose_cache()
        lines = [
            "# The Python environment of this host, active in every new shell. Written by rented.gpu.python_env, which overwrites changes.",
            # A tmux session keeps the environment of its own project (rented.gpu.tmux).
            'if [ -n "${RENTED_ENV:-}" ] && [ -x "$RENTED_ENV/bin/python" ]; then __rented_env="$RENTED_ENV"',
            f"else __rented_env={shlex.quote(self.path)}; fi",
            "# Ansible looks for a Python to run its own modules with: that is the host's, never the project's.",
            'case "${BASH_EXECUTION_STRING:-}${ZSH_EXECUTION_STRING:-}" in *"echo FOUND; command -v "*) __rented_env=/nonexistent ;; esac',
            'if [ -x "$__rented_env/bin/python" ]; then',
            '    case ":$PATH:" in ":$__rented_env/bin:"*) ;; *) PATH="$__rented_env/bin:$PATH" ;; esac',
        ]
        if self.uv and self.uv in _uv.fetched(self.home):
            folder = shlex.quote(os.path.dirname(self.uv))
            lines.append(f'    case ":$PATH:" in *:{folder}:*) ;; *) PATH="$PATH:"{folder} ;; esac')
        if self.wanted["manager"] == "conda":
            lines.append('    CONDA_PREFIX="$__rented_env"; export PATH CONDA_PREFIX; unset VIRTUAL_ENV PYTHONHOME')
        else:
            lines.append('    VIRTUAL_ENV="$__rented_env"; export PATH VIRTUAL_ENV; unset PYTHONHOME')
        if self.cache:
            for name, folder in (("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip")):
                lines.append(f"    {name}={shlex.quote(os.path.join(self.cache, folder))}; export {name}")
        return "\n".join(lines + ["fi", "unset __rented_env"]) + "\n"

    def verify(self):
        """Ask the user's shell which python it finds, as a login and as a command over ssh; a file of the image may put another in front."""
        shell = os.environ.get("SHELL") or "/bin/bash"
        wanted = os.path.join(self.path, "bin", "python")
        for what, words in (("A login shell", ["-lc"]), ("'ssh host command'", ["-c"])):
            if what != "A login shell" and os.path.basename(shell) not in ("bash", "zsh"):
                continue  # sh reads no file there, which README.md says
            found = self.python_of([shell, *words])
            if found != wanted:
                self.warnings.append(
                    f"{what} ({shell}) finds {found or 'no python'}, not the environment: a start-up file of the "
                    "host puts it in front, ends early, or waits for input. Activate it there with '. "
                    f"{self.path}/bin/activate'."
                )

    def python_of(self, command):
        """The python that a new shell finds; None when the shell does not say it."""
        surroundings = {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME", "LANG") if name in os.environ}
        # Bash takes a shell for one of sshd by these, and then reads ~/.bashrc (bash(1), "Invocation").
        surroundings.update(PATH="/usr/local/bin:/usr/bin:/bin", SSH_CLIENT="127.0.0.1 1 22", SSH2_CLIENT="127.0.0.1 1 22", SHLVL="0")
        mark = f"rented-{os.urandom(8).hex()}"
        try:
            ran = subprocess.run(
                command + [f"echo; echo {mark}:$(command -v python)"], env=surroundings, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        found = re.search(rf"^{mark}:(\S+)", ran.stdout.decode("utf-8", "replace"), re.M)
        return found.group(1) if found else None

    # --- the end -----------------------------------------------------------------------------------------------

    def describe(self, tag, why, digest, packages):
        python = _tools.python_version(os.path.join(self.path, "bin", "python"))
        torch = self.installed_torch()
        versions = {"python": python}
        if self.uv:
            versions["uv"] = _uv.version_of(self.uv)
        if torch:
            versions["torch"] = torch["version"]
            if self.wanted["driver"] and torch["cuda"] and _cuda.runs(self.wanted["driver"], torch["cuda"]) is False:
                self.warnings.append(
                    "torch %s needs driver >= %s and the host has %s: set python_env_torch to %s."
                    % (
                        torch["version"],
                        _cuda.min_driver(torch["cuda"]),
                        self.wanted["driver"],
                        _cuda.torch_tag(self.wanted["driver"]) or "cpu",
                    )
                )
        about = dict(torch or {"version": None, "cuda": None}, tag=tag, why=why) if torch or self.inputs.torch else None
        return {
            "path": self.path,
            "project": self.project,
            "manager": self.wanted["manager"],
            "python": python,
            "packages": packages,
            "digest": digest,
            "torch": about,
            "versions": versions,
            "says": f"Python {python}, {packages} packages",
        }

    def watch(self, digest):
        env_sh = os.path.join(self.home, _stamps.HOME, "env.sh")
        names = PROJECT_FILES + ("uv.toml", "requirements.txt")
        present = {os.path.join(self.project, name): os.path.exists(os.path.join(self.project, name)) for name in names}
        lines = {}
        for path, name, _top in self.shell_files():
            lines.setdefault(path, [SOURCE]).append(_shell_files.BEGIN % name)
        watch = {
            "envs": {self.path: digest},
            "files": dict(self.inputs.files, **{env_sh: _stamps.file_digest(env_sh)}),
            "lines": lines,
            "exists": present,
            "archives": {folder: _sources.archives_digest(folder) for folder in self.inputs.links},
        }
        for path, package in self.inputs.packages.items():
            watch.setdefault(package.kind, {})[path] = package.digest()
        return watch


SOURCE = 'if [ -r "$HOME/.rented/env.sh" ]; then . "$HOME/.rented/env.sh"; fi'


def _in_venv(folder):
    return os.path.isfile(os.path.join(os.path.dirname(folder), "pyvenv.cfg"))


def _listed(packages):
    return "".join(name + "\n" for name in packages)


def _existing(path):
    """The path, or the nearest folder above it that is there."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _free_mb(path):
    stat = os.statvfs(_existing(path))
    return stat.f_bavail * stat.f_frsize // (1 << 20)


def main():
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = Environment(module).run()
    except Trouble as trouble:
        module.fail_json(msg=str(trouble), **trouble.details)
    except (_requirements.Wrong, _uv_versions.Unusable) as wrong:
        module.fail_json(msg=f"{wrong} Nothing was changed.")
    except OSError as error:
        if _uv.no_space(str(error)):
            module.fail_json(msg=f"A disk of the host is full ({error}): free some space, or rent a larger one.")
        raise
    module.exit_json(**result)


if __name__ == "__main__":
    main()
