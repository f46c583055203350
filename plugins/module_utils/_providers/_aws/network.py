# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The network of a machine: the security group that lets SSH in, and what the machine is attached to."""

from __future__ import annotations

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import machines
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws.connection import NAME, Refused
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

GROUP_NAME = "rented-gpu-ssh"


def group(connection, region: str, subnet_id: str | None) -> str:
    """The id of the security group that lets SSH in; made where the network has none."""
    vpc = _network(connection, region, subnet_id)
    found = _group_in(connection, region, vpc)
    if found is None:
        try:
            answer = connection.call(
                region,
                "create_security_group",
                "make a security group",
                once=True,
                refusals=("InvalidGroup.Duplicate",),
                GroupName=GROUP_NAME,
                Description="SSH for machines that rented.gpu launches",
                VpcId=vpc,
                TagSpecifications=[{"ResourceType": "security-group", "Tags": [{"Key": machines.OURS, "Value": "true"}]}],
            )
            found = {"GroupId": answer["GroupId"], "IpPermissions": []}
        except Refused as refused:  # another launch made it meanwhile
            found = _group_in(connection, region, vpc)
            if found is None:
                raise refused.error from None
    if not any(_lets_ssh_in(rule) for rule in _values.rows(found.get("IpPermissions"))):
        try:
            connection.call(
                region,
                "authorize_security_group_ingress",
                "let SSH in",
                refusals=("InvalidPermission.Duplicate",),
                GroupId=found["GroupId"],
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": 22,
                        "ToPort": 22,
                        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                        "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
                    }
                ],
            )
        except Refused:
            pass
    return found["GroupId"]


def _network(connection, region: str, subnet_id: str | None) -> str:
    if subnet_id:
        answer = connection.call(region, "describe_subnets", f"read the subnet {subnet_id}", SubnetIds=[subnet_id])
        return answer["Subnets"][0]["VpcId"]
    answer = connection.call(region, "describe_vpcs", "look for the network", Filters=[{"Name": "is-default", "Values": ["true"]}])
    if not answer.get("Vpcs"):
        raise RentedError(f"The account has no default network in {region}. Name a subnet of yours (options: subnet_id).", NAME)
    return answer["Vpcs"][0]["VpcId"]


def _group_in(connection, region: str, vpc: str) -> dict | None:
    found = connection.call(
        region,
        "describe_security_groups",
        "look for the security group",
        Filters=[{"Name": "group-name", "Values": [GROUP_NAME]}, {"Name": "vpc-id", "Values": [vpc]}],
    )
    return next(iter(found.get("SecurityGroups") or []), None)


def _lets_ssh_in(rule: dict) -> bool:
    if str(rule.get("IpProtocol")) == "-1":
        return True
    first, last = _values.whole(rule.get("FromPort")), _values.whole(rule.get("ToPort"))
    return str(rule.get("IpProtocol")) == "tcp" and first is not None and last is not None and first <= 22 <= last


def attached(options: dict, groups: list) -> dict:
    """Where the instance is attached. A public address is asked for only where it is said: a subnet has its own default."""
    if options.get("public_ip") is None:
        return {"SecurityGroupIds": groups, **({"SubnetId": options["subnet_id"]} if options.get("subnet_id") else {})}
    interface = {"DeviceIndex": 0, "Groups": groups, "AssociatePublicIpAddress": options["public_ip"]}
    if options.get("subnet_id"):
        interface["SubnetId"] = options["subnet_id"]
    return {"NetworkInterfaces": [interface]}
