# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Under plain pytest the collection is imported through Ansible's own loader, as everywhere: plugins are then found by their names."""

from __future__ import annotations

import pathlib

import pytest

try:
    from ansible.plugins.loader import init_plugin_loader
    from ansible.utils.collection_loader import AnsibleCollectionConfig
except ImportError:
    pass  # ansible-test runs the tests of modules without the controller's code
else:
    # ansible-test installs the loader itself. It must be there before the first import from the collection.
    if not AnsibleCollectionConfig.collection_finder:
        init_plugin_loader([str(pathlib.Path(__file__).absolute().parents[2] / ".collections")])


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def state_of_its_own(state_folder, monkeypatch):
    """What a test keeps on the controller (locks, leases) does not come into the user's own folder."""
    monkeypatch.setenv("RENTED_GPU_HOME", str(state_folder))
