# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies on a computer and changes requests: the table "Surroundings of the requests" in docs/inventory.md, at every provider."""

from __future__ import annotations

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable
from ansible_collections.rented.gpu.tests.fakes import everyone
from ansible_collections.rented.gpu.tests.fakes.between import Proxy, Wire, wire_answer
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_an_entry_in_netrc_does_not_replace_the_key(name, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ada password hunter22\ndefault login ada password hunter22\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with Wire(wire_answer("403 Forbidden", b"{}")) as wire, everyone.account(name, monkeypatch, wire.url) as (provider, _fake):
        with pytest.raises(Exception, match="403"):
            with_time(provider).list_instances()
        assert wire.seen and not any(b"Basic " in request for request in wire.seen)
    with everyone.account(name, monkeypatch) as (provider, _fake):  # the fake refuses what has not its key; that of GCP gives tokens too
        assert with_time(provider).list_instances() == []


@pytest.mark.parametrize("name", everyone.SERVICES)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_the_proxy_of_the_environment_is_used(name, variable, monkeypatch):
    with Proxy() as proxy, everyone.account(name, monkeypatch) as (provider, _fake):
        monkeypatch.setenv(variable, proxy.url)
        assert with_time(provider).list_instances() == []
        assert proxy.seen and all(target.startswith("http://127.0.0.1:") for _method, target, _headers, _body in proxy.seen)
        before = len(proxy.seen)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert provider.list_instances() == [] and len(proxy.seen) == before


@pytest.mark.parametrize("name", everyone.SERVICES)
def test_a_proxy_that_drips_is_given_up(name, monkeypatch):
    from ansible_collections.rented.gpu.tests.fakes.between import Drip

    with Drip("body") as drip, everyone.account(name, monkeypatch, timeout=0.3) as (provider, _fake):
        monkeypatch.setenv("http_proxy", drip.url)
        with pytest.raises(ProviderUnavailable, match="did not answer"):
            with_time(provider).list_instances()
        assert drip.seen
