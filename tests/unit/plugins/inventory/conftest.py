# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real plugin, found by Ansible's own loader, over a provider of two lines; `test_instances_vast.py` does it over real HTTP."""

from __future__ import annotations

import pytest
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils._providers import PROVIDERS
from ansible_collections.rented.gpu.plugins.module_utils._providers._base import Provider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance


def make(number, **fields):
    """An instance as a provider would give it."""
    known = {
        "provider": "example",
        "account": "example",
        "id": str(number),
        "state": "running",
        "kind": "container",
        "ssh_host": "192.0.2.%d" % (int(number) % 250),
        "ssh_port": 2200,
        "ssh_user": "root",
        "ssh_via": "direct",
        "gpu_model": "RTX 4090",
        "gpu_count": 1,
        "gpu_vram_mb": 24564,
        "price_per_hour": 0.4,
        "trust": "verified",
    }
    return Instance(**dict(known, **fields))


class ExampleProvider(Provider):
    """Answers what `answers` holds for its key: a list, or an error to raise. Counts who asked."""

    NAME = "example"
    TITLE = "Example"
    ENDPOINT = "https://example.invalid"
    ENDPOINT_ENV = ("EXAMPLE_URL",)
    API_KEY_ENV = ("EXAMPLE_API_KEY",)
    OPTIONS = ("region",)

    make = staticmethod(make)

    answers: dict = {}
    asked: list = []

    def list_instances(self):
        type(self).asked.append(self.api_key)
        answer = self.answers.get(self.api_key, [])
        if isinstance(answer, Exception):
            raise answer
        listed = []
        for instance in answer:
            listed.append(Instance(**dict(instance.as_dict(), account=self.account)))
            self.remember_raw(instance.id, {"id": instance.id, "jupyter_token": "hush", "geo": "DE", "extra_env": [["A", "hush"]]})
        return listed


@pytest.fixture(name="provider")
def provider_fixture(monkeypatch, tmp_path):
    """The only provider there is, with one account in the environment, and nothing of the user's machine in reach."""
    monkeypatch.setattr(ExampleProvider, "answers", {})
    monkeypatch.setattr(ExampleProvider, "asked", [])
    for name in list(PROVIDERS):
        monkeypatch.delitem(PROVIDERS, name)
    monkeypatch.setitem(PROVIDERS, "example", ExampleProvider)
    monkeypatch.setenv("EXAMPLE_API_KEY", "key-of-env")
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    return ExampleProvider


@pytest.fixture(name="messages")
def messages_fixture(monkeypatch):
    """What was shown: a list of (kind, text)."""
    shown = []
    monkeypatch.setattr(Display, "warning", lambda self, msg, *args, **kwargs: shown.append(("warning", msg)))
    monkeypatch.setattr(Display, "v", lambda self, msg, *args, **kwargs: shown.append(("v", msg)))
    return shown


@pytest.fixture(name="parse")
def parse_fixture(tmp_path):
    """``parse(text)`` parses an inventory file of that text (without its ``plugin`` line) and returns the inventory."""

    def parse(text="", inventory=None, cache=True, name="test.rented.yml"):
        path = tmp_path / name
        path.write_text("plugin: rented.gpu.instances\n" + text, encoding="utf-8")
        plugin = inventory_loader.get("rented.gpu.instances")
        assert plugin.verify_file(str(path))
        inventory = inventory or InventoryData()
        plugin.parse(inventory, DataLoader(), str(path), cache=cache)
        if plugin.get_option("cache"):
            plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    return parse


@pytest.fixture(name="listing")
def listing_fixture(provider, parse):
    """`parse` with the example provider."""
    return parse
