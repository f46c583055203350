# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, variables, groups, names, failures and the cache of the inventory plugin."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.plugins.loader import inventory_loader

from ansible_collections.rented.gpu.plugins.module_utils._errors import AuthenticationError, ProviderUnavailable
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import FIELDS

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]


def groups_of(inventory, host):
    return {group.name for group in inventory.hosts[host].get_groups()} - {"all"}


# --- variables and groups --------------------------------------------------------------------------------------------


def test_a_host_has_every_field_and_its_connection(provider, listing):
    provider.answers["key-of-env"] = [provider.make(7, label="lab", region="DE", tags={"simulated": "true"})]
    inventory = listing()
    assert list(inventory.hosts) == ["example-7"]
    variables = inventory.hosts["example-7"].vars
    assert {"rented_" + field for field in FIELDS} <= set(variables)
    assert variables["rented_gpu_vram_mb"] == 24564
    assert variables["rented_tags"] == {"simulated": "true"}
    assert variables["rented_disk_gb"] is None
    assert "rented_raw" not in variables
    assert (variables["ansible_host"], variables["ansible_port"], variables["ansible_user"]) == ("192.0.2.7", 2200, "root")
    assert variables["ansible_ssh_pipelining"] is True
    assert "-o HostKeyAlias=example-7 " in variables["ansible_ssh_common_args"]


def test_built_in_groups(provider, listing):
    provider.answers["key-of-env"] = [
        provider.make(1, label="Ada's lab", interruptible=True, gpu_model="H100"),
        provider.make(2, gpu_model=None, trust=None, kind=None),
    ]
    inventory = listing()
    assert groups_of(inventory, "example-1") == {
        "rented",
        "provider_example",
        "state_running",
        "gpu_h100",
        "kind_container",
        "trust_verified",
        "label_ada_s_lab",
        "interruptible",
    }
    assert groups_of(inventory, "example-2") == {"rented", "provider_example", "state_running"}


def test_the_group_rented_is_there_without_hosts(listing):
    inventory = listing()
    assert not inventory.hosts
    assert "rented" in inventory.groups


def test_no_template_is_rendered_for_built_in_groups_and_names(provider, listing, monkeypatch):
    from ansible.template import Templar

    provider.answers["key-of-env"] = [provider.make(number) for number in range(50)]
    rendered = []
    for method in ("evaluate_expression", "evaluate_conditional"):
        monkeypatch.setattr(Templar, method, lambda self, *args, **kwargs: rendered.append(args))
    original = Templar.template
    monkeypatch.setattr(
        Templar, "template", lambda self, value, *args, **kwargs: rendered.append(value) or original(self, value, *args, **kwargs)
    )
    listing()
    assert len(rendered) < 5  # options of the file, and nothing per host


@pytest.mark.parametrize("text", ["{{ 1 + 1 }}", "{{ lookup('pipe', 'touch %s') }}", "#jinja2: variable_start_string:'['\n[ 1 + 1 ]"])
def test_words_of_an_api_are_never_templates(provider, listing, tmp_path, text):
    mark = tmp_path / "executed"
    label = text.replace("%s", str(mark))
    provider.answers["key-of-env"] = [provider.make(1, label=label)]
    inventory = listing(
        'hostname: "{{ rented_label }}"\nstrict: true\ncompose: {copy: rented_label, again: "rented_label ~ 1"}\n'
        "keyed_groups: [{key: rented_label, prefix: k}]\nfilters: [{include: rented_label is string}]\n"
    )
    ((name, host),) = inventory.hosts.items()
    assert not mark.exists()
    assert host.vars["rented_label"] == host.vars["copy"] == label.replace("\n", "\ufffd")  # a line end is shown, and obeyed by nothing
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


# --- which instances -------------------------------------------------------------------------------------------------


def test_only_running_by_default_and_other_states_by_option(provider, listing):
    provider.answers["key-of-env"] = [
        provider.make(1),
        provider.make(2, state="stopped"),
        provider.make(3, state="unknown", state_raw="frozen"),
    ]
    assert set(listing().hosts) == {"example-1"}
    assert set(listing("states: [running, stopped]").hosts) == {"example-1", "example-2"}
    assert "state_unknown" in listing("states: [unknown]").groups


