# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.settings`: everything that can be known to be wrong before the first login."""

from __future__ import annotations

from ansible.plugins.loader import lookup_loader

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._models import FIELDS
from ansible_collections.rented.gpu.plugins.modules.settings import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _asked, _here, _misspelt, _origins, _preflight, _reasons, _settings
from ansible_collections.rented.gpu.plugins.plugin_utils._action import RUN, Failure, MissingTool, RoleAction

PATTERN = "rented_hosts"
HERE = "localhost"


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC
    COUNTED = False
    _requires_connection = False

    def work(self, arguments):
        free = _origins.free_words(self._loader)
        nobody = self._nobody()
        if nobody:
            raise Failure(" ".join([*free, nobody]))
        # A playbook that runs us begins anew: what an earlier play of the same run did is no longer counted.
        self._new_facts[RUN] = {}
        options = _settings.options_of(arguments["roles"])
        suspects = self._suspects(options)
        wrong = free + [str(suspect) for suspect in suspects if suspect.certain]
        values, unreadable = _settings.read(options, self._task_vars, self._templar.template)
        wrong += unreadable
        if not wrong:
            wrong = self._preflight(values)
        warnings = {"warnings": [str(suspect) for suspect in suspects if not suspect.certain]}
        if wrong:
            raise Failure("Nothing was changed. " + " ".join(wrong), **(warnings if warnings["warnings"] else {}))
        asked = _asked.asked(values)
        if not asked and self._is_first():
            self._display.display(_asked.NOTHING)
        return dict({"changed": False, "asked": asked}, **(warnings if warnings["warnings"] else {}))

    def _nobody(self):
        """Why a playbook of ours took localhost: the inventory has no instance, or `rented_hosts` matches no host. None when it did not."""
        variables = self._task_vars
        if variables.get("inventory_hostname") != HERE:
            return None
        groups = variables.get("groups") or {}
        if PATTERN not in variables:
            return None if groups.get("rented") else _reasons.no_instance(variables.get("ansible_inventory_sources"))
        pattern = self._templar.template(variables[PATTERN])
        lookup = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        if HERE in lookup.run(pattern if isinstance(pattern, list) else [str(pattern)], variables=variables):
            return None
        return _reasons.no_match(str(pattern), groups)

    def _is_first(self):
        hosts = self._task_vars.get("ansible_play_hosts_all") or []
        return not hosts or hosts[0] == self._task_vars.get("inventory_hostname")

    def _suspects(self, options):
        given = [one for one in _origins.given(self._task_vars, self._loader) if not one.name.startswith(_settings.OTHER_PREFIXES)]
        others = (*_settings.OTHERS, *("rented_" + field for field in FIELDS))
        return _misspelt.suspects(given, (*options, *_settings.PLAYBOOKS), others)

    def _preflight(self, values):
        wrong = []
        for check in _preflight.CHECKS:
            try:
                check(values)
            except MissingTool as error:
                if not _here.is_here(self._connection):
                    wrong.append(str(error))
            except (RentedError, Failure) as error:
                wrong.append(str(error))
        return wrong
