# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWS to test against: moto's server, with the real types of instances, behind a server that can be told to misbehave.

In a test::

    with FakeAws() as fake:
        fake.place(3, instance_type="g6.xlarge")
        fake.fault("DescribeInstances", "throttle", times=2)

As a program: ``python3 tests/fakes/aws.py --count 5 --fault DescribeInstances:500:1``; it prints its address, and the environment
that leads boto3 and the collection to it.

What moto lacks is added here: signatures and clocks are checked, a client token rents once, spot machines cannot be stopped, spot
prices, and the Price List API. Requests and the answers made here are held against botocore's own models; a request that breaks
its model is kept in ``violations``.
"""

from __future__ import annotations

import argparse
import base64
import calendar
import datetime
import fnmatch
import functools
import gzip
import http.client
import json
import logging
import os
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree
from xml.sax.saxutils import escape

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
# moto would look for the machine's own credentials otherwise.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.retries.standard import ExponentialBackoff
from botocore.validate import ParamValidator
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ec2.models.instances import InstanceState
from moto.server import ThreadedMotoServer
from moto.ssm.models import ssm_backends

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import botocore_data

botocore_data.parse_once()

KEY = "AKIAFAKEFAKEFAKE0001"
SECRET = "fake-aws-secret-0123456789abcdefghijklmnop"
REGION = "us-east-1"
GPUS = ("g6.xlarge", "g4dn.xlarge", "g5.12xlarge", "p4d.24xlarge")
ONE_PLACE = {"regions": [REGION]}
OLDEST = 300  # seconds that a request may be away from the server's clock
USER_DATA = 16384  # bytes
HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to the network.<br></body></html>"
FAULTS = (
    "throttle",
    "500",
    "502",
    "503",
    "html",
    "html-200",
    "410",
    "auth",
    "denied",
    "expired",
    "slow",
    "together",  # answered once as many requests are there as ``barrier`` has parties
    "cut",
    "torn",
    "cursor",
    "text-200",
    "no-list",
    "redirect",
    "code",
    "done-and-cut",
)
ERRORS = {
    "throttle": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "500": (500, "InternalError", "An internal error has occurred"),
    "503": (503, "Unavailable", "The service is unavailable. Please try again shortly."),
    "auth": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
    "denied": (
        403,
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. User: arn:aws:iam::123456789012:user/ada is not authorized. "
        "Encoded authorization failure message: " + "Zm9v" * 60,
    ),
    "expired": (400, "RequestExpired", "Request has expired. Timestamp date is 2026-01-01T00:00:00Z"),
}
logging.getLogger("werkzeug").setLevel(logging.ERROR)  # moto's server tells each request
_MODELS = botocore.session.Session()


def price(instance_type: str) -> float:
    """What the fake asks for a machine, USD per hour: made up, and the same everywhere."""
    described = INSTANCE_TYPES[instance_type]
    memory = ((described.get("GpuInfo") or {}).get("TotalGpuMemoryInMiB") or 0) / 1024
    return round(described["VCpuInfo"]["DefaultVCpus"] * 0.05 + memory * 0.02, 4)


@functools.lru_cache(None)
def _moto_port() -> int:
    """The port of moto's server. Its state is of the process, so there is one, which ends with the process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    return server.get_host_and_port()[1]