def test_query_chooses_sorts_and_slices(provider, listing):
    provider.answers["key-of-env"] = [
        provider.make(1, price_per_hour=3.0),
        provider.make(2, price_per_hour=0.2),
        provider.make(3, price_per_hour=0.3, gpu_vram_mb=8000),
        provider.make(4, price_per_hour=None),
    ]
    assert set(listing('query: "[?gpu_vram_mb >= `24000` && price_per_hour < `1`]"').hosts) == {"example-2"}
    assert list(listing('query: "sort_by([?price_per_hour], &price_per_hour)[:2]"').hosts) == ["example-2", "example-3"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("[?a", "is not JMESPath.*Incomplete expression, at column 4"),
        ("{{ '' }}", "The query '' is not JMESPath. Invalid JMESPath expression: cannot be empty"),
        ("a b", "is not JMESPath. Unexpected token: b, at column 3"),
        ("foo(@)", "Unknown function: foo"),
        ("length()", "Expected 1 argument for function length.., received 0. Unknown values"),
        ("[::0]", "cannot be evaluated: slice step cannot be zero"),
        ("sort_by(@, &started_at)", "sort_by.. takes string or number and got null. Unknown values are null"),
        ("[].id", "must choose instances, not parts"),
        ("[0]", "must give a list of instances"),
        ("nothing", "it gave nothing"),
    ],
)
def test_bad_queries_are_one_clear_sentence(provider, listing, query, message):
    provider.answers["key-of-env"] = [provider.make(1)]
    with pytest.raises(AnsibleError, match=message) as caught:
        listing("query: %s" % json.dumps(query))
    assert "\n" not in str(caught.value)


def test_query_without_jmespath_says_how_to_get_it(provider, listing, monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(AnsibleError, match="-m pip install --upgrade jmespath"):
        listing('query: "[]"')


def test_the_first_filter_that_holds_decides(provider, listing):
    provider.answers["key-of-env"] = [provider.make(1, interruptible=True), provider.make(2, trust="marketplace"), provider.make(3)]
    text = "filters:\n- exclude: rented_interruptible\n- include: rented_trust in ['verified']\n- exclude: true\n"
    assert set(listing(text).hosts) == {"example-3"}
    assert set(listing("filters: [{exclude: rented_interruptible}]").hosts) == {"example-2", "example-3"}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ("[{include: rented_gpu_modle}]", "Filter 1 .include: rented_gpu_modle. cannot be evaluated for example-1"),
        ("[{exclude: false}, {include: rented_ram_gb > 3}]", "Filter 2 .* Unknown values are null"),
        ("[{include: rented_gpu_count}]", "it gives 1, not true or false"),
        ("[{inclde: true}]", "Filter 1 must have one key, 'include' or 'exclude'"),
        ("[{include: true, exclude: true}]", "must have one key"),
    ],
)
def test_bad_filters_are_errors(provider, listing, filters, message):
    provider.answers["key-of-env"] = [provider.make(1)]
    with pytest.raises(AnsibleError, match=message):
        listing("filters: %s" % filters)


# --- how they are reached --------------------------------------------------------------------------------------------


def test_ssh_via(provider, listing, messages):
    provider.answers["key-of-env"] = [
        provider.make(1, ssh_proxy_host="proxy.example", ssh_proxy_port=9001),
        provider.make(2, ssh_host=None, ssh_port=None, ssh_proxy_host="proxy.example", ssh_proxy_port=9002),
        provider.make(3, ssh_host="proxy.example", ssh_port=9003, ssh_via="proxy"),
        provider.make(4, ssh_host=None, ssh_port=None, ssh_via=None),
    ]

    def reached(text):
        return {
            name[-1]: (host.vars.get("ansible_host"), host.vars.get("ansible_port"), host.vars["rented_ssh_via"])
            for name, host in listing(text).hosts.items()
        }

    assert reached("") == {
        "1": ("192.0.2.1", 2200, "direct"),
        "2": ("proxy.example", 9002, "proxy"),
        "3": ("proxy.example", 9003, "proxy"),
        "4": (None, None, None),
    }
    assert messages == [("warning", "No address for ssh_via 'auto' is known (yet) of: example-4")]
    assert reached("ssh_via: proxy")["1"] == ("proxy.example", 9001, "proxy")
    assert reached("ssh_via: direct")["2"] == (None, None, "direct")


