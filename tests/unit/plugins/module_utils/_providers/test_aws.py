# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS: the list. The real client against moto behind a server with faults, and rows in every shape against the mapping."""

from __future__ import annotations

import builtins
import json
import logging
import pathlib
import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    MissingLibrary,
    ProviderUnavailable,
    RateLimited,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers import aws
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import connection, machines
from ansible_collections.rented.gpu.plugins.module_utils._providers.aws import AwsProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _http
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import Resource
from ansible_collections.rented.gpu.tests.fakes.aws import KEY, REGION, SECRET, FakeAws, alone

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "aws"
ACCOUNT = {"regions": [REGION], "access_key_id": KEY, "secret_access_key": SECRET}


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    alone(monkeypatch, tmp_path)
    monkeypatch.setattr(AwsProvider, "sleep", staticmethod(lambda seconds: None))


@pytest.fixture
def fake():
    with FakeAws() as server:
        yield server
    assert server.violations == []


def provider_of(fake, **options):
    timeout = options.pop("timeout", 30)
    return AwsProvider(endpoint=fake.url, timeout=timeout, **{**ACCOUNT, **options})


@pytest.fixture
def provider(fake):
    return provider_of(fake)


def labels(instances):
    return [instance.label for instance in instances]


# --- the list ----------------------------------------------------------------------------------------------------------


def test_three_pages(fake, provider, monkeypatch):
    monkeypatch.setattr(aws, "PAGE_SIZE", 5)
    fake.place(12)
    assert labels(provider.list_instances()) == ["box-%d" % number for number in range(1, 13)]
    asked = fake.calls("DescribeInstances")
    assert [call["MaxResults"] for call in asked] == ["5", "5", "5"]
    assert [bool(call.get("NextToken")) for call in asked] == [False, True, True]


def test_every_enabled_region_is_asked_and_each_type_and_image_once(fake):
    fake.place(2, instance_type="g6.xlarge")
    fake.place(1, region="eu-west-1", instance_type="g6.xlarge")
    fake.place(1, region="eu-west-1", instance_type="g5.12xlarge")
    provider = provider_of(fake, regions=None)
    found = provider.list_instances()
    assert sorted({instance.region for instance in found}) == ["eu-west-1", REGION] and len(found) == 4
    asked = {request["region"] for request in fake.requests if request["operation"] == "DescribeInstances"}
    assert len(asked) > 15 and "ap-east-1" not in asked  # that one is not enabled
    assert sorted(len([key for key in call if key.startswith("InstanceType.")]) for call in fake.calls("DescribeInstanceTypes")) == [2]
    assert len(fake.calls("DescribeImages")) == 2  # images belong to a region

    fake.requests.clear()
    assert len(provider.list_instances()) == 4
    assert {request["operation"] for request in fake.requests} == {"DescribeInstances"}


def test_regions_are_asked_side_by_side(fake):
    regions = ["eu-west-1", "eu-west-2", "eu-central-1", REGION]
    barrier = threading.Barrier(len(regions))
    for region in regions:
        fake.fault("DescribeInstances", "together", region=region, barrier=barrier)
    assert provider_of(fake, regions=regions).list_instances() == []  # one after another, none of them would be answered


def test_no_instances(fake, provider):
    assert provider.list_instances() == []
    assert {request["operation"] for request in fake.requests} == {"DescribeInstances"}


