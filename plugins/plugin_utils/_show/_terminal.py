# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Text of a stranger's machine on a person's terminal. Ansible prints messages as they are."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._plain import COMMANDS, bounded, harmless, plain

__all__ = ["COMMANDS", "bounded", "harmless", "plain"]
