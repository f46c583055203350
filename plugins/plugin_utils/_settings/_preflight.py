# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What can be looked up on the controller before the first login. Each check takes the settings and raises
`RentedError` or `Failure`. None of them knows anything of the host."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.plugin_utils._data import _item_specs
from ansible_collections.rented.gpu.plugins.plugin_utils._settings import _git_access, _python_env, _role_lists

CHECKS = (
    _git_access.preflight_known_hosts,
    _git_access.preflight_git_keys,
    _item_specs.preflight_repos,
    _item_specs.preflight_data_sync,
    _python_env.preflight_python_env,
    _role_lists.preflight_extra_roles,
)
