# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Rehearsals: a provider whose instances are local containers with a real sshd. It costs nothing; its GPUs are simulated.

All state is in the container engine, as labels of the containers: nothing can disagree with what really runs.
"""

from __future__ import annotations

import datetime
import glob
import os
import re
import uuid

from ansible_collections.rented.gpu.plugins.module_utils import _gpu_names, _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    MissingCredentials,
    NotFound,
    PartlyCreated,
    RentedError,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._models import Instance, LaunchRequest, Offer, Wish
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import (
    CanAttachKey,
    CanLabel,
    CanLaunch,
    CanListOffers,
    CanReadConsole,
    CanStop,
    Provider,
)
from ansible_collections.rented.gpu.plugins.module_utils._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._rehearsal import images

PREFIX = "gpu.rented."
SWITCH = "RENTED_GPU_REHEARSAL"

# The states of podman and docker. A container that was created and never started is one whose start is under way.
STATES = {
    "created": "pending",
    "configured": "pending",
    "initialized": "pending",
    "restarting": "pending",
    "running": "running",
    "paused": "paused",
    "stopping": "stopping",
    "removing": "stopping",
    "exited": "stopped",
    "stopped": "stopped",
    "dead": "error",
}

# kind -> SSH user, GPU when none is asked for, made-up price in USD per hour of the box and of each of its GPUs
KINDS = {
    "container": {"user": "root", "gpu": "RTX 4090", "price": 0.02, "price_per_gpu": 0.35, "trust": "own"},
    "vm": {"user": "ubuntu", "gpu": "A10", "price": 0.05, "price_per_gpu": 0.75, "trust": "own"},
}

MOST_GPUS = 16

# as nvidia-smi writes it -> MiB, compute capability, watts, whether it has ECC memory; of two sizes the first is the usual one
GPUS = {
    "NVIDIA GeForce RTX 3060": (12288, "8.6", 170, False),
    "NVIDIA GeForce RTX 3090": (24576, "8.6", 350, False),
    "NVIDIA GeForce RTX 4090": (24564, "8.9", 450, False),
    "NVIDIA GeForce RTX 5090": (32607, "12.0", 575, False),
    "NVIDIA RTX A6000": (49140, "8.6", 300, True),
    "Tesla T4": (15360, "7.5", 70, True),
    "Tesla V100-SXM2-16GB": (16384, "7.0", 300, True),
    "NVIDIA L4": (23034, "8.9", 72, True),
    "NVIDIA A10": (23028, "8.6", 150, True),
    "NVIDIA A100-SXM4-40GB": (40960, "8.0", 400, True),
    "NVIDIA A100-SXM4-80GB": (81920, "8.0", 400, True),
    "NVIDIA H100 80GB HBM3": (81559, "9.0", 700, True),
}

# Bytes of a startup script: it travels as one word of the engine's command line, which Linux limits to 128 KiB.
LONGEST_STARTUP = 100000

# What LaunchRequest.options may hold, and how each value is read.
LAUNCH_OPTIONS = {
    "kind": "kind",
    "user": "user",
    "gpu": "text",
    "gpu_count": "number",
    "no_python": "flag",
    "driver": "text",
    "cuda": "text",
    "ssh_delay": "number",
    "apt_lock_seconds": "number",
    "refuse_key": "flag",
    "small_disk_mb": "number",
    "vanish_after": "number",
    "no_network": "flag",
    "gpu_broken": "flag",
    "gpu_missing": "number",
    "gpu_used_mb": "number",
    "gpu_ecc_errors": "number",
}


class RehearsalProvider(Provider, CanLaunch, CanStop, CanLabel, CanAttachKey, CanReadConsole, CanListOffers):
    """Boxes of one account and one user on this machine's container engine."""

    NAME = "rehearsal"
    TITLE = "Rehearsal"
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
            return bool(engine and _boxes(engine, cls.NAME))
        except RentedError:
            return False

    @classmethod
    def places_looked_at(cls) -> list:
        return ["$" + SWITCH, "containers labelled %saccount" % PREFIX]

    def _engine(self) -> engines.Engine:
        return engines.need_engine(self.options.get("engine"))

    # --- list --------------------------------------------------------------------------------------------------------

    def list_instances(self) -> list:
        """All boxes of the account, oldest first, from one listing of the engine."""
        return [instance(box) for box in _boxes(self._engine(), self.account)]

    def _box(self, engine: engines.Engine, instance_id: str) -> dict | None:
        """The container of an id, if it is one of this account: never a stranger's container."""
        for box in _boxes(engine, self.account):
            if box["id"].startswith(str(instance_id)) and len(str(instance_id)) >= 12:
                return box
        return None

    def _need_box(self, engine: engines.Engine, instance_id: str) -> dict:
        box = self._box(engine, instance_id)
        if box is None:
            raise NotFound("There is no rehearsal box %s in the account '%s'." % (instance_id, self.account), self.NAME)
        return box

    # --- offers ------------------------------------------------------------------------------------------------------

    def list_offers(self, wish: Wish) -> list:
        """Every simulated GPU in both kinds of box, at made-up prices. Asks no engine: what it has is not bound to one."""
        if not 1 <= wish.gpu_count <= MOST_GPUS:
            return []
        ways = (False, True) if wish.interruptible is None else (wish.interruptible,)
        return [offer(kind, gpu, wish.gpu_count, way, self.account) for kind in KINDS for gpu in GPUS for way in ways]

    # --- rent and destroy --------------------------------------------------------------------------------------------

    def check_request(self, request: LaunchRequest) -> None:
        plan(request)

    def launch(self, request: LaunchRequest) -> str:
        """Start a box; returns when the container runs, which may be before its sshd answers.

        The first box of a suite builds its image: about a minute. Options: see `LAUNCH_OPTIONS` and docs/providers/rehearsal.md.
        """
        wish = plan(request)
        key = check_public_key(request.ssh_public_key, "ssh_public_key") if request.ssh_public_key else find_public_key()
        engine = self._engine()
        image = images.ensure(engine, wish["image"])
        engine.ready(image)
        name = container_name(uuid.uuid4().hex[:8], request.name)
        labels = {
            "account": self.account,
            "user": os.getuid(),
            "name": request.name,
            "kind": wish["kind"],
            "login": wish["user"],
            "image": wish["image"],
            "gpu": wish["gpu"] or "none",
            "gpu_count": wish["gpu_count"],
            "gpu_vram_mb": wish["vram_mb"],
            "driver": wish["driver"],
            "cuda": wish["cuda"],
            "price": "%.4f" % wish["price"],
            "interruptible": int(request.interruptible),
            "created": _now(),
            "vanish_after": wish["vanish_after"],
            "cpus": os.cpu_count() or "",
            "ram_mb": _ram_mb(),
            "disk_mb": wish["small_disk_mb"] or "",
        }
        arguments = ["run", "--detach", "--name", name, "--publish", "127.0.0.1::22"]
        for label in sorted(labels):
            arguments += ["--label", "%s%s=%s" % (PREFIX, label, engines.quote(labels[label]))]
        for variable, value in sorted(_environment(wish, key, request.startup_script).items()):
            arguments += ["--env", "BOX_%s=%s" % (variable, value)]
        bundle = images.ca_bundle()
        if bundle:
            arguments += ["--volume", bundle + ":/run/rented-box/ca.crt:ro"]
        if wish["small_disk_mb"]:
            place = "/workspace" if wish["kind"] == "container" else home_of(wish["user"])
            arguments += ["--tmpfs", "%s:size=%dm,mode=755,exec" % (place, wish["small_disk_mb"])]
        if wish["no_network"]:
            arguments += ["--cap-add", "NET_ADMIN"]
        if wish["vanish_after"]:
            arguments += ["--rm"]
        done = engine.call(*(arguments + [image]))
        if done.returncode == 0:
            return done.stdout.strip().splitlines()[-1][:12]
        # The engine keeps a container that it could not start.
        why = "The box '%s' could not be started: %s" % (request.name, engines.last_words(done))
        try:
            engine.remove(name)
        except RentedError as error:
            raise PartlyCreated("%s %s" % (why, error.message), name, self.NAME)
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
        tag, old = _tag_and_label(box["name"])
        if old != label:
            engine.run("rename", box["id"], container_name(tag or uuid.uuid4().hex[:8], label))

    def attach_key(self, instance_id: str, public_key: str) -> None:
        engine = self._engine()
        box = self._need_box(engine, instance_id)
        if box["state"] != "running":
            raise RentedError("The box %s is %s; start it before adding a key." % (instance_id, box["state"]), self.NAME)
        home = home_of(_login(box["labels"].get(PREFIX + "kind"), box["labels"].get(PREFIX + "login")) or "root")
        script = 'read -r key; grep -qxF "$key" "$0" || echo "$key" >> "$0"'
        key = check_public_key(public_key, "The key to add")
        engine.run("exec", "--interactive", box["id"], "sh", "-c", script, home + "/.ssh/authorized_keys", text=key + "\n")

    def console(self, instance_id: str) -> str:
        engine = self._engine()
        done = engine.call("logs", "--tail", "200", self._need_box(engine, instance_id)["id"])
        return done.stdout + done.stderr