def test_a_key_file_of_the_account_and_ipv6(provider, listing, tmp_path):
    key = tmp_path / "my key"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    provider.answers["key-of-env"] = [provider.make(1, ssh_host="2001:db8::1")]
    variables = listing("accounts: [{provider: example, ssh_private_key_file: '%s'}]" % key).hosts["example-1"].vars
    assert variables["ansible_host"] == "2001:db8::1"
    assert variables["ansible_ssh_private_key_file"] == str(key)
    assert variables["ansible_ssh_common_args"].endswith("-o IdentitiesOnly=yes")


# --- one instance, two accounts --------------------------------------------------------------------------------------

TWINS = "accounts: [{provider: example, name: a, api_key: k1}, {provider: example, name: b, api_key: k2%s}]\n"


def test_an_instance_that_two_accounts_list_is_one_host_of_the_first(provider, listing, messages, tmp_path):
    key = tmp_path / "key"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    provider.answers.update({"k1": [provider.make(1), provider.make(2)], "k2": [provider.make(number) for number in range(2, 15)]})
    text = TWINS % (", ssh_private_key_file: '%s'" % key) + "include_raw: true\n"
    hosts = listing(text).hosts
    assert {name: host.vars["rented_account"] for name, host in hosts.items()} == {
        "example-%d" % number: "a" if number < 3 else "b" for number in range(1, 15)
    }
    assert "ansible_ssh_private_key_file" not in hosts["example-2"].vars
    ((kind, text),) = messages
    assert kind == "warning" and "The Example account 'b' lists 1 of the instances that the account 'a' lists (2)." in text
    assert "Each is listed once, under 'a'" in text


def test_the_warning_of_many_twins_is_short_and_comes_from_the_cache_too(provider, listing, messages, tmp_path):
    rows = [provider.make(number) for number in range(1, 31)]
    provider.answers.update({"k1": rows, "k2": rows})
    for _time in range(2):
        assert len(listing(TWINS % "" + CACHE % (tmp_path / "cache")).hosts) == 30
    assert len(provider.asked) == 2 and len(messages) == 2
    assert "lists 30 of the instances" in messages[1][1] and "10 …" in messages[1][1] and "11" not in messages[1][1]


def test_the_same_id_at_another_endpoint_is_another_instance(provider, listing, messages):
    provider.answers.update({"k1": [provider.make(1)], "k2": [provider.make(1)]})
    hosts = listing(TWINS % ", endpoint: 'https://other.invalid'").hosts
    assert set(hosts) == {"example-1-example-a-1", "example-1-example-b-1"} and messages == []


def test_a_list_that_moves_on_between_its_pages_gives_no_host_twice(provider, listing, messages):
    provider.answers["key-of-env"] = [provider.make(1), provider.make(2), provider.make(1, state="stopped")]
    assert listing("states: [running, stopped]").hosts["example-1"].vars["rented_state"] == "running" and messages == []


# --- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_are_rendered_and_asked_at_the_same_time(provider, listing, monkeypatch):
    monkeypatch.setenv("SECOND", "key-2")
    provider.answers.update({"key-1": [provider.make(1)], "key-2": [provider.make(2)]})
    slow = provider.list_instances

    def list_instances(self):
        time.sleep(0.4)
        return slow(self)

    monkeypatch.setattr(provider, "list_instances", list_instances)
    start = time.monotonic()
    inventory = listing(
        "accounts:\n- {provider: example, name: one, api_key: key-1, region: r}\n"
        "- {provider: example, name: two, api_key: \"{{ lookup('ansible.builtin.env', 'SECOND') }}\"}\n"
    )
    assert time.monotonic() - start < 0.8
    assert {host.vars["rented_account"] for host in inventory.hosts.values()} == {"one", "two"}
    assert sorted(provider.asked) == ["key-1", "key-2"]


