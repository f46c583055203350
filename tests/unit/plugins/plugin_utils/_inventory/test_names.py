# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names are unique, safe, and do not depend on the order of answers: whatever users and APIs call their things."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _names

WORDS = st.text(max_size=40) | st.sampled_from(["a", "a-b", "a b", "all", "p-q-1", "x-p-q-1", "-o", "..", "é" * 9, "n" * 300])
IDENTITIES = st.tuples(st.sampled_from(["p", "p-q"]), st.sampled_from(["q", "q-1", "a b", "a-b"]), st.sampled_from(["1", "q-1", "é"]))
INSTANCES = st.dictionaries(IDENTITIES, WORDS, max_size=8)


def instances_of(wanted):
    return [Instance(provider, account, number) for provider, account, number in wanted]


@settings(max_examples=300, deadline=None)
@given(INSTANCES, st.sets(WORDS))
def test_names_are_unique_safe_and_not_taken(wanted, taken):
    names = _names.host_names(instances_of(wanted), list(wanted.values()), taken)
    assert len(set(names)) == len(wanted)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name)
        assert len(name) <= _names.LONGEST


@settings(max_examples=150, deadline=None)
@given(INSTANCES, st.sets(WORDS), st.randoms())
def test_names_do_not_depend_on_the_order(wanted, taken, random):
    names = dict(zip(wanted, _names.host_names(instances_of(wanted), list(wanted.values()), taken)))
    shuffled = list(wanted)
    random.shuffle(shuffled)
    again = _names.host_names(instances_of(shuffled), [wanted[key] for key in shuffled], taken)
    assert dict(zip(shuffled, again)) == names


@given(st.text())
def test_group_words_are_identifiers(text):
    word = _names.group_word(text)
    assert word == "" or ("g_" + word).isidentifier()


def test_the_usual_words():
    assert _names.group_word("RTX 4090") == "rtx_4090"
    assert _names.group_word("A100-SXM4-80GB") == "a100_sxm4_80gb"
    assert _names.default_name(Instance("vast", "vast", "123")) == "vast-123"
    twins = [Instance("vast", "home", "2"), Instance("runpod", "home", "2"), Instance("vast", "work", "2")]
    assert _names.host_names(twins, ["lab", "lab", "lab"], ()) == ["lab-vast-home-2", "lab-runpod-home-2", "lab-vast-work-2"]
