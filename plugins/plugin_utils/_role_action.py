# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The base of the roles' action plugins: they decide on the controller and go to the host only for what has to change.

Each remote execution costs a round trip, so each is counted. Seconds, executions and changes per role are gathered in the
host's facts (``rented_run``) and end in ``ready.json``. They are for people: no action decides by them.
"""

from __future__ import annotations

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils import _facts_shape, _proof_copies
from ansible_collections.rented.gpu.plugins.plugin_utils._action import Action
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _paths
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import FACTS, RUN, TOKEN, token
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _deadline, _host_checks, _local_host


class RoleAction(Action):
    """Knows the facts of the host, its stamps and its proof, and is counted."""

    # --- what subclasses use -----------------------------------------------------------------------------------

    @property
    def facts(self) -> dict:
        """What `host_facts` read in this run; empty when it has not run."""
        return self._task_vars.get("ansible_facts", {}).get(FACTS) or {}

    def settled(self, stamp: str, request, needs: tuple = ()) -> bool:
        """Whether the host already is as ``request`` says, known without asking it again. ``needs``: what ``data`` must hold."""
        self.asked.add(stamp)
        known = self.facts.get("stamps", {}).get(stamp)
        if not isinstance(known, dict) or not known.get("intact") or known.get("wanted") != _stamps.digest(request):
            return False
        return all(name in (known.get("data") or {}) for name in needs)

    def apply(self, stamp: str, request: dict, arguments: dict | None = None) -> dict:
        """Run the module that bears the name of the stamp, and learn the stamp that it wrote. Returns what is for people.

        ``request`` is what the stamp stands for. ``arguments`` are those of the module, where they differ from it.
        """
        result = self.remote(stamp, dict(request if arguments is None else arguments, stamp_wanted=_stamps.digest(request)))
        if "stamp" in result and not self.check_mode:
            self._learn(stamp, result["stamp"])
        return {name: value for name, value in result.items() if name not in ("stamp", "invocation")}

    def _learn(self, name: str, stamp: dict | None) -> None:
        """What the following roles see: the stamp as it is now, or that there is none."""
        stamps = {known: entry for known, entry in (self.facts.get("stamps") or {}).items() if known != name}
        self.set_facts(stamps=dict(stamps, **{name: dict(stamp, drift=[], intact=True)}) if stamp else stamps)

    def first_repository(self) -> str:
        """Where the first repository of this run lies, below the workdir; empty without one."""
        return _paths.first_repository(self._templar.template(self._task_vars.get("repos_list")))

    def simulated(self) -> bool:
        """Whether the instance is one of the rehearsal provider. A user's tags may be a template."""
        tags = self._templar.template(self._task_vars.get("rented_tags")) or {}
        return isinstance(tags, dict) and str(tags.get("simulated", "")).lower() in ("true", "yes", "1")

    def know_host(self) -> None:
        """Facts, when a role is used without `ready` before it; the workdir is the one that `ready` would take."""
        if not self.facts.get("workdir"):
            workdir = self._templar.template(self._task_vars.get("rented_workdir")) or None
            facts = self.facts_in(self.remote("host_facts", {"workdir": workdir}))
            self.check_pinned()
            self.set_facts(**facts)

    def facts_in(self, result: dict) -> dict:
        """The facts of the host in what `host_facts` returned; a `Failure` where they are not what it would say."""
        found = result.get("ansible_facts")
        facts = found.get(FACTS) if isinstance(found, dict) else None
        problem = _facts_shape.problem(facts)
        if problem or facts is None:
            raise Failure(
                f"{self._task_vars.get('inventory_hostname')} let us in, but its facts cannot be used: {problem}. "
                "Something on the host changes what Python programs print, or the host does not mean well: rent "
                "another."
            )
        return _facts_shape.without_strange_proof(facts)

    def check_pinned(self) -> None:
        """After the first login: the host's key has to be in our known_hosts file, where that is in use."""
        get = getattr(self._connection, "get_option", None)
        if get is None or getattr(self._connection, "transport", "") != "ssh":
            return
        if not _host_checks.unpinned(get("ssh_common_args")):
            return
        # The file may have been removed while a connection of an earlier run stays open: a new login writes it again.
        self.log_in_anew()
        problem = _host_checks.unpinned(get("ssh_common_args"))
        if problem:
            raise Failure(problem)

    def log_in_anew(self) -> None:
        """One login of its own, which pins the host key where that is possible. Where nothing knows how, nothing happens."""

    def set_facts(self, **changes) -> None:
        """Change what the following roles see in ``ansible_facts.rented``."""
        merged = dict(self.facts)
        merged.update(changes, **{TOKEN: token()})
        self._new_facts[FACTS] = merged
        self._task_vars.setdefault("ansible_facts", {})[FACTS] = merged

    # --- the run -----------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.asked: set = set()

    def _check_place(self) -> None:
        super()._check_place()
        if not _local_host.is_here(self._connection):
            names = ("ansible_host", "ansible_port", "ansible_user", "rented_provider", "rented_state", "rented_state_raw")
            variables = {name: self._templar.template(self._task_vars.get(name)) for name in names}
            problem = _host_checks.address_problem(dict(variables, inventory_hostname=self._task_vars.get("inventory_hostname")))
            if problem:
                raise Failure(problem)
            _deadline.keep_alive(self._connection)

    def _on_failure(self, why: str) -> None:
        self._withdraw_proof(why)

    def _withdraw_proof(self, why: str, **more) -> None:
        """After a role failed on the host, the proof of an earlier run must not go on saying that the host is ready."""
        earlier = self.facts.get("ready")
        if self.check_mode or not isinstance(earlier, dict) or not earlier.get("ready"):
            return
        if not (self.executions or more):  # nothing was done on the host, and nothing was found there
            return
        host = self._task_vars["inventory_hostname"]
        content = dict(earlier, ready=False, host=host, failed={"role": self._role_name(), "why": _plain.plain(why)[:500]}, **more)
        try:
            self.remote("proof", {"content": content})
            self.set_facts(ready=content)
            _proof_copies.keep(host, content)
        except (Failure, AnsibleConnectionFailure, OSError, RentedError):
            pass  # the first failure is the one to tell

    def _on_success(self, result: dict, seconds: float) -> None:
        run = dict(self._task_vars["ansible_facts"].get(RUN) or {})
        role = self._role_name()
        before = run.get(role, {"seconds": 0, "executions": 0, "changed": False})
        run[role] = {
            "seconds": round(before["seconds"] + seconds, 2),
            "executions": before["executions"] + self.executions,
            "changed": before["changed"] or bool(result["changed"]),
            "asked": sorted(self.asked.union(before.get("asked", ()))),
        }
        self._new_facts[RUN] = run


class StampAction(RoleAction):
    """The common kind: one module, which bears the name of its role and of the one stamp that it writes.

    A subclass sets `STAMP` and writes `request`.
    """

    STAMP = ""

    def request(self, arguments: dict) -> dict:
        """All that decides the result; also the arguments of the module. Raises `Failure` for what can be seen to be wrong here."""
        raise NotImplementedError

    def work(self, arguments: dict) -> dict:
        request = self.request(arguments)
        return {"changed": False} if self.settled(self.STAMP, request) else self.apply(self.STAMP, request)
