# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The sentences about a Python package that is missing or too old, with a command that can be pasted as it is."""

from __future__ import annotations

import shlex
import sys


def command(packages) -> str:
    """How to install the packages for the Python that runs here."""
    return shlex.join([sys.executable, "-m", "pip", "install", "--upgrade", *packages])


def missing(title: str, packages, error) -> str:
    """The sentence for an import that failed; ``packages`` may have bounds ("vastai>=1.8.1")."""
    names = " and ".join(f"'{package.split('>')[0]}'" for package in packages)
    return (
        f"{title} needs the Python package{'s' if len(packages) > 1 else ''} {names} for {sys.executable}, which says: "
        f"{error}. Install {'them' if len(packages) > 1 else 'it'} with: {command(packages)}"
    )


def too_old(title: str, package: str, oldest: str, version: str) -> str:
    """The sentence for a package that lacks what is needed."""
    return "%s %s is too old for %s, which needs %s or newer. Install it with: %s" % (
        package,
        version,
        title,
        oldest,
        command([f"{package}>={oldest}"]),
    )
