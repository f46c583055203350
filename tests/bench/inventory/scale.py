# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""5,000 instances over six accounts: seconds, memory and requests of ``ansible-inventory --graph``, for each account, for all, and cached.

The providers are the servers in tests/fakes, in this process; Vast's asks for a second between pages, as the real one does.
  --instances 5000   --repeat 3   --write (into docs/inventory.md)
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import logging
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent), str(ROOT / "tests" / "fakes")]

from _process import environment, run
from _report import replace_part

PAGE = ROOT / "docs" / "inventory.md"
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"
COMMAND = [str(pathlib.Path(sys.executable).parent / "ansible-inventory")]
# Which part of the instances an account has.
SHARES = {"vast": 0.1, "runpod": 0.3, "lambda": 0.1, "paperspace": 0.1, "gcp": 0.3, "aws": 0.1}
REGIONS = ("us-east-1", "us-west-2", "eu-west-1")  # of AWS
CACHE = "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: cache\n"


@contextlib.contextmanager
def servers(instances: int):
    """``(account -> its server, environment variables)``."""
    import aws
    import gcp
    import lambda_cloud
    import paperspace
    import runpod
    import vast

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    makers = {
        "vast": lambda rows: vast.FakeVast(rows, pace=True),
        "runpod": runpod.FakeRunpod,
        "lambda": lambda_cloud.FakeLambda,
        "paperspace": paperspace.FakePaperspace,
        "gcp": gcp.FakeGcp,
    }
    modules = {"vast": vast, "runpod": runpod, "lambda": lambda_cloud, "paperspace": paperspace, "gcp": gcp}
    variables: dict = {}
    with contextlib.ExitStack() as stack:
        running = {}
        for name, make in makers.items():
            rows = [modules[name].row(number) for number in range(1, share(instances, name) + 1)]
            running[name] = stack.enter_context(make(rows=rows) if name != "vast" else make(rows))
            variables.update(running[name].environment())
        variables["GOOGLE_CLOUD_PROJECT"] = gcp.PROJECT
        running["aws"] = stack.enter_context(aws.FakeAws())
        for number, region in enumerate(REGIONS):
            running["aws"].place(len(range(number, share(instances, "aws"), len(REGIONS))), region=region)
        variables.update(running["aws"].env)
        yield running, variables


def share(instances: int, account: str) -> int:
    return round(instances * SHARES[account])


def plugin(accounts, more: str = "") -> str:
    """An inventory file of ours."""
    return "plugin: rented.gpu.instances\n%saccounts:\n%s" % (more, "".join("  - provider: %s\n" % name for name in accounts))


def measure(text: str, file: str, running: dict, env: dict, folder, repeat: int, expected: int) -> dict:
    """Seconds, CPU seconds, MiB, and requests by account, of so many runs; the list must be whole each time."""
    (pathlib.Path(folder) / file).write_text(text)
    if file.endswith(".yml"):
        listed = json.loads(run([*COMMAND, "-i", file, "--list"], env, folder).out)["_meta"]["hostvars"]
        if len(listed) != expected:
            raise SystemExit("%s: %d hosts were listed, not %d." % (file, len(listed), expected))
    before = {name: len(server.requests) for name, server in running.items()}
    found = []
    for _number in range(repeat):
        time.sleep(1)  # a pace is of the account: one run's last question is not to slow the next run's first
        found.append(run([*COMMAND, "-i", file, "--graph"], env, folder))
    return {
        "hosts": expected,
        "seconds": statistics.median(one.seconds for one in found),
        "cpu": statistics.median(one.cpu for one in found),
        "mib": statistics.median(one.mib for one in found),
        "requests": sum((len(server.requests) - before[name]) / repeat for name, server in running.items()),
    }


def report(rows: list, start: dict, instances: int, repeat: int, versions: str) -> str:
    """Markdown."""
    lines = [
        "%d instances in six accounts of test servers on the same machine, %s; %s, %d cores; %s. "
        "`ansible-inventory --graph`, medians of %d runs."
        % (instances, datetime.date.today().isoformat(), platform.machine(), os.cpu_count() or 0, versions, repeat),
        "",
        "| what | hosts | requests | seconds | beyond Ansible's start-up | CPU seconds | MiB at most | above its start-up |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for title, found in rows:
        numbers = (found["hosts"], found["requests"], found["seconds"], found["seconds"] - start["seconds"])
        lines.append(
            "| %s | %d | %g | %.2f | %.2f |" % (title, *numbers)
            + " %.2f | %.0f | %.0f |" % (found["cpu"], found["mib"], found["mib"] - start["mib"])
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rented-bench-") as folder, servers(options.instances) as (running, variables):
        env = environment(folder, **variables)
        whole = sum(share(options.instances, name) for name in SHARES)

        def ask(text, file, expected):
            return measure(text, file, running, env, folder, options.repeat, expected)

        start = ask("nobody\n", "hosts.ini", 1)
        rows = [("Ansible's own start-up, an inventory of one line", start)]
        rows += [(name, ask(plugin([name]), name + ".rented.yml", share(options.instances, name))) for name in SHARES]
        rows.append(("**all six**", ask(plugin(SHARES), "all.rented.yml", whole)))
        rows.append(("**all six, cached**", ask(plugin(SHARES, CACHE), "cached.rented.yml", whole)))
        if rows[-1][1]["requests"]:
            raise SystemExit("A cache hit sent %g requests." % rows[-1][1]["requests"])
        broken = {name: server.violations for name, server in running.items() if server.violations}
        if broken:
            raise SystemExit("Requests broke the rules of an API: %s" % broken)
        versions = run([*COMMAND, "--version"], env, folder).out.splitlines()[0]
    text = report(rows, start, whole, options.repeat, versions)
    print(text)
    if options.write:
        PAGE.write_text(replace_part(PAGE.read_text(), text.splitlines(), BEGIN, END))


if __name__ == "__main__":
    main()