def alone(monkeypatch, home) -> None:
    """For tests: no credentials and settings of whoever runs them, and waits between two tries that are too short to notice."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0.01)


def _model(service: str):
    return _MODELS.get_service_model(service)


class FakeAws:
    """``url`` for every service, ``env`` for processes, ``requests`` and ``violations`` afterwards."""

    def __init__(self, count: int = 0, key: str = KEY, secret: str = SECRET, port: int = 0, clock=time.time) -> None:
        self.key, self.secret, self.clock = key, secret, clock
        self.requests: list = []
        self.violations: list = []
        self.rewrite = None  # as of the other fakes; an answer in XML is given as the tree that `tree_of` makes of it
        self._faults: list = []
        self._lock = threading.Lock()
        self._rented: dict = {}
        self.unpriced: set = set()  # types that the price list does not have
        self.moto_port = _moto_port()
        self.reset()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
        if count:
            self.place(count)

    def __enter__(self) -> FakeAws:
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @property
    def env(self) -> dict:
        """The environment of a process that is to find this AWS and no other."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def environment(self) -> dict:
        """As those of the other fakes."""
        return self.env

    # --- the strings of the puppet -----------------------------------------------------------------------------------

    def reset(self) -> None:
        """An empty account. moto keeps its state per process, so there is one such account in a process."""
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.close()

    def backend(self, region: str = REGION):
        """moto's EC2 of a region."""
        return ec2_backends[DEFAULT_ACCOUNT_ID][region]

    def place(self, count: int = 1, region: str = REGION, image: str | None = None, tags: dict | None = None, **changes) -> list:
        """Instances as if somebody had started them: one reservation each. ``changes`` are attributes of moto's instance;
        ``state`` is a word of EC2's, ``instance_type`` goes round `GPUS` where it is not given."""
        backend, made = self.backend(region), []
        image = image or self.image(region=region)
        state, wanted = changes.pop("state", None), changes.pop("instance_type", None)
        subnet = next(iter(subnet for zone in backend.subnets.values() for subnet in zone.values()))
        for number in range(count):
            reservation = backend.run_instances(
                image,
                1,
                None,
                [],
                instance_type=wanted or GPUS[number % len(GPUS)],
                is_instance_type_default=False,
                region_name=region,
                subnet_id=subnet.id,
                associate_public_ip=True,
                tags={"instance": {"Name": "box-%d" % (number + 1), **(tags or {})}},
            )
            found = reservation.instances[0]
            for name, value in changes.items():
                setattr(found, name, value)
            if state:
                found._state = InstanceState(state, 0)
            made.append(found)
        return made

    def image(self, region: str = REGION, name: str = "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20261001", **changes) -> str:
        """The id of an image with this name; made where there is none. ``changes`` are attributes of moto's image."""
        backend = self.backend(region)
        for found in backend.amis.values():
            if found.name == name:
                return found.id
        made = backend.register_image(name=name, description=changes.pop("description", None))
        changes = {"architecture": "x86_64", "owner_alias": None, "virtualization_type": "hvm", **changes}
        for key, value in changes.items():
            setattr(made, key, value)
        return made.id

    def deep_learning_images(self, region: str = REGION) -> list:
        """Images as AWS publishes them, of two systems and two architectures."""
        names = (
            ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20261109", "x86_64"),
            ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261006", "x86_64"),
            ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261103", "x86_64"),
            ("Deep Learning ARM64 Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04) 20261103", "arm64"),
            ("Deep Learning Base Proprietary Nvidia Driver GPU AMI (Ubuntu 22.04) 20260601", "x86_64"),
        )
        amazon = {"owner_alias": "amazon", "owner_id": "898082745236"}
        return [
            self.image(region, name, architecture=kind, creation_date=datetime.datetime.strptime(name.split()[-1], "%Y%m%d"), **amazon)
            for name, kind in names
        ]

    def parameter(self, name: str, value: str, region: str = REGION) -> None:
        """A parameter of Systems Manager."""
        ssm_backends[DEFAULT_ACCOUNT_ID][region].put_parameter(
            name=name,
            description="",
            value=value,
            parameter_type="String",
            allowed_pattern="",
            keyid="",
            overwrite=True,
            tags=[],
            data_type="text",
            tier=None,
            policies=None,
        )

    def fault(self, operation: str, kind: str, times: int = 1, skip: int = 0, region: str | None = None, **details) -> None:
        """Misbehave at the next ``times`` (-1: for ever) requests of an operation, after ``skip`` good ones, in one region or in all."""
        assert kind in FAULTS, kind
        with self._lock:
            self._faults.append({"operation": operation, "kind": kind, "left": times, "skip": skip, "region": region, **details})

    def calls(self, operation: str) -> list:
        """The parameters of the requests of one operation."""
        return [request["params"] for request in self.requests if request["operation"] == operation]

    def _next_fault(self, operation: str, region: str) -> dict | None:
        with self._lock:
            for fault in self._faults:
                if fault["operation"] not in (operation, "*") or fault["region"] not in (None, region) or not fault["left"]:
                    continue
                if fault["skip"]:
                    fault["skip"] -= 1
                    continue
                fault["left"] -= 1
                return fault
        return None

    # --- what a request is -------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, headers, raw: bytes) -> tuple:
        """(status, headers, body) of a request; status 0: cut the connection."""
        try:
            scope, region, service = credential(headers)
        except ValueError:
            return self._error("ec2", 401, "MissingAuthenticationToken", "Request is missing Authentication Token")
        operation, params = read(service, headers, raw)
        with self._lock:
            self.requests.append(
                {"operation": operation, "region": region, "service": service, "params": dict(params), "time": time.monotonic()}
            )
        fault = self._next_fault(operation, region)
        if fault:
            found = self._misbehave(fault, service, operation, method, path, headers, raw, region, params)
            if found is not None:
                return found
        refused = self._refuse_key(method, path, headers, raw, scope, region, service)
        if refused:
            return refused
        wrong = defects(service, operation, params)
        if wrong:
            self.violations += wrong
            return self._error(service, 400, "InvalidParameterValue", "; ".join(wrong))
        own = getattr(self, "_" + operation, None)
        found = own(region, params, method, path, headers, raw) if own else self._pass_on(method, path, headers, raw)
        return self._rewritten(operation, *found) if self.rewrite and found[0] == 200 else found

    def _rewritten(self, operation: str, status: int, headers: dict, body: bytes) -> tuple:
        if "json" in headers["Content-Type"]:
            return status, headers, json.dumps(self.rewrite(operation, json.loads(body))).encode()
        root = ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", body))
        return status, headers, xml_of(root.tag, self.rewrite(operation, tree_of(root))).encode("utf-8", "surrogatepass")

    def _refuse_key(self, method, path, headers, raw, scope, region, service) -> tuple | None:
        if scope != self.key:
            return self._error(service, 401, "AuthFailure", "AWS was not able to validate the provided access credentials")
        date = headers.get("X-Amz-Date") or ""
        try:
            away = abs(calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ")) - self.clock())
        except ValueError:
            away = OLDEST + 1
        if away > OLDEST:
            return self._error(service, 400, "RequestExpired", "Request has expired. Timestamp date is %s" % date)
        if signature(method, self.url + path, headers, raw, self.key, self.secret, region, service) not in headers["Authorization"]:
            words = "The request signature we calculated does not match. The Canonical String for this request was: %s" % scope
            return self._error(service, 403, "SignatureDoesNotMatch", words)
        return None

    def _error(self, service: str, status: int, code: str, words: str) -> tuple:
        if service != "ec2":
            body = json.dumps({"__type": code, "message": words})
            return status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}, body.encode()
        body = "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>fake</RequestID></Response>"
        return status, {"Content-Type": "text/xml"}, (body % (escape(code), escape(words))).encode()

    def _misbehave(self, fault, service, operation, method, path, headers, raw, region, params) -> tuple | None:
        kind = fault["kind"]
        if kind == "code":
            return self._error(service, fault.get("status", 400), fault["code"], fault.get("message", ""))
        if kind in ERRORS:
            status, code, words = ERRORS[kind]
            if kind == "denied" and service != "ec2":
                status, code = 400, "AccessDeniedException"
            return self._error(service, status, code, words)
        if kind in ("html", "502"):
            return 502, {"Content-Type": "text/html"}, HTML.encode()
        if kind == "html-200":
            return 200, {"Content-Type": "text/html"}, HTML.encode()
        if kind == "text-200":
            return 200, {"Content-Type": "text/plain"}, b"all is well"
        if kind == "410":
            return self._error(service, 410, "Gone", "This version of the API is gone")
        if kind == "no-list":
            return 200, {"Content-Type": "text/xml"}, ("<%sResponse/>" % operation).encode()
        if kind == "redirect":
            return 302, {"Location": fault["to"]}, b""
        if kind == "cut":
            return 0, {}, b""
        if kind == "slow":
            time.sleep(fault.get("seconds", 1))
            return None
        if kind == "together":
            try:
                fault["barrier"].wait(timeout=20)
            except threading.BrokenBarrierError:
                return 503, {}, b"the other requests did not come"
            return None
        raw = re.sub(rb"&?NextToken=again", b"", raw)
        own = getattr(self, "_" + operation, None)
        done = own(region, params, method, path, headers, raw) if own else self._pass_on(method, path, headers, raw)
        if kind == "done-and-cut":
            return 0, {}, b""
        status, answer_headers, body = done
        if kind == "torn":
            return status, {**answer_headers, "Content-Length": str(len(body)), "Connection": "close"}, body[: len(body) // 2]
        # kind "cursor": always one more page, and always the same
        body = re.sub(rb"<nextToken>[^<]*</nextToken>|<nextToken ?/>", b"", body)
        return status, answer_headers, re.sub(rb"(</%sResponse>)" % operation.encode(), rb"<nextToken>again</nextToken>\1", body)

    # --- what moto does, and what it lacks ---------------------------------------------------------------------------

    def _pass_on(self, method, path, headers, raw) -> tuple:
        connection = http.client.HTTPConnection("127.0.0.1", self.moto_port, timeout=120)
        passed = {name: value for name, value in headers.items() if name.lower() not in ("connection", "content-length", "expect")}
        connection.request(method, path, body=raw, headers=passed)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {"Content-Type": answer.headers.get("Content-Type", "text/xml")}, body

    def _RunInstances(self, region, params, method, path, headers, raw) -> tuple:
        data = base64.b64decode(params.get("UserData") or "")
        if len(data) > USER_DATA:
            return self._error("ec2", 400, "InvalidParameterValue", "User data is limited to 16384 bytes")
        token = params.get("ClientToken")
        rest = json.dumps({name: value for name, value in params.items() if name != "ClientToken"}, sort_keys=True)
        with self._lock:  # one at a time: that is the point of the token
            known = self._rented.get((region, token)) if token else None
            if known:
                if known["rest"] != rest:
                    words = "The request uses the same client token as a previous, but non-identical request."
                    return self._error("ec2", 400, "IdempotentParameterMismatch", words)
                if all(self._state(region, instance_id) in ("terminated", None) for instance_id in known["ids"]):
                    words = "The client token that you have provided is associated with a resource that is already deleted."
                    return self._error("ec2", 400, "IdempotentInstanceTerminated", words)
                return known["answer"]
            answer = self._pass_on(method, path, headers, raw)
            if answer[0] == 200 and token:
                ids = re.findall(r"<instanceId>(i-[0-9a-f]+)</instanceId>", answer[2].decode())
                self._rented[(region, token)] = {"rest": rest, "answer": answer, "ids": ids}
            return answer

    def _state(self, region: str, instance_id: str) -> str | None:
        for reservation in self.backend(region).reservations.values():
            for found in reservation.instances:
                if found.id == instance_id:
                    return found.state
        return None

    def forget(self, instance_id: str, region: str = REGION) -> None:
        """Take a terminated instance off the list, as EC2 does after about an hour."""
        reservations = self.backend(region).reservations
        for key in [key for key, found in reservations.items() if any(one.id == instance_id for one in found.instances)]:
            del reservations[key]

    def _StopInstances(self, region, params, method, path, headers, raw) -> tuple:
        for reservation in self.backend(region).reservations.values():
            for found in reservation.instances:
                if found.id == params.get("InstanceId.1") and found.lifecycle == "spot":
                    words = (
                        "You can't stop the Spot Instance '%s' because it is associated with a one-time Spot Instance request." % found.id
                    )
                    return self._error("ec2", 400, "UnsupportedOperation", words)
        return self._pass_on(method, path, headers, raw)

    def _DeleteKeyPair(self, region, params, method, path, headers, raw) -> tuple:
        """EC2 takes the id of a key pair, moto only its name; to both, one that is gone is not error."""
        found = [pair.key_name for pair in self.backend(region).key_pairs.values() if pair.id == params.get("KeyPairId")]
        if "KeyPairId" in params:
            name = found[0] if found else "none"
            raw = urllib.parse.urlencode({"Action": "DeleteKeyPair", "Version": "2016-11-15", "KeyName": name}).encode()
        return self._pass_on(method, path, headers, raw)

    def _DescribeInstanceTypeOfferings(self, region, params, method, path, headers, raw) -> tuple:
        """EC2 takes wildcards in the values of every filter; moto does not for this one."""
        patterns = [params.pop(name) for name in list(params) if name.startswith("Filter.1.Value.")]
        names = {row["InstanceType"] for row in INSTANCE_TYPE_OFFERINGS["region"].get(region, [])}
        meant = sorted(name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)) or ["none"]
        params.update({"Filter.1.Value.%d" % number: name for number, name in enumerate(meant, 1)})
        body = urllib.parse.urlencode({"Action": "DescribeInstanceTypeOfferings", "Version": "2016-11-15", **params})
        return self._pass_on(method, path, headers, body.encode())

    def _DescribeSpotPriceHistory(self, region, params, *_rest) -> tuple:
        """Two zones, the second dearer, and for each an old price that counts no more."""
        wanted = [value for name, value in params.items() if name.startswith("InstanceType.")]
        rows = []
        for name in wanted:
            for zone, factor in (("a", 0.3), ("b", 0.4)):
                for when, more in (("2026-11-25T09:00:00.000Z", 1.0), ("2026-11-25T01:00:00.000Z", 0.5)):
                    rows.append((name, region + zone, "%.6f" % (price(name) * factor * more), when))
        items = "".join(
            "<item><instanceType>%s</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>%s</spotPrice>"
            "<timestamp>%s</timestamp><availabilityZone>%s</availabilityZone></item>" % (name, cost, when, zone)
            for name, zone, cost, when in rows
        )
        body = (
            "<DescribeSpotPriceHistoryResponse><requestId>fake</requestId><spotPriceHistorySet>%s</spotPriceHistorySet>"
            "<nextToken></nextToken></DescribeSpotPriceHistoryResponse>" % items
        )
        return 200, {"Content-Type": "text/xml"}, body.encode()

    def _GetProducts(self, _region, params, *_rest) -> tuple:
        """The Price List API, with the machines that have GPUs, each also with Windows and reserved, and gp3 volumes."""
        rules = params.get("Filters") or []
        found = [product for product in _all_products() if product["product"]["attributes"].get("instanceType") not in self.unpriced]
        found = [product for product in found if all(_matches(product, rule) for rule in rules)]
        start = int(params.get("NextToken") or 0)
        size = params.get("MaxResults") or 100
        answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in found[start : start + size]]}
        if len(found) > start + size:
            answer["NextToken"] = str(start + size)
        report = ParamValidator().validate(answer, _model("pricing").operation_model("GetProducts").output_shape)
        if report.has_errors():
            return self._error("pricing", 500, "InternalErrorException", report.generate_report())
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    def serve_forever(self) -> None:
        """For the program."""
        self._server.serve_forever()


