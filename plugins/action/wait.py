# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.wait`."""

from __future__ import annotations

import time

from ansible_collections.rented.gpu.plugins.modules.wait import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _left_out
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _summary, _table

EVERY = 30  # seconds between two lines for people


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC
    _requires_connection = False

    def work(self, arguments):
        now = time.time()
        began = arguments["began"] or now
        told = arguments["told"]
        soon = _left_out.loading(self._task_vars)
        answer = {"changed": False, "again": bool(soon), "began": began, "told": told}
        if not soon:
            self._show("Nothing is loading any more; waited %d s." % (now - began))
            return answer
        waited = "%s still loading after %d s" % (_left_out.titles(soon), now - began)
        if now - began >= arguments["timeout"]:
            if not (self._task_vars.get("groups") or {}).get("rented"):
                raise Failure(f"No instance runs: {waited}. Look at its provider, or wait longer: -e rented_wait_timeout=1800.")
            self._display.warning(f"Going on without {waited}.")
            return dict(answer, again=False)
        if not told or now - told >= EVERY:
            self._show(f"Waiting for {_left_out.titles(soon)} (up to {arguments['timeout']:.0f} s).")
            answer["told"] = now
        time.sleep(max(0.0, min(arguments["pause"], began + arguments["timeout"] - now)))
        return answer

    def _show(self, sentence):
        for line in _summary.wrapped(sentence, _table.width()):
            self._display.display(line)