# --- what a box is ---------------------------------------------------------------------------------------------------


def _boxes(engine: engines.Engine, account: str) -> list:
    # An engine may read wildcards in a filter, and one docker daemon serves several users: both are compared here.
    mine = {PREFIX + "account": account, PREFIX + "user": str(os.getuid())}
    found = [box for box in engine.containers(PREFIX + "account", account) if mine.items() <= box["labels"].items()]
    return sorted(found, key=lambda box: (box["labels"].get(PREFIX + "created", ""), box["id"]))


def instance(box: dict) -> Instance:
    """One container of `_rehearsal.engine.parse_podman` as an `Instance`."""
    labels = {name[len(PREFIX) :]: value for name, value in box["labels"].items() if name.startswith(PREFIX)}
    kind = labels.get("kind") if labels.get("kind") in KINDS else None
    gpu = labels.get("gpu") if labels.get("gpu") not in ("", "none", None) else None
    count = _number(labels.get("gpu_count"))
    started = labels.get("created")
    if box["started"]:
        started = _iso(datetime.datetime.fromtimestamp(box["started"], datetime.timezone.utc))
    vram = _number(labels.get("gpu_vram_mb"), int) if gpu else None
    model = _gpu_names.normalise(gpu, vram)
    state = STATES.get(box["state"], "unknown")
    # podman goes on naming the port of a stopped container
    port = box["port"] if state in ("running", "paused") else None
    return Instance(
        provider=RehearsalProvider.NAME,
        account=labels.get("account", ""),
        id=box["id"][:12],
        label=_tag_and_label(box["name"])[1] or labels.get("name"),
        state=state,
        state_raw=box["state"],
        kind=kind,
        ssh_host="127.0.0.1" if port else None,
        ssh_port=port,
        ssh_user=_login(kind, labels.get("login")),
        ssh_via="direct" if port else None,
        gpu_name_raw=gpu and gpu + " (simulated)",
        gpu_model=model.model,
        gpu_variant=model.variant,
        gpu_count=int(count) if count is not None else None,
        gpu_vram_mb=vram,
        cpu_cores=_number(labels.get("cpus")),
        ram_gb=_scaled(labels.get("ram_mb"), 1048576 / 1e9),
        disk_gb=_scaled(labels.get("disk_mb"), 1048576 / 1e9),
        cuda_max=(labels.get("cuda") or None) if gpu else None,
        driver=(labels.get("driver") or None) if gpu else None,
        region="local",
        price_per_hour=_number(labels.get("price")),
        storage_price_per_hour=0.0,
        interruptible=labels.get("interruptible") == "1",
        trust=KINDS[kind]["trust"] if kind else "own",
        image=labels.get("image"),
        started_at=started,
        ends_at=_ends(labels),
        tags={"simulated": "true"},
    )