def products():
    """Every product of the fake's price list, in the form of the real one."""
    for region, offerings in sorted(INSTANCE_TYPE_OFFERINGS["region"].items()):
        yield _product({"productFamily": "Storage", "volumeApiName": "gp3", "regionCode": region}, "GB-Mo", 0.08)
        for name in sorted({row["InstanceType"] for row in offerings}):
            if name not in INSTANCE_TYPES or not INSTANCE_TYPES[name].get("GpuInfo"):
                continue
            common = {"productFamily": "Compute Instance", "instanceType": name, "regionCode": region, "preInstalledSw": "NA"}
            common.update({"tenancy": "Shared", "capacitystatus": "Used", "operatingSystem": "Linux"})
            yield _product(common, "Hrs", price(name))
            yield _product({**common, "operatingSystem": "Windows"}, "Hrs", price(name) * 2)
            yield _product({**common, "capacitystatus": "UnusedCapacityReservation"}, "Hrs", price(name) * 3)


@functools.lru_cache(None)
def _all_products() -> tuple:
    return tuple(products())


def _product(attributes: dict, unit: str, usd: float) -> dict:
    family, attributes = attributes["productFamily"], {name: value for name, value in attributes.items() if name != "productFamily"}
    dimension = {"unit": unit, "pricePerUnit": {"USD": "%.10f" % usd}, "beginRange": "0", "endRange": "Inf"}
    return {
        "product": {"productFamily": family, "sku": "FAKE", "attributes": attributes},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {"FAKE.TERM": {"priceDimensions": {"FAKE.TERM.RATE": dimension}}}},
    }


