# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What `host_facts` reads on an instance, one file per subject. Standard library, Python 3.8.

Functions that read files take ``root``, so that tests can point them at a folder of recorded files.
"""
