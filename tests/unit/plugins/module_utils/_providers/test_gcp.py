# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Google Cloud: tokens of the real google-auth, Compute Engine over real HTTP, and rows in every shape against the mapping."""

from __future__ import annotations

import builtins
import copy
import json
import pathlib
import subprocess
import sys
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    MissingLibrary,
    NotFound,
    PartlyCreated,
    ProviderUnavailable,
    RateLimited,
    RentedError,
    Unsupported,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers import gcp
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp import compute, credentials, launching, machines, offers
from ansible_collections.rented.gpu.plugins.module_utils._providers.gcp import GcpProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http, _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import Resource
from ansible_collections.rented.gpu.tests.fakes.gcp import EMAIL, FAMILY, PROJECT, SCOPES, FakeGcp, key_pair, row
from ansible_collections.rented.gpu.tests.unit.plugins.module_utils._time import with_time

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "gcp"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFkYQ== ada@example.org"
STOCKOUT = ("ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources available to fulfill the request.")


def number(count):
    """The id of a made-up row."""
    return str(7000000000000000000 + count)


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A home without credentials, an environment without a word of Google."""
    names = (*credentials.FILE_ENV, *credentials.PROJECT_ENV, *GcpProvider.ENDPOINT_ENV, credentials.KIND_ENV)
    for name in (*names, "CLOUDSDK_CONFIG", "CLOUDSDK_ACTIVE_CONFIG_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def fake():
    with FakeGcp(rows=[row(count) for count in range(1, 8)], page=3) as server:
        yield server
    assert server.violations == []


def provider_of(fake, **options):
    file = options.pop("service_account_file", None) or fake.service_account_file()
    return with_time(GcpProvider(endpoint=fake.url, timeout=options.pop("timeout", 30), service_account_file=file, **options))


@pytest.fixture
def provider(fake):
    return provider_of(fake)


# --- the list ----------------------------------------------------------------------------------------------------------


def test_three_pages_over_all_zones(fake, provider):
    found = provider.list_instances()
    assert {instance.id for instance in found} == {number(count) for count in range(1, 8)}
    assert {instance.region for instance in found} == {"us-central1-a", "us-central1-b", "us-east4-c"}
    assert [query.get("pageToken") for query in fake.calls("list")] == [None, "from-3", "from-6"]
    assert {(query["maxResults"], query["returnPartialSuccess"]) for query in fake.calls("list")} == {("500", "true")}


def test_named_zones_are_asked_one_by_one_and_no_others(fake):
    found = provider_of(fake, zones=["us-central1-a", "asia-east1-a"]).list_instances()
    assert {instance.region for instance in found} == {"us-central1-a"} and len(found) == 2
    assert fake.calls("list") == [] and len(fake.calls("list_zone")) == 2


def test_one_zone_that_fails_fails_the_list(fake):
    fake.fault("list_zone", "500", skip=1)
    with pytest.raises(ProviderUnavailable, match=r"failed to list the instances of zone \S+ \(500"):
        provider_of(fake, zones=["us-central1-a", "us-central1-b", "us-east4-c"]).list_instances()


def test_a_zone_that_does_not_exist_is_named(fake):
    with pytest.raises(RentedError, match=r"list the instances of zone us-central1-z .*Unknown zone"):
        provider_of(fake, zones=["us-central1-z"]).list_instances()


def test_no_instances():
    with FakeGcp() as fake:
        assert provider_of(fake).list_instances() == []
        assert provider_of(fake, zones=["us-central1-a"]).list_instances() == []


@pytest.mark.parametrize("fault", ["unreachable", "zone-warning"])
def test_a_zone_that_did_not_answer_fails_the_list_and_is_named(fake, provider, fault):
    fake.fault("list", fault, skip=1)
    with pytest.raises(ProviderUnavailable, match=r"could not list the instances in asia-east1-a.*not whole.*'zones'"):
        provider.list_instances()


@pytest.mark.parametrize(
    ("fault", "details", "waits"),
    [
        ("403-rate", {}, [1.0, 2.0]),
        ("502", {}, [1.0, 2.0]),
    ],
)
def test_passing_trouble_is_waited_out(fake, provider, fault, details, waits):
    fake.fault("list", fault, times=2, **details)
    assert len(provider.list_instances()) == 7
    assert provider.time.slept == waits


@pytest.mark.parametrize("page", [2, 3])
@pytest.mark.parametrize(("fault", "words"), [("500", r"\(500: Internal error\)"), ("503", r"\(503\)")])
def test_a_page_that_fails_fails_the_list(fake, provider, fault, words, page):
    fake.fault("list", fault, skip=page - 1, times=-1)
    with pytest.raises(ProviderUnavailable, match="failed to list the instances " + words):
        provider.list_instances()


@pytest.mark.parametrize("fault", ["503", "403-rate", "cut"])
def test_a_page_that_fails_once_is_asked_for_again_and_nothing_comes_twice(fake, provider, fault):
    fake.fault("list", fault, skip=1)
    assert sorted(instance.id for instance in provider.list_instances()) == [number(count) for count in range(1, 8)]
    assert [query.get("pageToken") for query in fake.calls("list")] == [None, "from-3", "from-3", "from-6"]


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("list", lambda provider: provider.list_instances()),
        ("machine_types", lambda provider: provider.list_offers(Wish())),
        ("console", lambda provider: provider.console(number(1))),
    ],
)
def test_an_answer_above_the_limit_is_given_up(fake, provider, monkeypatch, operation, act):
    monkeypatch.setattr(compute, "ANSWER_LIMIT", 1024 * 1024)
    fake.fault(operation, "answer", times=-1, status=200, body="[%s]" % (" " * 1024 * 1024))
    with pytest.raises(ProviderUnavailable) as caught:
        act(provider)
    assert str(caught.value) == "Google Cloud at %s answered more than 1 MB; the answer was given up." % fake.url
    assert len(fake.calls(operation)) == 1


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("403-rate", RateLimited, "kept answering 'too many requests'.*List requests per minute"),
        ("502", ProviderUnavailable, "failed to list the instances"),
        ("no-kind", ProviderUnavailable, "answered no list"),
        ("cursor", ProviderUnavailable, "has no end"),
        ("401", AuthenticationError, "refused the credentials of " + EMAIL),
        ("403", AuthenticationError, "does not allow %s to list the instances in project '%s'.*role" % (EMAIL, PROJECT)),
        ("service-off", AuthenticationError, "not enabled for project '%s'.*gcloud services enable compute.googleapis.com" % PROJECT),
        ("billing", AuthenticationError, "no billing account"),
        ("scope", AuthenticationError, "lacks the scope .*compute.readonly"),
        ("stranger", RentedError, "knows no project '%s'.*Check 'project'" % PROJECT),
        ("cut", ProviderUnavailable, "did not answer when asked to list the instances"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, error, words):
    fake.fault("list", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert not any(secret in str(caught.value) for secret in provider.secrets())
    assert len(fake.calls("list")) <= _http.TRIES


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "compute#instanceAggregatedList", "items": []}, "answered no list|no instance"),
        ({"kind": "compute#instanceAggregatedList", "items": {"zones/a": {"instances": ["x"]}}}, "something that is not an instance"),
        (
            {"kind": "compute#instanceAggregatedList", "items": {"zones/a": {"instances": [{"name": "x"}]}}},
            "something that is not an instance",
        ),
        ([], "answered no list"),
    ],
)
def test_what_is_no_list_is_no_empty_list(fake, provider, body, words):
    fake.fault("list", "answer", times=-1, status=200, body=body)
    with pytest.raises(ProviderUnavailable, match=words):
        provider.list_instances()


def test_a_wrong_project_is_a_sentence(fake):
    with pytest.raises(RentedError, match=r"knows no project 'ada-gpu' that %s may see.*not its title" % EMAIL):
        provider_of(fake, project="ada-gpu").list_instances()


def test_a_host_that_does_not_answer():
    with FakeGcp() as fake:
        provider = provider_of(fake)
        provider._tokens.token(SCOPES["read"])
    with pytest.raises(ProviderUnavailable, match="did not answer when asked to list the instances"):
        provider.list_instances()


def test_the_token_does_not_follow_a_redirect_to_another_server(fake, provider):
    with FakeGcp(rows=[row(1)]) as other:
        fake.fault("list", "redirect", times=-1, to=other.url.replace("127.0.0.1", "localhost") + "/projects/ada-gpus/aggregated/instances")
        with pytest.raises(ProviderUnavailable, match=r"redirects to another server \(localhost\).*the key was not sent there"):
            provider.list_instances()
        assert other.requests == [] and other.issued == {}


def test_only_machines_with_gpus_and_what_was_rented_from_here_are_shown():
    rows = [
        row(1, labels={}),
        row(2, machine="e2-small", labels={}),
        row(3, machine="e2-small", labels={"rented-gpu": "true"}),
        row(4, machine="e2-small", labels={"rented-gpu": "false", "env": "web"}),
    ]
    with FakeGcp(rows=rows) as fake:
        assert {instance.id for instance in provider_of(fake).list_instances()} == {number(1), number(3)}
        assert len(provider_of(fake, all_instances=True).list_instances()) == 4


WINDOWS = "https://www.googleapis.com/compute/v1/projects/windows-cloud/global/licenses/windows-server-2022-dc"


def boots(*features, licences=()):
    """The disk of a machine with these features."""
    return [{"boot": True, "diskSizeGb": "50", "guestOsFeatures": [{"type": name} for name in features], "licenses": list(licences)}]


@pytest.mark.parametrize(
    ("disks", "windows"),
    [
        (boots("UEFI_COMPATIBLE", "WINDOWS", licences=[WINDOWS]), True),
        (boots("GVNIC", licences=[WINDOWS]), True),
        (boots("WINDOWS"), True),
        (boots("GVNIC", licences=["projects/ubuntu-os-cloud/global/licenses/ubuntu-2404-lts"]), False),
        ([*boots("GVNIC"), {"boot": False, "guestOsFeatures": [{"type": "WINDOWS"}]}], False),
        ([], False),
    ],
)
def test_windows_is_listed_and_destroyed_but_never_a_host(disks, windows, caplog):
    with FakeGcp(rows=[row(1, disks=disks), row(2, machine="e2-small", labels={}, disks=disks)]) as fake:
        provider = provider_of(fake, ssh_user="grace")
        (found,) = provider.list_instances()
        there = ("203.0.113.2", 22, "grace", "direct")
        assert (found.ssh_host, found.ssh_port, found.ssh_user, found.ssh_via) == ((None,) * 4 if windows else there)
        assert (found.state, found.gpu_model) == ("running", "L4")
        with caplog.at_level("DEBUG", logger="rented.gpu.gcp"):
            assert provider.is_host(found) is not windows
        assert ("%s runs Windows" % number(1) in caplog.text) is windows
        assert Resource(provider, name="box-1", not_mine=found.id).reach("absent").changed


def bare(count, **fields):
    """A row that does not name its GPUs."""
    made = row(count, **fields)
    made.pop("guestAccelerators", None)
    return made


def test_gpus_that_the_instance_does_not_name_are_read_from_its_type_once():
    rows = [bare(count, zone="us-central1-a", machine="g2-standard-24") for count in range(1, 5)] + [bare(5, machine="e2-small")]
    with FakeGcp(rows=rows) as fake:
        provider = provider_of(fake)
        for _time in range(2):
            found = {instance.id: instance for instance in provider.list_instances()}
        assert {(found[number(n)].gpu_model, found[number(n)].gpu_count, found[number(n)].gpu_vram_mb) for n in range(1, 5)} == {
            ("L4", 2, 24576)
        }
        assert (found[number(1)].cpu_cores, found[number(1)].ram_gb) == (24, 96)
        assert found[number(5)].gpu_model is None
        assert len(fake.calls("machine_type")) == 1


@pytest.mark.parametrize("fault", ["403", "404"])
def test_a_type_that_may_not_be_read_does_not_fail_the_list(fault):
    with FakeGcp(rows=[bare(1, zone="us-central1-a"), bare(2, machine="a4-ultragpu-8g")]) as fake:
        fake.fault("machine_type", fault, times=-1)
        found = {instance.id: instance for instance in provider_of(fake).list_instances()}
        assert (found[number(1)].gpu_model, found[number(1)].gpu_count) == ("L4", 1)  # as its name says
        assert (found[number(2)].gpu_model, found[number(2)].gpu_count) == (None, None)  # a name that nobody knows yet


def test_types_that_cannot_be_read_for_another_reason_fail_the_list():
    with FakeGcp(rows=[bare(1)]) as fake:
        fake.fault("machine_type", "500", times=-1)
        with pytest.raises(ProviderUnavailable, match="read the machine type g2-standard-4"):
            provider_of(fake).list_instances()


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: variable_start_string: '<<'", "ärger", "a" * 63])
def test_a_label_comes_through_as_it_is(label):
    with FakeGcp(rows=[row(1, labels={"name": label})]) as fake:
        found = provider_of(fake).list_instances()[0]
        assert (found.label, found.tags) == (label, {"name": label})


def test_equal_names_stay_two_instances():
    with FakeGcp(rows=[row(1, labels={"name": "twin"}), row(2, labels={"name": "twin"})]) as fake:
        assert sorted((one.id, one.label) for one in provider_of(fake).list_instances()) == [(number(1), "twin"), (number(2), "twin")]


def test_no_secret_comes_out(fake, provider):
    provider.keep_raw = True
    found = provider.list_instances()
    assert "SECRET" not in json.dumps([instance.as_dict() for instance in found])
    raw = provider.scrubbed_raw(number(1))
    assert "SECRET" not in json.dumps(raw) and raw["status"] == "RUNNING"
    assert raw["metadata"] == {"items": [{"key": "ssh-keys"}, {"key": "startup-script"}, {"key": "db-password"}]}


# --- what an instance is -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("list_*.json")))
def test_answers_of_the_fixtures(name):
    fixture = json.loads((FIXTURES / (name + ".json")).read_text())
    given = {one["id"]: one for scope in fixture["answer"]["items"].values() for one in scope.get("instances", [])}
    assert len(given) == len(fixture["expected"])
    for expected in fixture["expected"]:
        found = gcp.instance(given[expected["id"]], "gcp").as_dict()
        assert {field: found[field] for field in expected} == expected


def test_only_the_id_is_needed():
    found = gcp.instance({"id": "5"}, "gcp")
    known = {name for name, value in found.as_dict().items() if value not in (None, {})}
    assert known == {"provider", "account", "id", "state", "kind", "trust"} and found.state == "unknown"


def test_null_everywhere():
    assert gcp.instance({name: None for name in row(1)} | {"id": "6"}, "gcp").as_dict() == gcp.instance({"id": "6"}, "gcp").as_dict()


@pytest.mark.parametrize(
    "value", ["", "nonsense", -1, 1e400, [], [1], [{}], [None], {}, {"items": [None, {}]}, {"seconds": 1e300}, True], ids=repr
)
def test_nonsense_in_one_field_never_raises(value):
    for name in set(row(1)) - {"id"}:
        assert gcp.instance({**row(1), name: value}, "gcp").id == number(1)
        assert isinstance(machines.is_ours({**row(1), name: value}), bool)
        machines.without_values({**row(1), name: value})


def test_an_unknown_state_is_told_to_the_log(caplog):
    with caplog.at_level("DEBUG", logger="rented.gpu.gcp"):
        assert gcp.instance(row(1, status="HIBERNATING"), "gcp").state == "unknown"
    assert "HIBERNATING" in caplog.text


@pytest.mark.parametrize(
    ("accelerator", "model", "vram"),
    [
        ("nvidia-tesla-t4", "T4", 16),
        ("nvidia-tesla-t4-vws", "T4", 16),
        ("nvidia-tesla-k80", "K80", 12),
        ("nvidia-tesla-p100-vws", "P100", 16),
        ("nvidia-tesla-v100", "V100", 16),
        ("nvidia-l4", "L4", 24),
        ("nvidia-tesla-a100", "A100", 40),
        ("nvidia-a100-80gb", "A100", 80),
        ("nvidia-h100-80gb", "H100", 80),
        ("nvidia-h100-mega-80gb", "H100", 80),
        ("nvidia-h200-141gb", "H200", 141),
        ("nvidia-b200", "B200", 180),
        ("nvidia-rtx-pro-6000", "RTX PRO 6000", 96),
    ],
)
def test_gpus_by_googles_names(accelerator, model, vram):
    name = machines.gpu_name(accelerator)
    assert (name.model, name.vram_mb) == (model, vram * 1024)


@pytest.mark.parametrize(
    ("name", "cores", "ram"),
    [
        ("n1-standard-16", 16, 60.0),
        ("n1-highmem-8", 8, 52.0),
        ("custom-4-5120", 4, 5.0),
        ("n2-custom-8-16384-ext", 8, 16.0),
        ("g4-standard-96", 96, 360),
        ("e2-small", None, None),
        (None, None, None),
    ],
)
def test_cores_and_memory_by_the_name_of_the_type(name, cores, ram):
    assert machines.cpus_and_ram(name) == (cores, ram)


@pytest.mark.parametrize(
    ("changes", "option", "user"),
    [
        ({}, None, "ada"),
        ({}, "grace", "grace"),
        ({"metadata": {"items": []}, "labels": {"ssh-user": "hal"}}, None, "hal"),
        ({"metadata": {"items": [{"key": "ssh-keys", "value": "\n  \n:nobody\n"}]}}, None, None),
        ({"metadata": {}}, None, None),
    ],
)
def test_who_logs_in(changes, option, user):
    assert gcp.instance(row(1, **changes), "gcp", ssh_user=option).ssh_user == user


# --- credentials -------------------------------------------------------------------------------------------------------


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


USER = {"type": "authorized_user", "client_id": "x.apps", "client_secret": "SECRET-client-0123", "refresh_token": "SECRET-refresh-0123"}


def test_reading_asks_for_no_more_than_reading_and_a_token_is_kept(fake, provider):
    provider.list_instances()
    provider.list_instances()
    assert len(fake.token_requests) == 1 and list(fake.issued.values()) == [[SCOPES["read"]]]
    provider.stop(number(1))
    assert [SCOPES["write"]] in fake.issued.values() and len(fake.issued) == 2
    assert set(fake.issued) <= set(provider.secrets())


def test_a_token_that_has_ended_is_replaced(fake, provider):
    provider.list_instances()
    fake.wall = lambda: time.time() + 1  # another JWT is another token
    for held in provider._tokens._credentials.values():
        held.expiry = held.expiry.replace(year=2020)
    fake.issued.clear()
    assert len(provider.list_instances()) == 7 and len(fake.token_requests) == 2


@pytest.mark.parametrize("skew", [-4000, 4000])
def test_a_clock_that_is_wrong_is_named(fake, provider, skew):
    fake.wall = lambda: time.time() + skew
    with pytest.raises(AuthenticationError, match=r"gave no token for .*short-lived token.*clock of this computer") as caught:
        provider.list_instances()
    assert fake.requests == [] and "PRIVATE KEY" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (
            400,
            {"error": "invalid_grant", "error_description": "Account disabled"},
            AuthenticationError,
            "Account disabled.*clock .*disabled nor deleted",
        ),
        (400, {"error": "invalid_scope", "error_description": "Bad Request"}, AuthenticationError, "without the scope"),
        (200, {"token_type": "Bearer"}, AuthenticationError, "gave no token"),
        (403, "<html>no</html>", AuthenticationError, "gave no token"),
    ],
)
def test_refused_tokens(fake, provider, status, body, error, words):
    fake.token_faults = [(status, body)]
    with pytest.raises(error, match=words):
        provider.list_instances()
    assert fake.requests == []


def test_a_login_of_a_person_that_has_ended_is_named():
    # google-auth asks Google itself for a person's token, whatever the file says; so only its refusal is made here.
    from google.auth.exceptions import RefreshError

    tokens = credentials.Tokens(USER, "adc.json", 5)
    words = tokens._refused(RefreshError("invalid_grant: Token %s has been expired or revoked." % USER["refresh_token"]))
    assert "run 'gcloud auth application-default login' again" in words and "SECRET" not in words and "adc.json" in words
    tokens = credentials.Tokens({"type": "impersonated_service_account", "source_credentials": USER}, "adc.json", 5)
    assert "Service Account Token Creator" in tokens._refused(RefreshError("Unable to acquire impersonated credentials", "{}"))


def test_a_token_server_that_repeats_the_key_does_not_get_it_into_the_message(fake, provider):
    line = key_pair()[0].split("\n")[3]
    fake.token_faults = [(400, {"error": "invalid_grant", "error_description": "cannot read " + line})]
    with pytest.raises(AuthenticationError) as caught:
        provider.list_instances()
    assert line not in str(caught.value) and "***" in str(caught.value)


def test_an_answer_of_the_token_server_above_the_limit_is_given_up(fake, provider, monkeypatch):
    monkeypatch.setattr(credentials.Tokens, "answer_limit", 1024 * 1024)
    fake.token_faults = [(200, {"access_token": "SECRET-" + "x" * 1024 * 1024, "expires_in": 3599, "token_type": "Bearer"})]
    with pytest.raises(ProviderUnavailable) as caught:
        provider.list_instances()
    assert str(caught.value) == "Google Cloud's token server answered more than 1 MB; the answer was given up."
    assert fake.requests == [] and len(provider.list_instances()) == 7


def test_another_accounts_key_is_refused(fake):
    file = fake.service_account_file(client_email="grace@ada-gpus.iam.gserviceaccount.com")
    with pytest.raises(AuthenticationError, match="account not found"):
        provider_of(fake, service_account_file=file).list_instances()


def test_a_token_server_that_is_not_there(fake):
    with FakeGcp() as gone:
        file = fake.service_account_file(token_uri=gone.origin + "/token")
    with pytest.raises(ProviderUnavailable, match="token server did not answer"):
        provider_of(fake, service_account_file=file).list_instances()


def test_a_key_that_is_none(fake):
    file = fake.service_account_file(private_key="-----BEGIN PRIVATE KEY-----\nSECRETSECRETSECRET\n-----END PRIVATE KEY-----\n")
    with pytest.raises(AuthenticationError, match="is not usable") as caught:
        provider_of(fake, service_account_file=file).list_instances()
    assert "SECRETSECRET" not in str(caught.value)


def test_without_the_package_the_message_says_how_to_install_it(fake, provider, monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.split(".")[0] == "google":
            raise ModuleNotFoundError("No module named 'google'")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        MissingLibrary, match=r"'google-auth' and 'requests' .*Install them with: .*python\S* -m pip install --upgrade google-auth requests"
    ):
        provider.list_instances()


def test_looking_for_an_account_needs_no_google_auth(tmp_path):
    code = (
        "import sys; sys.path.insert(0, %r)\n"
        "from ansible_collections.rented.gpu.plugins.module_utils._providers.gcp import GcpProvider\n"
        "assert GcpProvider.available() and GcpProvider().identity()\n"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('google', 'requests')], 'imported'\n"
    ) % str(pathlib.Path(_http.__file__).absolute().parents[6])  # the folder that holds ansible_collections
    env = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "a.json", {**USER, "quota_project_id": "ada"}),
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_credentials_list_where_it_looked(nowhere):
    assert not GcpProvider.available()
    with pytest.raises(MissingCredentials, match=r"Looked at service_account_file, \$GOOGLE_APPLICATION_CREDENTIALS, .*gcloud auth"):
        GcpProvider(project="ada")


def test_an_api_key_is_refused(nowhere):
    with pytest.raises(RentedError, match="takes no api_key: it looks at service_account_file"):
        GcpProvider(api_key="x", project="ada")


@pytest.mark.parametrize("place", ["option", "GOOGLE_APPLICATION_CREDENTIALS", "GCP_SERVICE_ACCOUNT_FILE", "CLOUDSDK_CONFIG", "home"])
def test_places_of_credentials(nowhere, monkeypatch, place):
    account = {"type": "service_account", "project_id": "from-file", "client_email": "a@b.example", "private_key": "SECRET-line-0123456789"}
    options = {}
    if place == "option":
        options["service_account_file"] = write(nowhere / "a.json", account)
    elif place == "CLOUDSDK_CONFIG":
        write(nowhere / "sdk" / credentials.ADC_NAME, account)
        monkeypatch.setenv(place, str(nowhere / "sdk"))
    elif place == "home":
        write(nowhere / ".config" / "gcloud" / credentials.ADC_NAME, account)
    else:
        monkeypatch.setenv(place, write(nowhere / "a.json", account))
    assert GcpProvider.available() is (place != "option")
    found = GcpProvider(**options)
    assert found.project == "from-file" and "SECRET-line-0123456789" in found.secrets()


def test_which_file_counts_when_there_are_several(nowhere, monkeypatch):
    files = {name: write(nowhere / name, {**USER, "quota_project_id": name.lower().replace("_", "-")}) for name in credentials.FILE_ENV}
    for name, path in files.items():
        monkeypatch.setenv(name, path)
    assert GcpProvider().project == "google-application-credentials"
    monkeypatch.setenv("GCP_AUTH_KIND", "serviceaccount")
    assert GcpProvider().project == "gcp-service-account-file"
    monkeypatch.setenv("GCP_AUTH_KIND", "application")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    assert not GcpProvider.available()


@pytest.mark.parametrize(
    ("kind", "words"), [("machineaccount", "Only 'serviceaccount' and 'application'"), ("aplication", "Did you mean 'application'")]
)
def test_other_kinds_of_credentials_are_refused(nowhere, monkeypatch, kind, words):
    monkeypatch.setenv("GCP_AUTH_KIND", kind)
    with pytest.raises(MissingCredentials, match=r"\$GCP_AUTH_KIND is '%s'.*%s" % (kind, words)):
        GcpProvider(project="ada")


def test_a_named_file_that_does_not_exist_is_not_replaced_by_another_account(nowhere, monkeypatch):
    write(nowhere / ".config" / "gcloud" / credentials.ADC_NAME, {**USER, "quota_project_id": "other"})
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(nowhere / "typo.json"))
    with pytest.raises(MissingCredentials, match=r"typo.json of Google Cloud cannot be read: No such file"):
        GcpProvider.available()


@pytest.mark.parametrize("content", ["SECRET-not-json", "[]", "{}", '{"type": 5}'])
def test_a_file_that_is_something_else(nowhere, content):
    with pytest.raises(MissingCredentials, match="is not a credentials file of Google Cloud") as caught:
        GcpProvider(project="ada", service_account_file=write(nowhere / "a.json", content))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "env", "info", "project"),
    [
        ("given", {"GOOGLE_CLOUD_PROJECT": "env"}, {"project_id": "file"}, "given"),
        (None, {"GOOGLE_CLOUD_PROJECT": "env"}, {"project_id": "file"}, "env"),
        (None, {"GCLOUD_PROJECT": "second"}, {}, "second"),
        (None, {"CLOUDSDK_CORE_PROJECT": "third"}, {}, "third"),
        (None, {"GCP_PROJECT": "fourth"}, {}, "fourth"),
        (None, {}, {"project_id": "file", "quota_project_id": "quota"}, "file"),
        (None, {}, {"quota_project_id": "quota"}, "quota"),
        (None, {}, {"source_credentials": {"quota_project_id": "source"}}, "source"),
        (None, {}, {}, "configured"),
        (None, {"CLOUDSDK_ACTIVE_CONFIG_NAME": "work"}, {}, "at-work"),
    ],
)
def test_the_project(nowhere, monkeypatch, option, env, info, project):
    folder = nowhere / ".config" / "gcloud"
    write(folder / "active_config", "default\n")
    write(folder / "configurations" / "config_default", "[core]\nproject = configured\naccount = ada@example.org\n")
    write(folder / "configurations" / "config_work", "[core]\nproject = at-work\n")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(nowhere / "a.json", {**USER, **info}))
    assert GcpProvider(project=option).project == project
    assert GcpProvider.available()


def test_no_project(nowhere, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(nowhere / "a.json", USER))
    assert not GcpProvider.available()
    with pytest.raises(MissingCredentials, match=r"No project for Google Cloud: set 'project', or one of \$GOOGLE_CLOUD_PROJECT"):
        GcpProvider()


@pytest.mark.parametrize("text", ["", "\x00\n", "no section\n", "[core]\nproject"])
def test_a_broken_configuration_of_gcloud_is_none(nowhere, text):
    write(nowhere / ".config" / "gcloud" / "active_config", "../default" if text == "" else "default")
    write(nowhere / ".config" / "gcloud" / "configurations" / "config_default", text)
    assert credentials.gcloud_project() is None


def test_identity_and_secrets(nowhere, fake):
    one, same = provider_of(fake), provider_of(fake)
    assert one.identity() == same.identity() and one.same_account(same)
    other_key = provider_of(fake, service_account_file=fake.service_account_file(private_key_id="another"))
    other_project = provider_of(fake, project="ada-web")
    assert len({one.identity(), other_key.identity(), other_project.identity(), provider_of(fake, all_instances=True).identity()}) == 4
    assert one.same_account(other_key) and not one.same_account(other_project)  # one project is one account
    west, east = provider_of(fake, zones=["us-west1-a"]), provider_of(fake, zones=["us-east4-c"])
    assert not west.same_account(east) and west.same_account(one)
    lines = [line for line in key_pair()[0].split("\n") if len(line) == 64]
    assert len(lines) > 20 and set(lines) <= set(one.secrets()) and key_pair()[0] in one.secrets()
    source = {"type": "impersonated_service_account", "source_credentials": USER, "quota_project_id": "ada"}
    provider = GcpProvider(service_account_file=write(nowhere / "i.json", source))
    assert {"SECRET-client-0123", "SECRET-refresh-0123"} <= set(provider.secrets())


def test_the_endpoint_as_gcloud_knows_it(nowhere, monkeypatch):
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE", "http://127.0.0.1:9/compute/v1/")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(nowhere / "a.json", {**USER, "quota_project_id": "ada"}))
    assert GcpProvider().endpoint == "http://127.0.0.1:9/compute/v1"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"project": "Ada's GPUs"}, "not an id of a project"),
        ({"project": " "}, "'project' of an account .* is a text"),
        ({"zones": "us-central1-a"}, "'zones' .* is a list"),
        ({"zones": ["us-central1"]}, "'zones' .* is a list of zones, such as"),
        ({"all_instances": "yes"}, "'all_instances' .* is true or false"),
        ({"ssh_user": "Ada L."}, "not a name of a user"),
        ({"service_account_file": 5}, "'service_account_file' .* is a text"),
    ],
)
def test_options_of_an_account_that_cannot_be_meant(fake, options, words):
    with pytest.raises(RentedError, match=words):
        GcpProvider(**{"service_account_file": fake.service_account_file(), **options})


# --- renting -----------------------------------------------------------------------------------------------------------


def rent(provider, **fields):
    return provider.launch(LaunchRequest(**{"name": "hw", "gpu": "L4", **fields}))


def test_what_is_sent_to_rent(fake, provider):
    found = rent(provider, disk_gb=120.5, region="europe-west4", ssh_public_key=KEY, startup_script="echo hello")
    body = fake.calls("create")[0]
    assert body["name"] == "hw" and body["machineType"] == "zones/europe-west4-a/machineTypes/g2-standard-4"
    assert body["labels"] == {"rented-gpu": "true", "name": "hw"} and body["tags"] == {"items": ["rented-gpu"]}
    assert body["disks"] == [
        {
            "boot": True,
            "autoDelete": True,
            "initializeParams": {
                "sourceImage": "projects/deeplearning-platform-release/global/images/family/" + FAMILY,
                "diskSizeGb": "121",
                "diskType": "zones/europe-west4-a/diskTypes/pd-balanced",
            },
        }
    ]
    assert body["scheduling"] == {"onHostMaintenance": "TERMINATE", "automaticRestart": True, "provisioningModel": "STANDARD"}
    metadata = {item["key"]: item["value"] for item in body["metadata"]["items"]}
    assert metadata["ssh-keys"] == "ubuntu:" + KEY
    assert (metadata["install-nvidia-driver"], metadata["enable-oslogin"]) == ("True", "FALSE")
    assert "echo hello" in metadata["startup-script"]
    assert "guestAccelerators" not in body and "serviceAccounts" not in body
    listed = provider.get_instance(found)
    assert (listed.label, listed.ssh_user, listed.region, listed.disk_gb) == ("hw", "ubuntu", "europe-west4-a", 121)


def test_spot_and_an_end(fake, provider):
    found = rent(provider, interruptible=True, options={"max_run_hours": 1.5, "termination_action": "DELETE"})
    assert fake.calls("create")[0]["scheduling"] == {
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "provisioningModel": "SPOT",
        "instanceTerminationAction": "DELETE",
        "maxRunDuration": {"seconds": "5400"},
    }
    listed = provider.get_instance(found)
    assert listed.interruptible is True and listed.ends_at == "2026-11-20T18:30:09Z"


def test_older_gpus_are_attached_to_an_n1_machine(fake, provider):
    found = rent(provider, gpu="Tesla T4", gpu_count=2, region="us-central1-b", options={"machine_type": "n1-standard-8"})
    body = fake.calls("create")[0]
    assert body["guestAccelerators"] == [{"acceleratorType": "zones/us-central1-b/acceleratorTypes/nvidia-tesla-t4", "acceleratorCount": 2}]
    listed = provider.get_instance(found)
    assert (listed.gpu_model, listed.gpu_count, listed.cpu_cores) == ("T4", 2, 8)


@pytest.mark.parametrize(
    ("request_", "machine", "accelerator"),
    [
        ({"gpu": "A100"}, "a2-highgpu-1g", None),
        ({"gpu": "A100 80GB"}, "a2-ultragpu-1g", None),
        ({"gpu": "NVIDIA A100-SXM4-80GB", "gpu_count": 4}, "a2-ultragpu-4g", None),
        ({"gpu": "A100", "gpu_count": 16}, "a2-megagpu-16g", None),
        ({"gpu": "H100", "gpu_count": 8}, "a3-highgpu-8g", None),
        ({"gpu": "nvidia-h100-mega-80gb", "gpu_count": 8}, "a3-megagpu-8g", None),
        ({"gpu": "H200", "gpu_count": 8}, "a3-ultragpu-8g", None),
        ({"gpu": "B200", "gpu_count": 8}, "a4-highgpu-8g", None),
        ({"gpu": "RTX PRO 6000"}, "g4-standard-48", None),
        ({"gpu": "L4", "gpu_count": 2}, "g2-standard-24", None),
        ({"gpu": "V100", "gpu_count": 8}, "n1-standard-64", "nvidia-tesla-v100"),
        ({"gpu": "P100"}, "n1-standard-8", "nvidia-tesla-p100"),
        ({"options": {"machine_type": "g2-standard-48"}}, "g2-standard-48", None),
        ({"gpu": "T4", "options": {"machine_type": "custom-6-23040"}}, "custom-6-23040", "nvidia-tesla-t4"),
        ({"options": {"machine_type": "a4-ultragpu-8g"}}, "a4-ultragpu-8g", None),
        ({"gpu": "B300", "gpu_count": 8, "options": {"machine_type": "a4-ultragpu-8g"}}, "a4-ultragpu-8g", None),
    ],
)
def test_which_machine_carries_the_gpus(request_, machine, accelerator):
    request = LaunchRequest(name="x", **request_)
    found = launching.choose(request, launching.check(request, "ubuntu"))
    assert found.name == machine and (found.accelerator if found.attached else None) == accelerator


def test_further_options_are_sent(fake, provider):
    rent(
        provider,
        image="ubuntu-os-cloud/ubuntu-2404-lts-amd64",
        options={
            "boot_disk_type": "pd-ssd",
            "external_ip": False,
            "labels": {"team": "ml"},
            "subnetwork": "gpus",
            "network_tags": ["web", "rented-gpu"],
            "service_account": "worker@ada-gpus.iam.gserviceaccount.com",
        },
    )
    body = fake.calls("create")[0]
    assert body["networkInterfaces"] == [{"subnetwork": "regions/us-central1/subnetworks/gpus"}]
    assert body["labels"] == {"team": "ml", "rented-gpu": "true", "name": "hw"} and body["tags"]["items"] == ["rented-gpu", "web"]
    assert body["serviceAccounts"][0]["email"] == "worker@ada-gpus.iam.gserviceaccount.com"
    assert body["disks"][0]["initializeParams"]["diskType"].endswith("/pd-ssd")
    assert "metadata" in body and body["metadata"]["items"] == []  # the driver is not installed by images of others


def test_the_next_zone_is_tried_when_one_is_full(fake, provider):
    fake.fails("create", *STOCKOUT, zone="us-central1-a")
    found = rent(provider)
    assert provider.get_instance(found).region == "us-central1-b"
    assert [body["machineType"].split("/")[1] for body in fake.calls("create")] == ["us-central1-a", "us-central1-b"]
    assert len(fake.rows) == 8


def test_when_all_zones_are_full_each_is_named(fake, provider):
    fake.fails("create", *STOCKOUT, times=-1)
    with pytest.raises(
        NotFound, match=r"No g2-standard-4 is free .* in us-central1-a, us-central1-b, us-east4-c, europe-west4-a. Try again later"
    ):
        rent(provider)
    assert len(fake.rows) == 7


def test_no_more_than_a_dozen_zones_are_tried(fake, provider, monkeypatch):
    monkeypatch.setattr(gcp, "MOST_ZONES", 2)
    fake.fails("create", *STOCKOUT, times=-1)
    with pytest.raises(NotFound, match="in us-central1-a, us-central1-b"):
        rent(provider)
    assert len(fake.calls("create")) == 2


def test_a_quota_of_a_region_is_not_tried_again_there(fake, provider):
    fake.fails("create", "QUOTA_EXCEEDED", "Quota 'NVIDIA_L4_GPUS' exceeded. Limit: 0.0 in region us-central1.", zone="us-central1-a")
    found = rent(provider)
    assert provider.get_instance(found).region == "us-east4-c" and len(fake.calls("create")) == 2


def test_a_quota_everywhere_ends_it_at_once(fake, provider):
    fake.fails("create", "QUOTA_EXCEEDED", "Quota 'GPUS_ALL_REGIONS' exceeded. Limit: 0.0 globally.")
    with pytest.raises(
        RentedError, match=r"quota .* does not allow to rent g2-standard-4 in zone us-central1-a .*GPUS_ALL_REGIONS.*Quotas"
    ):
        rent(provider)
    assert len(fake.calls("create")) == 1


def test_a_quota_that_is_said_at_once(fake, provider):
    fake.fault("create", "quota", times=-1)
    with pytest.raises(RentedError, match=r"quota .*NVIDIA_L4_GPUS.*Quotas.*The same holds for"):
        rent(provider)
    assert len(fake.calls("create")) == 3  # once for each region


@pytest.mark.parametrize("fault", ["cut", "503", "500", "html"])
def test_a_request_that_rents_is_sent_once(fake, provider, fault):
    fake.fault("create", fault)
    with pytest.raises(ProviderUnavailable):
        rent(provider)
    assert len(fake.calls("create")) == 1


def test_an_answer_that_was_lost_is_found_by_the_list(fake, provider):
    fake.fault("create", "answer", status=200, body="", done=True)
    resource = Resource(provider, name="hw", request=LaunchRequest(name="hw", gpu="L4"), clock=provider.clock, sleep=provider.sleep)
    outcome = resource.reach("present")
    assert outcome.changed and "It was rented nevertheless" in outcome.warnings[0] and len(fake.calls("create")) == 1


def test_waiting_is_begun_again_and_says_when_the_end_is_not_seen(fake, provider):
    fake.waits = 2
    fake.fault("wait", "cut", times=2)
    assert rent(provider)
    assert provider.time.slept == [1.0, 2.0, 1.0, 2.0]
    fake.fault("wait", "503", times=-1)
    with pytest.raises(ProviderUnavailable, match="Whether rent g2-standard-4 in zone us-central1-a was done is not known"):
        rent(provider, name="hw2")


def test_an_operation_that_never_ends_is_given_up(fake, provider):
    fake.waits = 10**6
    with pytest.raises(ProviderUnavailable, match=r"has not finished to rent .* after 900 s"):
        rent(provider)


def test_what_a_failed_request_created_is_destroyed(fake, provider):
    fake.fails("create", "INTERNAL_ERROR", "Something broke.", leaves=True)
    with pytest.raises(PartlyCreated, match=r"Something broke. What this had created was destroyed again: 7100000000000000001.") as caught:
        rent(provider)
    assert caught.value.instance_id == "7100000000000000001" and len(fake.rows) == 7


def test_what_cannot_be_destroyed_again_is_named(fake, provider):
    fake.fails("create", *STOCKOUT, leaves=True)
    fake.fault("destroy", "500", times=-1)
    with pytest.raises(PartlyCreated, match=r"could not be destroyed and may be billed: 7100000000000000001 .*Destroy it now"):
        rent(provider)
    assert len(fake.rows) == 8


def test_what_a_full_zone_left_is_destroyed_and_the_next_tried(fake, provider):
    fake.fails("create", *STOCKOUT, zone="us-central1-a", leaves=True)
    assert provider.get_instance(rent(provider)).region == "us-central1-b"
    assert len(fake.rows) == 8


def test_a_name_that_another_machine_has(fake, provider):
    fake.rows[number(9)] = row(9, name="hw", zone="us-central1-a", machine="e2-small", labels={})
    with pytest.raises(RentedError, match=r"has an instance 'hw' in zone us-central1-a already.*Choose another name"):
        rent(provider)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("hw", "hw"),
        ("my-box-2", "my-box-2"),
        ("my_box", "my-box-7a0ab45c"),
        ("2nd", "gpu-2nd-c21365c7"),
        ("x" * 63, "x" * 63),
        ("_" + "x" * 62, "x" * 54 + "-31c635ee"),
        ("_", "gpu-d2e2adf7"),
        ("a-", "a-9baf4407"),
    ],
)
def test_names_of_their_own(label, name):
    found = launching.resource_name(label)
    assert launching.re.fullmatch(launching.RFC1035, found) and found == name
    assert launching.resource_name(label) == found


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"options": {"machinetype": "x"}}, RentedError, "Did you mean 'machine_type'"),
        (
            {"max_price_per_hour": 1.0},
            Unsupported,
            "limit of the price cannot be kept.*no prices.*gpus-pricing.*leave 'max_price_per_hour' out",
        ),
        ({"bid_per_hour": 1.0, "interruptible": True}, Unsupported, "takes no bids, but says itself.* Leave 'bid_per_hour' out"),
        ({"name": "My Homework"}, RentedError, "keeps a name as a label.*'my-homework' would be"),
        ({"name": "x" * 64}, RentedError, "keeps a name as a label"),
        ({"region": "US Central"}, RentedError, "not a region or zone"),
        ({"disk_gb": 70000}, RentedError, "disk_gb is 70000; a boot disk"),
        ({"gpu": "RTX 4090"}, Unsupported, "has no GPU 'RTX 4090'"),
        ({"gpu": "H100 PCIe"}, Unsupported, "has no GPU 'H100 PCIe'"),
        ({"gpu": "H200"}, Unsupported, "rents H200 in these numbers: 8"),
        ({"gpu": "L4", "gpu_count": 3}, Unsupported, "rents L4 in these numbers: 1, 2, 4, 8"),
        ({"gpu": "L4", "gpu_count": 0}, RentedError, "gpu_count is 0"),
        ({"gpu": None}, RentedError, "Name the GPU to rent"),
        ({"gpu": "A100", "options": {"machine_type": "g2-standard-4"}}, RentedError, "'g2-standard-4' has L4, not A100"),
        ({"gpu_count": 2, "options": {"machine_type": "g2-standard-4"}}, RentedError, "has 1 GPUs, not 2"),
        ({"gpu": None, "options": {"machine_type": "n1-standard-8"}}, RentedError, "has no GPU of its own"),
        ({"gpu": "T4", "gpu_count": 3, "options": {"machine_type": "n1-standard-8"}}, Unsupported, "attaches T4 in these numbers: 1, 2, 4"),
        ({"options": {"machine_type": "e2-small"}}, RentedError, "'e2-small' of Google Cloud has no GPU"),
        ({"options": {"labels": {"Team": "ml"}}}, RentedError, "label 'Team: ml' cannot be given"),
        ({"options": {"labels": {"name": "x"}}}, RentedError, "are taken"),
        ({"options": {"labels": "x"}}, RentedError, "'labels' of Google Cloud is a mapping"),
        ({"options": {"network_tags": "web"}}, RentedError, "'network_tags' of Google Cloud is a list"),
        ({"options": {"external_ip": "no"}}, RentedError, "'external_ip' of Google Cloud is true or false"),
        ({"options": {"max_run_hours": -1}}, RentedError, "'max_run_hours' of Google Cloud is a number of hours"),
        ({"options": {"termination_action": "STOPP"}}, RentedError, "Did you mean 'STOP'"),
        ({"options": {"boot_disk_type": "pd-balnced"}}, RentedError, "Did you mean 'pd-balanced'"),
        ({"options": {"network": "a", "subnetwork": "b"}}, RentedError, "not both"),
        ({"image": "no such thing!"}, RentedError, "is not an image of Google Cloud"),
        ({"startup_script": "x" * 262144}, RentedError, "startup script has 262144 bytes; Google Cloud takes up to 26"),
        ({"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"}, RentedError, "must be one public key"),
    ],
)
def test_an_impossible_launch_makes_no_request(fake, provider, fields, error, words):
    with pytest.raises(error, match=words) as caught:
        rent(provider, **fields)
    assert fake.requests == [] and fake.token_requests == [] and "AAAA" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"region": "mars-north1"}, "has no g2-standard-4 in mars-north1. It is in: europe-west4, us-central1, us-east4"),
        ({"gpu": "V100", "region": "us-central1-a"}, "has no nvidia-tesla-v100 in us-central1-a. It is in: asia-east1, us-central1"),
        ({"gpu": "P4"}, "has no nvidia-tesla-p4"),
        ({"image": "common-cu999"}, "read the image common-cu999.*gcloud compute images list"),
        ({"disk_gb": 20}, "disk_gb is 20, but the image %s needs 50 GB" % FAMILY),
    ],
)
def test_what_google_does_not_have_rents_nothing(fake, provider, fields, words):
    with pytest.raises(RentedError, match=words):
        rent(provider, **fields)
    assert fake.calls("create") == []


def test_the_zones_of_the_account_hold_for_renting_too(fake):
    provider = provider_of(fake, zones=["us-east4-c"])
    assert provider.get_instance(rent(provider)).region == "us-east4-c"
    with pytest.raises(RentedError, match=r"has no g2-standard-4 in us-central1. It is in: us-east4"):
        rent(provider, region="us-central1")


def test_a_zone_that_does_not_answer_is_passed_over_when_renting(fake, provider):
    zones = {"zones/us-east4-c": {"machineTypes": [{"name": "g2-standard-4", "zone": "us-east4-c"}]}}
    answer = {"kind": "compute#machineTypeAggregatedList", "items": zones, "unreachables": ["zones/asia-east1-a"]}
    fake.fault("machine_types", "answer", status=200, body=answer)
    assert provider.get_instance(rent(provider)).region == "us-east4-c"


def test_a_type_that_is_no_longer_sold_is_passed_over():
    rows = [
        {
            "name": "g2-standard-4",
            "zone": "us-east4-c",
            "deprecated": {"state": "OBSOLETE"},
            "accelerators": [{"guestAcceleratorType": "nvidia-l4"}],
        }
    ]
    assert offers.is_gone(rows[0]) and offers.fixed_machines(rows) == []


def test_the_startup_script_runs_at_the_first_boot_only(tmp_path):
    script = launching.once(
        "#!/bin/bash\necho \"run as $0 $(umask)\" >>%s/log; cat <<'EOF' >>%s/log\n$HOME `id` \\\nEOF\n" % (tmp_path, tmp_path)
    )
    path = tmp_path / "startup"
    path.write_text(script.replace("/var/lib/rented_gpu", "%s/state" % tmp_path))
    path.chmod(0o755)
    for _boot in range(2):
        subprocess.run([str(path)], check=True)
    assert (tmp_path / "log").read_text().count("run as") == 1
    assert "$HOME `id` \\" in (tmp_path / "log").read_text()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_script_without_a_first_line_runs_too(tmp_path):
    path = tmp_path / "startup"
    path.write_text(launching.once("echo plain >%s/log" % tmp_path).replace("/var/lib/rented_gpu", "%s/state" % tmp_path))
    subprocess.run(["/bin/sh", str(path)], check=True)
    assert (tmp_path / "log").read_text() == "plain\n"


# --- the rest of a life ------------------------------------------------------------------------------------------------


def test_a_life(fake, provider):
    one = number(3)
    provider.stop(one)
    assert provider.get_instance(one).state == "stopped"
    provider.start(one)
    assert provider.get_instance(one).state == "running"
    provider.set_label(one, "renamed")
    assert provider.get_instance(one).label == "renamed"
    assert provider.get_instance(one).tags["rented-gpu"] == "true"
    assert provider.console(one).startswith("Debian")
    provider.destroy(one)
    assert provider.get_instance(one) is None
    provider.destroy(one)  # gone already is as good


def test_an_instance_is_found_without_a_list_before(fake, provider):
    provider.stop(number(2))
    assert fake.rows[number(2)]["status"] == "STOPPING"


def test_lifecycle_through_the_resource():
    with FakeGcp(boot_lists=2, gone_lists=1, waits=1) as fake:
        provider = provider_of(fake)

        def reach(state, **fields):
            request = LaunchRequest(name="hw", gpu="L4", ssh_public_key=KEY, **fields)
            return Resource(provider, name="hw", request=request, clock=provider.clock, sleep=provider.sleep).reach(state)

        first = reach("present")
        assert first.changed and first.instance.state == "running" and first.instance.ssh_user == "ubuntu" and first.warnings == []
        again = reach("present")
        assert not again.changed and again.instance.id == first.instance.id and len(fake.calls("create")) == 1
        assert reach("stopped").instance.state == "stopped"
        assert reach("started").instance.state == "running"
        assert not reach("started").changed
        assert reach("absent").changed and fake.rows == {}
        assert not reach("absent").changed
        assert fake.violations == []


def test_a_start_for_which_nothing_is_free_says_so(fake, provider):
    provider.stop(number(1))
    provider.list_instances()
    fake.fails("start", *STOCKOUT)
    with pytest.raises(RentedError, match="could not start instance %s: The zone does not have enough resources" % number(1)):
        provider.start(number(1))


def test_a_suspended_one_is_resumed(fake, provider):
    fake.rows[number(1)]["status"] = "SUSPENDED"
    provider.start(number(1))
    assert fake.calls("resume") == [None] and fake.calls("start") == []


def test_local_disks_are_not_thrown_away_by_a_stop(fake, provider):
    fake.rows[number(1)]["disks"].append({"type": "SCRATCH", "interface": "NVME", "boot": False})
    with pytest.raises(RentedError, match=r"local SSDs would be lost.*gcloud compute instances stop box-1 --zone us-central1-b"):
        provider.stop(number(1))
    assert fake.rows[number(1)]["status"] == "RUNNING"


def test_a_label_that_another_client_changed_meanwhile_is_read_again_once(fake, provider):
    fake.fault(
        "set_labels",
        "answer",
        status=412,
        body={"error": {"code": 412, "message": "fingerprint", "errors": [{"reason": "conditionNotMet"}]}},
    )
    provider.set_label(number(1), "second")
    assert fake.rows[number(1)]["labels"]["name"] == "second" and len(fake.calls("get")) == 2
    fake.fault("set_labels", "answer", times=-1, status=412, body={"error": {"code": 412, "message": "fingerprint"}})
    with pytest.raises(compute.Conflict, match="Another client changed the same thing"):
        provider.set_label(number(1), "third")
    assert len(fake.calls("set_labels")) == 4


def test_a_key_is_attached_and_the_rest_of_the_metadata_stays(fake, provider):
    def metadata():
        return {item["key"]: item["value"] for item in fake.rows[number(1)]["metadata"]["items"]}

    before = metadata()
    provider.attach_key(number(1), KEY + "\n")
    assert metadata() == {**before, "ssh-keys": before["ssh-keys"] + "\nada:" + KEY}
    provider.attach_key(number(1), KEY)  # is there already
    assert len(fake.calls("set_metadata")) == 1
    fake.fault("set_metadata", "answer", status=412, body={"error": {"code": 412, "message": "fingerprint"}})
    provider.attach_key(number(1), KEY.replace("GFkYQ", "GFkYg"))
    assert len(metadata()["ssh-keys"].split("\n")) == 3 and len(fake.calls("set_metadata")) == 3


def test_a_private_key_is_not_attached(fake, provider):
    with pytest.raises(RentedError, match="must be one public key"):
        provider.attach_key(number(3), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")
    assert fake.calls("set_metadata") == []


def test_a_label_that_google_would_refuse_is_not_sent(fake, provider):
    with pytest.raises(RentedError, match="keeps a name as a label"):
        provider.set_label(number(1), "Two Words")
    assert fake.requests == []


@pytest.mark.parametrize("fault", ["401", "403", "service-off", "stranger"])
def test_destroying_that_is_refused_is_not_success(fake, provider, fault):
    fake.fault("destroy", fault)
    with pytest.raises(RentedError):
        provider.destroy(number(3))
    assert number(3) in fake.rows


def test_a_wrong_project_is_not_gone(fake):
    with pytest.raises(RentedError, match="knows no project"):
        provider_of(fake, project="ada-gpu").destroy(number(3))


def test_a_protected_instance_is_not_destroyed(fake, provider):
    fake.rows[number(3)]["deletionProtection"] = True
    with pytest.raises(RentedError, match="protected against deletion"):
        provider.destroy(number(3))


def test_a_login_that_may_only_read_cannot_rent(fake, provider):
    provider.list_instances()
    fake.fault("stop", "scope")
    with pytest.raises(AuthenticationError, match="lacks the scope that is needed to stop instance"):
        provider.stop(number(1))


def test_what_is_asked_of_one_that_is_gone(provider):
    for act in (provider.stop, provider.start, provider.console):
        with pytest.raises(NotFound, match="has no instance 999 in project 'ada-gpus'"):
            act("999")
        with pytest.raises(NotFound, match="are numbers"):
            act("abc")


# --- offers and keys ---------------------------------------------------------------------------------------------------


def test_offers_are_machine_types_by_zone(fake, provider):
    found = {offer.id: offer for offer in provider.list_offers(Wish())}
    assert {offer.gpu_model for offer in found.values()} == {"A100", "L4", "T4", "V100"}
    one = found["us-central1-b/a2-ultragpu-1g/1xnvidia-a100-80gb"]
    assert (one.gpu_vram_mb, one.gpu_variant, one.cpu_cores, one.ram_gb, one.region) == (81920, "SXM", 12, 170, "us-central1-b")
    assert (one.price_per_hour, one.interruptible, one.trust, one.availability) == (None, False, "datacenter", None)
    t4 = found["europe-west4-a/n1-standard-8/1xnvidia-tesla-t4"]
    assert (t4.instance_type, t4.gpu_count, t4.disk_gb) == ("n1-standard-8", 1, 65536)
    assert "Cloud Billing Catalog" in provider.NO_PRICES
    assert len(fake.calls("machine_types")) > 1  # pages


def test_an_offer_can_be_rented_as_it_is(fake, provider):
    for offer in provider.list_offers(Wish(gpu_count=2)):
        request = LaunchRequest(name="o", gpu=offer.gpu_model, gpu_count=offer.gpu_count, region=offer.region, options=dict(offer.options))
        machine = launching.choose(request, launching.check(request, "ubuntu"))
        assert (machine.name, machine.accelerator, machine.count) == (offer.instance_type, offer.gpu_name_raw, 2)


def test_a_wish_narrows_the_offers(provider):
    both = provider.list_offers(Wish(gpu_count=8, interruptible=None))
    assert [(offer.id, offer.interruptible) for offer in both if offer.gpu_model == "H100"] == [
        ("us-east4-c/a3-highgpu-8g/8xnvidia-h100-80gb", False),
        ("us-east4-c/a3-highgpu-8g/8xnvidia-h100-80gb/spot", True),
    ]
    assert {offer.region for offer in provider.list_offers(Wish(regions=("us-central1",)))} == {"us-central1-a", "us-central1-b"}
    assert {offer.region for offer in provider.list_offers(Wish(regions=("asia-east1-a",), interruptible=True))} == {"asia-east1-a"}


@pytest.mark.parametrize(
    "places", [("US",), ("united states",), ("us-",), ("NL", "TW"), ("europe", "Taiwan"), (" us-east4 ",), ("FR",), ("mars",)]
)
def test_places_of_offers_are_those_of_every_provider(provider, places):
    """What comes back is what the filter over all providers would keep, however the place is written."""
    every, wish = provider.list_offers(Wish(gpus=("L4",))), Wish(gpus=("L4",), regions=places)
    kept = [offer.id for offer in every if _offers.fits(offer, wish)]
    assert [offer.id for offer in provider.list_offers(wish) if _offers.fits(offer, wish)] == kept
    assert bool(kept) is (places not in (("FR",), ("mars",)))


def test_what_is_rented_as_spot_only_is_not_offered_otherwise():
    with FakeGcp() as fake:
        row_of = {"name": "a3-highgpu-1g", "zone": "us-east4-c", "guestCpus": 26, "memoryMb": 239616}
        gpus = [{"guestAcceleratorType": "nvidia-h100-80gb", "guestAcceleratorCount": 1}]
        scopes = {"zones/us-east4-c": {"machineTypes": [{**row_of, "accelerators": gpus}]}}
        fake.fault("machine_types", "answer", status=200, body={"kind": "compute#machineTypeAggregatedList", "items": scopes})
        found = [offer for offer in provider_of(fake).list_offers(Wish(interruptible=None)) if offer.gpu_model == "H100"]
        assert [(offer.interruptible, offer.ram_gb) for offer in found] == [(True, 234.0)]


def test_offers_keep_to_the_zones_of_the_account(fake):
    assert {offer.region for offer in provider_of(fake, zones=["us-east4-c"]).list_offers(Wish())} == {"us-east4-c"}


@pytest.mark.parametrize("operation", ["machine_types", "accelerator_types"])
def test_offers_of_which_a_part_fails_fail(fake, provider, operation):
    fake.fault(operation, "500", times=-1)
    with pytest.raises(ProviderUnavailable):
        provider.list_offers(Wish())


def test_keys_of_the_project(fake, provider):
    before = copy.deepcopy(fake.metadata)
    assert [(key.name, key.id.split(":")[0]) for key in provider.list_keys()] == [("grace@example.org", "grace")]
    added = provider.add_key("work laptop", KEY)
    assert provider.add_key("again", KEY) == added  # is there already
    assert [(key.id, key.name) for key in provider.list_keys()][1:] == [(added, "work laptop")]
    assert len(fake.calls("set_project_metadata")) == 1
    assert fake.metadata[0] == before[0] and fake.metadata[1]["value"].startswith(before[1]["value"] + "\n")
    provider.remove_key(added)
    assert {item["key"]: item["value"] for item in fake.metadata} == {item["key"]: item["value"] for item in before}
    provider.remove_key(added)  # gone already is as good
    assert len(fake.calls("set_project_metadata")) == 2


def test_the_first_and_the_last_key(fake):
    fake.metadata = [{"key": "other", "value": "x"}]
    provider = provider_of(fake, ssh_user="ada")
    added = provider.add_key("one", KEY)
    assert fake.metadata[1] == {"key": "ssh-keys", "value": "ada:ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFkYQ== one"}
    provider.remove_key(added)
    assert fake.metadata == [{"key": "other", "value": "x"}]


def test_lines_that_are_no_keys_stay(fake, provider):
    fake.metadata = [{"key": "ssh-keys", "value": "hal:\nnonsense\ngrace:ssh-rsa !!! x"}]
    assert provider.list_keys() == []
    added = provider.add_key("one", KEY)
    assert fake.metadata[0]["value"].startswith("hal:\nnonsense\ngrace:ssh-rsa !!! x\n")
    provider.remove_key(added)
    assert fake.metadata[0]["value"] == "hal:\nnonsense\ngrace:ssh-rsa !!! x"


def test_keys_that_another_client_changed_meanwhile_are_read_again(fake, provider):
    fake.fault("set_project_metadata", "answer", status=412, body={"error": {"code": 412, "message": "fingerprint"}})
    provider.add_key("one", KEY)
    assert len(provider.list_keys()) == 2 and len(fake.calls("set_project_metadata")) == 2


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("x", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "must be one public key"),
        ("x", "ssh-ed25519", "must be one public key"),
        ("x", "ssh-ed25519 !!!", "is not whole"),
        ("two\nlines", KEY, "some text on one line"),
        ("x", "ssh-rsa " + "A" * 262144, "more than 256 KB"),
    ],
)
def test_keys_that_are_none_are_not_sent(fake, provider, name, key, words):
    with pytest.raises(RentedError, match=words):
        provider.add_key(name, key)
    assert fake.calls("set_project_metadata") == []
