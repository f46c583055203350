# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""botocore's descriptions of services, parsed once per process.

Each test has a session of its own, and each session parses several megabytes of JSON, which took half of the time of the tests of AWS. From
the second time on, a session gets a copy of what was parsed before.
"""

from __future__ import annotations

import functools
import marshal

from botocore.loaders import JSONFileLoader

_parse = JSONFileLoader.load_file


@functools.lru_cache(maxsize=64)
def _parsed(path: str) -> bytes | None:
    data = _parse(JSONFileLoader(), path)
    return None if data is None else marshal.dumps(_plain(data))


def _plain(value):
    """The same data in plain dictionaries, which marshal can write."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _load_file(self, file_path):
    data = _parsed(file_path)
    return None if data is None else marshal.loads(data)


def parse_once() -> None:
    """From here on, every session of this process shares what was parsed."""
    JSONFileLoader.load_file = _load_file
