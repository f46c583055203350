# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distribution, container or VM, packages."""

from __future__ import annotations

import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _limits, _system

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "host"
OVERLAY = "1 0 0:50 / / rw - overlay overlay rw,lowerdir=%s/overlay/l/A,upperdir=%s/overlay/b/diff\n"


@pytest.fixture
def host(tmp_path):
    """``host({path: text})`` makes files (a text of None: a folder) and gives the root."""

    def make(files: dict) -> str:
        for name, text in files.items():
            path = tmp_path / name.lstrip("/")
            if text is None:
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return str(tmp_path)

    return make


def runtime(root: str) -> str | None:
    return _system.container_runtime(root, _limits.mounts(root))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"/.dockerenv": ""}, "docker"),
        ({"/run/.containerenv": ""}, "podman"),
        ({"/run/host/container-manager": "systemd-nspawn\n"}, "systemd-nspawn"),
        ({"/run/systemd/container": "lxc\n"}, "lxc"),
        ({"/proc/1/environ": "PATH=/bin\0container=podman\0"}, "podman"),
        ({"/proc/1/environ": "PATH=/bin\0KUBERNETES_SERVICE_HOST=10.0.0.1\0", "/.dockerenv": ""}, "kubernetes"),
        ({"/proc/1/cgroup": "4:memory:/docker/0123\n0::/docker/0123\n"}, "docker"),
        ({"/proc/1/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-9.scope\n"}, "kubernetes"),
        ({"/proc/1/cgroup": "0::/\n", "/proc/self/mountinfo": OVERLAY % (("/var/lib/docker",) * 2)}, "docker"),
        ({"/proc/1/cgroup": "0::/\n", "/proc/self/mountinfo": OVERLAY % (("/var/lib/containers/storage",) * 2)}, "podman"),
        ({"/var/run/secrets/kubernetes.io": None}, "kubernetes"),
        ({"/proc/vz": None}, "openvz"),
        ({"/proc/vz": None, "/proc/bc": None}, None),
        # A machine that runs docker is not a container: its own process 1 is in the root group.
        ({"/proc/1/cgroup": "0::/init.scope\n", "/proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"}, None),
    ],
)
def test_container(host, files, expected):
    assert runtime(host(files)) == expected


def test_container_as_recorded_in_podman():
    assert runtime(str(FIXTURES / "podman_v1")) == "podman"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys_vendor": "QEMU\n", "product_name": "Standard PC (Q35 + ICH9, 2009)\n"}, True),
        ({"sys_vendor": "Amazon EC2\n", "product_name": "g5.xlarge\n"}, True),
        ({"sys_vendor": "Amazon EC2\n", "product_name": "g4dn.metal\n"}, False),
        ({"sys_vendor": "Google\n", "product_name": "Google Compute Engine\n"}, True),
        ({"sys_vendor": "Microsoft Corporation\n", "product_name": "Virtual Machine\n"}, True),
        ({"sys_vendor": "Supermicro\n", "product_name": "SYS-420GP\n"}, False),
        ({}, False),
    ],
)
def test_vm_by_dmi(host, files, expected):
    assert _system.is_vm(host({"/sys/class/dmi/id/" + name: text for name, text in files.items()})) is expected


def test_vm_by_other_signs(host):
    assert _system.is_vm(host({"/proc/cpuinfo": "processor : 0\nflags\t\t: fpu vme hypervisor lahf_lm\n"}))
    assert _system.is_vm(host({"/sys/hypervisor/type": "xen\n"}))


def test_distribution(host):
    root = host({"/etc/os-release": '# made by hand\nNAME=\'Rocky Linux\'\nID="rocky"\nVERSION_ID="9.4"\nPRETTY_NAME="Rocky Linux 9.4"\n'})
    release = _system.distribution(root)
    assert (release["id"], release["version_id"], release["name"]) == ("rocky", "9.4", "Rocky Linux 9.4")
    assert release["arch"] and release["kernel"]


def test_distribution_without_a_file(host):
    assert _system.distribution(host({}))["id"] == "linux"


def test_systemd_is_what_runs_not_what_is_installed(host):
    assert not _system.systemd(host({"/usr/lib/systemd/systemd": ""}))
    assert _system.systemd(host({"/run/systemd/system": None}))


@pytest.mark.parametrize(
    ("file", "expected"), [("/usr/bin/apt-get", "apt"), ("/usr/bin/dnf", "dnf"), ("/usr/bin/microdnf", "dnf"), ("/sbin/apk", None)]
)
def test_package_manager(host, file, expected):
    assert _system.package_manager(host({file: ""})) == expected


def test_dpkg():
    installed = _system.dpkg_packages(str(FIXTURES / "dpkg"))
    asked = ["git", "awk", "git-core", "editor", "tmux", "rsync", "tar", "nosuch"]
    assert _system.packages(asked, installed, "apt") == {
        "git": "1:2.39.5-0+deb12u2",
        "awk": "",
        "git-core": "",
        "editor": "",
        "tmux": None,  # only its configuration is left
        "rsync": None,  # unpacked, not configured
        "tar": "1.34+dfsg-1.2+deb12u1",
        "nosuch": None,
    }


@pytest.mark.parametrize(
    ("package", "upstream"),
    [
        ("1:2.39.5-0+deb12u2", "2.39.5"),
        ("1.34+dfsg-1.2+deb12u1", "1.34"),
        ("3.3a-3", "3.3a"),
        ("1.9.13p3-1+deb12u1", "1.9.13p3"),
        ("x", None),
    ],
)
def test_upstream_version(package, upstream):
    assert _system.upstream_version(package) == upstream
