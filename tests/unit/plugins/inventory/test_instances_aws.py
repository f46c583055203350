# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of EC2 as hosts, over real HTTP: who becomes one, and what happens when a page fails."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rented.gpu.plugins.module_utils._providers import aws
from ansible_collections.rented.gpu.tests.fakes.aws import REGION, FakeAws, alone


@pytest.fixture(name="fake")
def fake_fixture(monkeypatch, tmp_path):
    """An AWS to which the environment leads; nothing of the user's machine, and no waiting between tries."""
    alone(monkeypatch, tmp_path)
    monkeypatch.setattr(aws.AwsProvider, "sleep", staticmethod(lambda seconds: None))
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RENTED_GPU_REHEARSAL", "0")
    with FakeAws() as made:
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        yield made
    assert made.violations == []


def accounts(more=""):
    return "accounts:\n  - provider: aws\n    regions: [%s]\n%s" % (REGION, more)


@pytest.mark.parametrize(("more", "hosts"), [("", ["linux"]), ("    all_instances: true\n", ["linux", "web"])])
def test_windows_becomes_no_host_and_is_in_no_cache(fake, parse, tmp_path, more, hosts):
    fake.place(1, tags={"Name": "linux"})
    fake.place(1, platform="windows", tags={"Name": "desk"})
    fake.place(1, instance_type="t3.micro", tags={"Name": "web"})
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n" % (tmp_path / "cache")
    for _again in range(2):
        found = parse(cache + accounts(more), cache=True)
        assert sorted(host.vars["rented_label"] for host in found.hosts.values()) == hosts
    assert len(fake.calls("DescribeInstances")) == 1


def test_half_of_the_pages_is_no_inventory(fake, parse, monkeypatch):
    monkeypatch.setattr(aws, "PAGE_SIZE", 5)
    fake.place(12)
    fake.fault("DescribeInstances", "500", skip=1, times=-1)
    with pytest.raises(AnsibleError, match=r"(?s)1 of 1 accounts did not answer, so nothing is listed.*list the instances in us-east-1"):
        parse(accounts())
