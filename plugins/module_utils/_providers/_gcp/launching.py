# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a launch asks Google Cloud for: checked before anything is asked, then written as ``instances.insert`` wants it.

Facts: the discovery document ``compute.v1`` (names, limits of metadata), Google's pages on labels, GPU machines and Deep Learning VMs.
"""

from __future__ import annotations

import hashlib
import math
import re

from ansible_collections.rented.gpu.plugins.module_utils import _public_key
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, Unsupported, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import keys, machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.credentials import NAME, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _launching, _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import OWNER_TAG, LaunchRequest

# What LaunchRequest.options may hold.
LAUNCH_OPTIONS = (
    "boot_disk_type",
    "external_ip",
    "labels",
    "machine_type",
    "max_run_hours",
    "network",
    "network_tags",
    "service_account",
    "subnetwork",
    "termination_action",
)
NO_PRICES = (
    "Google Cloud's API tells no prices of what could be rented; they are at https://cloud.google.com/compute/gpus-pricing "
    "and in the Cloud Billing Catalog."
)
IMAGE_PROJECT = "deeplearning-platform-release"
IMAGE_FAMILY = "common-cu129-ubuntu-2204-nvidia-580"  # supported until August 2028
DEFAULT_DISK_GB = 100
MOST_DISK_GB = 65536
RFC1035 = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
LABEL_VALUE = r"^[a-z0-9_-]{1,63}$"
TAKEN_LABELS = (machines.MARK, machines.NAME_LABEL, OWNER_TAG)
LABEL_KEY = r"^[a-z][a-z0-9_-]{0,62}$"
DISK_TYPES = ("pd-standard", "pd-balanced", "pd-ssd", "pd-extreme", "hyperdisk-balanced", "hyperdisk-extreme", "hyperdisk-throughput")
LONGEST_RUN_HOURS = 120 * 24  # seconds of maxRunDuration are limited to 120 days
CLOUD_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


# --- checks ------------------------------------------------------------------------------------------------------------


def check(request: LaunchRequest, user: str) -> dict:
    """The launch options, each one known and of its kind. Raises `RentedError`; nothing has been asked by then."""
    options = _launching.options_of(request, LAUNCH_OPTIONS, TITLE, NAME)
    _launching.refuse_what_cannot_be(request, TITLE, NAME, interruptible=True, no_prices=NO_PRICES)
    check_label(request.name)
    if request.region and not re.match(f"^{RFC1035}$", request.region):
        raise _bad(f"'{request.region}' is not a region or zone of {TITLE}; they look like us-central1 or us-central1-a.")
    if request.disk_gb is not None and not 1 <= request.disk_gb <= MOST_DISK_GB:
        raise _bad(f"disk_gb is {request.disk_gb:g}; a boot disk of {TITLE} has 10 to {MOST_DISK_GB} GB.")
    _check_kinds(options)
    if request.ssh_public_key:
        _public_key.required(request.ssh_public_key, "The SSH key to rent with", NAME)
    metadata(request, user, True)
    return options


def check_label(label: str) -> None:
    """Whether a name can be kept: Google has only labels for it, and those know few characters."""
    if re.match(LABEL_VALUE, label):
        return
    near = re.sub(r"[^a-z0-9_-]+", "-", label.lower()).strip("-")[:63]
    raise _bad(
        "%s keeps a name as a label: up to 63 of a-z, 0-9, '-' and '_'. '%s' is none%s."
        % (TITLE, label, f"; '{near}' would be" if near else "")
    )


def _check_kinds(options: dict) -> None:
    def wrong(name: str, kind: str):
        return _bad(f"The launch option '{name}' of {TITLE} is {kind}.")

    for name in ("boot_disk_type", "machine_type", "network", "subnetwork", "service_account", "termination_action"):
        if name in options and not (isinstance(options[name], str) and options[name].strip()):
            raise wrong(name, "a text")
    labels = options.get("labels", {})
    if not isinstance(labels, dict):
        raise wrong("labels", "a mapping")
    for key, value in labels.items():
        if key in TAKEN_LABELS or not re.match(LABEL_KEY, str(key)) or not re.match(LABEL_VALUE, str(value)):
            raise _bad(
                f"The label '{key}: {value}' cannot be given: keys and values are up to 63 of a-z, 0-9, '-' and '_'; "
                f"these keys are taken: {', '.join(TAKEN_LABELS)}."
            )
    tags = options.get("network_tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) and re.match(f"^{RFC1035}$", tag) for tag in tags):
        raise wrong("network_tags", "a list of tags (a-z, 0-9 and '-')")
    if not isinstance(options.get("external_ip", True), bool):
        raise wrong("external_ip", "true or false")
    hours = options.get("max_run_hours")
    if hours is not None and (_values.number(hours) is None or not 0 < float(hours) <= LONGEST_RUN_HOURS):
        raise wrong("max_run_hours", f"a number of hours up to {LONGEST_RUN_HOURS}")
    for name, words in (("termination_action", ("STOP", "DELETE")), ("boot_disk_type", DISK_TYPES)):
        if name in options and options[name] not in words:
            raise _bad(f"The launch option '{name}' of {TITLE} is not '{options[name]}'. {nearest(options[name], words)}")
    if options.get("network") and options.get("subnetwork"):
        raise _bad("Give 'network' or 'subnetwork', not both: a subnetwork is in one network.")


def choose(request: LaunchRequest, options: dict) -> machines.Machine:
    """The machine to rent: the smallest that has just this number of these GPUs, or the one that is named. Raises `RentedError`."""
    count = request.gpu_count
    named = options.get("machine_type")
    if count is not None and count < 1:
        raise _bad(f"gpu_count is {count}; ask for one or more.")
    if not request.gpu and not named:
        raise _bad(f"Name the GPU to rent at {TITLE} (gpu: L4), or a machine (options: machine_type).")
    fitting = machines.candidates(request.gpu) if request.gpu else []
    # A machine that is newer than our table may have GPUs that are newer too: Google knows.
    unknown = bool(named) and machines.has_gpus(named) and named not in machines.BY_NAME
    if request.gpu and not fitting and not unknown:
        raise Unsupported(f"{TITLE} has no GPU '{request.gpu}'. {nearest(request.gpu, machines.known_gpus())}", NAME)
    if named:
        return _named(named, fitting, request)
    sizes = [machine for machine in fitting if machine.count == (count or 1)]
    if not sizes:
        numbers = ", ".join(str(number) for number in sorted({machine.count for machine in fitting}))
        raise Unsupported(f"{TITLE} rents {request.gpu} in these numbers: {numbers}. Set gpu_count.", NAME)
    return sizes[0]


def _named(name: str, fitting: list, request: LaunchRequest) -> machines.Machine:
    if re.match(r"^(n1-|custom-)", name):
        accelerators = list(dict.fromkeys(machine.accelerator for machine in fitting if machine.attached))
        if not accelerators:
            raise _bad(f"A machine of the type {name} has no GPU of its own: name one that can be attached (gpu: T4).")
        counts, count = machines.ATTACHED_COUNTS[accelerators[0]], request.gpu_count or 1
        if count not in counts:
            raise Unsupported(f"{TITLE} attaches {request.gpu} in these numbers: {', '.join(map(str, counts))}.", NAME)
        cpus, ram = machines.cpus_and_ram(name)
        return machines.Machine(name, accelerators[0], count, cpus, ram, True)
    if not machines.has_gpus(name):
        raise _bad(f"The machine type '{name}' of {TITLE} has no GPU. {nearest(name, machines.BY_NAME)}")
    machine = machines.BY_NAME.get(name) or machines.Machine(name, None, None, None, None)
    known = machine.accelerator is not None
    if known and request.gpu and machine.accelerator not in [one.accelerator for one in fitting]:
        raise _bad(f"The machine type '{name}' has {machines.gpu_name(machine.accelerator).model}, not {request.gpu}.")
    if known and request.gpu_count and request.gpu_count != machine.count:
        raise _bad(f"The machine type '{name}' has {machine.count} GPUs, not {request.gpu_count}.")
    return machine


def _bad(message: str) -> RentedError:
    return RentedError(message, NAME)


# --- zones, images, names ----------------------------------------------------------------------------------------------


def in_region(zone: str, place: str) -> bool:
    """Whether a zone is the place, or in it."""
    return zone == place or region_of(zone) == place


def region_of(zone: str) -> str:
    """``us-central1`` of ``us-central1-a``."""
    return zone.rsplit("-", 1)[0]


def by_preference(zones) -> list:
    """Zones in the order in which they are tried: without a wish, Google's largest and cheapest region first."""
    order = ("us-central1-", "us-", "northamerica-", "europe-")
    return sorted(set(zones), key=lambda zone: (next((n for n, start in enumerate(order) if zone.startswith(start)), len(order)), zone))


