# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS: renting, the rest of a life, offers and keys. The real client against moto, which checks each request against botocore's model."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import logging
import random
import string
import threading
import types

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import keys, prices, renting
from ansible_collections.rented.gpu.plugins.module_utils._providers.aws import AwsProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting import _offers
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._resource import NotReached, Resource
from ansible_collections.rented.gpu.tests.fakes.aws import KEY, REGION, SECRET, FakeAws, alone, price

ACCOUNT = {"regions": [REGION], "access_key_id": KEY, "secret_access_key": SECRET}
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@example.org"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA ada@example.org"


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    alone(monkeypatch, tmp_path)
    monkeypatch.setattr(AwsProvider, "sleep", staticmethod(lambda seconds: None))


@pytest.fixture
def fake():
    with FakeAws() as server:
        server.deep_learning_images()
        yield server
    assert server.violations == []


def provider_of(fake, **options):
    timeout = options.pop("timeout", 30)
    return AwsProvider(endpoint=fake.url, timeout=timeout, **{**ACCOUNT, **options})


@pytest.fixture
def provider(fake):
    return provider_of(fake)


def wanted(name="homework", gpu="L4", **more):
    return LaunchRequest(name=name, gpu=gpu, **{"ssh_public_key": SSH, **more})


def only(fake):
    (call,) = fake.calls("RunInstances")
    return call


def image_name(fake, image_id, region=REGION):
    return fake.backend(region).amis[image_id].name


# --- renting -------------------------------------------------------------------------------------------------------------


def test_the_cheapest_type_that_fits_with_everything_that_was_asked_for(fake, provider):
    instance_id = provider.launch(wanted(disk_gb=99.5, startup_script="echo hello", max_price_per_hour=1.0, gpu_count=1))
    call = only(fake)
    assert call["InstanceType"] == "g6.xlarge" and call["MinCount"] == call["MaxCount"] == "1"
    assert image_name(fake, call["ImageId"]) == "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261103"
    assert call["BlockDeviceMapping.1.Ebs.VolumeSize"] == "100" and call["BlockDeviceMapping.1.Ebs.DeleteOnTermination"] == "true"
    assert base64.b64decode(call["UserData"]) == b"#!/bin/sh\necho hello"
    assert call["MetadataOptions.HttpTokens"] == "required"
    assert "InstanceMarketOptions.MarketType" not in call
    found = provider.get_instance(instance_id)
    assert (found.label, found.gpu_model, found.gpu_count, found.ssh_user, found.interruptible) == ("homework", "L4", 1, "ubuntu", False)
    assert found.tags == {"rented-gpu": "true"}
    (group,) = [one for groups in fake.backend().groups.values() for one in groups.values() if one.name == "rented-gpu-ssh"]
    assert call["SecurityGroupId.1"] == group.id
    assert {(rule.from_port, rule.to_port) for rule in group.ingress_rules} == {(22, 22)}
    (pair,) = fake.backend().key_pairs.values()
    assert call["KeyName"] == pair.key_name and pair.public_key.split()[:2] == SSH.split()[:2]


