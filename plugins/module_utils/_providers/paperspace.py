# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Paperspace (DigitalOcean) machines, by the REST API v1.

Facts: the service's own OpenAPI file; the official command ``pspace`` (Paperspace/cli: ``api/client.ts`` for the form of a PATCH).
Nothing says how often one may ask.
"""

from __future__ import annotations

import logging

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RentedError,
    Unsupported,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import CanLabel, CanLaunch, CanListOffers, CanStop, Provider
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace import (
    connection,
    credentials,
    launching,
    machines,
    offers,
    scripts,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance, LaunchRequest, Wish

LOG = logging.getLogger("rented.gpu.paperspace")

PAGE_SIZE = 120  # the API's maximum


class PaperspaceProvider(Provider, CanLaunch, CanStop, CanLabel, CanListOffers):
    """One team at Paperspace: an API key belongs to a team."""

    NAME = connection.NAME
    TITLE = connection.TITLE
    ENDPOINT = "https://api.paperspace.com/v1"
    ENDPOINT_ENV = ("PAPERSPACE_API_URL",)
    API_KEY_ENV = ("PAPERSPACE_API_KEY",)
    KEY_FILES = ("~/.paperspace/credentials.toml", "~/.paperspace/config.json")
    SSH_USER = machines.SSH_USER
    OPTIONS = ("private_network",)
    NO_PRICES = offers.NO_PRICES

    key_from_file = staticmethod(credentials.key_from_file)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._private = launching.flag("private_network", self.options.get("private_network", False))
        _http.check_key(self.TITLE, self.NAME, self.api_key)

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All machines of the team, every page, Windows too. Raises a `RentedError`; never answers a part."""
        self._raw = {}
        found: dict = {}
        for row in self._pages("/machines", "list the machines", {"orderBy": "dtCreated", "order": "asc"}):
            _http.id_in(row, self.TITLE, self.NAME)
            machine = instance(row, self.account, self._private)
            found[machine.id] = machine  # one that moved between two pages comes twice
            self.remember_raw(machine.id, row)
        return list(found.values())

    def is_host(self, instance: Instance) -> bool:
        """Not a Windows machine: such a one is listed, so that its name counts and it can be destroyed, but has no SSH."""
        if instance.ssh_user is None:
            LOG.debug("Paperspace: machine %s runs Windows and becomes no host", instance.id)
        return instance.ssh_user is not None

    def _pages(self, path: str, what: str, query: dict):
        """The rows of every page."""

        def fetch(cursor):
            answer = self._call("GET", path, what, query={"limit": PAGE_SIZE, "after": cursor, **query})
            rows = _http.list_in(answer, "items", self.TITLE, self.NAME, what)
            if not all(isinstance(row, dict) for row in rows):
                raise ProviderUnavailable(f"{self.TITLE} answered in an unknown form when asked to {what}.", self.NAME)
            if answer.get("hasMore") and not answer.get("nextPage"):
                raise ProviderUnavailable(
                    f"{self.TITLE} says that there is more, but not where, when asked to {what}. Try again.", self.NAME
                )
            return rows, answer["nextPage"] if answer.get("hasMore") else None

        return _http.pages(fetch, self.TITLE)

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """The machine types that are free now, per region. The API has no prices (`NO_PRICES`), and no machine that can be interrupted."""
        if wish.interruptible:
            return []
        templates = [template for template in self._templates() if not machines.is_windows(template)]
        places = {word.lower() for word in wish.regions}
        # "US" and its like: who asks knows what is meant.
        regions = (
            [region for region in offers.REGIONS if region in places] if places and places <= set(offers.REGIONS) else list(offers.REGIONS)
        )
        found = []
        for label in sorted(offers.labels_of(templates)):
            gpu, count = machines.gpu_of(label)
            if gpu is None or count != wish.gpu_count or not offers.large_enough(gpu, wish.gpu_vram_mb):
                continue
            if not wish.gpus or any(offers.same_gpu(name, gpu) for name in wish.gpus):
                found += [offers.offer(label, region, self.account) for region in regions if self._is_free(label, region)]
        return found

    def _templates(self) -> list:
        return list(self._pages("/os-templates", "list the templates", {}))

    def _is_free(self, label: str, region: str) -> bool:
        """Whether a machine of this type can be had there now."""
        what = f"ask for a free {label} in {region}"
        try:
            answer = self._call("GET", "/machine-availability", what, query={"machineType": label, "region": region})
        except NotFound:
            return False  # no such type there
        if not isinstance(answer, dict) or not isinstance(answer.get("available"), bool):
            raise ProviderUnavailable(f"{self.TITLE} answered in an unknown form when asked to {what}.", self.NAME)
        return answer["available"]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.check(request, self._private)

    def launch(self, request: LaunchRequest) -> str:
        """Rent a machine: the smallest free type that fits, in the region asked for or the first of `offers.REGIONS` that has one.

        ``image`` is a template, by id or name; left out, the newest ML-in-a-Box. The SSH key comes in by a startup script, because the
        API has no keys. Options: see `launching.LAUNCH_OPTIONS`; ``machine_type`` is a label such as "A100-80G".
        """
        options = launching.check(request, self._private)
        label, template, region = self._choose(request, options)
        body = launching.body(request, options, label, template, region)
        script_id = self._make_script(request)
        if script_id:
            body["startupScriptId"] = script_id
        what = f"rent a machine {label} in {region}"
        try:
            answer = self._call("POST", "/machines", what, body=body)
        except ProviderUnavailable:
            raise  # the machine may be there, and its script with it
        except RentedError:
            self._remove_scripts([script_id])
            raise
        answer = _values.mapping(answer)
        machine_id = _values.text(_values.mapping(answer.get("data")).get("id"))
        if machine_id is None:
            raise ProviderUnavailable(
                f"{self.TITLE} answered the request to {what} without an id. Look into its web page before trying again.", self.NAME
            )
        trouble = connection.event_trouble(answer)
        if trouble:
            raise self._undo(machine_id, trouble, script_id)
        return machine_id

    def _choose(self, request: LaunchRequest, options: dict) -> tuple:
        """``(label of the machine type, template, region)`` of what is free now; asks only for what fits."""
        templates = self._usable_templates(request)
        offered = offers.labels_of(templates)
        wanted = options.get("machine_type")
        if wanted and wanted not in offered:
            raise NotFound(f"{self.TITLE} has no machine type '{wanted}' here. {nearest(wanted, offered)}", self.NAME)
        number = request.gpu_count or 1
        fitting = [label for label in offered if machines.gpu_of(label)[1] == number and launching.fits(label, request)]
        labels = [wanted] if wanted else sorted(fitting, key=launching.size_of)
        if not labels:
            raise NotFound(
                f"{self.TITLE} has no machine type for {_launching.gpu_words(request)}. It has "
                f"{', '.join(sorted(offered)) or 'none at all'}.",
                self.NAME,
            )
        regions = [request.region.lower()] if request.region else list(offers.REGIONS)
        for label in labels:
            template = launching.best_template(templates, label)
            for region in regions:
                if template.get("region") in (None, region) and self._is_free(label, region):
                    return label, template, region
        raise NotFound(f"{self.TITLE} has no {' or '.join(labels)} free in {', '.join(regions)} now. Try later, or another GPU.", self.NAME)

    def _usable_templates(self, request: LaunchRequest) -> list:
        """The template that is asked for, alone; else every Linux template of Paperspace."""
        theirs = self._templates()
        if request.image is None:
            return [template for template in theirs if not machines.is_windows(template)]
        found = launching.named_template(theirs, request.image)
        if found is None:
            own = list(self._pages("/custom-templates", "list your templates", {}))
            found = launching.named_template(own, request.image)
            if found is None:
                names = [str(template.get("name")) for template in theirs + own if not machines.is_windows(template)]
                raise NotFound(f"{self.TITLE} has no template '{request.image}'. {nearest(request.image, names)}", self.NAME)
        if machines.is_windows(found):
            raise Unsupported(f"The template '{request.image}' of {self.TITLE} is Windows, which has no SSH.", self.NAME)
        # Templates of one's own are in one region; those of Paperspace are in all.
        if request.region and found.get("region") not in (None, request.region.lower()):
            raise NotFound(
                f"The template '{request.image}' of {self.TITLE} is in {found['region']}: rent there, or leave 'region' out.",
                self.NAME,
            )
        return [found]

    def _make_script(self, request: LaunchRequest) -> str | None:
        """The id of a new startup script; None where nothing is to be run."""
        if not request.ssh_public_key and not request.startup_script:
            return None
        body = {"name": scripts.PREFIX + request.name, "script": scripts.first_boot(request), "isRunOnce": True}
        answer = _values.mapping(self._call("POST", "/startup-scripts", "store the startup script", body=body))
        script_id = _values.text(answer.get("id"))
        if script_id is None:
            raise RentedError(f"{self.TITLE} stored the startup script without an id; nothing was rented. Try again.", self.NAME)
        return script_id

    def _undo(self, machine_id: str, why: str, script_id: str | None) -> PartlyCreated:
        def destroy(created):
            self.destroy(created)
            self._remove_scripts([script_id])

        return _launching.given_back(self.TITLE, self.NAME, why, [machine_id], destroy)

    def destroy(self, instance_id: str) -> None:
        """Destroy the machine and the startup script that was made for it. A static address stays, and stays billed."""
        path = "/machines/" + connection.segment(instance_id)
        ours = self._our_scripts()
        answer = None
        try:
            answer = self._call("DELETE", path, f"destroy machine {instance_id}")
        except NotFound:
            pass
        trouble = connection.event_trouble(answer)
        if trouble:
            raise RentedError(f"{self.TITLE} could not destroy machine {instance_id}: {trouble}.", self.NAME)
        self._remove_scripts(scripts.left_over(ours, str(instance_id), answer))

    def _our_scripts(self) -> list:
        """The startup scripts that we made; none where they cannot be read, because the machine matters more."""
        try:
            rows = list(self._pages("/startup-scripts", "list the startup scripts", {}))
        except RentedError as error:
            LOG.debug("Paperspace: startup scripts are left: %s", error.message)
            return []
        return [row for row in rows if str(row.get("name") or "").startswith(scripts.PREFIX) and not row.get("dtDeleted")]

    def _remove_scripts(self, ids: list) -> None:
        """Forget startup scripts; one that cannot be forgotten does no harm, and is tried again with the next machine."""
        for script_id in ids:
            if script_id:
                try:
                    self._call("DELETE", "/startup-scripts/" + connection.segment(script_id), f"remove startup script {script_id}")
                except RentedError as error:
                    LOG.debug("Paperspace: startup script %s is left: %s", script_id, error.message)

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        self._act(instance_id, "stop")

    def start(self, instance_id: str) -> None:
        self._act(instance_id, "start")

    def _act(self, instance_id: str, verb: str) -> None:
        """The API file has no body for these; the official command sends an empty object, and so do we."""
        answer = self._call("PATCH", f"/machines/{connection.segment(instance_id)}/{verb}", f"{verb} machine {instance_id}", body={})
        trouble = connection.event_trouble(answer)
        if trouble:
            raise RentedError(f"{self.TITLE} could not {verb} machine {instance_id}: {trouble}.", self.NAME)

    def set_label(self, instance_id: str, label: str) -> None:
        self._call("PUT", "/machines/" + connection.segment(instance_id), f"rename machine {instance_id}", body={"name": label})

    # --- calling -----------------------------------------------------------------------------------------------------

    def _call(self, method: str, path: str, what: str, query: dict | None = None, body=None):
        """The decoded answer. A 200 that holds an error counts as that error, as it does for the official client."""
        api = _http.JsonApi(self.TITLE, self.NAME, self.endpoint, self.api_key, timeout=self.timeout, sleep=self.sleep)
        answer = api.call(method, path, query=query, body=body, what=what)
        if isinstance(answer, dict) and "code" in answer and "message" in answer and len(answer) <= 3:
            code, words = _http.error_words(answer)
            words = _http.redact(words or code or "no reason given", self.api_key)
            raise _http.failure(self.TITLE, self.NAME, self.endpoint, connection.CODES.get(code, 400), words, what)
        return answer