def offer(kind: str, gpu: str, count: int, interruptible: bool, account: str) -> Offer:
    """A box that could be rented. Its link and its disk are this machine's own, so traffic and storage cost nothing."""
    name = _gpu_names.normalise(gpu, GPUS[gpu][0])
    return Offer(
        provider=RehearsalProvider.NAME,
        account=account,
        id="-".join([kind, *re.findall(r"[a-z0-9]+", gpu.lower()), str(count)]),
        kind=kind,
        gpu_name_raw=gpu + " (simulated)",
        gpu_model=name.model,
        gpu_variant=name.variant,
        gpu_count=count,
        gpu_vram_mb=GPUS[gpu][0],
        cpu_cores=_number(os.cpu_count()),
        ram_gb=_scaled(_ram_mb(), 1048576 / 1e9),
        region="local",
        price_per_hour=round(made_up_price(kind, count, interruptible), 4),
        storage_price_per_gb_month=0.0,
        inet_down_price_per_gb=0.0,
        inet_up_price_per_gb=0.0,
        interruptible=interruptible,
        trust=KINDS[kind]["trust"],
        cuda_max="12.8",
        options={"kind": kind},
    )


def made_up_price(kind: str, count: int, interruptible: bool) -> float:
    """USD per hour."""
    price = KINDS[kind]["price"] + KINDS[kind]["price_per_gpu"] * count
    return price / 2 if interruptible else price