def test_what_was_made_for_one_launch_serves_the_next(fake, provider):
    provider.launch(wanted("one"))
    provider.launch(wanted("two"))
    for operation in ("ImportKeyPair", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"):
        assert len(fake.calls(operation)) == 1, operation
    one, two = fake.calls("RunInstances")
    assert one["KeyName"] == two["KeyName"] and one["ClientToken"] != two["ClientToken"]


def test_a_key_pair_that_the_account_has_is_used_and_a_group_that_was_left_half_done_is_mended(fake, provider):
    fake.backend().import_key_pair("adas-key", SSH.encode(), {})
    vpc = next(iter(fake.backend().vpcs))
    fake.backend().create_security_group("rented-gpu-ssh", "x", vpc_id=vpc)
    provider.launch(wanted())
    assert only(fake)["KeyName"] == "adas-key"
    assert fake.calls("ImportKeyPair") == [] and fake.calls("CreateSecurityGroup") == []
    assert len(fake.calls("AuthorizeSecurityGroupIngress")) == 1


def test_options_are_sent_as_they_are_meant(fake, provider):
    subnet = next(iter(subnet for zone in fake.backend().subnets.values() for subnet in zone.values()))
    group = fake.backend().create_security_group("mine", "x", vpc_id=subnet.vpc_id)
    fake.backend().import_key_pair("adas-key", SSH.encode(), {})
    options = {
        "instance_type": "g5.xlarge",
        "subnet_id": subnet.id,
        "security_group_ids": group.id,
        "key_name": "adas-key",
        "public_ip": True,
    }
    provider.launch(LaunchRequest(name="x", options=options))
    call = only(fake)
    assert call["InstanceType"] == "g5.xlarge" and call["KeyName"] == "adas-key"
    assert call["NetworkInterface.1.SubnetId"] == subnet.id and call["NetworkInterface.1.SecurityGroupId.1"] == group.id
    assert call["NetworkInterface.1.AssociatePublicIpAddress"] == "true" and call["NetworkInterface.1.DeviceIndex"] == "0"
    provider.launch(LaunchRequest(name="y", options={"instance_type": "g5.xlarge", "subnet_id": subnet.id, "key_name": "adas-key"}))
    assert fake.calls("RunInstances")[1]["SubnetId"] == subnet.id


def test_a_profile_of_iam_by_name_and_by_arn(fake, provider):
    for number, (name, field) in enumerate((("gpu-role", "Name"), ("arn:aws:iam::123456789012:instance-profile/gpu", "Arn"))):
        with pytest.raises(RentedError, match=r"refused to rent g6.xlarge"):  # the fake's IAM is empty
            provider.launch(wanted("x%d" % number, options={"iam_instance_profile": name}))
        assert fake.calls("RunInstances")[-1]["IamInstanceProfile." + field] == name


def test_a_zone_is_a_place_too(fake, provider):
    provider.launch(wanted(region="us-east-1b"))
    assert only(fake)["Placement.AvailabilityZone"] == "us-east-1b"
    assert fake.requests[-1]["region"] == REGION


def test_the_region_is_asked_for_or_the_only_one_or_that_of_the_configuration(fake, monkeypatch):
    fake.deep_learning_images("eu-west-1")
    provider_of(fake).launch(wanted("one", region="eu-west-1"))
    assert fake.requests[-1]["region"] == "eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    provider_of(fake, regions=None).launch(wanted("two"))
    assert fake.requests[-1]["region"] == "eu-west-1"
    with pytest.raises(RentedError, match="Name the region to rent in, one of eu-west-2, us-east-1"):
        provider_of(fake, regions=["us-east-1", "eu-west-2"]).launch(wanted("three"))
    with pytest.raises(RentedError, match=r"AWS has no region 'eu-wst-1'. Did you mean"):
        provider_of(fake).launch(wanted("four", region="eu-wst-1"))


@pytest.mark.parametrize(
    ("gpu", "more", "chosen"),
    [
        ("A10G", {}, "g5.xlarge"),
        ("A10G", {"gpu_count": 4}, "g5.12xlarge"),
        ("NVIDIA A100-SXM4-80GB", {"gpu_count": 8}, "p4de.24xlarge"),
        ("A100 40GB", {"gpu_count": 8}, "p4d.24xlarge"),
        ("H100 SXM", {"gpu_count": 8}, "p5.48xlarge"),
        ("L4 3GB", {}, "g6f.large"),  # a part of a GPU, because its size is asked for
        ("RTX PRO 6000", {}, "g7e.2xlarge"),
    ],
)
def test_names_of_gpus_lead_to_types(fake, provider, gpu, more, chosen):
    provider.launch(wanted(gpu=gpu, **more))
    assert only(fake)["InstanceType"] == chosen


def test_another_processor_gets_another_image(fake, provider):
    provider.launch(wanted(gpu="T4G"))
    assert image_name(fake, only(fake)["ImageId"]).startswith("Deep Learning ARM64 Base OSS")


def test_old_gpus_get_the_closed_driver(fake, provider):
    provider.launch(wanted(options={"instance_type": "p3dn.24xlarge"}, gpu="V100"))
    assert image_name(fake, only(fake)["ImageId"]).startswith("Deep Learning Base Proprietary")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (wanted(options={"instance_typ": "x"}), r"takes no launch option 'instance_typ'. Did you mean 'instance_type'\?"),
        (wanted(options={"security_group_ids": [1]}), "'security_group_ids' of AWS is a list of texts"),
        (wanted(options={"public_ip": "yes"}), "'public_ip' of AWS is true or false"),
        (wanted(options={"subnet_id": 5}), "'subnet_id' of AWS is a text"),
        (wanted(gpu=None), "Name the GPU to rent at AWS"),
        (wanted("x" * 257), "names of 1 to 256 characters"),
        (wanted(gpu_count=0), "'gpu_count' is at least 1"),
        (wanted(bid_per_hour=0.5), "'bid_per_hour' is for what is rented interruptibly"),
        (wanted(max_price_per_hour=0), "'max_price_per_hour' is a number above 0"),
        (wanted(disk_gb=-1), "'disk_gb' is a number above 0"),
        (wanted(ssh_public_key=None), "You could not log in"),
        (wanted(options={"key_name": "x"}), "has one key: give ssh_public_key or the launch option key_name"),
        (wanted(ssh_public_key="ecdsa-sha2-nistp256 AAAA x"), "takes SSH keys of the kinds ssh-ed25519 and ssh-rsa; this one is ecdsa"),
        (wanted(ssh_public_key="ssh-ed25519 AAAA x"), "is cut off or changed"),
        (wanted(ssh_public_key="-----BEGIN OPENSSH PRIVATE KEY-----\nSECRET"), "must be one public key on one line"),
    ],
)
def test_bad_input_is_refused_before_anything_is_asked(fake, provider, request_, words):
    with pytest.raises(RentedError, match=words) as caught:
        provider.launch(request_)
    assert fake.requests == [] and "SECRET" not in str(caught.value)


