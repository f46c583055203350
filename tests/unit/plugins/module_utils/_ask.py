# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to a fake, with its key, as somebody without any client of ours would send it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request


def ask(fake, method, path, body=None, key=None):
    """(status, JSON, or the text of an error that is none)."""
    request = urllib.request.Request(fake.url + path, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + (key or fake.key))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        return error.code, json.loads(text) if text.startswith("{") else text