def test_no_credentials_lists_where_it_looked(provider, listing, monkeypatch):
    monkeypatch.delenv("EXAMPLE_API_KEY")
    with pytest.raises(AnsibleError, match=r"No account of any provider was found. Looked at Example: \$EXAMPLE_API_KEY"):
        listing()
    with pytest.raises(AnsibleError, match=r"No API key for Example. Looked at \$EXAMPLE_API_KEY"):
        listing("accounts: [{provider: example}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hostnam: x", "The option 'hostnam' does not exist. Did you mean 'hostname'?"),
        ("states: [runing]", "no state 'runing'. Did you mean 'running'?"),
        ("ssh_via: prox", "Invalid value 'prox' .*ssh_via|'ssh_via' .* invalid value 'prox'"),  # 2.19 to 2.21, and 2.22
        ("timeout: 0", "'timeout' must be more than 0"),
        ("account_timeout: -1", "'account_timeout' must be more than 0"),
        ("account_timeout: .nan", "'account_timeout' must be more than 0"),
        ("timeout: .inf", "'timeout' must be more than 0 seconds, and at most"),
        ("accounts: []", "at least one account"),
        ("accounts: example", "Account 1 is not a mapping"),
        ("accounts: [{name: x}]", "Account 1 names no provider"),
        ("accounts: [{provider: exampel}]", "There is no provider 'exampel'. Did you mean 'example'?"),
        ("accounts: [{provider: example, api_kei: x}]", "Account 1 .example. has no option 'api_kei'. Did you mean 'api_key'?"),
        ("accounts: [{provider: example, regoin: x}]", "Did you mean 'region'?"),
        ("accounts: [{provider: example, api_key: ''}]", "'api_key' is empty"),
        ("accounts: [{provider: example, api_key: \"{{ lookup('ansible.builtin.env', 'NOT_SET') }}\"}]", "'api_key' is empty"),
        ('accounts: [{provider: example, api_key: "{{ not_set }}"}]', "'accounts' cannot be rendered: 'not_set' is undefined"),
        ("accounts: [{provider: example, endpoint: example.org}]", "'example.org' does not begin with https://"),
        ("accounts: [{provider: example, ssh_private_key_file: /nowhere}]", "SSH key /nowhere cannot be read: No such file"),
        ("accounts: [{provider: example}, {provider: example}]", "Accounts 1 and 2 are both 'example'"),
        ("hostname: rented_label", "is a template: write .{{ rented_label }}."),
        ('hostname: "{{ rented_lable }}"', "host name of example-1 cannot be made"),
        ("strict: true\ncompose: {a: nope}", "Could not set a for host example-1"),
    ],
)
def test_bad_options_are_one_clear_sentence_and_leave_nothing_behind(provider, listing, text, message):
    provider.answers["key-of-env"] = [provider.make(1), provider.make(2)]
    inventory = InventoryData()
    with pytest.raises(AnsibleError, match=message):
        listing(text, inventory)
    assert not inventory.hosts and set(inventory.groups) == {"all", "ungrouped"}


def test_a_key_in_a_wrongly_shaped_option_is_not_shown(provider, listing):
    with pytest.raises(AnsibleError) as caught:
        listing("accounts: {provider: example, api_key: very-secret}")
    assert "must be a list" in str(caught.value) and "very-secret" not in str(caught.value)


def test_a_public_key_as_private_key_is_refused(provider, listing, tmp_path):
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAA me\n")
    with pytest.raises(AnsibleError, match="is not a private SSH key"):
        listing("accounts: [{provider: example, ssh_private_key_file: '%s'}]" % (tmp_path / "id.pub"))


@pytest.mark.parametrize(("name", "wanted"), [("rented.yml", True), ("a.rented.yaml", True), ("rented.json", False), ("hosts.yml", False)])
def test_file_names(listing, tmp_path, name, wanted):
    (tmp_path / name).write_text("plugin: rented.gpu.instances\n")
    listing()
    assert inventory_loader.get("rented.gpu.instances").verify_file(str(tmp_path / name)) is wanted


# --- names -----------------------------------------------------------------------------------------------------------