@pytest.mark.parametrize("fault", ["throttle", "500", "502", "503", "cut", "torn"])
def test_passing_trouble_is_waited_out(fake, provider, fault):
    fake.place(1)
    fake.fault("DescribeInstances", fault, times=2)
    assert labels(provider.list_instances()) == ["box-1"]
    assert len(fake.calls("DescribeInstances")) == 3


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("throttle", RateLimited, "kept answering 'too many requests' to: list the instances in us-east-1"),
        ("500", ProviderUnavailable, r"failed to list the instances in us-east-1 \(500, InternalError"),
        ("502", ProviderUnavailable, "list the instances"),
        ("503", ProviderUnavailable, r"failed to list the instances in us-east-1 \(503, Unavailable"),
        ("html", ProviderUnavailable, "list the instances"),
        ("html-200", ProviderUnavailable, "answered a web page instead of its API"),
        ("text-200", ProviderUnavailable, "something that is not its API"),
        ("410", ProviderUnavailable, "has retired the address .*newer release"),
        ("no-list", ProviderUnavailable, "answered no list when asked to list the instances"),
        ("cursor", ProviderUnavailable, "has no end"),
        ("auth", AuthenticationError, "refused the key .*Check the access key"),
        ("expired", AuthenticationError, "this computer's clock"),
        ("cut", ProviderUnavailable, r"did not answer \(connection failed\) when asked to list the instances"),
        ("torn", ProviderUnavailable, r"did not answer \(connection failed\) when asked to list the instances"),
    ],
)
def test_lasting_trouble_is_one_sentence_and_never_an_empty_list(fake, provider, fault, error, words):
    fake.place(1)
    fake.fault("DescribeInstances", fault, times=-1)
    with pytest.raises(error, match=words) as caught:
        provider.list_instances()
    assert SECRET not in str(caught.value) and KEY not in str(caught.value)
    assert len(fake.calls("DescribeInstances")) <= _http.TRIES


def test_a_page_that_fails_fails_the_list(fake, provider, monkeypatch):
    monkeypatch.setattr(aws, "PAGE_SIZE", 5)
    fake.place(12)
    fake.fault("DescribeInstances", "500", skip=1, times=-1)
    with pytest.raises(ProviderUnavailable, match="failed to list the instances"):
        provider.list_instances()


@pytest.mark.parametrize("fault", ["500", "throttle", "cut", "torn"])
def test_a_page_that_fails_once_is_asked_for_again_and_nothing_comes_twice(fake, provider, monkeypatch, fault):
    monkeypatch.setattr(aws, "PAGE_SIZE", 5)
    fake.place(12)
    fake.fault("DescribeInstances", fault, skip=1)
    assert labels(provider.list_instances()) == ["box-%d" % number for number in range(1, 13)]
    tokens = [call.get("NextToken") for call in fake.calls("DescribeInstances")]
    assert len(tokens) == 4 and tokens[1] == tokens[2] and len(set(tokens)) == 3


def test_a_region_that_fails_fails_the_list_and_is_named(fake):
    fake.place(1)
    fake.fault("DescribeInstances", "denied", times=-1, region="eu-west-2")
    with pytest.raises(AuthenticationError, match=r"in eu-west-2 .*Add the action ec2:DescribeInstances.*'regions'") as caught:
        provider_of(fake, regions=[REGION, "eu-west-1", "eu-west-2"]).list_instances()
    assert "Zm9v" not in str(caught.value)  # what only an administrator can decode


@pytest.mark.parametrize("operation", ["DescribeInstanceTypes", "DescribeImages", "DescribeRegions"])
def test_what_the_list_needs_besides_fails_it_too(fake, operation):
    fake.place(1)
    fake.fault(operation, "denied", times=-1)
    provider = provider_of(fake, regions=None if operation == "DescribeRegions" else [REGION])
    with pytest.raises(AuthenticationError, match="Add the action ec2:%s to the user's IAM policy" % operation):
        provider.list_instances()


def test_a_wrong_key_and_a_wrong_secret(fake):
    with pytest.raises(AuthenticationError, match="AuthFailure"):
        provider_of(fake, access_key_id="AKIAWRONGWRONGWRONG1").list_instances()
    with pytest.raises(AuthenticationError, match=r"SignatureDoesNotMatch.*clock") as caught:
        provider_of(fake, secret_access_key="wrong-secret-wrong-secret").list_instances()
    assert KEY not in str(caught.value) and "wrong-secret" not in str(caught.value)


def test_a_clock_that_is_wrong_is_named():
    with FakeAws(clock=lambda: time.time() + 3600) as fake, pytest.raises(
        AuthenticationError, match=r"RequestExpired.*this computer's clock"
    ):
        provider_of(fake).list_instances()


def test_a_host_that_does_not_answer():
    with FakeAws() as fake:
        pass
    with pytest.raises(ProviderUnavailable, match=r"did not answer \(connection failed\) when asked to list the instances"):
        provider_of(fake).list_instances()


def test_a_slow_answer_ends_with_the_time_out(fake):
    fake.fault("DescribeInstances", "slow", times=-1, seconds=1)
    with pytest.raises(ProviderUnavailable, match="did not answer in time"):
        provider_of(fake, timeout=0.1).list_instances()


