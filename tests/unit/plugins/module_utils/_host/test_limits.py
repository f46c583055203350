# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CPU and memory limits and disks, on recorded and on written files of /proc and /sys."""

from __future__ import annotations

import os
import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _limits

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "host"
V2_MOUNT = "30 23 0:26 %s /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"


def write(root: pathlib.Path, **files) -> str:
    """Files below ``root``; "__" in a name stands for "/"."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_version_1_as_recorded_in_podman():
    root = str(FIXTURES / "podman_v1")
    assert _limits.cpu_quota(root) == 1.5
    assert _limits.memory_limit_mb(_limits.memory_total_mb(root), root) == 3072


def test_version_1_without_limits(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n",
        proc__self__mountinfo=(
            "40 30 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
            "41 30 0:31 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
        ),
        **{
            "sys__fs__cgroup__cpu,cpuacct__cpuDOTcfs_quota_us": "-1\n",
            "sys__fs__cgroup__cpu,cpuacct__cpuDOTcfs_period_us": "100000\n",
            "sys__fs__cgroup__memory__memoryDOTlimit_in_bytes": "9223372036854771712\n",
        },
    )
    assert _limits.cpu_quota(root) is None
    assert _limits.memory_limit_mb(64000, root) is None
    assert _limits.memory_limit_mb(None, root) is None


def test_version_2_in_a_container_with_its_own_namespace(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="0::/\n",
        proc__self__mountinfo=V2_MOUNT % "/",
        sys__fs__cgroup__cpuDOTmax="640000 100000\n",
        sys__fs__cgroup__memoryDOTmax="68719476736\n",
    )
    assert _limits.cpu_quota(root) == 6.4
    assert _limits.memory_limit_mb(256000, root) == 65536


def test_version_2_max_is_no_limit(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="0::/user.slice\n",
        proc__self__mountinfo=V2_MOUNT % "/",
        **{"sys__fs__cgroup__user.slice__cpu.max": "max 100000\n", "sys__fs__cgroup__user.slice__memory.max": "max\n"},
    )
    assert (_limits.cpu_quota(root), _limits.memory_limit_mb(1000, root)) == (None, None)


def test_version_2_the_tightest_of_the_parents_counts(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="0::/kubepods/pod1/box\n",
        proc__self__mountinfo=V2_MOUNT % "/",
        **{
            "sys__fs__cgroup__kubepods__cpu.max": "1600000 100000\n",
            "sys__fs__cgroup__kubepods__pod1__cpu.max": "250000 100000\n",
            "sys__fs__cgroup__kubepods__pod1__box__cpu.max": "max 100000\n",
            "sys__fs__cgroup__kubepods__pod1__memory.max": "1073741824\n",
            "sys__fs__cgroup__kubepods__pod1__box__memory.max": "2147483648\n",
        },
    )
    assert _limits.cpu_quota(root) == 2.5
    assert _limits.memory_limit_mb(64000, root) == 1024


def test_version_2_the_path_of_the_host_is_cut_by_the_root_of_the_mount(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="0::/machine.slice/box/init\n",
        proc__self__mountinfo=V2_MOUNT % "/machine.slice/box",
        **{"sys__fs__cgroup__init__cpu.max": "max 100000\n", "sys__fs__cgroup__cpu.max": "300000 100000\n"},
    )
    assert _limits.cpu_quota(root) == 3.0


def test_version_2_a_path_outside_of_the_namespace_falls_back_to_the_mount(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="0::/../../elsewhere\n",
        proc__self__mountinfo=V2_MOUNT % "/",
        **{"sys__fs__cgroup__cpu.max": "50000 100000\n"},
    )
    assert _limits.cpu_quota(root) == 0.5


def test_version_1_and_2_together(tmp_path):
    root = write(
        tmp_path,
        proc__self__cgroup="4:memory:/a\n1:name=systemd:/a\n0::/a\n",
        proc__self__mountinfo=V2_MOUNT % "/" + "41 30 0:31 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        **{"sys__fs__cgroup__memory__a__memory.limit_in_bytes": "536870912\n", "sys__fs__cgroup__a__cpu.max": "200000 100000\n"},
    )
    assert (_limits.cpu_quota(root), _limits.memory_limit_mb(64000, root)) == (2.0, 512)


@pytest.mark.parametrize("cgroup", ["", "nonsense\n", "0::/\n"])
def test_unreadable_is_no_limit(tmp_path, cgroup):
    root = write(tmp_path, proc__self__cgroup=cgroup)
    assert (_limits.cpu_quota(root), _limits.memory_limit_mb(1000, root), _limits.memory_total_mb(root)) == (None, None, None)


def test_disk_of_this_machine(tmp_path):
    mounted = _limits.mounts()
    here = _limits.disk(str(tmp_path), mounted)
    assert here["total_mb"] >= here["free_mb"] > 0
    assert os.path.ismount(here["mount"]) or here["mount"] == "/"
    later = _limits.disk(str(tmp_path / "not" / "yet"), mounted)
    assert (later["mount"], later["path"]) == (here["mount"], str(tmp_path / "not" / "yet"))
    assert _limits.disk("/proc", mounted)["filesystem"] == "proc"


def test_the_last_mount_on_a_point_counts_and_names_with_blanks_are_read(tmp_path):
    text = "1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /my\\040data rw - xfs /dev/b rw\n3 1 0:3 / / rw - overlay overlay rw\nbroken line\n"
    mounted = _limits.mounts(write(tmp_path, proc__self__mountinfo=text))
    assert [mount["point"] for mount in mounted] == ["/", "/my data", "/"]
    assert _limits.disk("/", mounted)["filesystem"] == "overlay"


def test_shm():
    assert _limits.shm_mb([]) is None
    mounted = _limits.mounts()
    if any(mount["point"] == "/dev/shm" for mount in mounted):
        assert _limits.shm_mb(mounted) > 0