def test_a_long_script_is_compressed_and_one_that_is_too_long_refused(fake, provider):
    script = "#!/bin/bash\n" + "echo the same again\n" * 2000
    provider.launch(wanted(startup_script=script))
    assert gzip.decompress(base64.b64decode(only(fake)["UserData"])).decode() == script
    assert renting.user_data(script) == renting.user_data(script)
    noise = "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=40000))
    with pytest.raises(RentedError, match=r"has 40\d\d\d bytes, and \d+ compressed; AWS takes 16384"):
        provider.launch(wanted("y", startup_script=noise))
    assert len(fake.calls("RunInstances")) == 1


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ("echo", b"#!/bin/sh\necho"),
        ("# a comment\necho", b"#!/bin/sh\n# a comment\necho"),
        ("#!/usr/bin/env python3\n", b"#!/usr/bin/env python3\n"),
        ("#cloud-config\npackages: [git]\n", b"#cloud-config\npackages: [git]\n"),
        ("  \n", None),
        (None, None),
    ],
)
def test_scripts_as_cloud_init_knows_them(script, sent):
    assert renting.user_data(script) == sent


# --- what it costs -------------------------------------------------------------------------------------------------------


def test_nothing_dearer_than_the_limit(fake, provider):
    with pytest.raises(
        NotFound, match=r"AWS asks %.4f USD/h for g6.xlarge in us-east-1, the cheapest that fits; the limit is 0.1000" % price("g6.xlarge")
    ):
        provider.launch(wanted(max_price_per_hour=0.1))
    with pytest.raises(NotFound, match="the limit is"):
        provider.launch(wanted(max_price_per_hour=0.1, options={"instance_type": "g6.4xlarge"}))
    assert fake.calls("RunInstances") == []


def test_without_prices_a_limit_is_refused_and_the_fewest_cores_are_taken(fake, provider, caplog):
    fake.fault("GetProducts", "denied", times=-1)
    with pytest.raises(
        RentedError, match=r"A limit of the price cannot be kept: AWS does not let .*policy needs pricing:GetProducts"
    ) as caught:
        provider.launch(wanted(max_price_per_hour=5))
    assert "leave 'max_price_per_hour' out" in str(caught.value) and "no price for" not in str(caught.value)
    assert fake.calls("RunInstances") == []
    with caplog.at_level(logging.DEBUG, "rented.gpu.aws"):
        provider.launch(wanted())
    assert only(fake)["InstanceType"] == "g6.xlarge" and "no prices" in caplog.text


def test_a_type_without_a_price_is_not_blamed_on_the_policy(fake, provider):
    fake.unpriced = {"g6.xlarge"}
    with pytest.raises(RentedError) as caught:
        provider.launch(wanted(max_price_per_hour=5, options={"instance_type": "g6.xlarge"}))
    assert caught.value.message == (
        "A limit of the price cannot be kept: AWS's price list has no price for g6.xlarge in us-east-1. "
        "Nothing was rented; leave 'max_price_per_hour' out, or take another type or region."
    )
    assert fake.calls("RunInstances") == []


def test_prices_that_fail_otherwise_fail_the_launch(fake, provider):
    fake.fault("GetProducts", "500", times=-1)
    with pytest.raises(ProviderUnavailable, match="read the price list"):
        provider.launch(wanted(max_price_per_hour=5))
    assert fake.calls("RunInstances") == []