def test_equal_names_get_the_long_form_for_all_of_them(provider, listing):
    provider.answers.update({"k1": [provider.make(1, label="lab"), provider.make(2, label="solo")], "k2": [provider.make(3, label="lab")]})
    inventory = listing(
        'accounts: [{provider: example, name: a, api_key: k1}, {provider: example, name: b, api_key: k2}]\nhostname: "{{ rented_label }}"\n'
    )
    assert set(inventory.hosts) == {"lab-example-a-1", "lab-example-b-3", "solo"}


@pytest.mark.parametrize("label", ["rented", "all", "ungrouped", "localhost", "127.0.0.1", "state_running", "mine", "label_state_running"])
def test_a_name_that_a_group_has_or_that_is_reserved_gets_the_long_form(provider, listing, label):
    provider.answers["key-of-env"] = [provider.make(1, label=label)]
    inventory = listing('hostname: "{{ rented_label }}"\ngroups: {mine: true}\n')
    if label != "label_state_running":  # its group is label_label_state_running
        assert list(inventory.hosts) == ["%s-example-example-1" % label]
    assert not set(inventory.hosts) & set(inventory.groups)
    ((_name, host),) = inventory.hosts.items()
    assert host.vars["rented_id"] == "1"


def test_a_name_that_only_a_keyed_group_has(provider, listing):
    provider.answers["key-of-env"] = [provider.make(1, label="eu_west", region="x"), provider.make(2, label="two", region="west")]
    inventory = listing('hostname: "{{ rented_label }}"\nkeyed_groups: [{key: rented_region, prefix: eu, parent_group: regions}]\n')
    assert set(inventory.hosts) == {"eu_west-example-example-1", "two"}
    assert [host.name for host in inventory.groups["eu_west"].hosts] == ["two"]
    assert inventory.hosts["eu_west-example-example-1"].vars["rented_id"] == "1"


def test_a_host_of_an_earlier_source_is_not_merged_with_another_instance(provider, listing):
    provider.answers["key-of-env"] = [provider.make(1, label="lab")]
    inventory = listing('hostname: "{{ rented_label }}"')
    provider.answers["key-of-env"] = [provider.make(2, label="lab")]
    listing('hostname: "{{ rented_label }}"', inventory)
    assert {name: host.vars["rented_id"] for name, host in inventory.hosts.items()} == {"lab": "1", "lab-example-example-2": "2"}
    listing("", inventory)  # the same instance under its usual name is one more host, not an error
    assert set(inventory.hosts) == {"lab", "lab-example-example-2", "example-2"}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("-oProxyCommand=x", "oProxyCommand-x"),
        ("../../etc", "etc"),
        ("a b/c,d", "a-b-c-d"),
        ("模型", "example-1"),
        ("", "example-1"),
        (None, "example-1"),
    ],
)
def test_unsafe_and_empty_names(provider, listing, label, name):
    provider.answers["key-of-env"] = [provider.make(1, label=label)]
    assert list(listing('hostname: "{{ rented_label }}"').hosts) == [name]


# --- constructed -----------------------------------------------------------------------------------------------------


def test_compose_is_seen_by_groups_and_keyed_groups(provider, listing, messages):
    provider.answers["key-of-env"] = [provider.make(1, region="DE"), provider.make(2, region="US")]
    inventory = listing(
        "compose: {total: rented_gpu_count * 2, wrong: nope}\n"
        "groups: {even: total is even, kin: \"'provider_example' in group_names\"}\n"
        "keyed_groups: [{key: rented_region, prefix: region, parent_group: regions}]\n"
    )
    assert inventory.hosts["example-1"].vars["total"] == 2
    assert {"even", "kin", "region_DE", "regions"} <= groups_of(inventory, "example-1")
    assert inventory.groups["regions"].child_groups
    assert any("'wrong': 'nope'" in text and "skipped for 2 hosts" in text for kind, text in messages if kind == "v")