def image_path(image: str | None) -> str:
    """The path of an image below the endpoint: a family of Google's Deep Learning VMs, ``project/family``, or a path or URL of the API."""
    text = (image or IMAGE_FAMILY).strip()
    found = re.match(rf"^(?:https://[^/]+/compute/v1/)?(projects/[^/]+/global/images/(?:family/)?{RFC1035})$", text)
    if found:
        return "/" + found.group(1)
    found = re.match(rf"^(?:([a-z][a-z0-9.:-]*)/)?({RFC1035})$", text)
    if found:
        return f"/projects/{found.group(1) or IMAGE_PROJECT}/global/images/family/{found.group(2)}"
    raise _bad(
        f"'{image}' is not an image of {TITLE}. Write a family of Deep Learning VMs ({IMAGE_FAMILY}), "
        "'project/family', or 'projects/P/global/images/NAME'."
    )


def disk_size(request: LaunchRequest, image: dict, path: str) -> int:
    """GB of the boot disk. Raises `RentedError` where the image does not fit."""
    least = _values.whole(image.get("diskSizeGb")) or 10
    if request.disk_gb is None:
        return max(DEFAULT_DISK_GB, least)
    if request.disk_gb < least:
        raise _bad(f"disk_gb is {request.disk_gb:g}, but the image {path.rsplit('/', 1)[-1]} needs {least} GB.")
    return math.ceil(request.disk_gb)


