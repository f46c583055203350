# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may become the address, user and port of a connection, and what happens to an instance without an address."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._providers._vast import machines
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import Instance
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection

HOSTS = ["192.0.2.1", "ssh5.vast.ai", "2001:db8::1", "host.example.", "a_b-c"]
NO_HOSTS = [
    "-oProxyCommand=x",
    "127.1",
    "0.0.0.0",
    "fe80::1%eth0",
    "::",
    "a..b",
    "a" * 254,
    "a\n",
    "a b",
    "192.0.2.1\n",
    "[::1]",
    "é.de",
    "{{ a }}",
    "",
]


def made(**fields):
    return Instance("vast", "home", "42", **{"state": "running", "ssh_port": 22, "ssh_user": "root", "ssh_via": "direct", **fields})


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_passes(host):
    assert Connection().variables(made(ssh_host=host))["ansible_host"] == host


@pytest.mark.parametrize("host", NO_HOSTS)
def test_what_is_no_address_is_none(host):
    found = made(ssh_host=host)
    assert (found.ssh_host, found.ssh_port, found.ssh_via) == (None, None, None)
    assert [field for field, _value in found.refused] == ["ssh_host"]
    assert "ansible_host" not in Connection().variables(found)


@pytest.mark.parametrize("host", NO_HOSTS[:4])
def test_the_connection_looks_once_more(host):
    found = made(ssh_host="192.0.2.1")
    found.__dict__.update(ssh_host=host, ssh_user="-oProxyCommand=x", ssh_jump="-oProxyCommand=x", ssh_private_key_file="/etc/shadow")
    variables = Connection().variables(found)
    assert not {"ansible_host", "ansible_user", "ansible_ssh_private_key_file"} & set(variables)
    assert "ProxyCommand=x" not in variables["ansible_ssh_common_args"]


def test_the_proxy_takes_the_place_of_a_refused_address():
    found = made(ssh_host="-oProxyCommand=x", ssh_proxy_host="ssh5.vast.ai", ssh_proxy_port=1234)
    assert (found.ssh_host, found.ssh_port, found.ssh_via) == ("ssh5.vast.ai", 1234, "proxy")


def test_a_refused_port_refuses_the_address():
    """Port 22 of the same address is another machine."""
    assert made(ssh_host="192.0.2.1", ssh_port=65536).ssh_host is None


@pytest.mark.parametrize(("port", "found"), [(65534, 65535), (65535, None), (0, None)])
def test_the_port_of_jupyter_is_a_port(port, found):
    assert machines.proxy_endpoint("ssh5.vast.ai", port, "jupyter_proxy ssh") == (("ssh5.vast.ai", found) if found else None)


@pytest.mark.parametrize("value", [10**400, -(10**400), "1e400", float("nan"), True, [[]], {}])
def test_what_is_no_finite_number_is_none(value):
    assert _values.number(value) is None and _values.whole(value) is None and _values.scaled(value, 2) is None


@pytest.mark.parametrize(
    ("field", "value"), [("gpu_count", -1), ("price_per_hour", -0.1), ("disk_gb", 1e300), ("reliability", 7), ("gpu_vram_mb", 2**70)]
)
def test_numbers_have_a_range(field, value):
    found = made(**{field: value})
    assert getattr(found, field) is None and found.refused[0][0] == field


@pytest.mark.skipif(not shutil.which("ssh"), reason="ssh is not installed")
@pytest.mark.parametrize("raw", ["loading", "'; touch pwned; '", "$(touch pwned)", None])
def test_ssh_refuses_an_instance_without_an_address(raw, tmp_path):
    """localhost stands for what a label resolves to."""
    arguments = shlex.split(Connection().variables(made(state="pending", state_raw=raw))["ansible_ssh_common_args"])
    done = subprocess.run(
        ["ssh", "-F", "none", *arguments, "localhost", "true"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 255
    assert "vast-42 has no address for SSH yet: pending%s. Try again" % (", loading" if raw == "loading" else "") in done.stderr
    assert not (tmp_path / "pwned").exists()