def _matches(product: dict, rule: dict) -> bool:
    known = {"productFamily": product["product"]["productFamily"], **product["product"]["attributes"]}
    value = known.get(rule["Field"])
    return value in rule["Value"].split(",") if rule["Type"] == "ANY_OF" else value == rule["Value"]


def tree_of(element):
    """EC2's XML as dicts, lists (of ``item``) and texts."""
    children = list(element)
    if not children:
        return [] if element.tag.endswith("Set") else element.text or ""
    if all(child.tag == "item" for child in children):
        return [tree_of(child) for child in children]
    return {child.tag: tree_of(child) for child in children}


def xml_of(tag: str, tree) -> str:
    """The XML of such a tree."""
    if isinstance(tree, dict):
        inside = "".join(xml_of(name, item) for name, item in tree.items())
    elif isinstance(tree, list):
        inside = "".join(xml_of("item", item) for item in tree)
    else:
        inside = escape("" if tree is None else str(tree))
    return "<%s>%s</%s>" % (tag, inside, tag)


# --- signatures, requests and models ---------------------------------------------------------------------------------


def credential(headers) -> tuple:
    """(access key id, region, service) that a request is signed for."""
    found = re.search(r"Credential=([^/,]+)/\d{8}/([^/]+)/([^/]+)/aws4_request", headers.get("Authorization") or "")
    if not found:
        raise ValueError("no signature")
    return found.groups()


