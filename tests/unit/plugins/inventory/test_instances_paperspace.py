# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paperspace machines as hosts, over real HTTP: who becomes one, by which address, and what happens when the API fails."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rented.gpu.plugins.module_utils._providers.paperspace import PaperspaceProvider
from ansible_collections.rented.gpu.tests.fakes.paperspace import FakePaperspace, row

WINDOWS = {"os": "Windows 10 (Server 2022)", "agentType": "WindowsDesktop"}


@pytest.fixture(name="listed")
def listed_fixture(parse, monkeypatch, tmp_path):
    """``listed(fake, text)``: the inventory that a file gives; nothing of the user's machine, and no waiting between tries."""
    monkeypatch.setattr(PaperspaceProvider, "sleep", staticmethod(lambda seconds: None))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RENTED_GPU_REHEARSAL", "0")

    def run(fake, text="", **arguments):
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        return parse("accounts:\n  - provider: paperspace\n" + text, **arguments)

    return run


def test_windows_becomes_no_host_and_is_in_no_cache(listed, tmp_path):
    rows = [row(1), row(2, **WINDOWS), row(3, state="off"), row(4, publicIp="2001:db8::17")]
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n" % (tmp_path / "cache")
    with FakePaperspace(rows=rows) as fake:
        for _again in range(2):
            found = listed(fake, cache + "states: [running, stopped]\n", cache=True)
            assert sorted(found.hosts) == ["paperspace-ps000001", "paperspace-ps000003", "paperspace-ps000004"]
        assert len(fake.calls("list")) == 1
    first, off, six = (found.hosts[name].vars for name in sorted(found.hosts))
    assert (first["ansible_host"], first["ansible_port"], first["ansible_user"]) == ("198.51.100.2", 22, "paperspace")
    assert "ansible_host" not in off and six["ansible_host"] == "2001:db8::17"
    assert first["rented_tags"] == {"os": "Ubuntu 22.04", "machine_type": "A100-80G"}
    assert {"provider_paperspace", "kind_vm", "gpu_a100", "trust_datacenter", "state_stopped"} <= set(found.groups)


@pytest.mark.parametrize(("text", "host"), [("", None), ("    private_network: true\n", "10.64.0.2")])
def test_a_private_address_only_when_asked_for(listed, text, host):
    with FakePaperspace(rows=[row(1, publicIp=None, publicIpType="none")]) as fake:
        assert listed(fake, text).hosts["paperspace-ps000001"].vars.get("ansible_host") == host


def test_half_of_the_pages_is_no_inventory(listed):
    with FakePaperspace(rows=[row(number) for number in range(1, 300)]) as fake:
        fake.fault("list", "500", skip=1, times=-1)
        with pytest.raises(AnsibleError, match="1 of 1 accounts did not answer, so nothing is listed"):
            listed(fake)


def test_an_option_that_does_not_exist_names_the_nearest(listed):
    with FakePaperspace() as fake, pytest.raises(AnsibleError, match=r"no option 'private_net'. Did you mean 'private_network'"):
        listed(fake, "    private_net: true\n")