def test_one_type_without_a_limit_needs_no_price(fake, provider):
    provider.launch(wanted(options={"instance_type": "g6.2xlarge"}))
    assert fake.calls("GetProducts") == [] and only(fake)["InstanceType"] == "g6.2xlarge"


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({"bid_per_hour": 0.5}, "0.5000"),
        ({"max_price_per_hour": 0.6}, "0.6000"),
        ({"bid_per_hour": 0.9, "max_price_per_hour": 0.6}, "0.6000"),
        ({}, None),
    ],
)
def test_a_spot_machine(fake, provider, more, most):
    instance_id = provider.launch(wanted(interruptible=True, **more))
    call = only(fake)
    assert call["InstanceMarketOptions.MarketType"] == "spot"
    assert call["InstanceMarketOptions.SpotOptions.SpotInstanceType"] == "one-time"
    assert call["InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior"] == "terminate"
    assert call.get("InstanceMarketOptions.SpotOptions.MaxPrice") == most
    assert provider.get_instance(instance_id).interruptible is True
    assert fake.calls("GetProducts") == []  # another kind of price
    with pytest.raises(RentedError, match="a spot instance that was asked for once can only be destroyed"):
        provider.stop(instance_id)


def test_a_spot_machine_above_the_limit(fake, provider):
    with pytest.raises(NotFound, match=r"the limit is 0.0100"):
        provider.launch(wanted(interruptible=True, max_price_per_hour=0.01))
    fake.fault("RunInstances", "code", code="SpotMaxPriceTooLow", message="Your Spot request price of 0.3 is lower than the minimum")
    with pytest.raises(RentedError, match=r"below the spot price of now .*Offer more"):
        provider.launch(wanted(interruptible=True, bid_per_hour=0.3))


def test_a_type_that_is_never_interruptible(fake, provider, monkeypatch):
    real = fake._pass_on

    def never(method, path, headers, raw):
        status, answer_headers, body = real(method, path, headers, raw)
        return status, answer_headers, body.replace(b"<item>spot</item>", b"") if b"DescribeInstanceTypes" in raw else body

    fake._pass_on = never
    with pytest.raises(RentedError, match=r"does not rent g6.xlarge as an interruptible instance in us-east-1"):
        provider.launch(wanted(interruptible=True, options={"instance_type": "g6.xlarge"}))
    with pytest.raises(NotFound, match="has no type with 1× L4 in us-east-1 as interruptible"):
        provider.launch(wanted(interruptible=True))


# --- what there is not ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (wanted(gpu="H1000"), r"AWS has no H1000 in us-east-1. Did you mean 'H100'\?"),
        (wanted(gpu="RTX 4090"), "AWS has no RTX 4090 in us-east-1"),
        (wanted(gpu="A10G", gpu_count=3), r"no type with 3× A10G in us-east-1. It comes with 1, 4, 8"),
        (wanted(options={"instance_type": "g6.xlrge"}), r"AWS has no type 'g6.xlrge' in us-east-1. Did you mean 'g6.xlarge'\?"),
        (wanted(options={"instance_type": "g5.xlarge"}), "The type g5.xlarge has A10G, not L4"),
        (wanted(options={"instance_type": "t3.micro"}), "The type t3.micro has no GPU, not L4"),
        (wanted(options={"instance_type": "g6.xlarge"}, gpu_count=2), "The type g6.xlarge has 1 GPUs, not 2"),
        (wanted(image="ami-0123456789abcdef0"), "AWS has no image 'ami-0123456789abcdef0' in us-east-1; images belong to one region"),
        (wanted(image="no-such-image-*"), "has no image called 'no-such-image-.*' in us-east-1 of the owners self, amazon"),
        (wanted(image="/aws/service/none"), "AWS has no parameter '/aws/service/none' in us-east-1"),
        (wanted(disk_gb=10), "needs a disk of at least 15 GB; disk_gb is 10"),
        (wanted(gpu=None, options={"instance_type": "g4ad.xlarge"}), "There is no default image for|has no type"),
        (wanted(options={"subnet_id": "subnet-0123456789abcdef0"}), "AWS knows nothing of this: read the subnet"),
    ],
)
def test_what_there_is_not_costs_nothing(fake, provider, request_, words):
    with pytest.raises(RentedError, match=words):
        provider.launch(request_)
    assert fake.calls("RunInstances") == [] and fake.calls("CreateSecurityGroup") == []


def test_no_default_image_and_no_default_network(fake, provider):
    fake.backend().amis.clear()
    with pytest.raises(NotFound, match=r"has no deep learning image for g6.xlarge in us-east-1"):
        provider.launch(wanted())
    own = fake.image(name="mine")
    for vpc in fake.backend().vpcs.values():
        vpc.is_default = "false"
    with pytest.raises(RentedError, match=r"has no default network in us-east-1. Name a subnet"):
        provider.launch(wanted(image=own))