class Stranger(BaseHTTPRequestHandler):
    """A server that nobody meant to ask."""

    seen: list

    def _serve(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(dict(self.headers))
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_CONNECT = _serve

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def stranger():
    handler = type("Handler", (Stranger,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    server.seen = handler.seen
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_redirect_is_not_followed(fake, provider, stranger):
    fake.fault("DescribeInstances", "redirect", times=-1, to="http://localhost:%d/" % stranger.server_port)
    with pytest.raises(ProviderUnavailable, match=r"redirects to another address; the request was not sent there. Check the endpoint"):
        provider.list_instances()
    assert stranger.seen == []


def test_a_proxy_of_the_environment_is_used_and_its_password_not_shown(fake, provider, stranger, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://ada:SECRET-proxy@127.0.0.1:%d" % stranger.server_port)
    with pytest.raises(RentedError):
        provider.list_instances()
    assert len(stranger.seen) == 1 and fake.requests == []
    stranger.shutdown()
    stranger.server_close()
    with pytest.raises(ProviderUnavailable, match="could not be reached through the proxy that the environment names") as caught:
        provider_of(fake).list_instances()
    assert "SECRET" not in str(caught.value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert provider_of(fake).list_instances() == []


# --- which instances -----------------------------------------------------------------------------------------------------


def test_machines_without_a_gpu_are_left_out_unless_they_were_launched_from_here(fake):
    fake.place(1, instance_type="g6.xlarge", tags={"Name": "gpu"})
    fake.place(1, instance_type="t3.micro", tags={"Name": "web"})
    fake.place(1, instance_type="t3.micro", tags={"Name": "ours", "rented-gpu": "true"})
    fake.place(1, instance_type="trn1.2xlarge", tags={"Name": "trainium"})
    assert labels(provider_of(fake).list_instances()) == ["gpu", "ours"]
    assert labels(provider_of(fake, all_instances=True).list_instances()) == ["gpu", "web", "ours", "trainium"]


def test_windows_is_listed_and_destroyed_but_never_a_host(fake, provider, caplog):
    fake.place(1, platform="windows", tags={"Name": "desk"})
    fake.place(1, tags={"Name": "linux"})
    fake.place(1, platform="windows", instance_type="t3.micro", tags={"Name": "web"})
    fake.place(1, platform="windows", instance_type="t3.micro", tags={"Name": "ours", "rented-gpu": "true"})
    found = provider.list_instances()
    assert labels(found) == ["desk", "linux", "ours"]
    assert (found[0].gpu_model, found[0].state, found[0].ssh_host, found[0].ssh_port, found[0].ssh_user) == (
        "L4",
        "running",
        None,
        None,
        None,
    )
    with caplog.at_level(logging.DEBUG, "rented.gpu.aws"):
        assert [provider.is_host(one) for one in found] == [False, True, False]
    assert found[0].id + " runs Windows" in caplog.text
    everything = provider_of(fake, all_instances=True)
    assert [(one.label, everything.is_host(one)) for one in everything.list_instances()] == [
        ("desk", False),
        ("linux", True),
        ("web", False),
        ("ours", False),
    ]
    assert Resource(provider, name="desk", not_mine=found[0].id).reach("absent").changed
    assert [one.state for one in provider.list_instances()] == ["terminated", "running", "running"]


def test_a_type_that_aws_does_not_know_does_not_sink_the_others(fake, provider, caplog):
    for number, name in enumerate(("g6.xlarge", "g2.2xlarge", "xx9.huge", "p4d.24xlarge")):
        fake.place(1, instance_type=name, tags={"Name": "box-%d" % number})
    with caplog.at_level(logging.DEBUG, "rented.gpu.aws"):
        found = provider.list_instances()
    assert [(instance.label, instance.gpu_model) for instance in found] == [("box-0", "L4"), ("box-1", None), ("box-3", "A100")]
    assert "the type g2.2xlarge is not described" in caplog.text
    assert len(fake.calls("DescribeInstanceTypes")) == 2
    provider.list_instances()
    assert len(fake.calls("DescribeInstanceTypes")) == 2


def test_a_bad_type_that_is_not_named_is_found_by_halves(fake, provider):
    for number, name in enumerate(("g6.xlarge", "g5.xlarge", "g2.2xlarge", "p4d.24xlarge")):
        fake.place(1, instance_type=name, tags={"Name": "box-%d" % number})
    real = fake._pass_on

    def wordless(method, path, headers, raw):
        if b"DescribeInstanceTypes" in raw and b"g2.2xlarge" in raw:
            return fake._error("ec2", 400, "InvalidInstanceType", "One of the types does not exist")
        return real(method, path, headers, raw)

    fake._pass_on = wordless
    assert [instance.gpu_model for instance in provider.list_instances()] == ["L4", "A10G", None, "A100"]


def test_more_types_than_one_question_takes(fake, monkeypatch):
    monkeypatch.setattr(aws, "BATCH", 3)
    names = ("g6.xlarge", "g6.2xlarge", "g6.4xlarge", "g5.xlarge", "g5.2xlarge", "p4d.24xlarge", "p5.48xlarge")
    for name in names:
        fake.place(1, instance_type=name)
    assert len(provider_of(fake).list_instances()) == 7
    asked = [{key: value for key, value in call.items() if key.startswith("InstanceType.")} for call in fake.calls("DescribeInstanceTypes")]
    assert sorted(len(call) for call in asked) == [1, 3, 3]


def test_a_type_that_one_region_does_not_describe_is_asked_for_in_the_next(fake):
    fake.place(1, instance_type="g6.xlarge")
    fake.place(1, instance_type="g6.xlarge", region="eu-west-1")
    fake.fault(
        "DescribeInstanceTypes",
        "code",
        region="eu-west-1",
        code="InvalidInstanceType",
        message="The following supplied instance types do not exist: [g6.xlarge]",
    )
    found = provider_of(fake, regions=["eu-west-1", REGION]).list_instances()
    assert [instance.gpu_model for instance in found] == ["L4", "L4"]


def test_a_part_of_a_gpu(fake, provider):
    fake.place(1, instance_type="g6f.large")
    (found,) = provider.list_instances()
    assert (found.gpu_model, found.gpu_variant, found.gpu_count, found.gpu_vram_mb) == ("L4", "1/8", 1, 2861)


def test_states_spot_addresses_and_odd_labels_as_the_server_tells_them(fake, provider):
    fake.place(1, tags={"Name": "{{ lookup('pipe', 'id') }}"}, lifecycle="spot")
    fake.place(1, tags={"Name": "#jinja2: trim_blocks:True"}, state="hibernating")
    fake.place(2, tags={"Name": "twin"}, state="stopped")
    one, two, three, four = provider.list_instances()
    assert (one.label, one.interruptible, one.state) == ("{{ lookup('pipe', 'id') }}", True, "running")
    assert (two.label, two.interruptible, two.state, two.state_raw) == ("#jinja2: trim_blocks:True", False, "unknown", "hibernating")
    assert (three.label, four.label, four.state) == ("twin", "twin", "stopped") and three.id != four.id
    assert one.started_at.endswith("Z") and len(one.started_at) == 20


def rewritten(fake, change):
    """Let ``change(request, body)`` have the answers to DescribeInstances."""
    real = fake._pass_on

    def passed_on(method, path, headers, raw):
        status, answer_headers, body = real(method, path, headers, raw.replace(b"&NextToken=more", b""))
        if raw.startswith(b"Action=DescribeInstances&"):
            body = change(raw, body)
        return status, answer_headers, body

    fake._pass_on = passed_on


def test_an_instance_with_nothing_but_an_ipv6_address(fake, provider):
    """moto has none: what it says of addresses is replaced by what EC2 says of such an instance."""
    fake.place(1)
    interface = b"<ipv6AddressesSet><item><ipv6Address>2001:db8::7</ipv6Address></item></ipv6AddressesSet>"

    def only_v6(_raw, body):
        body = re.sub(rb"<ipAddress>[^<]*</ipAddress>", b"", body)
        return re.sub(
            rb"<networkInterfaceSet>.*</networkInterfaceSet>",
            b"<networkInterfaceSet><item>%s</item></networkInterfaceSet>" % interface,
            body,
            flags=re.S,
        )

    rewritten(fake, only_v6)
    (found,) = provider.list_instances()
    assert (found.ssh_host, found.ssh_port) == ("2001:db8::7", 22)


def test_an_instance_between_two_pages_comes_once(fake, provider):
    fake.place(1)
    end = b"</DescribeInstancesResponse>"
    rewritten(fake, lambda raw, body: body if b"NextToken" in raw else body.replace(end, b"<nextToken>more</nextToken>" + end))
    assert len(provider.list_instances()) == 1
    assert len(fake.calls("DescribeInstances")) == 2


@pytest.mark.parametrize("keep_raw", [False, True])
def test_where_botocores_own_clients_list_the_instances_are_the_same(fake, monkeypatch, keep_raw):
    """They do for FIPS and dual-stack addresses, which botocore does not let be replaced by the fake's."""
    fake.place(3)
    fake.place(1, platform="windows", lifecycle="spot", state="stopped")
    expected = provider_of(fake).list_instances()
    monkeypatch.setattr(connection.Connection, "_make_reader", lambda self: False)
    provider = provider_of(fake)
    provider.keep_raw = keep_raw
    assert len(expected) == 4 and provider.list_instances() == expected
    assert [provider.is_host(one) for one in expected] == [True, True, True, False]


# --- who logs in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "description", "platform", "user"),
    [
        ("ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20261001", None, "Linux/UNIX", "ubuntu"),
        ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261103", None, None, "ubuntu"),
        ("Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) 20261103", None, None, "ec2-user"),
        ("debian-13-amd64-20261001-1234", "Debian 13 (20261001-1234)", None, "admin"),
        ("al2023-ami-2023.9.20261001.0-kernel-6.1-x86_64", None, None, "ec2-user"),
        ("amzn2-ami-hvm-2.0.20261001-x86_64-gp2", None, None, "ec2-user"),
        ("my-image", "built from Rocky-9-EC2-Base-9.6", None, "rocky"),
        ("Fedora-Cloud-Base-AmazonEC2.x86_64-43", None, None, "fedora"),
        ("CentOS Stream 10 x86_64 20261001", None, None, "centos"),
        ("AlmaLinux OS 9.6.20261001 x86_64", None, None, "ec2-user"),
        ("bitnami-tensorflow-2.19-linux-debian-12", None, None, "bitnami"),
        ("RHEL-9.6.0_HVM-20261001-x86_64", None, None, "ec2-user"),
        ("my-image", None, "Red Hat Enterprise Linux", "ec2-user"),
        ("my-image", None, "SUSE Linux", "ec2-user"),
        ("my-image", None, "Ubuntu Pro", "ubuntu"),
        ("my-image", None, "Linux/UNIX", None),
    ],
)
def test_the_user_of_an_image(name, description, platform, user):
    assert machines.login({"Name": name, "Description": description}, platform) == user


def test_the_user_comes_from_the_image_a_tag_or_the_account(fake, caplog):
    debian = fake.image(name="debian-13-amd64-20261001-1234")
    own = fake.image(name="my-image")
    fake.place(1, image=debian, tags={"Name": "one"})
    fake.place(1, image=debian, tags={"Name": "two", "ssh-user": "ada"})
    fake.place(1, image=own, tags={"Name": "three"})
    fake.place(1, image="ami-0123456789abcdef0", tags={"Name": "gone"})  # the image was deregistered since
    with caplog.at_level(logging.DEBUG, "rented.gpu.aws"):
        assert [instance.ssh_user for instance in provider_of(fake).list_instances()] == ["admin", "ada", None, None]
    assert "set the tag ssh-user" in caplog.text
    fake.requests.clear()
    assert {instance.ssh_user for instance in provider_of(fake, ssh_user="me").list_instances()} == {"me"}
    assert fake.calls("DescribeImages") == []


def test_an_image_that_is_gone_does_not_sink_the_question(fake, provider):
    """EC2 refuses the whole question where moto passes over the missing id."""
    debian = fake.image(name="debian-13-amd64-20261001-1234")
    fake.place(1, image=debian)
    fake.place(1, image="ami-0123456789abcdef0")
    fake.fault("DescribeImages", "code", code="InvalidAMIID.NotFound", message="The image id '[ami-0123456789abcdef0]' does not exist")
    assert [instance.ssh_user for instance in provider.list_instances()] == ["admin", None]
    asked = [sorted(value for name, value in call.items() if name.startswith("ImageId.")) for call in fake.calls("DescribeImages")]
    assert asked == [sorted([debian, "ami-0123456789abcdef0"]), [debian]]


# --- what an instance is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in FIXTURES.glob("list_*.json")))
def test_answers_of_the_fixtures(name):
    fixture = json.loads((FIXTURES / (name + ".json")).read_text())
    types = {row["InstanceType"]: machines.machine(row) for row in fixture["types"]}
    for given, expected in zip(fixture["given"], fixture["expected"], strict=True):
        found = aws.instance(given, "work", fixture["region"], types.get(given.get("InstanceType"))).as_dict()
        assert {field: found[field] for field in expected} == expected
        assert "SECRET" not in json.dumps(found)


def test_no_secret_comes_out(fake):
    fake.place(1, tags={"wandb_api_key": "SECRET-tag", "note": "token=SECRET-text", "twin": SECRET})
    provider = provider_of(fake)
    provider.keep_raw = True
    (found,) = provider.list_instances()
    raw = provider.scrubbed_raw(found.id)
    shown = json.dumps([found.as_dict(), raw])  # JSON: what is kept goes into a cache
    assert "SECRET" not in shown and SECRET not in shown
    assert raw["InstanceType"] == "g6.xlarge" and raw["VpcId"].startswith("vpc-") and raw["LaunchTime"].startswith("20")
    assert found.started_at.endswith("Z")


def test_raw_answers_are_whole_only_where_they_are_wanted(fake, provider):
    fake.place(1)
    (found,) = provider.list_instances()
    assert provider.scrubbed_raw(found.id) is None


# --- accounts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"access_key_id": KEY}, "has two parts: give access_key_id and secret_access_key"),
        ({"secret_access_key": SECRET}, "has two parts"),
        ({"session_token": "x"}, "has two parts"),
        ({"profile": "a", "access_key_id": KEY, "secret_access_key": SECRET}, "a profile or an access key, not both"),
        ({"profile": " "}, "'profile' of AWS is empty or not a text"),
        ({"regions": []}, "'regions' of AWS is a list of regions"),
        ({"regions": [1]}, "'regions' of AWS is a list of regions"),
        ({"all_instances": "yes"}, "'all_instances' of AWS is true or false"),
        ({"ssh_user": 5}, "'ssh_user' of AWS is empty or not a text"),
        ({"api_key": "x"}, "AWS takes no api_key: it looks at"),
    ],
)
def test_options_that_do_not_go_together(options, words):
    with pytest.raises(RentedError, match=words) as caught:
        AwsProvider(**options)
    assert SECRET not in str(caught.value)


def test_regions_may_be_written_as_a_text(fake):
    assert provider_of(fake, regions="eu-west-1, us-east-1").regions() == ["eu-west-1", "us-east-1"]
    assert fake.requests == []  # names that the library knows are asked about nowhere


@pytest.mark.parametrize("policy", ["open", "closed"])
def test_a_wrong_region_names_the_nearest(fake, policy):
    if policy == "closed":
        fake.fault("DescribeRegions", "denied", times=-1)
    with pytest.raises(RentedError, match=r"AWS has no region 'eu-wset-1'. Did you mean 'eu-west-1'\?"):
        provider_of(fake, regions=["eu-wset-1"]).list_instances()
    assert fake.calls("DescribeInstances") == []


def test_nothing_is_available_by_itself():
    assert not AwsProvider.available()
    assert AwsProvider.places_looked_at()[0] == "$AWS_ACCESS_KEY_ID"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ],
)
def test_the_environment_makes_it_available(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert AwsProvider.available()
    monkeypatch.setenv(name, " ")
    assert not AwsProvider.available()


@pytest.mark.parametrize(
    ("file", "text", "there"),
    [
        ("credentials", "[default]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n", True),
        ("credentials", "[work]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n", False),
        ("credentials", "this is no such file", True),  # botocore then says what is wrong with it
        ("config", "[default]\nregion = eu-west-1\n", False),
        ("config", "[default]\nsso_session = mine\nregion = eu-west-1\n", True),
        ("config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = base\n", True),
        ("config", "[default]\ncredential_process = /opt/x\n", True),
    ],
)
def test_files_make_it_available(tmp_path, file, text, there):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / file).write_text(text)
    assert AwsProvider.available() is there