def test_strict_leaves_nothing_behind(provider, listing):
    provider.answers["key-of-env"] = [provider.make(1, region="DE"), provider.make(2)]
    inventory = InventoryData()
    with pytest.raises(AnsibleError, match="No key or key resulted empty"):
        listing("strict: true\nkeyed_groups: [{key: rented_region}]\n", inventory)
    assert not inventory.hosts and set(inventory.groups) == {"all", "ungrouped"}


# --- failures --------------------------------------------------------------------------------------------------------

TWO = "accounts: [{provider: example, name: good, api_key: k1}, {provider: example, name: bad, api_key: k2}]\n"


def test_one_failing_account_fails_the_whole_list_by_default(provider, listing):
    provider.answers.update({"k1": [provider.make(1)], "k2": ProviderUnavailable("Example answered HTML.")})
    inventory = InventoryData()
    with pytest.raises(AnsibleError, match=r"1 of 2 accounts .*account 'bad': Example answered HTML.*on_provider_error: warn"):
        listing(TWO, inventory)
    assert not inventory.hosts


def test_all_failures_are_in_the_message_and_no_key_is(provider, listing):
    provider.answers.update({"k1": AuthenticationError("The key k1 is refused."), "k2": ValueError("k2 broke")})
    with pytest.raises(AnsibleError) as caught:
        listing(TWO)
    text = str(caught.value)
    assert "'good': The key *** is refused." in text and "'bad': unexpected ValueError: *** broke" in text
    assert "k1" not in text and "k2" not in text


def test_warn_goes_on_and_is_never_cached(provider, listing, messages, tmp_path):
    cache = CACHE % (tmp_path / "cache")
    provider.answers.update({"k1": [provider.make(1)], "k2": ProviderUnavailable("down")})
    inventory = listing(TWO + "on_provider_error: warn\n" + cache)
    assert set(inventory.hosts) == {"example-1"}
    assert ("warning", "The list of instances is not complete, 1 of 2 accounts did not answer. Example account 'bad': down") in messages
    provider.answers["k2"] = [provider.make(2)]
    assert set(listing(TWO + "on_provider_error: warn\n" + cache).hosts) == {"example-1", "example-2"}
    provider.answers["k2"] = ProviderUnavailable("down")
    assert set(listing(TWO + "on_provider_error: warn\n" + cache).hosts) == {"example-1", "example-2"}  # the whole answer was


# --- cache -----------------------------------------------------------------------------------------------------------

CACHE = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: %s\n"


def test_a_second_run_makes_no_request_and_other_options_work_on_what_is_cached(provider, listing, tmp_path):
    cache = CACHE % (tmp_path / "cache")
    provider.answers["key-of-env"] = [provider.make(1, label="a"), provider.make(2, state="stopped")]
    first = listing(cache)
    second = listing(cache)
    assert len(provider.asked) == 1
    assert second.hosts["example-1"].vars == first.hosts["example-1"].vars
    assert set(listing(cache + 'states: [stopped]\nhostname: "x{{ rented_id }}"\n').hosts) == {"x2"}
    assert len(provider.asked) == 1
    listing(cache, cache=False)  # --flush-cache, refresh_inventory
    assert len(provider.asked) == 2


def test_without_the_option_nothing_is_cached(provider, listing):
    listing()
    listing()
    assert len(provider.asked) == 2


def test_another_key_account_endpoint_or_option_is_another_entry(provider, listing, tmp_path, monkeypatch):
    cache = CACHE % (tmp_path / "cache")
    provider.answers.update({"key-of-env": [provider.make(1)], "other": [provider.make(2)]})
    assert set(listing(cache).hosts) == {"example-1"}
    monkeypatch.setenv("EXAMPLE_API_KEY", "other")
    assert set(listing(cache).hosts) == {"example-2"}
    monkeypatch.setenv("EXAMPLE_URL", "https://other.invalid")
    listing(cache)
    listing(cache + "accounts: [{provider: example, name: x}]")
    listing(cache + "accounts: [{provider: example, region: r}]")
    listing(cache + "include_raw: true")
    assert len(provider.asked) == 6
    monkeypatch.delenv("EXAMPLE_URL")
    monkeypatch.setenv("EXAMPLE_API_KEY", "key-of-env")
    assert set(listing(cache).hosts) == {"example-1"}
    assert len(provider.asked) == 6