def signature(method, url, headers, raw, key, secret, region, service) -> str:
    """The signature that the request should have, made with botocore's own signer."""
    names = re.search(r"SignedHeaders=([^,]+)", headers["Authorization"]).group(1).split(";")
    request = AWSRequest(method=method, url=url, data=raw, headers={name: headers.get(name, "") for name in names})
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = SigV4Auth(Credentials(key, secret), service, region)
    return "Signature=" + signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def read(service: str, headers, raw: bytes) -> tuple:
    """(operation, parameters) of a request in the Query or in the JSON form."""
    target = headers.get("X-Amz-Target")
    if target:
        return target.split(".")[-1], json.loads(raw or b"{}")
    params = dict(urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True))
    params.pop("Version", None)
    return params.pop("Action", ""), params


def defects(service: str, operation: str, params: dict) -> list:
    """What of a request is not as botocore's model says: names, types, choices, limits, and what is required."""
    model = _model(service)
    if operation not in model.operation_names:
        return ["%s: unknown operation" % operation]
    shape = model.operation_model(operation).input_shape
    if service != "ec2":
        report = ParamValidator().validate(params, shape)
        return [report.generate_report()] if report.has_errors() else _choices(params, shape, operation)
    found = []
    for name, value in params.items():
        leaf = shape
        for part in name.split("."):
            leaf = _member(leaf, part)
            if leaf is None:
                break
        if leaf is None:
            found.append("%s.%s: unknown parameter" % (operation, name))
        elif leaf.type_name in ("integer", "long") and not re.match(r"^-?\d+$", value):
            found.append("%s.%s: %r is not a number" % (operation, name, value))
        elif leaf.type_name in ("integer", "long") and not leaf.metadata.get("min", -(2**63)) <= int(value) <= leaf.metadata.get(
            "max", 2**63
        ):
            found.append("%s.%s: %s is out of bounds" % (operation, name, value))
        elif leaf.type_name == "boolean" and value not in ("true", "false"):
            found.append("%s.%s: %r is not true or false" % (operation, name, value))
        elif (
            getattr(leaf, "enum", None) and value not in leaf.enum and leaf.name != "InstanceType"
        ):  # EC2 has a refusal of its own for that
            found.append("%s.%s: %r is none of %s" % (operation, name, value, leaf.enum[:12]))
        elif leaf.type_name in ("structure", "list"):
            found.append("%s.%s: is not a %s" % (operation, name, leaf.type_name))
    required = {_wire(name, shape.members[name]) for name in shape.required_members}
    given = {name.split(".")[0] for name in params}
    return found + ["%s.%s: missing" % (operation, name) for name in sorted(required - given)]


