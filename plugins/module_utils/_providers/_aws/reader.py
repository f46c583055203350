# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What listing asks of EC2, without the description of all of EC2: that takes longer to load, and more memory, than a thousand instances.

Credentials, signatures and the connection are botocore's; only the questions and the reading of the answers are ours, for four operations.
Names of parameters and elements: botocore's model of EC2 (``data/ec2/2016-11-15/service-2.json``), which a test holds them against.
"""

from __future__ import annotations

import itertools
import re
from typing import Any
from xml.etree import ElementTree

VERSION = "2016-11-15"  # of the EC2 API
# Regions whose addresses are known by their names; others are left to botocore's own resolver.
ADDRESSES = (
    (re.compile(r"^(?:af|ap|ca|eu|il|me|mx|sa|us)-(?!iso|gov)[a-z]+-\d+$"), "https://ec2.%s.amazonaws.com"),
    (re.compile(r"^us-gov-[a-z]+-\d+$"), "https://ec2.%s.amazonaws.com"),
    (re.compile(r"^cn-[a-z]+-\d+$"), "https://ec2.%s.amazonaws.com.cn"),
)

# Our side of a shape: name -> path of a text; (path, shape) of one object; [path, shape] of a list of objects; [path] of a list of texts.
REGION = {"RegionName": "regionName", "OptInStatus": "optInStatus"}
INSTANCE = {
    "InstanceId": "instanceId",
    "ImageId": "imageId",
    "State": ("instanceState", {"Name": "name"}),
    "InstanceType": "instanceType",
    "LaunchTime": "launchTime",
    "Platform": "platform",
    "PlatformDetails": "platformDetails",
    "PublicIpAddress": "ipAddress",
    "PrivateIpAddress": "privateIpAddress",
    "Ipv6Address": "ipv6Address",
    "NetworkInterfaces": ["networkInterfaceSet", {"Ipv6Addresses": ["ipv6AddressesSet", {"Ipv6Address": "ipv6Address"}]}],
    "InstanceLifecycle": "instanceLifecycle",
    "CpuOptions": ("cpuOptions", {"CoreCount": "coreCount", "ThreadsPerCore": "threadsPerCore"}),
    "Tags": ["tagSet", {"Key": "key", "Value": "value"}],
}
GPU = {
    "Name": "name",
    "Manufacturer": "manufacturer",
    "Count": "count",
    "LogicalGpuCount": "logicalGpuCount",
    "GpuPartitionSize": "gpuPartitionSize",
    "MemoryInfo": ("memoryInfo", {"SizeInMiB": "sizeInMiB"}),
}
TYPE = {
    "InstanceType": "instanceType",
    "GpuInfo": ("gpuInfo", {"Gpus": ["gpus", GPU]}),
    "ProcessorInfo": ("processorInfo", {"SupportedArchitectures": ["supportedArchitectures"]}),
    "VCpuInfo": ("vCpuInfo", {"DefaultVCpus": "defaultVCpus"}),
    "MemoryInfo": ("memoryInfo", {"SizeInMiB": "sizeInMiB"}),
    "SupportedUsageClasses": ["supportedUsageClasses"],
}
IMAGE = {
    "ImageId": "imageId",
    "Name": "name",
    "Description": "description",
    "ImageLocation": "imageLocation",
    "PlatformDetails": "platformDetails",
}
# operation -> (its name, parameters that are lists, the element that holds the answer, the key of the answer, the shape of an entry)
OPERATIONS = {
    "describe_regions": ("DescribeRegions", {}, "regionInfo", "Regions", REGION),
    "describe_instances": ("DescribeInstances", {}, "reservationSet", "Reservations", {"Instances": ["instancesSet", INSTANCE]}),
    "describe_instance_types": ("DescribeInstanceTypes", {"InstanceTypes": "InstanceType"}, "instanceTypeSet", "InstanceTypes", TYPE),
    "describe_images": ("DescribeImages", {"ImageIds": "ImageId"}, "imagesSet", "Images", IMAGE),
}


class Reader:
    """Asks the four operations in any region. One object for all of them, from any thread.

    ``session`` is botocore's; ``endpoint`` a URL that stands for every region, None: AWS's own addresses; ``sender`` is a `Sender`.
    """

    def __init__(self, session, endpoint: str | None, sender, user_agent: str) -> None:
        self._credentials = session.get_credentials()
        self.endpoint = endpoint
        self._sender = sender
        self._agent = user_agent

    def ask(self, region: str, operation: str, arguments: dict, look) -> dict:
        """The answer, in the form that boto3 gives it, but with every value as text. Asks once.

        ``look(answer)`` sees status, headers and the first piece of the body, as a handler of botocore's ``before-parse`` does the whole.

        Raises botocore's own errors: ``ClientError`` for a refusal, ``ResponseParserError`` for another answer than EC2's. And `TooLarge`.
        """
        name, lists, place, key, shape = OPERATIONS[operation]
        form = {"Action": name, "Version": VERSION}
        for argument, value in arguments.items():
            if argument in lists:
                form.update({f"{lists[argument]}.{number}": item for number, item in enumerate(value, 1)})
            else:
                form[argument] = str(value).lower() if isinstance(value, bool) else str(value)
        answer = self._send(region, form)
        try:
            pieces = answer.pieces()
            seen = {"status_code": answer.status, "headers": answer.headers, "body": next(pieces, b"")}
            look(seen)
            if answer.status != 200:
                # What `look` has emptied is nothing to read a code from.
                raise _refusal(answer.status, seen["body"] and seen["body"] + b"".join(pieces), name)
            return _read(itertools.chain((seen["body"],), pieces), name + "Response", place, key, shape)
        finally:
            answer.close()

    def _send(self, region: str, form: dict):
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import NoCredentialsError

        if self._credentials is None:
            raise NoCredentialsError()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": self._agent}
        request = AWSRequest("POST", address(region, self.endpoint), headers=headers, data=form)
        SigV4Auth(self._credentials.get_frozen_credentials(), "ec2", region).add_auth(request)
        return self._sender.send(request.prepare())


def configured_endpoint(session) -> str | None:
    """The address of EC2 that the environment or the profile names, as botocore would find it."""
    from botocore.configprovider import ConfiguredEndpointProvider

    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found = ConfiguredEndpointProvider(full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="ec2")
    return found.provide()


def address(region: str, endpoint: str | None = None) -> str | None:
    """Where the region is asked; None where its address is not known here."""
    return endpoint or next((address % region for pattern, address in ADDRESSES if pattern.match(region)), None)


def _read(pieces, root: str, place: str, key: str, shape) -> dict:
    """The answer, entry by entry: each is let go when it is read, or a page would need ten times its size."""
    from botocore.parsers import ResponseParserError

    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    answer: dict = {}
    path: list = []
    try:
        for piece in pieces:
            parser.feed(piece)
            for event, element in parser.read_events():
                element.tag = element.tag.rpartition("}")[2]
                if event == "start":
                    path.append(element)
                    if len(path) == 2 and element.tag == place:
                        answer[key] = []
                    continue
                path.pop()
                if len(path) == 2 and path[1].tag == place:
                    answer[key].append(_made(element, shape))
                    path[1].remove(element)
                elif len(path) == 1 and element.tag == "nextToken" and element.text:
                    answer["NextToken"] = element.text
                elif not path and element.tag != root:
                    raise ResponseParserError(f"expected {root}, not {element.tag}")
        parser.close()
    except ElementTree.ParseError as error:
        raise ResponseParserError(str(error)) from None
    return answer


def _refusal(status: int, body: bytes, operation: str):
    """The error for an answer with a bad status."""
    from botocore.exceptions import ClientError

    code, words = None, ""
    try:
        root = ElementTree.fromstring(body)
        code, words = root.findtext(".//{*}Error/{*}Code"), root.findtext(".//{*}Error/{*}Message") or ""
    except ElementTree.ParseError:
        pass
    said = {"Error": {"Code": code or str(status), "Message": words}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, operation)


def _made(element, shape):
    """An element as its shape says; what is not there is left out, as boto3 does."""
    if not shape:
        return element.text or ""
    made = {}
    for name, rule in shape.items():
        path = rule if isinstance(rule, str) else rule[0]
        found = element.find(path)
        if found is None:
            continue
        if isinstance(rule, str):
            made[name] = found.text or ""
        elif isinstance(rule, tuple):
            made[name] = _made(found, rule[1])
        else:
            made[name] = [_made(item, rule[1] if len(rule) > 1 else None) for item in found]
    return made
