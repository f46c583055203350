# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.rented.gpu.plugins.plugin_utils import _specs

KNOWN = {"git_keys_name": {}, "git_keys_email": {}, "python_env_requirements": {}}


def test_a_typing_error_names_the_nearest_setting():
    assert _specs.misspelt(["git_keys_emial"], ["git_keys"], KNOWN) == [("git_keys_emial", "git_keys_email")]


def test_somebodys_own_variable_is_not_an_error():
    assert _specs.misspelt(["git_keys_of_the_whole_department", "homework_name"], ["git_keys"], KNOWN) == []


def test_a_known_setting_is_not_an_error():
    assert _specs.misspelt(["git_keys_name"], ["git_keys"], KNOWN) == []