def container_name(tag: str, label: str) -> str:
    """A container name that holds any label: ``rented.<tag>.<label>``, other characters as ``_`` and two hex digits per byte.

    Raises `RentedError` for a label that is empty or longer than 120 bytes once written so.
    """
    coded = "".join(chr(byte) if re.match(r"[A-Za-z0-9-]", chr(byte)) else "_%02x" % byte for byte in label.encode("utf-8"))
    if not coded or len(coded) > 120:
        raise RentedError(
            "The name of a box has 1 to 120 characters; others than letters, digits and '-' count three per byte.", "rehearsal"
        )
    return "rented.%s.%s" % (tag, coded)


def _tag_and_label(name: str) -> tuple:
    """The two parts of `container_name`; (None, None) for a name that is not one."""
    match = re.match(r"^rented\.([0-9a-f]+)\.((?:[A-Za-z0-9-]|_[0-9a-f]{2})+)$", name)
    if not match:
        return None, None
    coded = re.sub(r"_([0-9a-f]{2})", r"%\1", match.group(2))
    return match.group(1), engines.unquote(coded)


def home_of(user: str) -> str:
    """The home directory of a login user in a box."""
    return "/root" if user == "root" else "/home/" + user


def _login(kind: str | None, label: str | None) -> str | None:
    """The login user; boxes of earlier versions do not carry it."""
    return (label or KINDS[kind]["user"]) if kind in KINDS else None


def _ends(labels: dict) -> str | None:
    seconds = _number(labels.get("vanish_after"))
    try:
        created = datetime.datetime.strptime(labels["created"], "%Y-%m-%dT%H:%M:%SZ")
    except (KeyError, ValueError):
        return None
    return _iso(created + datetime.timedelta(seconds=seconds)) if seconds else None


# --- what a launch asks for ------------------------------------------------------------------------------------------


