# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-inventory`` as a user calls it, against a Vast API over real HTTP."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rented.gpu.tests.fakes.between import Flood, OtherKeys, Proxy, Stranger

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]

pytest.importorskip("vastai", reason="the official client of Vast.ai is not installed")


@pytest.fixture(name="vast", scope="module")
def vast_fixture():
    spec = importlib.util.spec_from_file_location("fake_of_vast", ROOT / "tests" / "fakes" / "vast.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="command")
def command_fixture(tmp_path):
    """``command(fake, text, *arguments, **environment)``: status, output and messages of ansible-inventory."""

    def run(fake, text="", *arguments, **environment):
        path = tmp_path / "rented.yml"
        path.write_text(text if text.startswith("plugin") else "plugin: rented.gpu.instances\n" + text)
        # Nothing of the user's machine, but the key: that is enough.
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAST", "RENTED", "XDG_"))}
        env.update(
            HOME=str(tmp_path),
            ANSIBLE_HOME=str(tmp_path / "ansible"),
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_NOCOLOR="1",
            COLUMNS="9999",
        )
        env.update(RENTED_GPU_REHEARSAL="0")
        if fake:
            env.update(VAST_API_KEY=fake.key, VAST_URL=fake.url)
        env.update(environment)
        arguments = arguments or ("--list",)
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.inventory", "-i", str(path), *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done

    return run


def hosts_of(done):
    """Host variables of ``--list``, which wraps texts that are not trusted as templates."""
    return json.loads(done.stdout, object_hook=lambda item: item.get("__ansible_unsafe", item))["_meta"]["hostvars"]


@pytest.fixture(name="in_process")
def in_process_fixture(parse, monkeypatch, tmp_path):
    """``in_process(fake, text)``: the same without a process of its own, and without waiting between requests."""
    from ansible_collections.rented.gpu.plugins.module_utils._providers.vast import VastProvider

    monkeypatch.setattr(VastProvider, "sleep", staticmethod(lambda seconds: None))
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("RENTED_GPU_REHEARSAL", "0")

    def run(fake, text="", **arguments):
        monkeypatch.setenv("VAST_API_KEY", fake.key)
        monkeypatch.setenv("VAST_URL", fake.url)
        return {name: host.vars for name, host in parse(text, **arguments).hosts.items()}

    return run


# --- as a command ----------------------------------------------------------------------------------------------------


def test_a_key_is_enough_for_three_pages(vast, command):
    rows = [vast.row(number) for number in range(1, 56)]
    rows[1].update(gpu_name="H100 SXM", gpu_ram=81559, is_bid=True)
    rows[2].update(actual_status="exited", intended_status="stopped")
    rows[3].update(ports=None, image_runtype="jupyter_direc ssh_proxy")
    with vast.FakeVast(rows=rows) as fake:
        done = command(fake)
        assert (done.returncode, len(fake.calls("list")), fake.violations) == (0, 3, [])
    hosts = hosts_of(done)
    groups = json.loads(done.stdout)
    assert len(hosts) == 54 and "vast-3" not in hosts
    assert (hosts["vast-1"]["ansible_host"], hosts["vast-1"]["ansible_port"], hosts["vast-1"]["ansible_user"]) == (
        "198.51.100.2",
        40001,
        "root",
    )
    assert hosts["vast-1"]["rented_ssh_via"] == "direct"
    assert (hosts["vast-4"]["ansible_host"], hosts["vast-4"]["ansible_port"], hosts["vast-4"]["rented_ssh_via"]) == (
        "ssh5.vast.ai",
        10005,
        "proxy",
    )
    assert len(groups["rented"]["hosts"]) == len(groups["provider_vast"]["hosts"]) == len(groups["state_running"]["hosts"]) == 54
    assert groups["gpu_h100"]["hosts"] == groups["interruptible"]["hosts"] == ["vast-2"]
    assert {"kind_container", "trust_verified", "label_box_1", "gpu_rtx_4090"} <= set(groups)
    assert "SECRET" not in done.stdout + done.stderr


def test_extra_variables_reach_templates_of_options(vast, command):
    rows = [vast.row(1), vast.row(2, dph_total=3.0, instance={"totalHour": 3.0})]
    with vast.FakeVast(rows=rows) as fake:
        text = (
            "accounts: [{provider: vast, api_key: '{{ my_key }}', endpoint: '{{ my_url }}'}]\nquery: \"[?price_per_hour < `{{ most }}`]\"\n"
        )
        arguments = ["--list", "-e", json.dumps({"my_key": fake.key, "my_url": fake.url, "most": 1})]
        assert set(hosts_of(command(None, text, *arguments))) == {"vast-1"}


def test_a_second_command_makes_no_request(vast, command, tmp_path):
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n" % (tmp_path / "cache")
    with vast.FakeVast(rows=[vast.row(1)]) as fake:
        first = command(fake, cache)
        second = command(fake, cache)
        assert hosts_of(first) == hosts_of(second) != {}
        assert len(fake.calls("list")) == 1
        command(fake, cache, "--list", "--flush-cache")
        assert len(fake.calls("list")) == 2
        text = "".join(path.name + path.read_text() for path in (tmp_path / "cache").iterdir())
        assert "vast" in text and fake.key not in text and "SECRET" not in text


def test_a_failure_is_the_status_only_where_ansible_is_told_so(vast, command):
    """So says the documentation."""
    with vast.FakeVast(rows=[vast.row(1)]) as fake:
        fake.fault("list", "auth-404", times=-1)
        for environment, failed in (({"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}, True), ({}, False)):
            done = command(fake, "", **environment)
            assert (done.returncode != 0) == failed
            assert "Vast.ai refused the API key" in done.stderr
            assert "vast-1" not in done.stdout and fake.key not in done.stderr


def test_no_key_lists_where_it_looked_and_first_where_there_are_traces(command, tmp_path):
    (tmp_path / ".runpod").mkdir()
    done = command(None, HOME=str(tmp_path))
    assert "No account of any provider was found. Looked at RunPod: $RUNPOD_API_KEY, ~/.runpod/config.toml" in done.stderr
    assert "Vast.ai: $VAST_API_KEY; " in done.stderr and "~/.config/vastai/vast_api_key" not in done.stderr


def test_malformed_yaml_names_line_and_column(command):
    done = command(None, "plugin: rented.gpu.instances\nstates: [running\nquery: x\n")
    assert "YAML parsing failed" in done.stderr and "rented.yml:3:" in done.stderr


# --- in this process -------------------------------------------------------------------------------------------------


def test_raw_answers_come_without_secrets(vast, in_process):
    with vast.FakeVast(rows=[vast.row(1)]) as fake:
        hosts = in_process(fake, "include_raw: true\n")
    raw = hosts["vast-1"]["rented_raw"]
    assert raw["geolocation"] == "Oslo, NO" and raw["machine_id"] == 7001
    assert "SECRET" not in json.dumps(hosts) and fake.key not in json.dumps(hosts)


def test_labels_that_are_equal_or_look_like_templates(vast, in_process):
    labels = ["lab", "lab", "{{ lookup('pipe', 'id') }}", "rented", "#jinja2: variable_start_string:'['"]
    rows = [vast.row(number, label=label) for number, label in enumerate(labels, 1)]
    with vast.FakeVast(rows=rows) as fake:
        hosts = in_process(fake, 'hostname: "{{ rented_label }}"\ncompose: {copy: rented_label}\n')
    assert set(hosts) >= {"lab-vast-vast-1", "lab-vast-vast-2", "rented-vast-vast-4"}
    assert {variables["copy"] for variables in hosts.values()} == set(labels)


def test_another_key_in_the_environment_is_another_entry(vast, in_process, tmp_path):
    cache = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n" % (tmp_path / "cache")
    with vast.FakeVast(rows=[vast.row(1)]) as fake, vast.FakeVast(rows=[vast.row(2)], key="another-key-0123456789") as other:
        assert set(in_process(fake, cache)) == set(in_process(fake, cache)) == {"vast-1"}
        assert set(in_process(other, cache)) == {"vast-2"}
        assert (len(fake.calls("list")), len(other.calls("list"))) == (1, 1)


@pytest.mark.parametrize("fault", ["auth-404", "html-200", "html", "500", "429", "no-list", "cursor", "text-200", "cut"])
def test_a_page_that_fails_is_never_a_shorter_list(vast, in_process, fault):
    with vast.FakeVast(rows=[vast.row(number) for number in range(1, 30)]) as fake:
        fake.fault("list", fault, times=-1, skip=1)
        with pytest.raises(AnsibleError, match=r"1 of 1 accounts did not answer, so nothing is listed. Vast.ai account 'vast': ") as caught:
            in_process(fake)
        assert len(fake.calls("list")) > 1
    assert fake.key not in str(caught.value) and "SECRET" not in str(caught.value)


def test_a_provider_that_is_down(vast, in_process, messages):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = "http://127.0.0.1:%d" % unused.getsockname()[1]
        with vast.FakeVast(rows=[vast.row(1)]) as fake:
            text = "accounts:\n- {provider: vast, name: up}\n- {provider: vast, name: down, endpoint: '%s'}\n" % url
            with pytest.raises(AnsibleError, match=r"account 'down': .*on_provider_error: warn"):
                in_process(fake, text)
            assert set(in_process(fake, text + "on_provider_error: warn\n")) == {"vast-1"}
    assert any("The list of instances is not complete, 1 of 2 accounts" in text for kind, text in messages if kind == "warning")


TEAM = "accounts:\n- {provider: vast, name: mine, api_key: key-of-mine-0123}\n- {provider: vast, name: yours, api_key: key-of-yours-0123}\n"


def test_two_keys_of_one_team_list_each_instance_once(vast, in_process, messages, monkeypatch):
    with vast.FakeVast(rows=[vast.row(1), vast.row(2)]) as fake, OtherKeys(
        fake.url, fake.key, ("key-of-mine-0123", "key-of-yours-0123")
    ) as front:
        monkeypatch.setenv("VAST_URL", front.url)
        text = TEAM.replace("name:", "endpoint: '%s', name:" % front.url)
        hosts = in_process(fake, text)
        assert {name: variables["rented_account"] for name, variables in hosts.items()} == {"vast-1": "mine", "vast-2": "mine"}
        assert len(front.seen) == 2  # both were asked
    warnings = [text for kind, text in messages if kind == "warning"]
    assert len(warnings) == 1 and "account 'yours' lists 2 of the instances that the account 'mine' lists (1, 2)" in warnings[0]
    assert "key-of" not in warnings[0]


@pytest.mark.parametrize("second", ["{provider: vast, name: again}", "{provider: vast, name: again, api_key: '%(key)s'}"])
def test_an_account_under_two_names_is_refused_before_anybody_is_asked(vast, in_process, second):
    with vast.FakeVast(rows=[vast.row(1)]) as fake:
        text = "accounts:\n- {provider: vast, name: one}\n- %s\n" % (second % {"key": fake.key})
        with pytest.raises(
            AnsibleError, match=r"Accounts 1 \('one'\) and 2 \('again'\) are one and the same at Vast.ai: leave one out"
        ) as caught:
            in_process(fake, text)
        assert fake.calls("list") == [] and fake.key not in str(caught.value)


def test_an_endpoint_that_redirects_to_a_stranger(vast, in_process):
    with vast.FakeVast(rows=[vast.row(1)]) as fake, Stranger() as stranger:
        fake.fault("list", "redirect", times=-1, to=stranger.url.replace("127.0.0.1", "localhost") + "/api/v1/instances/")
        with pytest.raises(AnsibleError, match=r"it redirects to another server \(localhost\); nothing was sent there"):
            in_process(fake)
        assert (len(fake.calls("list")), stranger.seen) == (1, [])


def test_ten_megabytes_are_listed(vast, in_process):
    rows = [vast.row(number, onstart="x" * 420_000) for number in range(1, 26)]
    with vast.FakeVast(rows=rows) as fake:
        assert len(in_process(fake)) == 25


def test_forty_megabytes_are_given_up(vast, in_process):
    with vast.FakeVast(rows=[vast.row(1)]) as fake, Flood(4000) as flood:
        text = "accounts: [{provider: vast, endpoint: '%s'}]\n" % flood.url
        with pytest.raises(AnsibleError, match="it answered more than 32 MB"):
            in_process(fake, text)
        assert len(flood.seen) == 1 and flood.sent < 48 * 1024 * 1024


def test_proxies_of_the_environment(vast, command):
    """What requests does for the official client, seen from the proxy."""
    clean = dict.fromkeys(("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), "")
    with vast.FakeVast(rows=[vast.row(number) for number in range(1, 31)]) as fake, Proxy() as proxy:
        assert len(hosts_of(command(fake, "", **{**clean, "http_proxy": proxy.url}))) == 30
        assert len(proxy.seen) == 2 and all(target.startswith(fake.url) for _method, target, _headers, _body in proxy.seen)
        assert len(hosts_of(command(fake, "", **{**clean, "http_proxy": proxy.url, "no_proxy": "127.0.0.1"}))) == 30
        assert len(proxy.seen) == 2
        # Over https the proxy sees a tunnel; here it leads to a server that speaks no TLS, so nothing else can be said.
        done = command(fake, "", **{**clean, "https_proxy": proxy.url, "VAST_URL": fake.url.replace("http:", "https:")})
        assert "vast-1" not in done.stdout and proxy.methods[2:] and set(proxy.methods[2:]) == {"CONNECT"}
        assert fake.key not in repr(proxy.seen[2:]) and fake.key.encode() not in proxy.tunnelled


@pytest.mark.parametrize("name", ["rented.yml", "rehearsal.rented.yml"])
def test_the_examples_are_listed(vast, command, name):
    text = (ROOT / "inventory" / name).read_text()
    with vast.FakeVast(rows=[vast.row(1)]) as fake:
        done = command(fake, "plugin" + text.split("\nplugin", 1)[1], ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1")
    if name == "rented.yml":
        assert done.returncode == 0 and set(hosts_of(done)) == {"vast-1"}
    else:  # a machine without podman or docker says so
        assert done.returncode == 0 or "podman" in done.stderr
