# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role known_hosts on real hosts: ssh on them finds the keys, once, and nothing of the user's is lost."""

from __future__ import annotations

import pytest

ROLES = [{"hosts": "all", "gather_facts": False, "roles": ["rented.gpu.ready", "rented.gpu.known_hosts"]}]
SMALL = {"ready_packages": ["openssh-client"]}
EXTRA = {"host": "git.example.org", "port": 2222, "key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0MuJ2e2gKTKqu+UUO"}
# GitHub's RSA key of before 2023-03-24, whose private half was published.
WITHDRAWN = (
    "github.com,140.82.121.4 ssh-rsa "
    "AAAAB3NzaC1yc2EAAAABIwAAAQEAq2A7hRGmdnm9tUDbO9IDSwBK6TbQa+PXYPCPy6rbTrTtw7PHkccKrpp0yVhp5HdEIcKr6pLlVDBfOLX9QU"
    "syCOV0wzfjIJNlGEYsdlLJizHhbn2mUjvSAHQqZETYP81eFzLQNnPHt4EVVUh7VfDESU84KezmD5QlWpXLmvU31/yMf+Se8xhHTvKSCZIFImWw"
    "oG6mbUoWf9nzpIoaSjB+weqqUUmpaaasXVal72J+UX2B+2RPW3RcT0eOzQgqlJL3RKrTJvdsjE3JEAvGq3lGHSZXy28G3skua2SmVi/w4yCE6g"
    "bODqnTWlg7+wC604ydGXA8VJiS5ap43JXiUFFAaQ=="
)


@pytest.fixture(scope="module", params=["container", "vm"])
def box(request, boxes, play):
    box = boxes.rent(request.param, name="hosts-" + request.param)
    play([dict(ROLES[0], roles=["rented.gpu.ready"])], limit=box.name, **SMALL).ok()
    return box


def found(box, name) -> list:
    """What ssh-keygen finds for a name, without its comment lines."""
    return [line for line in box.ssh("ssh-keygen -F '%s' || true" % name).splitlines() if line and not line.startswith("#")]


def test_hashed_and_withdrawn_lines_and_repeats(box, play):
    box.ssh(
        "mkdir -p -m 700 .ssh && cat > .ssh/known_hosts",
        input="gitlab.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/nOeHHE5UOzRdf\n",
    )
    box.ssh(
        "ssh-keygen -H -f .ssh/known_hosts >/dev/null 2>&1 && rm .ssh/known_hosts.old && cat >> .ssh/known_hosts", input=WITHDRAWN + "\n"
    )
    before = box.ssh("cat .ssh/known_hosts")

    predicted = play(ROLES, check=True, limit=box.name, known_hosts_extra=[EXTRA], **SMALL).ok()
    assert predicted.changed(box.name) == 1
    assert box.ssh("cat .ssh/known_hosts") == before

    ran = play(ROLES, limit=box.name, known_hosts_extra=[EXTRA], **SMALL).ok()
    assert ran.changed(box.name) == 1
    assert "withdrawn by github.com" in str([result.get("removed") for _host, _task, result in ran.results("ok")])
    lines = box.ssh("cat .ssh/known_hosts").splitlines()
    assert WITHDRAWN not in lines
    assert len(lines) == len(set(lines)) == 13
    assert lines[0] == before.splitlines()[0], "the hashed line stays and counts"
    for name, keys in (
        ("github.com", 3),
        ("gitlab.com", 3),
        ("bitbucket.org", 3),
        ("hf.co", 3),
        ("[git.example.org]:2222", 1),
        ("git.example.org", 0),
    ):
        assert len(found(box, name)) == keys, name
    assert box.ssh("stat -c %a .ssh .ssh/known_hosts").split() == ["700", "644"], "as the user had them"

    again = play(ROLES, limit=box.name, known_hosts_extra=[EXTRA], **SMALL).ok()
    assert again.changes() == [] and again.executions(box.name) == 1
    assert box.ssh("cat .ssh/known_hosts").splitlines() == lines

    # A line that is lost comes back.
    box.ssh("sed -i /^hf.co.*ed25519/d .ssh/known_hosts")
    assert play(ROLES, limit=box.name, known_hosts_extra=[EXTRA], **SMALL).ok().changed(box.name) == 1
    assert len(found(box, "hf.co")) == 3


def test_an_unknown_other_key_stops_the_host(box, play):
    box.ssh(
        "cp .ssh/known_hosts kept && sed -i '/^github.com ssh-ed25519/d' .ssh/known_hosts && sed -i '1i github.com %s' .ssh/known_hosts"
        % EXTRA["key"].replace("/", "\\/")
    )
    before = box.ssh("cat .ssh/known_hosts")
    ran = play(ROLES, limit=box.name, **SMALL)
    assert "Line 1 of " in ran.message() and "has another ssh-ed25519 key for github.com" in ran.message()
    assert box.ssh("cat .ssh/known_hosts") == before
    box.ssh("mv kept .ssh/known_hosts")


def test_a_bad_entry_is_told_before_the_host_is_touched(box, play):
    ran = play(ROLES, limit=box.name, known_hosts_extra=[dict(EXTRA, key="-----BEGIN OPENSSH PRIVATE KEY-----")], **SMALL)
    assert "known_hosts_extra, the entry for 'git.example.org': its key cannot be used: it is a private key" in ran.message()