def test_files_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "keys").write_text("[default]\naws_access_key_id = AKIAX\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    assert AwsProvider.available()


def test_looking_for_credentials_imports_no_library_and_makes_no_request():
    code = (
        "import socket, sys; sys.path.insert(0, %r)\n"
        "def no(*a, **k): raise AssertionError('asked the network')\n"
        "socket.socket.connect = no\n"
        "from ansible_collections.rented.gpu.plugins.module_utils._providers.aws import AwsProvider\n"
        "p = AwsProvider(); print(AwsProvider.available(), len(p.identity()), 'botocore' in sys.modules)\n"
    ) % str(pathlib.Path(aws.__file__).absolute().parents[6])  # the folder that holds ansible_collections
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "64", "False"]


def test_identity_tells_accounts_apart(monkeypatch, tmp_path):
    def identity(**options):
        return AwsProvider(**options).identity()

    plain = identity()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAONE")
    one = identity()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATWO")
    two = identity()
    assert len({plain, one, two, identity(profile="work"), identity(profile="home"), identity(regions=["eu-west-1"])}) == 6
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert identity() == two
    monkeypatch.setenv("AWS_DEFAULT_REGION", "cn-north-1")
    assert identity() != two
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    (tmp_path / "keys").write_text("[work]\naws_access_key_id = AKIAONE\n")
    work = identity(profile="work")
    (tmp_path / "keys").write_text("[work]\naws_access_key_id = AKIATWO\n")
    assert identity(profile="work") != work
    given = AwsProvider(access_key_id=KEY, secret_access_key=SECRET)
    assert given.same_account(AwsProvider(account="other", access_key_id=KEY, secret_access_key=SECRET))
    assert not given.same_account(AwsProvider(access_key_id="AKIATWO", secret_access_key=SECRET))


