# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of renting on the page of each provider, sent as it stands to that provider's server in tests/fakes: it can be rented."""

from __future__ import annotations

import pathlib
import re

import pytest
import yaml

from ansible_collections.rented.gpu.tests.fakes import everyone, gcp
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import answers

PAGES = pathlib.Path(__file__).resolve().parents[4] / "docs" / "providers"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example.org"
# What has to be at a server before the example can be rented there, where that is more than nothing.
BEFORE = {
    "aws": lambda fake, given: fake.deep_learning_images(given["region"]),
}


def example(name) -> dict:
    """The arguments of `rented.gpu.instance` in the first YAML block under "Renting"."""
    block = re.search(r"^## Renting\n.*?^```yaml\n(.*?)^```", (PAGES / (name + ".md")).read_text(), re.M | re.S).group(1)
    (task,) = yaml.safe_load(block)
    return task["rented.gpu.instance"]


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_it_is_rented(name, tmp_path):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(PUBLIC_KEY + "\n")
    given = example(name)
    with everyone.fake_of(name)() as fake:
        BEFORE.get(name, lambda fake, given: None)(fake, given)
        env = dict(fake.environment(), HOME=str(tmp_path), GOOGLE_CLOUD_PROJECT=gcp.PROJECT)
        done, again = answers("instance", [dict(given, wait=False)] * 2, env)
        assert done.get("changed") is True, done["msg"]
        assert (done["instance"]["provider"], done["instance"]["label"]) == (name, given["name"])
        assert again["changed"] is False and again["instance"]["id"] == done["instance"]["id"]
    assert fake.violations == []
