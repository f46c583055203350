# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The system: distribution, container or VM, init, package manager, packages."""

from __future__ import annotations

import os
import re

from . import _read

# Words in DMI fields that only virtual machines have; as systemd-detect-virt knows them.
_VM_WORDS = (
    "qemu", "kvm", "amazon ec2", "google compute engine", "google", "vmware", "virtualbox", "innotek", "xen", "bochs", "parallels",
    "openstack", "bhyve", "virtual machine", "cloud hypervisor", "firecracker", "rhev", "ovirt", "digitalocean", "hetzner",
    "alibaba cloud", "oraclecloud.com", "apple virtualization", "nutanix", "tencent cloud",
)  # fmt: skip
# Words in the path of process 1's cgroup or of its root file system, and the runtime that they give away.
_RUNTIME_WORDS = (
    ("kubepods", "kubernetes"), ("kubelet", "kubernetes"), ("libpod", "podman"), ("containers/storage", "podman"), ("docker", "docker"),
    ("containerd", "containerd"), ("crio", "kubernetes"), ("lxc", "lxc"), ("garden", "garden"),
)  # fmt: skip


def distribution(root: str = "/") -> dict:
    """``id version_id name arch kernel``; from os-release(5), quotes removed."""
    text = _read.read(root, "/etc/os-release") or _read.read(root, "/usr/lib/os-release") or ""
    release = {}
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            release[key] = value.strip().strip("\"'")
    system = os.uname()
    return {
        "id": release.get("ID", "linux"),
        "version_id": release.get("VERSION_ID"),
        "name": release.get("PRETTY_NAME") or release.get("NAME"),
        "arch": system.machine,
        "kernel": system.release,
    }


def container_runtime(root: str = "/", mounted: list | None = None) -> str | None:
    """The container runtime that this is in, "unknown" for one without a name, None when it is not a container."""
    # A manager's own word is best: systemd.io/CONTAINER_INTERFACE.
    for path in ("/run/host/container-manager", "/run/systemd/container"):
        said = (_read.read(root, path) or "").strip()
        if said:
            return said
    for variable in (_read.read(root, "/proc/1/environ") or "").split("\0"):
        if variable.startswith("container="):
            return variable.split("=", 1)[1] or "unknown"
        if variable.startswith("KUBERNETES_SERVICE_HOST="):
            return "kubernetes"
    if os.path.exists(_read.under(root, "/run/.containerenv")):
        return "podman"
    groups = _read.read(root, "/proc/1/cgroup") or ""
    top = [mount for mount in mounted or [] if mount["point"] == "/"]
    layers = top[-1]["options"] + top[-1]["root"] if top and top[-1]["type"] in ("overlay", "aufs", "fuse.fuse-overlayfs") else ""
    for word, runtime in _RUNTIME_WORDS:
        if any(word in line.split(":", 2)[-1] for line in groups.splitlines()) or word in layers:
            return runtime
    if os.path.exists(_read.under(root, "/.dockerenv")):
        return "docker"
    if os.path.isdir(_read.under(root, "/var/run/secrets/kubernetes.io")):
        return "kubernetes"
    if os.path.exists(_read.under(root, "/proc/vz")) and not os.path.exists(_read.under(root, "/proc/bc")):
        return "openvz"
    return None


def is_vm(root: str = "/") -> bool:
    """Whether the hardware is virtual: DMI, Xen's folder, the device tree, the CPU's hypervisor flag."""
    words = [_read.read(root, "/sys/class/dmi/id/" + name) or "" for name in ("sys_vendor", "product_name", "board_vendor", "bios_vendor")]
    hardware = " ".join(words).lower()
    if ".metal" in hardware:  # EC2 bare metal carries Amazon's name too
        return False
    if any(word in hardware for word in _VM_WORDS):
        return True
    if (_read.read(root, "/sys/hypervisor/type") or "").strip() or "linux,kvm" in (
        _read.read(root, "/proc/device-tree/hypervisor/compatible") or ""
    ):
        return True
    for line in (_read.read(root, "/proc/cpuinfo", 1 << 16) or "").splitlines():
        if line.startswith("flags"):
            return " hypervisor" in line
    return False


def systemd(root: str = "/") -> bool:
    """Whether systemd runs the machine; the test that sd_booted(3) makes."""
    return os.path.isdir(_read.under(root, "/run/systemd/system"))


def package_manager(root: str = "/") -> str | None:
    """ "apt", "dnf" or None."""
    for name, paths in (("apt", ("/usr/bin/apt-get",)), ("dnf", ("/usr/bin/dnf", "/usr/bin/dnf5", "/usr/bin/microdnf"))):
        if any(os.path.exists(_read.under(root, path)) for path in paths):
            return name
    return None


def dpkg_packages(root: str = "/") -> dict:
    """Installed Debian packages, name -> version; what they provide is there too, with an empty version. Read from dpkg's own file."""
    text = _read.read(root, "/var/lib/dpkg/status", 64 << 20)
    if not text:
        return {}
    installed = {}
    provided: dict = {}
    for block in text.split("\n\n"):
        block += "\n"
        if "\nStatus: " not in block or " ok installed" not in block:
            continue
        name = block[len("Package: ") : block.find("\n")].strip()
        version = block.find("\nVersion: ")
        installed[name] = block[version + 10 : block.find("\n", version + 1)].strip() if version >= 0 else ""
        provides = block.find("\nProvides: ")
        if provides >= 0:
            for word in block[provides + 11 : block.find("\n", provides + 1)].split(","):
                provided.setdefault(word.split("(")[0].strip(), "")
    provided.update(installed)
    return provided


def upstream_version(package_version: str) -> str | None:
    """The upstream part of a Debian version: "1:2.39.5-0+deb12u2" is 2.39.5."""
    version = package_version.split(":", 1)[-1]
    found = re.match(r"[0-9]+(\.[0-9a-zA-Z]+)*", version.rsplit("-", 1)[0])
    return found.group(0) if found else None


def packages(wanted: list, installed: dict, manager: str | None) -> dict:
    """Each wanted package's version, "" for one that is provided by another, None for one that is not installed."""
    if not wanted:
        return {}
    if manager == "dnf":
        ask = ["rpm", "-q", "--whatprovides", "--qf", "%{VERSION}-%{RELEASE}\n"]
        # One line per name, in order; "no package provides X" for the missing.
        lines = _read.run(ask + list(wanted)).out.splitlines()
        if len(lines) != len(wanted):
            # A name that several packages provide has several lines.
            lines = [(_read.run(ask + [name]).out.splitlines() or ["no package"])[-1] for name in wanted]
        return {name: None if line.startswith(("no package", "package ")) else line for name, line in zip(wanted, lines)}
    return {name: installed.get(name) for name in wanted}
