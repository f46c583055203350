# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the role python_env: nothing when the host is as wanted, one execution otherwise."""

from __future__ import annotations

import posixpath

from ansible_collections.rented.gpu.plugins.modules.python_env import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.modules.python_env import STAMP
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _uv_wheel
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _python_env

TEXT = {"type": "str", "default": ""}
ASKED = ("manager", "python", "requirements", "extras", "packages", "torch")
# Arguments that do not decide what the environment is, or that `request` adds in another form. A test holds both lists against the role.
NOT_ASKED = ("project", "path", "uv_version", "disk_mb", "lock_timeout")


class ActionModule(RoleAction):
    # A path is one of the host: here '~' must not become the controller's home.
    ARGUMENT_SPEC = dict(SPEC, project=TEXT, path=TEXT)

    def work(self, arguments):
        self.check(arguments)
        project = arguments["project"] or self.first_repository()
        if not project and not any(arguments[name] for name in ("requirements", "extras", "packages", "path")):
            return {"changed": False, "msg": "Nothing asks for an environment: no repository, requirements, extras or packages."}
        self.know_host()
        request = self.request(arguments, project)
        self.set_facts(project=request["project"], environment=request["path"])
        if self.settled(STAMP, request) and not self.pending():
            return {"changed": False, "env": self.facts["stamps"][STAMP]["data"]}
        asked = dict(
            request,
            uv_version=arguments["uv_version"],
            uv_named=self.uv_is_named(arguments["uv_version"]),
            disk_mb=arguments["disk_mb"],
            lock_timeout=arguments["lock_timeout"],
            workdir=self.facts["workdir"],
            index=_uv_wheel.default_index() or "",
            pending=self.check_mode and self.pending(),
        )
        result = self.apply(STAMP, request, asked)
        if result.get("needs_uv"):
            result = self.apply(STAMP, request, dict(asked, uv_wheel=self.send_uv(result["needs_uv"])))
        if result.get("torch"):
            self.say(result["torch"])
        return {name: value for name, value in result.items() if name != "needs_uv"}

    def check(self, arguments):
        """What can be seen to be wrong without the host."""
        wrong = _python_env.wrong(arguments["python"], arguments["torch"], arguments["uv_version"])
        if wrong:
            raise Failure(f"{wrong} Nothing was changed.")

    def uv_is_named(self, version):
        """Whether the user asks for this release of uv, or the role brings its default."""
        return version != _python_env.default_uv()

    def request(self, arguments, project):
        """All that decides what the environment is."""
        gpu = self.facts.get("gpu") or {}
        real = gpu.get("present") and not gpu.get("simulated") and not self.simulated()
        folder = _paths.on_host(project or ".", self.facts)
        named = {"uv_version": arguments["uv_version"]} if self.uv_is_named(arguments["uv_version"]) else {}
        return dict(
            {name: arguments[name] for name in ASKED},
            project=folder,
            path=_paths.on_host(arguments["path"], self.facts) if arguments["path"] else posixpath.join(folder, ".venv"),
            driver=(gpu.get("driver") or "") if real else "",
            capabilities=sorted({str(entry["compute_capability"]) for entry in gpu.get("gpus") or [] if entry.get("compute_capability")})
            if real
            else [],
            **named,
        )

    def pending(self):
        """Whether a repository was changed in this run: the stamp was compared with the files before that."""
        return bool(self.facts.get("repos_changed"))

    def send_uv(self, needs):
        """The host cannot fetch uv: the controller fetches it once and sends it over the connection."""
        try:
            wheel = _uv_wheel.download(needs["specifier"], needs["machine"], needs["glibc"])
        except OSError as error:
            raise Failure(
                f"uv {needs['specifier'].replace('==', '')} cannot be had: not by the host ({needs['why']}), and not "
                f"by the controller ({error}). Use an image that has uv, or python_env_manager venv."
            )
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        target = self._connection._shell.join_path(self._connection._shell.tmpdir, posixpath.basename(wheel))
        self._transfer_file(wheel, target)
        return target
