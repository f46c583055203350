# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.provision_script`: gathers the settings, refuses what must not be in a script, and writes it."""

from __future__ import annotations

import os

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.modules.provision_script import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _checks, _script, _secrets, _uv_wheel
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _misspelt, _origins, _role_lists, _role_settings

PREFIX = "provision_"


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC
    _requires_connection = False

    def work(self, arguments):
        try:
            settings, options = self._settings(arguments)
            self._refuse(arguments, settings, options)
            form = _script.form_of(arguments["for"])
            request = _script.ScriptRequest(
                settings=settings,
                source=_script.source(arguments["collection"]),
                uv=str(settings.get("python_env_uv_version") or options["python_env_uv_version"]["default"]),
                index=arguments["index"] or self._index(),
                wait_for=tuple(arguments["wait_for"]),
                wait_timeout=arguments["wait_timeout"],
                place=arguments["place"],
                log=arguments["log"],
            )
            script = _script.build(request, arguments["for"], arguments["user"])
        except RentedError as error:
            raise Failure("Nothing was written. " + error.message)
        path = _paths.on_controller(arguments["file"] or f"provision-{arguments['for'].replace('_', '-')}.sh")
        changed, before = self._write(path, script.text)
        answer = {
            "changed": changed,
            "path": path,
            "size": script.size,
            "limit": form.limit,
            "packed": script.packed,
            "sha256": script.digest,
            "user": arguments["user"] or form.user,
            "diff": {"before": before, "after": script.text, "before_header": path, "after_header": path},
        }
        room = f" of {form.limit}" if form.limit else ""
        answer["msg"] = (
            f"{path}: {script.size}{room} {form.unit}{', compressed' if script.packed else ''}, for {form.title}. Put it "
            f"there: {form.where}."
        )
        self._display.display(answer["msg"])
        return answer

    def _settings(self, arguments):
        """``(values that the user has set, options of all roles)``, by variable name."""
        names = [name for name in self._task_vars if name.startswith(PREFIX)]
        known = [PREFIX + option for option in SPEC if option != "roles"]
        for name in names:
            if name not in known:
                raise RentedError(f"'{name}' is not a setting. {nearest(name, known)}")
        options = _role_settings.options_of(arguments["roles"] or _role_lists.CORE)
        return {name: self._templar.template(self._task_vars[name]) for name in sorted(options) if name in self._task_vars}, options

    def _refuse(self, arguments, settings, options):
        known = {name: value for name, value in self._task_vars.items() if name not in ("hostvars", "vars", "groups")}
        vaulted = _secrets.vaulted(dict(known, **{"": self._task.args}))
        for name in ("collection", "index", "place", "log", "user", "wait_for"):
            for text in _secrets.texts(arguments[name]):
                _checks.check_word(PREFIX + name, text, vaulted)
        given = [one for one in _origins.given(self._task_vars, self._loader) if not one.name.startswith(_role_settings.OTHER_PREFIXES)]
        wrong = [str(suspect) for suspect in _misspelt.suspects(given, (*options, *_role_settings.PLAYBOOKS)) if suspect.certain]
        wrong += _role_settings.read(options, settings, lambda value: value)[1]
        if not wrong:
            no_log = {name for name, option in options.items() if option.get("no_log")}
            wrong = _checks.wrong(settings, no_log, vaulted, arguments["wait_for"])
        for name in ("place", "log"):
            if not _checks.PLAIN.match(arguments[name]):
                wrong.append(f"{PREFIX}{name} is '{shown(arguments[name])}'; it has to be a path on the instance, absolute or below ~/.")
        if _role_lists.check_extra(self._templar.template(self._task_vars.get(_role_lists.EXTRA))):
            wrong.append(f"{_role_lists.EXTRA}: the script brings the roles of this collection only; run the others from your computer.")
        if arguments["wait_timeout"] < 0:
            wrong.append(f"provision_wait_timeout takes seconds, not {arguments['wait_timeout']:.0f}.")
        if wrong:
            raise RentedError(" ".join(wrong))

    def _index(self):
        found = _uv_wheel.default_index()
        if not found:
            raise RentedError("This machine has no pip that would say where the package index is: give its address in provision_index.")
        return found

    def _write(self, path, text):
        """``(changed, what was there)``."""
        before = ""
        try:
            with open(path, encoding="utf-8", errors="replace") as handle:
                before = handle.read()
            if before != text and not self.check_mode:
                _stamps.write_private(path, text, 0o644)
        except FileNotFoundError:
            if not self.check_mode:
                try:
                    _stamps.write_private(path, text, 0o644)
                except OSError as error:
                    raise Failure(f"provision_file: {os.path.dirname(path)} cannot be written: {error.strerror}.")
        except OSError as error:
            raise Failure(f"provision_file: {path} cannot be written: {error.strerror}.")
        return before != text, before
