# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Rehearsals: a provider whose instances are local containers with a real sshd. It costs nothing; its GPUs are simulated.

All state is in the container engine, as labels of the containers: nothing can disagree with what really runs.
"""

from __future__ import annotations

import os
import uuid

from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, PartlyCreated, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanAttachKey,
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanStop,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import images, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal.machines import instance
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish

SWITCH = "RENTED_GPU_REHEARSAL"


class RehearsalProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers):
    """Boxes of one account and one user on this machine's container engine."""

    NAME = machines.NAME
    TITLE = machines.TITLE
    OPTIONS = ("engine",)
    NAMES_MATTER = True

    @classmethod
    def available(cls) -> bool:
        """Only when asked for by $RENTED_GPU_REHEARSAL, or when boxes of the default account exist: real inventories stay free of it."""
        switch = os.environ.get(SWITCH, "").strip().lower()
        if switch:
            return switch not in ("0", "no", "false", "off")
        try:
            engine = engines.find_engine()
            # Cheap: one listing, no box, no image.
            return bool(engine and machines.boxes(engine, cls.NAME))
        except RentedError:
            return False

    @classmethod
    def places_looked_at(cls) -> list:
        return ["$" + SWITCH, f"containers labelled {machines.PREFIX}account"]

    def _engine(self) -> engines.Engine:
        return engines.need_engine(self.options.get("engine"))

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All boxes of the account, oldest first, from one listing of the engine."""
        return [instance(box) for box in machines.boxes(self._engine(), self.account)]

    def _box(self, engine: engines.Engine, instance_id: str) -> dict | None:
        """The container of an id, if it is one of this account: never a stranger's container."""
        for box in machines.boxes(engine, self.account):
            if box["id"].startswith(str(instance_id)) and len(str(instance_id)) >= 12:
                return box
        return None

    def _need_box(self, engine: engines.Engine, instance_id: str) -> dict:
        box = self._box(engine, instance_id)
        if box is None:
            raise NotFound(f"There is no rehearsal box {instance_id} in the account '{self.account}'.", self.NAME)
        return box

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Every simulated GPU in both kinds of box, at made-up prices. Asks no engine: what it has is not bound to one."""
        if not 1 <= wish.gpu_count <= machines.MOST_GPUS:
            return []
        ways = (False, True) if wish.interruptible is None else (wish.interruptible,)
        boxes = [(kind, gpu) for kind in machines.KINDS for gpu in machines.GPUS]
        return [offers.offer(kind, gpu, wish.gpu_count, way, self.account) for kind, gpu in boxes for way in ways]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        launching.plan(request)

    def launch(self, request: LaunchRequest) -> str:
        """Start a box; returns when the container runs, which may be before its sshd answers.

        The first box of a suite builds its image: about a minute. Options: see `launching.LAUNCH_OPTIONS` and docs/providers/rehearsal.md.
        """
        wish = launching.plan(request)
        given = request.ssh_public_key
        key = launching.check_public_key(given, "ssh_public_key") if given else launching.find_public_key()
        engine = self._engine()
        image = images.ensure(engine, wish["image"])
        engine.ready(image)
        name = machines.container_name(uuid.uuid4().hex[:8], request.name)
        labels = {
            "account": self.account,
            "user": os.getuid(),
            "name": request.name,
            "owner": request.owner or "",
            "kind": wish["kind"],
            "login": wish["user"],
            "image": wish["image"],
            "gpu": wish["gpu"] or "none",
            "gpu_count": wish["gpu_count"],
            "gpu_vram_mb": wish["vram_mb"],
            "driver": wish["driver"],
            "cuda": wish["cuda"],
            "price": f"{wish['price']:.4f}",
            "interruptible": int(request.interruptible),
            "created": machines.now(),
            "vanish_after": wish["vanish_after"],
            "cpus": os.cpu_count() or "",
            "ram_mb": machines.ram_mb(),
            "disk_mb": wish["small_disk_mb"] or "",
        }
        arguments = ["run", "--detach", "--name", name, "--publish", "127.0.0.1::22"]
        for label in sorted(labels):
            arguments += ["--label", f"{machines.PREFIX}{label}={engines.quote(labels[label])}"]
        for variable, value in sorted(launching.environment(wish, key, request.startup_script).items()):
            arguments += ["--env", f"BOX_{variable}={value}"]
        bundle = images.ca_bundle()
        if bundle:
            arguments += ["--volume", bundle + ":/run/rented-box/ca.crt:ro"]
        if wish["small_disk_mb"]:
            place = "/workspace" if wish["kind"] == "container" else machines.home_of(wish["user"])
            arguments += ["--tmpfs", f"{place}:size={wish['small_disk_mb']:.0f}m,mode=755,exec"]
        if wish["no_network"]:
            arguments += ["--cap-add", "NET_ADMIN"]
        if wish["vanish_after"]:
            arguments += ["--rm"]
        done = engine.call(*(arguments + [image]))
        if done.returncode == 0:
            return done.stdout.strip().splitlines()[-1][:12]
        # The engine keeps a container that it could not start.
        why = f"The box '{request.name}' could not be started: {engines.last_words(done)}"
        try:
            engine.remove(name)
        except RentedError as error:
            raise PartlyCreated(f"{why} {error.message}", name, self.NAME)
        raise RentedError(why, self.NAME)

    def destroy(self, instance_id: str) -> None:
        engine = self._engine()
        box = self._box(engine, instance_id)
        if box is not None:
            engine.remove(box["id"])

    # --- the rest of a life ------------------------------------------------------------------------------------------

    def stop(self, instance_id: str) -> None:
        engine = self._engine()
        engine.run("stop", "-t", "2", self._need_box(engine, instance_id)["id"])

    def start(self, instance_id: str) -> None:
        engine = self._engine()
        engine.run("start", self._need_box(engine, instance_id)["id"])

    def set_label(self, instance_id: str, label: str) -> None:
        # An engine cannot change a container's labels, but its name: that is where the label is read from.
        engine = self._engine()
        box = self._need_box(engine, instance_id)
        tag, old = machines.tag_and_label(box["name"])
        if old != label:
            engine.run("rename", box["id"], machines.container_name(tag or uuid.uuid4().hex[:8], label))

    def attach_key(self, instance_id: str, public_key: str) -> None:
        engine = self._engine()
        box = self._need_box(engine, instance_id)
        if box["state"] != "running":
            raise RentedError(f"The box {instance_id} is {box['state']}; start it before adding a key.", self.NAME)
        kind, login = (box["labels"].get(machines.PREFIX + label) for label in ("kind", "login"))
        home = machines.home_of(machines.login(kind, login) or "root")
        script = 'read -r key; grep -qxF "$key" "$0" || echo "$key" >> "$0"'
        key = launching.check_public_key(public_key, "The key to add")
        engine.run("exec", "--interactive", box["id"], "sh", "-c", script, home + "/.ssh/authorized_keys", text=key + "\n")

    def console(self, instance_id: str) -> str:
        engine = self._engine()
        done = engine.call("logs", "--tail", "200", self._need_box(engine, instance_id)["id"])
        return done.stdout + done.stderr