def test_images_by_parameter_and_by_name(fake, provider):
    own = fake.image(name="course-2026-autumn", architecture="x86_64")
    fake.parameter("/course/image", own)
    provider.launch(wanted("one", image="resolve:ssm:/course/image"))
    provider.launch(wanted("two", image="/course/image"))
    provider.launch(wanted("three", image="course-2026-*"))
    assert [call["ImageId"] for call in fake.calls("RunInstances")] == [own] * 3
    found = {instance.label: instance.image for instance in provider.list_instances()}
    assert found == {"one": "resolve:ssm:/course/image", "two": "/course/image", "three": "course-2026-*"}
    fake.parameter("/course/nonsense", "hello")
    with pytest.raises(RentedError, match="does not hold the id of an image"):
        provider.launch(wanted("four", image="/course/nonsense"))


def test_an_image_of_a_stranger_is_not_taken_by_its_name(fake, provider):
    fake.image(name="ubuntu-for-you", owner_id="666666666666")
    with pytest.raises(NotFound, match="of the owners self, amazon"):
        provider.launch(wanted(image="ubuntu-for-you"))
    provider.launch(wanted(image="ubuntu-for-you", options={"image_owners": "666666666666"}))
    assert len(fake.calls("RunInstances")) == 1


def test_an_image_for_another_processor(fake, provider):
    arm = fake.image(name="arm", architecture="arm64")
    with pytest.raises(RentedError, match=r"The image is for arm64, and .* is not"):
        provider.launch(wanted(image=arm))


# --- what rents is sent once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "error", "words"),
    [
        ("InsufficientInstanceCapacity", 500, RentedError, "has no free machine of this type now in us-east-1 .*Try later, another region"),
        ("VcpuLimitExceeded", 400, RentedError, r"may not run that many at once in us-east-1 .*Ask for a higher quota"),
        ("InvalidParameterValue", 400, RentedError, "refused to rent g6.xlarge in us-east-1"),
        ("UnauthorizedOperation", 403, AuthenticationError, "Add the action ec2:RunInstances"),
        ("RequestLimitExceeded", 503, RateLimited, "too many requests"),
        ("InternalError", 500, ProviderUnavailable, "Whether it was done is not known"),
        ("Unavailable", 503, ProviderUnavailable, "Whether it was done is not known"),
        ("PendingVerification", 400, AuthenticationError, "does not serve this account yet"),
    ],
)
def test_refusals_are_sentences_and_nothing_is_sent_twice(fake, provider, code, status, error, words):
    fake.fault("RunInstances", "code", times=-1, code=code, status=status, message="as EC2 puts it")
    with pytest.raises(error, match=words):
        provider.launch(wanted())
    assert len(fake.calls("RunInstances")) == 1


@pytest.mark.parametrize("fault", ["cut", "done-and-cut", "slow", "html", "text-200"])
def test_a_request_with_unknown_outcome_is_sent_once(fake, fault):
    provider = provider_of(fake, timeout=6 if fault == "slow" else 30)
    fake.fault("RunInstances", fault, times=-1, seconds=12)
    with pytest.raises(ProviderUnavailable):
        provider.launch(wanted())
    assert len(fake.calls("RunInstances")) == 1