def test_the_environment_leads_to_the_account(fake, monkeypatch):
    fake.place(1)
    for name, value in fake.env.items():
        monkeypatch.setenv(name, value)
    provider = AwsProvider(regions=[REGION])
    assert labels(provider.list_instances()) == ["box-1"]
    assert provider.endpoint == fake.url and SECRET in provider.secrets()


def test_a_profile_leads_to_the_account(fake, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[work]\naws_access_key_id = %s\naws_secret_access_key = %s\n" % (KEY, SECRET))
    fake.place(1)
    provider = AwsProvider(profile="work", endpoint=fake.url, regions=[REGION])
    assert labels(provider.list_instances()) == ["box-1"]
    assert SECRET in provider.secrets()


@pytest.mark.parametrize(
    ("options", "words"),
    [({}, "No credentials for AWS were found"), ({"profile": "none"}, "The configuration of AWS is not usable: .*none")],
)
def test_no_credentials(fake, options, words):
    with pytest.raises(MissingCredentials, match=words):
        AwsProvider(endpoint=fake.url, **options).list_instances()
    assert fake.requests == []


def test_a_session_that_has_run_out_says_how_to_log_in(fake, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nsso_session = mine\nsso_account_id = 123456789012\nsso_role_name = user\n"
        "[sso-session mine]\nsso_region = us-east-1\nsso_start_url = https://example.org/start\n"
    )
    with pytest.raises(AuthenticationError, match=r"The login at AWS has run out .*aws sso login"):
        AwsProvider(endpoint=fake.url, regions=[REGION]).list_instances()
    assert fake.requests == []


def test_without_the_library_the_command_is_named(monkeypatch):
    real = builtins.__import__

    def lacking(name, *arguments, **more):
        if name.startswith(("boto3", "botocore")):
            raise ImportError("No module named 'boto3'")
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(MissingLibrary, match=r"needs the Python package 'boto3' .*-m pip install --upgrade boto3"):
        AwsProvider(**ACCOUNT).list_instances()


def test_only_operations_that_are_described_are_called():
    """The clients know no others: a new call needs its line in `OPERATIONS`."""
    folder = pathlib.Path(connection.__file__).parent
    text = "".join(path.read_text() for path in [*folder.glob("*.py"), pathlib.Path(aws.__file__)])
    called = {
        "".join(word.title() for word in name.split("_"))
        for name in re.findall(r'"((?:authorize|create|delete|describe|get|import|run|start|stop|terminate)_[a-z_]+)"', text)
    }
    assert called - {"GetParameter", "GetProducts"} == set(connection.OPERATIONS)
