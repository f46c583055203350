# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What can be looked up on the controller before the first login. Each check takes the settings and raises
`RentedError` or `Failure`. None of them knows anything of the host."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.plugin_utils import _git_settings, _items, _python_settings

CHECKS = (
    _git_settings.preflight_known_hosts,
    _git_settings.preflight_git_keys,
    _items.preflight_repos,
    _items.preflight_data_sync,
    _python_settings.preflight_python_env,
)