def resource_name(label: str) -> str:
    """The instance's own name, which knows fewer characters than a label and never changes. The same label gives the same name,
    so that a launch that is done twice by mistake is refused by Google itself."""
    if re.match(f"^{RFC1035}$", label):
        return label
    plain = re.sub(r"[^a-z0-9-]", "-", label).strip("-")
    plain = plain if re.match("^[a-z]", plain) else ("gpu-" + plain).strip("-")
    return f"{plain[:54].rstrip('-')}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


# --- the body ----------------------------------------------------------------------------------------------------------


def body(
    request: LaunchRequest, options: dict, machine: machines.Machine, zone: str, image: str, disk_gb: int, user: str, driver: bool
) -> dict:
    """What ``instances.insert`` is sent for one zone. ``driver``: whether the image installs NVIDIA's driver when told so."""
    made = {
        "name": resource_name(request.name),
        "machineType": f"zones/{zone}/machineTypes/{machine.name}",
        "labels": {
            **{key: str(value) for key, value in options.get("labels", {}).items()},
            machines.MARK: "true",
            machines.NAME_LABEL: request.name,
            **({OWNER_TAG: request.owner} if request.owner else {}),
        },
        "tags": {"items": list(dict.fromkeys([machines.MARK, *options.get("network_tags", [])]))},
        "disks": [
            {
                "boot": True,
                "autoDelete": True,
                "initializeParams": {
                    "sourceImage": image.lstrip("/"),
                    "diskSizeGb": str(disk_gb),
                    "diskType": "zones/%s/diskTypes/%s" % (zone, options.get("boot_disk_type") or machines.boot_disk_type(machine.name)),
                },
            }
        ],
        "networkInterfaces": [_interface(options, zone)],
        "scheduling": _scheduling(request, options),
        "metadata": {"items": metadata(request, user, driver)},
    }
    if machine.attached:
        accelerator = f"zones/{zone}/acceleratorTypes/{machine.accelerator}"
        made["guestAccelerators"] = [{"acceleratorType": accelerator, "acceleratorCount": machine.count}]
    if options.get("service_account"):
        made["serviceAccounts"] = [{"email": options["service_account"], "scopes": [CLOUD_SCOPE]}]
    return made


def _interface(options: dict, zone: str) -> dict:
    made = {}
    subnetwork, network = options.get("subnetwork"), options.get("network") or "default"
    if subnetwork:
        made["subnetwork"] = subnetwork if "/" in subnetwork else f"regions/{region_of(zone)}/subnetworks/{subnetwork}"
    else:
        made["network"] = network if "/" in network else f"global/networks/{network}"
    if options.get("external_ip", True):
        made["accessConfigs"] = [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]
    return made


def _scheduling(request: LaunchRequest, options: dict) -> dict:
    # A machine with a GPU cannot move to another host while it runs.
    made = {"onHostMaintenance": "TERMINATE", "automaticRestart": not request.interruptible}
    made["provisioningModel"] = "SPOT" if request.interruptible else "STANDARD"
    hours = options.get("max_run_hours")
    if hours is not None:
        made["maxRunDuration"] = {"seconds": str(math.ceil(float(hours) * 3600))}
    if request.interruptible or hours is not None:
        made["instanceTerminationAction"] = options.get("termination_action", "STOP")
    return made


def metadata(request: LaunchRequest, user: str, driver: bool) -> list:
    """Metadata items of a new instance; each value within Google's limits. Raises `RentedError`."""
    items = {}
    if driver:
        items["install-nvidia-driver"] = "True"
    if request.ssh_public_key:
        items["ssh-keys"] = f"{user}:{request.ssh_public_key.strip()}"
        # Where a project has OS Login on, keys in the metadata are not looked at.
        items["enable-oslogin"] = "FALSE"
    if request.startup_script:
        items["startup-script"] = once(request.startup_script)
    for key, value in items.items():
        if len(value.encode()) > keys.METADATA_VALUE:
            raise _bad(
                "The startup script has %d bytes; %s takes up to %d. Fetch the rest from the script."
                % (len(str(request.startup_script).encode()), TITLE, keys.METADATA_VALUE - len(once("").encode()))
                if key == "startup-script"
                else f"The value of {key} is too long for {TITLE}."
            )
    return [{"key": key, "value": value} for key, value in items.items()]


def once(script: str) -> str:
    """The script, so that it runs at the first boot only: Google runs a startup script at every boot, as root."""
    text = script if script.startswith("#!") else "#!/bin/sh\n" + script
    text += "" if text.endswith("\n") else "\n"
    end = "END_OF_SCRIPT_" + hashlib.sha256(text.encode()).hexdigest()[:16]
    return (
        "#!/bin/sh\n# At the first boot only; the script itself is between the two "
        "marks.\nfolder=/var/lib/rented_gpu\n[ -e $folder/startup_done ] && exit 0\n(umask 077; mkdir -p $folder && "
        f": >$folder/startup_done) || exit 1\ncat >$folder/startup_script <<'{end}'\n{text}{end}\nchmod 700 "
        "$folder/startup_script && exec $folder/startup_script\n"
    )
