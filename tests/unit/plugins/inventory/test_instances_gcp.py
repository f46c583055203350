# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of Google Cloud as hosts, over real HTTP: who becomes one, and what happens when a page fails."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import credentials
from ansible_collections.rented.gpu.plugins.module_utils._providers.gcp import GcpProvider
from ansible_collections.rented.gpu.tests.fakes.gcp import FakeGcp, row

WINDOWS = [{"boot": True, "diskSizeGb": "50", "guestOsFeatures": [{"type": "WINDOWS"}]}]


@pytest.fixture(name="listed")
def listed_fixture(parse, monkeypatch, tmp_path):
    """``listed(fake, text)``: the inventory that a file gives; nothing of the user's machine, and no waiting between tries."""
    for name in (*credentials.FILE_ENV, *credentials.PROJECT_ENV, credentials.KIND_ENV, "CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(GcpProvider, "sleep", staticmethod(lambda seconds: None))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RENTED_GPU_REHEARSAL", "0")

    def run(fake, text="", **arguments):
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        return parse("accounts:\n  - provider: gcp\n" + text, **arguments)

    return run


@pytest.mark.parametrize(("more", "hosts"), [("", ["box-1"]), ("    all_instances: true\n", ["box-1", "box-3"])])
def test_windows_becomes_no_host_and_is_in_no_cache(listed, tmp_path, more, hosts):
    rows = [row(1), row(2, disks=WINDOWS), row(3, machine="e2-small", labels={})]
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n" % (tmp_path / "cache")
    with FakeGcp(rows=rows) as fake:
        for _again in range(2):
            found = listed(fake, more + cache, cache=True)
            assert sorted(host.vars["rented_label"] for host in found.hosts.values()) == hosts
        assert len(fake.calls("list")) == 1 and fake.violations == []


def test_half_of_the_pages_is_no_inventory(listed):
    with FakeGcp(rows=[row(number) for number in range(1, 8)], page=3) as fake:
        fake.fault("list", "503", skip=1, times=-1)
        with pytest.raises(AnsibleError, match=r"(?s)1 of 1 accounts did not answer, so nothing is listed.*failed to list the instances"):
            listed(fake)
