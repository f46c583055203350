# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""URLs as messages may show them."""

from __future__ import annotations

import re
import urllib.parse


def without_login(url: str) -> str:
    """The URL of a repository without what may be a credential in it. A user alone, as in ``ssh://git@host``, stays."""
    return re.sub(r"^(https?://|\w+://(?=[^/@]*:))[^/]*@", r"\1", url)


def without_secrets(url: str) -> str:
    """The URL of a file without what may be a secret in it: name and password, and the query of a signed URL."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