def _wire(name: str, member) -> str:
    """A member's name in the Query form of EC2."""
    if "queryName" in member.serialization:
        return member.serialization["queryName"]
    location = member.serialization.get("name")
    return location[0].upper() + location[1:] if location else name


def _member(shape, part: str):
    if shape.type_name == "list":
        return shape.member if part.isdigit() else None
    if shape.type_name != "structure":
        return None
    return next((member for name, member in shape.members.items() if _wire(name, member) == part), None)


def _choices(value, shape, where: str) -> list:
    if shape.type_name == "structure":
        return [wrong for name, item in value.items() for wrong in _choices(item, shape.members[name], "%s.%s" % (where, name))]
    if shape.type_name == "list":
        return [wrong for item in value for wrong in _choices(item, shape.member, where)]
    if getattr(shape, "enum", None) and value not in shape.enum:
        return ["%s: %r is none of %s" % (where, value, shape.enum)]
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if isinstance(value, str) else value
    if shape.type_name in ("string", "integer") and ((least is not None and size < least) or (most is not None and size > most)):
        return ["%s: %r is out of bounds" % (where, value)]
    return []


class _Handler(BaseHTTPRequestHandler):
    fake: FakeAws
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments) -> None:
        pass

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        if self.path.startswith("/_fake/"):
            status, headers, body = self._own(raw)
        else:
            status, headers, body = self.fake.answer(self.command, self.path, self.headers, raw)
        if not status:
            self.close_connection = True
            self.connection.close()
            return
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # the client gave up: that is what the slow fault is for
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _own(self, raw: bytes) -> tuple:
        """What is not of AWS: the strings of the puppet when it runs as a program."""
        data = json.loads(raw) if raw else {}
        if self.path == "/_fake/fault":
            self.fake.fault(**data)
        elif self.path == "/_fake/place":
            data = [found.id for found in self.fake.place(**data)]
        elif self.path == "/_fake/requests":
            data = {"requests": self.fake.requests, "violations": self.fake.violations}
        return 200, {"Content-Type": "application/json"}, json.dumps(data).encode()


def main() -> None:
    """Run as a program until killed."""
    parser = argparse.ArgumentParser(description="An AWS to test against.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count", type=int, default=3, help="running instances with GPUs to begin with")
    parser.add_argument("--web-servers", type=int, default=0, help="instances without a GPU beside them")
    parser.add_argument("--images", action="store_true", help="with AWS's images for deep learning, so that something can be rented")
    parser.add_argument("--fault", action="append", default=[], metavar="OPERATION:KIND[:TIMES]", help="one of: " + ", ".join(FAULTS))
    options = parser.parse_args()
    fake = FakeAws(count=options.count, port=options.port)
    if options.web_servers:
        fake.place(options.web_servers, instance_type="t3.micro")
    if options.images:
        fake.deep_learning_images()
    for words in options.fault:
        operation, kind, *times = words.split(":")
        fake.fault(operation, kind, times=int(times[0]) if times else -1)
    print(json.dumps({"url": fake.url, "env": fake.env}), flush=True)
    try:
        fake.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