def plan(request: LaunchRequest) -> dict:
    """A launch request checked and completed: kind, image, GPU, price and faults. Raises `RentedError` for what cannot be."""
    options = {}
    for name, value in request.options.items():
        if name not in LAUNCH_OPTIONS:
            raise RentedError("The rehearsal provider has no option '%s'. %s" % (name, nearest(str(name), LAUNCH_OPTIONS)), "rehearsal")
        if value is not None:
            options[name] = _read_option(name, value)
    kind = options.get("kind", "container")
    image = request.image or "debian-12"
    user = options.get("user", KINDS[kind]["user"])
    if kind == "container" and user != "root":
        raise RentedError(
            "A box of kind container logs in as root; for the login user '%s' take kind: vm, which has sudo." % user, "rehearsal"
        )
    if kind == "vm" and user == "root":
        raise RentedError("A box of kind vm has a login user with sudo; for root take kind: container.", "rehearsal")
    startup = len((request.startup_script or "").encode("utf-8"))
    if startup > LONGEST_STARTUP or "\0" in (request.startup_script or ""):
        raise RentedError(
            "A box takes a startup_script of text of at most %d bytes, and this one has %d: let it fetch the rest."
            % (LONGEST_STARTUP, startup),
            "rehearsal",
        )
    if options.get("no_python") and images.split(image)[1] == "":
        image += "-no-python"
    images.split(image)
    asked = request.gpu or options.get("gpu") or KINDS[kind]["gpu"]
    gpu = find_gpu(asked)
    count = request.gpu_count if request.gpu_count is not None else options.get("gpu_count", 1)
    count = int(count) if gpu else 0
    if count < 0 or count > MOST_GPUS:
        raise RentedError("A box has 0 to %d simulated GPUs, not %d." % (MOST_GPUS, count), "rehearsal")
    vram, capability, watts, ecc = GPUS[gpu] if count else ("", "", "", False)
    price = made_up_price(kind, count, request.interruptible)
    if request.max_price_per_hour is not None and price > request.max_price_per_hour:
        raise RentedError(
            "The made-up price of this box is %.2f USD/h, above the limit of %.2f." % (price, request.max_price_per_hour), "rehearsal"
        )
    return {
        "kind": kind,
        "user": user,
        "image": image,
        "gpu": gpu if count else None,
        "gpu_count": count,
        "vram_mb": vram,
        "compute_capability": capability,
        "watts": watts,
        "ecc": str(options.get("gpu_ecc_errors", 0)) if ecc or "gpu_ecc_errors" in options else "N/A",
        "driver": options.get("driver", "570.172.08"),
        "cuda": options.get("cuda", "12.8"),
        "price": price,
        "gpu_seen": max(0, count - options.get("gpu_missing", 0)),
        "gpu_used_mb": options.get("gpu_used_mb", 1),
        "gpu_broken": options.get("gpu_broken", False),
        "ssh_delay": options.get("ssh_delay", 0),
        "apt_lock_seconds": options.get("apt_lock_seconds", 0),
        "refuse_key": options.get("refuse_key", False),
        "small_disk_mb": options.get("small_disk_mb", 0),
        "vanish_after": options.get("vanish_after", 0),
        "no_network": options.get("no_network", False),
    }


def _read_option(name: str, value):
    form = LAUNCH_OPTIONS[name]
    if form == "number":
        try:
            number = int(str(value))
        except ValueError:
            number = -1
        if number < 0:
            raise RentedError("The option '%s' takes a whole number, 0 or more, not '%s'." % (name, value), "rehearsal")
        return number
    if form == "flag":
        if str(value).lower() in ("true", "yes", "on", "1"):
            return True
        if str(value).lower() in ("false", "no", "off", "0"):
            return False
        raise RentedError("The option '%s' takes true or false, not '%s'." % (name, value), "rehearsal")
    if form == "kind" and value not in KINDS:
        raise RentedError("There is no kind of box '%s'. %s" % (value, nearest(str(value), KINDS)), "rehearsal")
    if form == "user" and not re.match(r"^[a-z_][a-z0-9_-]{0,31}$", str(value)):
        raise RentedError(
            "The option 'user' takes a login name (small letters, digits, '_' and '-', at most 32), not '%s'." % value, "rehearsal"
        )
    if form == "text" and not re.match(r"^[A-Za-z0-9 ._-]+$", str(value)):
        raise RentedError("The option '%s' takes letters, digits, blanks, '.', '_' and '-', not '%s'." % (name, value), "rehearsal")
    return str(value)


