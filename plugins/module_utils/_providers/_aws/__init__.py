# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What the AWS provider is made of: the connection, what a machine is, renting, prices, key pairs, and where credentials are looked for."""
