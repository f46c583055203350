# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/surroundings.md shows the tables that the code uses."""

from __future__ import annotations

import pathlib
import re

import pytest

from ansible_collections.rented.gpu.plugins.plugin_utils._git import _git_config
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _ssh_config

PAGE = pathlib.Path(__file__).resolve().parents[4] / "docs" / "surroundings.md"


@pytest.mark.parametrize(("name", "table"), [("ssh_config", _ssh_config), ("git-config", _git_config)])
def test_the_page_shows_the_table(name, table):
    shown = re.search(r"<!-- %s: [^\n]* -->\n\n(.*?)\n<!-- end -->" % name, PAGE.read_text(), flags=re.S)
    assert shown.group(1) == table.markdown()