def find_gpu(asked: str) -> str | None:
    """The name in `GPUS` for "RTX 4090", "rtx_4090", "A100 80GB" and the like; None for "none". Raises `RentedError` for others."""
    if asked.strip().lower() in ("none", "cpu", "no"):
        return None
    wanted = _gpu_names.normalise(asked)
    models = []
    for name, facts in GPUS.items():
        found = _gpu_names.normalise(name, facts[0])
        if found.model == wanted.model and (not wanted.vram_mb or _gpu_names.same_size(found.vram_mb, wanted.vram_mb)):
            return name
        models.append(found.model)
    raise RentedError("There is no simulated GPU '%s'. %s" % (asked, nearest(asked, set(models) | {"none"})), "rehearsal")


def _environment(wish: dict, key: str, startup_script: str | None = None) -> dict:
    """What the first process in the box is told."""
    return {
        "KIND": wish["kind"],
        "USER": wish["user"],
        "STARTUP_SCRIPT": startup_script or "",
        "SSH_KEY": key,
        "GPU_NAME": wish["gpu"] or "none",
        "GPU_COUNT": wish["gpu_seen"],
        "GPU_MEMORY_MB": wish["vram_mb"],
        "GPU_USED_MB": wish["gpu_used_mb"],
        "GPU_COMPUTE_CAP": wish["compute_capability"],
        "GPU_POWER_W": wish["watts"],
        "GPU_ECC": wish["ecc"],
        "GPU_DRIVER": wish["driver"],
        "GPU_CUDA": wish["cuda"],
        "GPU_BROKEN": int(wish["gpu_broken"]),
        "SSH_DELAY": wish["ssh_delay"],
        "APT_LOCK_SECONDS": wish["apt_lock_seconds"],
        "REFUSE_KEY": int(wish["refuse_key"]),
        "VANISH_AFTER": wish["vanish_after"],
        "NO_NETWORK": int(wish["no_network"]),
    }


def find_public_key() -> str:
    """The user's public key, as ssh itself would choose; raises `MissingCredentials` when there is none."""
    looked = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"]
    folder = os.path.expanduser("~/.ssh")
    for path in [os.path.join(folder, name) for name in looked] + sorted(glob.glob(os.path.join(folder, "*.pub"))):
        try:
            with open(path, encoding="utf-8") as handle:
                return check_public_key(handle.read(), path)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise MissingCredentials("The public key %s cannot be read: %s." % (path, error), "rehearsal")
    raise MissingCredentials(
        "No SSH public key for the new box: none was given and there is no ~/.ssh/*.pub. Make one with: ssh-keygen -t ed25519",
        "rehearsal",
    )


def check_public_key(text: str, what: str) -> str:
    """One public key on one line; raises `MissingCredentials` when it is not one. The text is not repeated: it may be a private key."""
    key = _public_key.parse(text)
    if key is None or key.options or key.content is None:
        hint = " It looks like a private key: give the .pub file." if _public_key.is_private(text) else ""
        raise MissingCredentials("%s is not an SSH public key.%s" % (what, hint), "rehearsal")
    return key.line


# --- small things ----------------------------------------------------------------------------------------------------


def _now() -> str:
    return _iso(datetime.datetime.now(datetime.timezone.utc))


def _iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value, form=float):
    try:
        return form(value)
    except (TypeError, ValueError):
        return None


def _scaled(value, factor: float):
    number = _number(value)
    return round(number * factor, 1) if number is not None else None


def _ram_mb():
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1048576
    except (OSError, ValueError):
        return ""
