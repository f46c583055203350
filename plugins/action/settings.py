# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.settings`: everything that can be known to be wrong before the first login."""

from __future__ import annotations

import time

from ansible.plugins.loader import lookup_loader

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import FIELDS
from ansible_collections.rented.gpu.plugins.modules.settings import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _proof_copies
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, MissingTool
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _left_out
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import BEGAN, RUN
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import (
    _misspelt,
    _origins,
    _preflight,
    _requested,
    _role_lists,
    _role_settings,
)
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _failures, _no_hosts, _plan, _table
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _local_host

PATTERN = "rented_hosts"
HERE = "localhost"


class ActionModule(Action):
    ARGUMENT_SPEC = SPEC
    _requires_connection = False

    def work(self, arguments):
        free = _origins.free_words(self._loader)
        waiting = _left_out.wanted(self._task_vars) and bool(_left_out.loading(self._task_vars))
        no_host = self._why_no_host()
        if no_host and not waiting:
            raise Failure(" ".join([*free, no_host]))
        # A playbook that runs us begins anew: what an earlier play of the same run did is no longer counted.
        # The task runs once, and Ansible gives the facts of such a task to every host of the play.
        self._new_facts.update({RUN: {}, BEGAN: time.time()})
        _failures.forget()
        options = self._options(arguments["roles"])
        suspects = self._suspects(options)
        wrong = free + [str(suspect) for suspect in suspects if suspect.certain]
        values, unreadable = _role_settings.read(options, self._task_vars, self._templar.template)
        wrong += unreadable
        if not wrong:
            wrong = self._preflight(values) or self._wrong_elsewhere(options, values)
        for suspect in suspects:
            if not suspect.certain:
                self._display.warning(str(suspect))
        if wrong:
            raise Failure("Nothing was changed. " + " ".join(wrong))
        asked = _requested.asked(values)
        if self._is_first():
            plan = _plan.lines(self._task_vars, _table.width(), _proof_copies.exists, self.check_mode)
            for line in [*([] if asked else [_requested.NOTHING]), *plan]:
                self._display.display(line)
        return {"changed": False, "asked": asked, "wait": waiting}

    def _options(self, roles):
        """The options of these roles, or of all that the playbooks run."""
        if roles:
            return _role_settings.options_of(roles)
        extra = _role_settings.read(_role_lists.OPTIONS, self._task_vars, self._templar.template)[0].get(_role_lists.EXTRA)
        return {**_role_settings.options_of([*_role_lists.CORE, *_role_lists.optional_in(extra)]), **_role_lists.OPTIONS}

    def _why_no_host(self):
        """Why a playbook took localhost: the inventory has no instance, or `rented_hosts` matches no host. None when it did not."""
        variables = self._task_vars
        if variables.get("inventory_hostname") != HERE:
            return None
        groups = variables.get("groups") or {}
        if PATTERN not in variables:
            return None if groups.get("rented") else self._none_runs() or _no_hosts.no_instance(variables.get("ansible_inventory_sources"))
        pattern = self._templar.template(variables[PATTERN])
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        if HERE in lookup.run(pattern if isinstance(pattern, list) else [str(pattern)], variables=variables):
            return None
        return self._none_runs() or _no_hosts.no_match(str(pattern), groups)

    def _is_first(self):
        """Whether this host speaks for the play, also where the task runs for each host."""
        hosts = self._task_vars.get("ansible_play_hosts_all") or []
        return not hosts or hosts[0] == self._task_vars.get("inventory_hostname")

    def _none_runs(self):
        """What the inventory saw and left out, where that is the cause."""
        left_out = _left_out.sentences(self._task_vars)
        return "There is no instance that runs: " + " ".join(left_out) if left_out else None

    def _wrong_elsewhere(self, options, values):
        """What is wrong with the settings of the other hosts, where they differ from those of this one. The task runs once."""
        hostvars, wrong = self._task_vars.get("hostvars") or {}, {}
        for host in self._task_vars.get("ansible_play_hosts_all") or []:
            if host == self._task_vars.get("inventory_hostname"):
                continue
            raw = hostvars.raw_get(host)
            own = {name: option for name, option in options.items() if raw.get(name) != self._task_vars.get(name)}
            if not own:
                continue
            found, sentences = _role_settings.read(own, hostvars[host], lambda value: value)
            for sentence in sentences or self._preflight({**values, **found}):
                wrong.setdefault(sentence, []).append(host)
        return [f"On {', '.join(hosts)}: {sentence}" for sentence, hosts in wrong.items()]

    def _suspects(self, options):
        given = [one for one in _origins.given(self._task_vars, self._loader) if not one.name.startswith(_role_settings.OTHER_PREFIXES)]
        others = (*_role_settings.OTHERS, *("rented_" + field for field in FIELDS))
        return _misspelt.suspects(given, (*options, *_role_settings.PLAYBOOKS), others)

    def _preflight(self, values):
        wrong = []
        for check in _preflight.CHECKS:
            try:
                check(values)
            except MissingTool as error:
                if not _local_host.is_here(self._connection):
                    wrong.append(str(error))
            except (RentedError, Failure) as error:
                wrong.append(str(error))
        return list(dict.fromkeys(wrong))
