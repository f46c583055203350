# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Which image a machine boots, and the disk for it. Facts: API reference of DescribeImages, release notes of the Deep Learning AMIs."""

from __future__ import annotations

import math
import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import NotFound, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, TITLE, Refused
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

# Images that AWS makes for deep learning, by the names of its release notes; the first pattern that has an image decides.
IMAGES = (
    ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu *", "Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI (Ubuntu *"),
    ("Deep Learning Base AMI with Single CUDA (Ubuntu *", "Deep Learning ARM64 Base AMI with Single CUDA (Ubuntu *"),
)
# The open driver of those images serves Turing and later; for older cards AWS has images with the closed one.
OLD_GPUS = ("K80", "K520", "M60", "P100", "V100")
OLD_IMAGES = (("Deep Learning Base Proprietary Nvidia Driver GPU AMI (Ubuntu *",),)


def image(connection, region: str, asked: str | None, machine: machines.Machine | None, owners) -> dict:
    """The image as DescribeImages gives it: an id, a parameter of Systems Manager, a pattern of names, or the default for the machine."""
    if not asked:
        return _default_image(connection, region, machine)
    if re.match(r"^ami-[0-9a-f]{8,17}$", asked):
        return _image_by_id(connection, region, asked, asked)
    if asked.startswith(("resolve:ssm:", "/")):
        name = asked[len("resolve:ssm:") :] if asked.startswith("resolve:") else asked
        try:
            answer = connection.call(region, "get_parameter", f"read the parameter {name}", service="ssm", Name=name)
        except NotFound:
            raise NotFound(f"{TITLE} has no parameter '{name}' in {region}; an image is asked for by it.", NAME) from None
        found = str((answer.get("Parameter") or {}).get("Value") or "")
        if not found.startswith("ami-"):
            raise RentedError(f"The parameter '{name}' in {region} does not hold the id of an image.", NAME)
        return _image_by_id(connection, region, found, asked)
    # Anybody may publish an image of any name, so only these owners count.
    images = _images(connection, region, [asked], owners or ["self", "amazon"], machine)
    if not images:
        raise NotFound(
            f"{TITLE} has no image called '{asked}' in {region} of the owners "
            f"{', '.join(owners or ['self', 'amazon'])}. Give its id, or say whose it is (options: image_owners).",
            NAME,
        )
    return images[-1]


def _image_by_id(connection, region: str, image_id: str, asked: str) -> dict:
    gone = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")
    try:
        answer = connection.call(region, "describe_images", "read the image", refusals=gone, ImageIds=[image_id])
        found = answer.get("Images") or []
    except Refused:
        found = []
    if not found:
        raise NotFound(f"{TITLE} has no image '{asked}' in {region}; images belong to one region.", NAME)
    return found[0]


def _default_image(connection, region: str, machine: machines.Machine | None) -> dict:
    if machine is None or machine.maker not in (None, "NVIDIA"):
        raise RentedError(f"There is no default image for {machine.gpu if machine else 'this'}; give one (image: ami-…).", NAME)
    for patterns in OLD_IMAGES if machine.gpu_name().model in OLD_GPUS else IMAGES:
        found = _images(connection, region, list(patterns), ["amazon"], machine)
        if found:
            return max(found, key=lambda row: (_ubuntu(row), str(row.get("CreationDate") or "")))
    raise NotFound(f"{TITLE} has no deep learning image for {machine.name} in {region}. Give one (image: ami-…).", NAME)


def _images(connection, region: str, names: list, owners: list, machine: machines.Machine | None) -> list:
    """Images by name, oldest first."""
    filters = [{"Name": "name", "Values": names}, {"Name": "state", "Values": ["available"]}]
    if machine is not None and machine.architectures:
        filters.append({"Name": "architecture", "Values": list(machine.architectures)})
    found = connection.call(region, "describe_images", "look for an image", Owners=owners, Filters=filters).get("Images") or []
    return sorted(found, key=lambda row: str(row.get("CreationDate") or ""))


def _ubuntu(row: dict) -> tuple:
    """(24, 4) of "… (Ubuntu 24.04) 20261006"."""
    found = re.search(r"Ubuntu (\d+)\.(\d+)", str(row.get("Name") or ""))
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def root_disk(found: dict, disk_gb: float | None) -> list:
    """The mapping of the root disk with the size asked for, GB (EC2 counts GiB). Raises `RentedError` where the image needs more."""
    if disk_gb is None:
        return []
    name = _values.text(found.get("RootDeviceName"))
    if not name:
        raise RentedError(f"The image {found.get('ImageId')} does not say which its root disk is; leave disk_gb out.", NAME)
    size = math.ceil(disk_gb)
    for mapping in _values.rows(found.get("BlockDeviceMappings")):
        least = _values.whole(_values.mapping(mapping.get("Ebs")).get("VolumeSize")) if mapping.get("DeviceName") == name else None
        if least and size < least:
            raise RentedError(f"The image {found.get('ImageId')} needs a disk of at least {least} GB; disk_gb is {disk_gb:g}.", NAME)
    return [{"DeviceName": name, "Ebs": {"VolumeSize": size, "VolumeType": "gp3", "DeleteOnTermination": True}}]
