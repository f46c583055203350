# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same 1000 EC2 instances listed by ``amazon.aws.aws_ec2`` and by this collection: seconds and memory of the whole command, as ratios.

EC2 is moto's server, in this process; nothing is cached; both list all regions that the account has. The commands run in turn, each
in an environment with the same ansible-core and boto3, which ``make bench`` installs.
  --instances 1000   --repeat 5   --write (into docs/inventory.md)
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import logging
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from _process import environment, run
from _report import replace_part

PAGE = ROOT / "docs" / "inventory.md"
BEGIN, END = "<!-- rivals: begin -->", "<!-- rivals: end -->"
BENCH = ROOT / ".venv-bench"
REGIONS = {"us-east-1": 0.4, "us-west-2": 0.3, "eu-west-1": 0.2, "eu-central-1": 0.1}
TYPES = ("g4dn.xlarge", "g5.2xlarge", "g6.xlarge", "p4d.24xlarge")
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
INVENTORIES = {
    "theirs": ("aws_ec2.yml", "plugin: amazon.aws.aws_ec2\nhostnames: [instance-id]\n"),
    "ours": ("rented.yml", "plugin: rented.gpu.instances\naccounts:\n  - provider: aws\n"),
    "nothing": ("hosts.ini", "nobody\n"),
}
TITLES = {
    "theirs": "amazon.aws.aws_ec2",
    "ours": "rented.gpu.instances",
    "nothing": "an inventory of one line: Ansible's own start-up",
}


@contextlib.contextmanager
def ec2(instances: int):
    """The address of an EC2 that holds that many instances with GPUs, over four regions."""
    os.environ.update(KEYS)
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):
        server.start()
    host, port = server.get_host_and_port()
    url = "http://%s:%d" % (host, port)
    number = 0
    for region, share in REGIONS.items():
        client = boto3.client("ec2", region_name=region, endpoint_url=url)
        image = client.describe_images(Filters=[{"Name": "name", "Values": ["amzn2-*"]}])["Images"][0]["ImageId"]
        for position, kind in enumerate(TYPES):
            count = round(instances * share) // len(TYPES)
            count += round(instances * share) - len(TYPES) * count if position == 0 else 0
            if not count:
                continue
            made = client.run_instances(ImageId=image, MinCount=count, MaxCount=count, InstanceType=kind)
            for row in made["Instances"]:
                number += 1
                tags = [{"Key": "Name", "Value": "box-%d" % number}, {"Key": "course", "Value": "ml"}]
                client.create_tags(Resources=[row["InstanceId"]], Tags=tags)
    try:
        yield url
    finally:
        server.stop()


def listed(out: str) -> int:
    """How many hosts ``ansible-inventory --list`` printed."""
    return len(json.loads(out)["_meta"]["hostvars"])


def report(results: dict, instances: int, versions: str) -> str:
    """Markdown; the ratios are those of the medians, and the spread stands beside them."""
    lines = [
        "%d instances in %d regions of moto's EC2, %s; %s, %d cores; %s. `ansible-inventory --graph`, nothing cached, "
        "%d runs each in turn; medians."
        % (
            instances,
            len(REGIONS),
            datetime.date.today().isoformat(),
            platform.machine(),
            os.cpu_count() or 0,
            versions,
            len(results["ours"]),
        ),
        "",
        "| what | seconds | from – to | CPU seconds | MiB at most | MiB above Ansible's start-up |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    start = statistics.median(one.mib for one in results["nothing"])
    middle = {}
    for name, found in results.items():
        seconds = [one.seconds for one in found]
        middle[name] = (
            statistics.median(seconds),
            statistics.median(one.cpu for one in found),
            statistics.median(one.mib for one in found),
            statistics.median(one.mib for one in found) - start,
        )
        numbers = (TITLES[name], middle[name][0], min(seconds), max(seconds), *middle[name][1:])
        lines.append("| %s | %.2f | %.2f – %.2f | %.2f | %.0f | %.0f |" % numbers)
    ratios = [ours / theirs for ours, theirs in zip(middle["ours"], middle["theirs"])]
    lines.append("| **ours ÷ theirs** | **%.2f** | | **%.2f** | **%.2f** | **%.2f** |" % tuple(ratios))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    subprocess.run([ROOT / "requirements" / "python.sh", BENCH, sys.executable, ROOT / "requirements" / "bench.txt"], check=True, cwd=ROOT)
    command = [str(BENCH / "bin" / "ansible-inventory")]
    results: dict = {"theirs": [], "ours": [], "nothing": []}
    with tempfile.TemporaryDirectory(prefix="rented-bench-") as folder, ec2(options.instances) as url:
        env = environment(folder, AWS_ENDPOINT_URL=url, **KEYS)
        for name, text in INVENTORIES.values():
            (pathlib.Path(folder) / name).write_text(text)
        # Both must list the same; this is also the warm-up.
        counts = {who: listed(run([*command, "-i", INVENTORIES[who][0], "--list"], env, folder).out) for who in ("theirs", "ours")}
        if set(counts.values()) != {options.instances}:
            raise SystemExit("Not all instances were listed: %s." % counts)
        for _number in range(options.repeat):
            for who, found in results.items():
                found.append(run([*command, "-i", INVENTORIES[who][0], "--graph"], env, folder))
        versions = run([str(BENCH / "bin" / "ansible-inventory"), "--version"], env, folder).out.splitlines()[0]
    boto3 = subprocess.run(
        [BENCH / "bin" / "python", "-c", "import boto3; print(boto3.__version__)"], capture_output=True, text=True, check=True
    )
    text = report(results, options.instances, "%s, boto3 %s" % (versions, boto3.stdout.strip()))
    print(text)
    if options.write:
        PAGE.write_text(replace_part(PAGE.read_text(), text.splitlines(), BEGIN, END))


if __name__ == "__main__":
    main()
