# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.offer_table`: asks by the module offer_info, and shows what it answered."""

from __future__ import annotations

import os
import pathlib

from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.modules.offer_table import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _offer_table

OWN = ("format", "file", "prefix")  # not for offer_info


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC

    def work(self, arguments):
        self._check_variables(arguments["prefix"])
        if self._connection.transport != "local":
            # The keys of the accounts are needed there.
            raise Failure("The offers are asked for from your own computer: use 'hosts: localhost' with 'connection: local'.")
        target = _target(arguments["file"])
        wanted = {name: value for name, value in arguments.items() if name not in OWN and value is not None}
        folds = arguments["format"] == "table" and not arguments["query"] and arguments["limit"] >= 0
        answer = self.remote("offer_info", dict(wanted, limit=0) if folds else wanted)
        shown = _offer_table.fold(answer, arguments["limit"]) if folds else answer
        answer["offers"] = answer["offers"][: arguments["limit"] or None]
        try:
            lines, changed = self._show(shown, arguments["format"], target)
        except RentedError as error:
            raise Failure(error.message)
        display = Display()
        for line in ["", *lines, ""]:
            display.display(line)
        kept = {name: answer[name] for name in ("offers", "result", "found", "failures", "notes", "asked_at", "disk_gb") if name in answer}
        return dict(kept, changed=changed, lines=lines, warnings=answer.get("warnings") or [])

    def _show(self, answer, form, target):
        """(lines for the terminal, whether the file changed)."""
        if form == "table":
            lines = _offer_table.text(answer, _width())
        else:
            lines = {"json": _offer_table.as_json, "csv": _offer_table.as_csv}[form](answer)[:-1].split("\n")
        if target is None:
            return [_plain.plain(line) for line in lines], False
        written = "\n".join(line.rstrip() for line in lines) + "\n" if form == "table" else "\n".join(lines) + "\n"
        # As bytes: a carriage return in the name of a place does not end a line.
        written = written.encode("utf-8")
        changed = not target.is_file() or target.read_bytes() != written
        if changed and not self.check_mode:
            try:
                target.write_bytes(written)
            except OSError as error:
                raise Failure(f"The file {target} cannot be written: {error.strerror}.")
        done = "Would be written" if self.check_mode else "Written"
        return [*_offer_table.below(answer, _width()), f"{done}: {target}"], changed

    def _check_variables(self, prefix):
        """Every variable that begins so is a setting of this collection, or a typing error."""
        if not prefix:
            return
        known = [prefix + name for name in SPEC if name != "prefix"]
        unknown = [name for name in sorted(self._task_vars) if name.startswith(prefix) and name not in known]
        wrong = [f"'{name}' is not a setting. {nearest(name, known)}" for name in unknown]
        if wrong:
            raise Failure("No provider was asked. " + " ".join(wrong), settings_errors=wrong)


def _target(file):
    """Where to write, known to be possible before anybody is asked; None: nowhere."""
    if not file:
        return None
    target = pathlib.Path(os.path.abspath(os.path.expanduser(file)))
    if target.is_dir() or not target.parent.is_dir():
        found = "is a folder" if target.is_dir() else "would be in a folder that does not exist"
        raise Failure(f"The file {target} {found}. Name a file in a folder that exists.")
    return target


def _width():
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() and int(columns) > 0 else Display().columns
