# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake of AWS: boto3 accepts it, it refuses what AWS refuses, and what it adds to moto is as botocore's models say."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from ansible_collections.rented.gpu.tests.fakes import aws
from ansible_collections.rented.gpu.tests.fakes.aws import KEY, REGION, SECRET, FakeAws, alone, defects, price


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    alone(monkeypatch, tmp_path)


@pytest.fixture
def fake():
    with FakeAws() as server:
        yield server


def client(fake, service="ec2", **more):
    settings = {"region_name": REGION, "aws_access_key_id": KEY, "aws_secret_access_key": SECRET, **more}
    return boto3.client(service, endpoint_url=fake.url, config=Config(retries={"total_max_attempts": 1}), **settings)


def code(function, **arguments):
    with pytest.raises(ClientError) as caught:
        function(**arguments)
    return caught.value.response["Error"]["Code"]


def test_boto3_accepts_it(fake):
    fake.place(2)
    pages = client(fake).get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    rows = [row for page in pages for reservation in page["Reservations"] for row in reservation["Instances"]]
    assert [row["InstanceType"] for row in rows] == ["g6.xlarge", "g4dn.xlarge"]
    assert all(row["PublicIpAddress"] and row["ImageId"].startswith("ami-") for row in rows)
    assert fake.violations == []


def test_it_checks_keys_signatures_and_clocks(fake):
    assert code(client(fake, aws_access_key_id="AKIAWRONG").describe_instances) == "AuthFailure"
    assert code(client(fake, aws_secret_access_key="wrong").describe_instances) == "SignatureDoesNotMatch"
    assert code(client(fake, "pricing", aws_secret_access_key="wrong").get_products, ServiceCode="AmazonEC2") == "SignatureDoesNotMatch"
    fake.clock = lambda: 0
    assert code(client(fake).describe_instances) == "RequestExpired"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(fake.url, data=b"Action=DescribeInstances", timeout=5)


@pytest.mark.parametrize(
    ("operation", "params", "words"),
    [
        ("DescribeInstances", {"MaxResult": "5"}, "MaxResult: unknown parameter"),
        ("DescribeInstances", {"MaxResults": "many"}, "is not a number"),
        ("DescribeInstanceTypes", {"MaxResults": "101"}, "101 is out of bounds"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "InstanceMarketOptions.MarketType": "cheap"}, "'cheap' is none of"),
        ("RunInstances", {"MinCount": "1"}, "MaxCount: missing"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "DryRun": "yes"}, "is not true or false"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "Placement": "us-east-1a"}, "is not a structure"),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "SecurityGroupId.x": "sg-1"}, "unknown parameter"),
        ("RentInstances", {}, "unknown operation"),
    ],
)
def test_it_refuses_what_breaks_the_model(operation, params, words):
    (found,) = defects("ec2", operation, params)
    assert words in found


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"ServiceCode": "AmazonEC2", "MaxResults": 101}, "out of bounds"),
        ({"Filters": []}, "ServiceCode"),
        ({"ServiceCode": "AmazonEC2", "Filters": [{"Type": "LIKE", "Field": "x", "Value": "y"}]}, "'LIKE' is none of"),
        ({"ServiceCode": "AmazonEC2", "Filters": [{"Type": "ANY_OF", "Field": "x", "Value": "y" * 1025}]}, "out of bounds"),
    ],
)
def test_the_price_list_is_checked_too(params, words):
    assert words in "".join(defects("pricing", "GetProducts", params))


def test_a_violation_is_answered_and_kept(fake):
    real = client(fake)
    real.meta.events.register("before-call.ec2.DescribeInstances", lambda params, **_more: params["body"].update({"Colour": "red"}))
    assert code(real.describe_instances) == "InvalidParameterValue"
    assert fake.violations == ["DescribeInstances.Colour: unknown parameter"]


def test_a_token_rents_once(fake):
    ec2, image = client(fake), fake.image()
    wanted = {"ImageId": image, "InstanceType": "g6.xlarge", "MinCount": 1, "MaxCount": 1, "ClientToken": "x"}
    one = ec2.run_instances(**wanted)["Instances"][0]["InstanceId"]
    assert ec2.run_instances(**wanted)["Instances"][0]["InstanceId"] == one
    assert code(ec2.run_instances, **{**wanted, "InstanceType": "g5.xlarge"}) == "IdempotentParameterMismatch"
    ec2.terminate_instances(InstanceIds=[one])
    assert code(ec2.run_instances, **wanted) == "IdempotentInstanceTerminated"
    assert code(ec2.run_instances, **{**wanted, "ClientToken": "y", "UserData": "x" * 16385}) == "InvalidParameterValue"


def test_prices_as_the_real_ones_look(fake):
    prices = client(fake, "pricing")
    rules = {"instanceType": "g6.xlarge", "regionCode": REGION, "operatingSystem": "Linux", "capacitystatus": "Used"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in rules.items()]
    (text,) = prices.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]
    ((term,),) = [json.loads(text)["terms"]["OnDemand"].values()]
    ((dimension,),) = [term["priceDimensions"].values()]
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", price("g6.xlarge"))
    pages = list(
        prices.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters[:1], PaginationConfig={"PageSize": 10})
    )
    assert len(pages) > 3 and all(len(page["PriceList"]) <= 10 for page in pages)


def test_spot_prices_are_those_of_the_model(fake):
    answer = client(fake).describe_spot_price_history(InstanceTypes=["g6.xlarge"], ProductDescriptions=["Linux/UNIX"])
    rows = answer["SpotPriceHistory"]
    assert len(rows) == 4 and {row["AvailabilityZone"] for row in rows} == {"us-east-1a", "us-east-1b"}
    shape = aws._model("ec2").operation_model("DescribeSpotPriceHistory").output_shape
    assert not ParamValidator().validate({"SpotPriceHistory": rows}, shape).has_errors()
    known = aws._model("ec2").shape_for("SpotPrice").members
    assert set(rows[0]) == set(known) - {"AvailabilityZoneId"}


def test_a_spot_machine_cannot_be_stopped(fake):
    (placed,) = fake.place(1, lifecycle="spot")
    assert code(client(fake).stop_instances, InstanceIds=[placed.id]) == "UnsupportedOperation"


def test_it_runs_as_a_program():
    program = pathlib.Path(aws.__file__)
    process = subprocess.Popen(
        [sys.executable, str(program), "--count", "2", "--web-servers", "1", "--images", "--fault", "DescribeInstances:500:1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},
    )
    try:
        said = json.loads(process.stdout.readline())
        assert said["env"]["AWS_ENDPOINT_URL"] == said["url"]
        fake = type("Fake", (), said)
        ec2 = client(fake)
        assert code(ec2.describe_instances) == "InternalError"
        rows = [row for reservation in ec2.describe_instances()["Reservations"] for row in reservation["Instances"]]
        assert [row["InstanceType"] for row in rows] == ["g6.xlarge", "g4dn.xlarge", "t3.micro"]
        request = urllib.request.Request(
            said["url"] + "/_fake/place", data=json.dumps({"count": 1, "instance_type": "p4d.24xlarge"}).encode()
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            (placed,) = json.load(answer)
        assert ec2.describe_instances(InstanceIds=[placed])["Reservations"]
        with urllib.request.urlopen(said["url"] + "/_fake/requests", timeout=5) as answer:
            seen = json.load(answer)
        assert [request["operation"] for request in seen["requests"]] == ["DescribeInstances"] * 3 and seen["violations"] == []
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()
