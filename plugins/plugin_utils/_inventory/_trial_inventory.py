# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""An inventory on trial: built whole, looked at, and only then copied into the real one.

A plugin that fails half-way leaves half its hosts behind, and Ansible goes on with those. And names of keyed groups are
only known when they are there: one that equals a host's name would swallow the host.
"""

from __future__ import annotations

from ansible.inventory.data import InventoryData


class Draft(InventoryData):
    """Keeps a host and a group of the same name apart (the real one gives everything to the group)."""

    def set_variable(self, entity, varname, value):
        self.hosts[entity].set_variable(varname, value)

    def set_variables(self, host: str, variables: dict) -> None:
        """Many at once; the names are known to be right."""
        self.hosts[host].vars.update(variables)

    def add_child(self, group, child):
        if child in self.hosts:
            return self.groups[group].add_host(self.hosts[child])
        if group == child:
            return False
        return super().add_child(group, child)

    def clashes(self) -> set:
        """Names that are both a host's and a group's."""
        return set(self.hosts) & set(self.groups)

    def copy_into(self, inventory) -> None:
        """Everything. The variables go into the real hosts as they are, for most of a large listing's time would be spent on tagging
        each with the file it comes from; an API's text is not trusted as a template, tagged or not.

        The draft gives up its variables as they are copied, or the memory for them would be needed twice.
        """
        for group in self.groups:
            inventory.add_group(group)
        for name, host in self.hosts.items():
            inventory.add_host(name)
            variables, host.vars = host.vars, {}
            variables.pop("inventory_file", None)
            variables.pop("inventory_dir", None)
            inventory.hosts[name].vars.update(variables)
        for name, group in self.groups.items():
            for host in group.hosts:
                inventory.add_child(name, host.name)
            for child in group.child_groups:
                inventory.add_child(name, child.name)