def test_one_name_is_never_rented_twice(fake):
    """Two controllers at the same moment, and one that never saw the answer."""
    ids, threads = [], []
    fake.fault("RunInstances", "done-and-cut")
    with pytest.raises(ProviderUnavailable):
        provider_of(fake).launch(wanted())
    for _number in range(3):
        threads.append(threading.Thread(target=lambda: ids.append(provider_of(fake).launch(wanted()))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(set(ids)) == 1 and len(ids) == 3
    assert len(provider_of(fake).list_instances()) == 1


def test_a_name_can_be_rented_again_when_its_instance_is_gone(fake, provider):
    one = provider.launch(wanted())
    provider.destroy(one)
    two = provider.launch(wanted())
    provider.destroy(two)
    fake.forget(one)
    fake.forget(two)  # off the list, but AWS still remembers their tokens
    three = provider.launch(wanted(disk_gb=50))
    assert len({one, two, three}) == 3
    assert [instance.id for instance in provider.list_instances() if instance.state == "running"] == [three]


def test_a_name_can_be_rented_again_when_its_instance_has_another(fake, provider):
    one = provider.launch(wanted())
    provider.set_label(one, "kept")
    two = provider.launch(wanted())
    assert one != two
    assert {instance.label for instance in provider.list_instances()} == {"kept", "homework"}


def test_the_same_name_with_other_settings_at_the_same_moment(fake, provider, monkeypatch):
    one = provider.launch(wanted())
    looks = []

    def late(connection, region, names, real=renting._launched):
        looks.append(names)
        return real(connection, region, names) if len(looks) > 1 else []  # the list is behind

    monkeypatch.setattr(renting, "_launched", late)
    with pytest.raises(RentedError, match="is being rented in us-east-1 already, with other settings: it is %s" % one):
        provider.launch(wanted(disk_gb=77))
    assert len(provider.list_instances()) == 1


# --- from absent to running and back -------------------------------------------------------------------------------------


def resource(fake, **arguments):
    return Resource(provider_of(fake), **{"name": "homework", "request": wanted(), "sleep": lambda seconds: None, **arguments})


def test_a_whole_life(fake):
    first = resource(fake).reach("present")
    assert first.changed and first.instance.state == "running" and first.instance.ssh_host
    again = resource(fake).reach("present")
    assert (again.changed, again.instance.id, again.warnings) == (False, first.instance.id, [])
    assert resource(fake, check=True).reach("stopped").changed
    stopped = resource(fake).reach("stopped")
    assert stopped.changed and stopped.instance.state == "stopped"
    assert not resource(fake).reach("stopped").changed
    started = resource(fake).reach("started")
    assert started.changed and started.instance.state == "running" and started.instance.id == first.instance.id
    renamed = resource(fake, name="essay", instance_id=first.instance.id).reach("present")
    assert renamed.changed and renamed.instance.label == "essay"
    assert resource(fake, name="essay").reach("absent").changed
    assert not resource(fake, name="essay").reach("absent").changed
    assert len(fake.calls("RunInstances")) == 1 and len(fake.calls("TerminateInstances")) == 1


def test_a_launch_without_an_answer_is_found_in_the_list(fake):
    fake.fault("RunInstances", "done-and-cut")
    outcome = resource(fake).reach("present")
    assert outcome.changed and "It was rented nevertheless" in outcome.warnings[0]
    assert len(fake.calls("RunInstances")) == 1


def test_a_list_that_fails_does_not_count_as_gone(fake):
    resource(fake).reach("present")
    fake.fault("DescribeInstances", "500", times=-1, skip=1)
    with pytest.raises(NotReached, match="it cannot be said whether the instance"):
        resource(fake, wait_timeout=0).reach("absent")


@pytest.mark.parametrize("known", [True, False])
def test_destroying_what_is_gone_is_success_and_a_refused_key_is_not(fake, known):
    (placed,) = fake.place(1)
    provider = provider_of(fake)
    if known:
        provider.list_instances()
    provider.destroy(placed.id)
    provider.destroy(placed.id)
    fake.forget(placed.id)
    provider.destroy(placed.id)
    provider_of(fake).destroy("i-0123456789abcdef0")
    provider_of(fake).destroy("not-an-id")
    fake.fault("DescribeInstances", "auth", times=-1)
    with pytest.raises(AuthenticationError):
        provider_of(fake).destroy(placed.id)


def test_an_instance_is_found_in_whatever_region_it_is(fake):
    (placed,) = fake.place(1, region="eu-west-1")
    provider = provider_of(fake, regions=["eu-west-1", REGION])
    provider.stop(placed.id)
    assert placed.state == "stopped"
    assert [request["region"] for request in fake.requests if request["operation"] == "StopInstances"] == ["eu-west-1"]
    for verb in (provider.stop, provider.start, provider.console):
        with pytest.raises(NotFound, match="AWS knows nothing of this"):
            verb("i-0123456789abcdef0")
    with pytest.raises(NotFound, match="AWS's ids look like i-0123456789abcdef0; '312' does not"):
        provider.stop("312")


def test_a_protected_instance(fake, provider):
    (placed,) = fake.place(1, disable_api_termination=True)
    fake.fault("TerminateInstances", "code", code="OperationNotPermitted", message="The instance may not be terminated")
    with pytest.raises(RentedError, match=r"is protected against being destroyed. Take its termination protection away"):
        provider.destroy(placed.id)


def test_label_and_console(fake, provider):
    (placed,) = fake.place(1)
    provider.set_label(placed.id, "{{ new }}")
    assert provider.list_instances()[0].label == "{{ new }}"
    with pytest.raises(RentedError, match="names of 1 to 256 characters"):
        provider.set_label(placed.id, "x" * 257)
    assert "Linux version" in provider.console(placed.id)
    assert fake.calls("GetConsoleOutput")[0]["Latest"] == "true"
    fake.fault("GetConsoleOutput", "code", code="UnsupportedOperation", message="This instance type does not support retrieving the latest")
    assert "Linux version" in provider.console(placed.id)
    assert "Latest" not in fake.calls("GetConsoleOutput")[-1]


# --- offers --------------------------------------------------------------------------------------------------------------


def test_offers_of_two_regions_with_all_prices(fake):
    provider = provider_of(fake, regions=["eu-west-1", REGION])
    found = provider.list_offers(Wish(gpus=("L4", "H100"), interruptible=None))
    assert {offer.gpu_model for offer in found} == {"L4", "H100"}
    assert {offer.region for offer in found} <= {"eu-west-1", REGION}
    by_id = {offer.id: offer for offer in found}
    assert len(by_id) == len(found)
    plain, spot = by_id["us-east-1/g6.xlarge"], by_id["us-east-1/g6.xlarge/spot"]
    assert (plain.price_per_hour, plain.interruptible) == (price("g6.xlarge"), False)
    assert (spot.price_per_hour, spot.interruptible) == (round(price("g6.xlarge") * 0.3, 6), True)
    assert (plain.gpu_count, plain.gpu_vram_mb, plain.cpu_cores, plain.ram_gb, plain.kind) == (1, 22888, 4, 16.0, "vm")
    assert (plain.storage_price_per_gb_month, plain.inet_down_price_per_gb, plain.inet_up_price_per_gb) == (0.08, 0.0, None)
    assert plain.options == {"instance_type": "g6.xlarge"} and plain.instance_type == "g6.xlarge"
    assert all(offer.gpu_variant is None for offer in found)  # no parts of GPUs where a whole one is named
    described = [name for call in fake.calls("DescribeInstanceTypes") for key, name in call.items() if key.startswith("InstanceType.")]
    assert len(described) == len(set(described))


def test_an_offer_can_be_rented_as_it_is(fake, provider):
    cheapest = min(provider.list_offers(Wish(gpus=("A10G",), gpu_count=4)), key=lambda offer: offer.price_per_hour)
    provider.launch(
        wanted(gpu="A10G", gpu_count=4, region=cheapest.region, options=cheapest.options, max_price_per_hour=cheapest.price_per_hour)
    )
    assert only(fake)["InstanceType"] == cheapest.instance_type == "g5.12xlarge"


def test_wishes_narrow_the_search(fake, provider):
    every = provider.list_offers(Wish())
    assert {"g6f.large", "g6.xlarge", "p5.48xlarge"} <= {offer.instance_type for offer in every}
    assert all(not offer.interruptible for offer in every) and fake.calls("DescribeSpotPriceHistory") == []
    assert {offer.gpu_vram_mb for offer in provider.list_offers(Wish(gpu_vram_mb=160 * 1024))} == {183359, 275040}
    assert all(offer.gpu_count >= 4 for offer in provider.list_offers(Wish(gpu_count=4)))
    fake.requests.clear()
    assert all(offer.interruptible for offer in provider.list_offers(Wish(gpus=("T4",), interruptible=True)))
    asked = [{rule["Field"] for rule in call["Filters"]} for call in fake.calls("GetProducts")]
    assert asked == [{"volumeApiName", "productFamily"}]  # of the disks alone
    assert provider.list_offers(Wish(gpus=("RTX 4090",))) == []
    assert provider.list_offers(Wish(regions=("eu-west-1",))) == []  # the account is limited to another


@pytest.mark.parametrize(
    ("places", "regions"),
    [
        (("US",), [REGION]),
        (("United States", "jp"), [REGION]),
        (("us-east",), [REGION]),
        (("IE",), ["eu-west-1"]),
        (("Ireland", "US"), ["eu-west-1", REGION]),
        ((" EU-West ",), ["eu-west-1"]),
        (("DE",), []),
        (("mars-1",), []),
    ],
)
def test_places_of_offers_are_those_of_every_provider(fake, places, regions):
    """A country's code or name, or a part of a region's name; where AWS has nothing there are no offers, and no error."""
    wish = Wish(regions=places)
    found = provider_of(fake, regions=["eu-west-1", REGION]).list_offers(wish)
    assert sorted({offer.region for offer in found}) == regions
    assert all(_offers.fits(offer, dataclasses.replace(wish, gpu_count=offer.gpu_count)) for offer in found)
    assert {call["region"] for call in fake.requests if call["operation"] == "DescribeInstanceTypeOfferings"} == set(regions)


def test_offers_stay_without_prices_where_the_policy_has_none(fake, provider, caplog):
    fake.fault("GetProducts", "denied", times=-1)
    with caplog.at_level(logging.DEBUG, "rented.gpu.aws"):
        found = provider.list_offers(Wish(gpus=("L4",), interruptible=None))
    assert {offer.price_per_hour is None for offer in found if not offer.interruptible} == {True}
    assert all(offer.price_per_hour for offer in found if offer.interruptible)
    assert "pricing:GetProducts" in caplog.text


def test_a_region_that_fails_fails_the_offers(fake):
    fake.fault("DescribeInstanceTypeOfferings", "denied", times=-1, region="eu-west-1")
    with pytest.raises(AuthenticationError, match=r"in eu-west-1 .*ec2:DescribeInstanceTypeOfferings"):
        provider_of(fake, regions=["eu-west-1", REGION]).list_offers(Wish())
    with pytest.raises(AuthenticationError, match="ec2:DescribeSpotPriceHistory"):
        fake.fault("DescribeSpotPriceHistory", "denied", times=-1)
        provider_of(fake).list_offers(Wish(interruptible=True))


def test_all_pages_of_the_price_list(fake, monkeypatch):
    monkeypatch.setattr(prices, "PAGE_SIZE", 5)
    provider = provider_of(fake, regions=["eu-west-1", REGION])
    found = provider.list_offers(Wish(gpus=("A10G",)))
    assert {offer.price_per_hour == price(offer.instance_type) for offer in found} == {True}
    assert {offer.region for offer in found} == {"eu-west-1", REGION} and len(found) >= 16
    assert any(call.get("NextToken") for call in fake.calls("GetProducts"))


# --- keys of the account -------------------------------------------------------------------------------------------------


def test_keys_are_registered_in_every_region_asked_and_forgotten_again(fake):
    provider = provider_of(fake, regions=["eu-west-1", REGION])
    fake.backend().import_key_pair("old", OTHER.encode(), {})
    key_id = provider.add_key("laptop", SSH)
    assert [part.split(":")[0] for part in key_id.split(",")] == ["eu-west-1", REGION]
    listed = {key.name: key for key in provider.list_keys()}
    assert set(listed) == {"laptop", "old"} and listed["laptop"].id == key_id
    assert listed["laptop"].public_key.split()[:2] == SSH.split()[:2]
    assert provider.add_key("laptop", SSH) == key_id and len(fake.calls("ImportKeyPair")) == 2
    provider.remove_key(key_id)
    provider.remove_key(key_id)
    assert [key.name for key in provider.list_keys()] == ["old"]
    with pytest.raises(NotFound, match="ids of AWS's keys look like"):
        provider.remove_key("laptop")


def test_a_name_that_is_taken_leaves_nothing_behind(fake):
    provider = provider_of(fake, regions=["eu-west-1", REGION])
    fake.backend().import_key_pair("laptop", OTHER.encode(), {})
    with pytest.raises(RentedError, match="has another key called 'laptop'"):
        provider.add_key("laptop", SSH)
    assert fake.backend("eu-west-1").key_pairs == {}
    fake.fault("ImportKeyPair", "denied", times=-1, region=REGION)
    with pytest.raises(AuthenticationError, match="ec2:ImportKeyPair"):
        provider.add_key("desk", SSH)
    assert fake.backend("eu-west-1").key_pairs == {}


@pytest.mark.parametrize(("name", "key"), [("", SSH), ("x" * 256, SSH), ("x", "ssh-dss AAAA"), ("x", "hello")])
def test_keys_that_aws_would_not_take(fake, provider, name, key):
    with pytest.raises(RentedError):
        provider.add_key(name, key)
    assert fake.calls("ImportKeyPair") == []


def test_an_rsa_key_is_taken():
    body = base64.b64encode(b"\x00\x00\x00\x07ssh-rsa" + b"\x01" * 64).decode()
    assert keys.check(" ssh-rsa %s ada@example.org " % body).startswith("ssh-rsa ")


def test_a_spot_price_of_a_type_that_was_not_asked_for_is_passed_over():
    row = {"InstanceType": "g5.xlarge", "AvailabilityZone": "us-east-1a", "SpotPrice": "0.5", "Timestamp": "2026-01-01T00:00:00Z"}
    rows = [row, dict(row, InstanceType=""), dict(row, InstanceType="p9.huge"), dict(row, SpotPrice="0.4", AvailabilityZone="us-east-1b")]
    connection = types.SimpleNamespace(pages=lambda *arguments, **options: rows)
    assert prices.spot(connection, "us-east-1", ["g5.xlarge"]) == {"g5.xlarge": 0.4}
