# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of EC2's lists: its names are those of botocore's model, and it reads what boto3 reads."""

from __future__ import annotations

import pytest
from botocore.loaders import Loader
from botocore.session import Session

from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import answers, reader
from ansible_collections.rented.gpu.tests.fakes.aws import KEY, REGION, SECRET, FakeAws


@pytest.fixture(scope="module")
def model():
    return Loader().load_service_model("ec2", "service-2")


def members(model, shape):
    return model["shapes"][shape]["members"]


def location(name, member):
    return member.get("locationName", name)


def compare(model, ours, shape, where):
    """Every name of ours, down to the last, stands in the model with the same element."""
    for name, rule in ours.items():
        here = "%s.%s" % (where, name)
        assert name in members(model, shape), here
        member = members(model, shape)[name]
        path = rule if isinstance(rule, str) else rule[0]
        assert path == location(name, member), here
        target = model["shapes"][member["shape"]]
        if isinstance(rule, tuple):
            assert target["type"] == "structure", here
            compare(model, rule[1], member["shape"], here)
        elif isinstance(rule, list):
            assert target["type"] == "list", here
            if len(rule) > 1:
                compare(model, rule[1], target["member"]["shape"], here)


@pytest.mark.parametrize("operation", sorted(reader.OPERATIONS))
def test_the_names_are_those_of_botocores_model(model, operation):
    name, lists, place, key, shape = reader.OPERATIONS[operation]
    described = model["operations"][name]
    assert model["metadata"]["apiVersion"] == reader.VERSION
    answer = members(model, described["output"]["shape"])[key]
    assert location(key, answer) == place
    compare(model, shape, model["shapes"][answer["shape"]]["member"]["shape"], operation)
    for argument, element in lists.items():
        assert location(argument, members(model, described["input"]["shape"])[argument]) == element


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-west-1", "https://ec2.eu-west-1.amazonaws.com"),
        ("ap-southeast-7", "https://ec2.ap-southeast-7.amazonaws.com"),
        ("us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://ec2.cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", None),
        ("eusc-de-east-1", None),
    ],
)
def test_the_addresses_are_botocores_or_left_to_it(region, address):
    assert reader.address(region) == address
    if address:
        resolver = Session().get_component("endpoint_resolver")
        assert address == "https://" + resolver.construct_endpoint("ec2", region)["hostname"]
    assert reader.address(region, "http://192.0.2.1:5000") == "http://192.0.2.1:5000"


def test_it_reads_what_boto3_reads():
    with FakeAws() as fake:
        fake.place(3)
        session = Session()
        session.set_credentials(KEY, SECRET)
        client = session.create_client("ec2", region_name=REGION, endpoint_url=fake.url)
        ours = reader.Reader(session, fake.url, answers.Sender(session, 30, 10**7), "test")
        theirs = client.describe_instances()["Reservations"]
        mine = ours.ask(REGION, "describe_instances", {}, lambda answer: None)["Reservations"]
        assert texts(mine) == texts(chosen(theirs, reader.OPERATIONS["describe_instances"][4]))
        names = sorted({row["InstanceType"] for group in theirs for row in group["Instances"]})
        theirs = client.describe_instance_types(InstanceTypes=names)["InstanceTypes"]
        mine = ours.ask(REGION, "describe_instance_types", {"InstanceTypes": names}, lambda answer: None)["InstanceTypes"]
        assert names and texts(mine) == texts(chosen(theirs, reader.TYPE))


def chosen(rows, shape):
    """What the shape names, of boto3's answer."""
    if not shape:
        return rows
    made = []
    for row in rows:
        kept = {}
        for name, rule in shape.items():
            if name not in row:
                continue
            if isinstance(rule, str):
                kept[name] = row[name]
            elif isinstance(rule, tuple):
                kept[name] = chosen([row[name]], rule[1])[0]
            else:
                kept[name] = chosen(row[name], rule[1] if len(rule) > 1 else None)
        made.append(kept)
    return made


def texts(value):
    """Values as texts, times and numbers alike; what is empty is as good as not there."""
    if isinstance(value, dict):
        return {name: texts(item) for name, item in value.items() if name != "LaunchTime" and item not in ([], {}, "", None)}
    if isinstance(value, list):
        return [texts(item) for item in value]
    return str(value)
