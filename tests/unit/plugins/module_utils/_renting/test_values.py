# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A word of an API for the state of an instance, as ours."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._renting import _field_rules, _values

STATES = {"on": "running", "off": "stopped"}


def test_a_word_that_is_known(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.acme"):
        assert _values.state(STATES, "on", "acme", "i-1") == "running"
    assert caplog.text == ""


@pytest.mark.parametrize("word", ["melting", "ON", "", None, 7, False, ["on"], {"on": 1}], ids=repr)
def test_any_other_word_is_unknown_and_is_told_to_the_log(word, caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.acme"):
        assert _values.state(STATES, word, "acme", "i-1") == "unknown"
    (record,) = caplog.records
    assert (record.name, record.getMessage()) == ("rented.gpu.acme", "acme: unknown state %s of instance 'i-1'" % _field_rules.brief(word))