def test_no_key_and_no_secret_lies_in_the_cache(provider, listing, tmp_path):
    provider.answers["key-of-env"] = [provider.make(1)]
    listing(CACHE % (tmp_path / "cache") + "include_raw: true\n")
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 1
    assert "192.0.2.1" in files[0].read_text()
    for secret in ("key-of-env", "hush"):
        assert secret not in files[0].read_text() + files[0].name


@pytest.mark.parametrize("damage", ["{broken", "[]", ("no_such_field", 1), ("provider", None)])
def test_a_cache_that_cannot_be_used_is_asked_again(provider, listing, tmp_path, monkeypatch, damage):
    from ansible_collections.rented.gpu.plugins.plugin_utils._inventory import _accounts

    cache = CACHE % (tmp_path / "cache")
    provider.answers["key-of-env"] = [provider.make(1)]
    to_cache = _accounts.to_cache
    if isinstance(damage, tuple):  # an entry of another version of the collection
        monkeypatch.setattr(_accounts, "to_cache", lambda answers: [dict(entry, instances=[dict([damage])]) for entry in to_cache(answers)])
    listing(cache)
    (path,) = (tmp_path / "cache").iterdir()
    if isinstance(damage, str):
        path.write_text(damage)
    assert set(listing(cache).hosts) == {"example-1"}
    assert len(provider.asked) == 2


def test_include_raw_removes_secrets(provider, listing):
    provider.answers["key-of-env"] = [provider.make(1)]
    assert listing("include_raw: true").hosts["example-1"].vars["rented_raw"] == {"id": "1", "geo": "DE"}


def test_the_documented_options_are_those_of_the_code():
    """ansible-doc reads it; the examples in it are valid YAML with known options."""
    import yaml

    from ansible_collections.rented.gpu.plugins.inventory import instances

    documented = yaml.safe_load(instances.DOCUMENTATION)
    own = set(documented["options"]) | {
        "compose",
        "groups",
        "keyed_groups",
        "strict",
        "cache",
        "cache_plugin",
        "cache_connection",
        "cache_timeout",
    }
    for example in yaml.safe_load_all(instances.EXAMPLES):
        assert set(example) <= own
    from ansible_collections.rented.gpu.plugins.plugin_utils._inventory._accounts import KEYS

    assert set(documented["options"]["accounts"]["suboptions"]) == set(KEYS)


def test_the_plugin_imports_neither_provider_libraries_nor_starts_threads():
    """Importing it costs no third-party package: they are imported when an account is asked."""
    code = (
        "import sys; sys.path.insert(0, %r); import ansible_collections.rented.gpu.plugins.inventory.instances;"
        "print(sorted({'vastai', 'requests', 'jmespath'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code % str(COLLECTIONS)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_instances_in_other_states_are_kept_for_playbooks_without_another_request(listing, provider):
    made = provider.make
    provider.answers["key-of-env"] = [
        made(1),
        made(2, state="pending", label="{{ 1 }}"),
        made(3, state="stopped"),
        made(4, state="terminated"),
    ]
    inventory = listing()
    found = inventory.groups["all"].get_vars()["rented_left_out"]
    assert [(entry["name"], entry["state"], entry["label"]) for entry in found] == [
        ("example-2", "pending", "{{ 1 }}"),
        ("example-3", "stopped", None),
    ]
    assert "provider_example" in found[0]["groups"]
    assert len(provider.asked) == 1
    assert set(inventory.hosts) == {"example-1"}


def test_two_inventory_files_add_up_what_they_left_out(listing, provider):
    provider.answers["key-of-env"] = [provider.make(1, state="pending")]
    inventory = listing()
    provider.answers["key-of-env"] = [provider.make(2, state="pending")]
    listing(inventory=inventory, name="two.rented.yml")
    assert [entry["name"] for entry in inventory.groups["all"].get_vars()["rented_left_out"]] == ["example-1", "example-2"]


def test_nothing_is_kept_when_nothing_is_left_out(listing, provider):
    provider.answers["key-of-env"] = [provider.make(1)]
    assert "rented_left_out" not in listing().groups["all"].get_vars()
