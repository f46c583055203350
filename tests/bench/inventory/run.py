# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listing 1000 instances over 40 pages costs beyond the requests themselves: seconds and memory, as ratios.

Each way runs in a process of its own, against the fake of Vast's API in this one. "fetch" is the provider alone, in a
process that has loaded Ansible too, so that the difference is the plugin's.
  --instances 1000   --repeat 3   --pace (also with Vast's second between pages, 40 s each)   --write (into docs/inventory.md)
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "inventory.md"
BEGIN, END = "<!-- inventory bench: begin -->", "<!-- inventory bench: end -->"

PLUGIN = "plugin: rented.gpu.instances\n"
CACHE = PLUGIN + "cache: true\ncache_plugin: ansible.builtin.jsonfile\ncache_connection: cache\n"
# The built-in groups, made the usual way: what they would cost as templates.
TEMPLATED = (
    PLUGIN
    + "keyed_groups:\n"
    + "".join(
        "  - {key: rented_%s, prefix: t_%s}\n" % (field, field) for field in ("provider", "state", "gpu_model", "kind", "trust", "label")
    )
)
WAYS = {
    "fetch": ("the provider alone", None),
    "plugin": ("the whole plugin", PLUGIN),
    "script": ("Ansible itself: the same hosts from an inventory script", None),
    "cached": ("the plugin, from its cache", CACHE),
    "templated": ("the plugin, and the same groups again as keyed_groups", TEMPLATED),
}


def measure(way: str, pace: bool) -> dict:
    """In a process of its own: seconds, and MiB above what the loaded program has."""
    sys.path.insert(0, str(ROOT / ".collections"))
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader, inventory_loader

    init_plugin_loader([str(ROOT / ".collections")])
    from ansible_collections.rented.gpu.plugins.module_utils._providers._vast.connection import Connection
    from ansible_collections.rented.gpu.plugins.module_utils._providers.vast import VastProvider

    inventory_loader.get("rented.gpu.instances")
    Connection("", "", 1)._loaded()  # the client takes a second and its memory to load, whoever asks
    if not pace:
        VastProvider.sleep = staticmethod(lambda seconds: None)
    source = "hosts.sh" if way == "script" else "rented.yml"
    if way == "cached":
        InventoryManager(DataLoader(), [source], cache=True)
    before, used = resident(), resource.getrusage(resource.RUSAGE_SELF)
    start = time.monotonic()
    listed = VastProvider().list_instances() if way == "fetch" else InventoryManager(DataLoader(), [source], cache=True).hosts
    seconds = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "hosts": len(listed),
        "seconds": seconds,
        "cpu": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "mib": max(after.ru_maxrss / 1024 - before, 0.0),
        "whole_mib": after.ru_maxrss / 1024,
    }


def dump() -> None:
    """In a process of its own: the hosts as an inventory script that only prints them."""
    sys.path.insert(0, str(ROOT / ".collections"))
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(ROOT / ".collections")])
    from ansible_collections.rented.gpu.plugins.module_utils._providers.vast import VastProvider

    VastProvider.sleep = staticmethod(lambda seconds: None)
    manager = InventoryManager(DataLoader(), ["rented.yml"])
    content: dict = {name: {"hosts": [host.name for host in group.hosts]} for name, group in manager.groups.items() if name != "all"}
    content["_meta"] = {"hostvars": {name: host.vars for name, host in manager.hosts.items()}}
    pathlib.Path("hosts.json").write_text(json.dumps(content, default=str))
    pathlib.Path("hosts.sh").write_text("#!/bin/sh\nexec cat hosts.json\n")
    os.chmod("hosts.sh", 0o700)


def resident() -> float:
    """MiB of this process now (Linux)."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def run(way: str, fake, pace: bool) -> dict:
    with tempfile.TemporaryDirectory(prefix="rented-bench-") as folder:
        (pathlib.Path(folder) / "rented.yml").write_text(WAYS[way][1] or PLUGIN)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAST", "XDG_"))}
        env.update(VAST_API_KEY=fake.key, VAST_URL=fake.url, RENTED_GPU_HOME=folder, RENTED_GPU_REHEARSAL="0", HOME=folder)
        for child in ["dump", way] if way == "script" else [way]:
            command = [sys.executable, __file__, "--child", child] + (["--pace"] if pace else [])
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit("%s failed:\n%s" % (child, done.stderr))
        return json.loads(done.stdout.splitlines()[-1])


def report(results: dict, instances: int, pages: int) -> str:
    """Markdown; ratios are what counts."""
    machine = "%s, %d cores, Python %s" % (platform.machine(), os.cpu_count() or 0, platform.python_version())
    lines = [
        "%d instances over %d pages, %s; %s. Server and client share the machine; medians."
        % (instances, pages, datetime.date.today().isoformat(), machine),
        "",
        "| what | seconds | ÷ fetch | CPU seconds | MiB above the loaded program | ÷ fetch | MiB in all |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (way, pace), found in results.items():
        seconds, cpu, mib, whole = (statistics.median(one[field] for one in found) for field in ("seconds", "cpu", "mib", "whole_mib"))
        base = results[("fetch", pace)]
        base_seconds, base_mib = (statistics.median(one[field] for one in base) for field in ("seconds", "mib"))
        title = WAYS[way][0] + (", a second between pages" if pace else "")
        ratio = "%.2f" % (mib / base_mib) if base_mib else "–"  # a handful of instances may take no page of memory
        numbers = (title, seconds, seconds / base_seconds, cpu, mib, ratio, whole)
        lines.append("| %s | %.2f | %.2f | %.2f | %.1f | %s | %.0f |" % numbers)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--pace", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--child", choices=[*WAYS, "dump"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child == "dump":
        dump()
        return
    if options.child:
        print(json.dumps(measure(options.child, options.pace)))
        return
    spec = importlib.util.spec_from_file_location("fake_of_vast", ROOT / "tests" / "fakes" / "vast.py")
    vast = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vast)
    results: dict = {}
    with vast.FakeVast(rows=[vast.row(number) for number in range(1, options.instances + 1)], check=False) as fake:
        for _number in range(options.repeat):
            for way in WAYS:
                results.setdefault((way, False), []).append(run(way, fake, False))
        if options.pace:
            for way in ("fetch", "plugin"):
                results[(way, True)] = [run(way, fake, True)]
        pages = -(-options.instances // vast.PAGE)
    wrong = {one["hosts"] for found in results.values() for one in found} - {options.instances}
    if wrong:
        raise SystemExit("Not all instances were listed: %s." % sorted(wrong))
    text = report(results, options.instances, pages)
    print(text)
    if options.write:
        page = PAGE.read_text()
        PAGE.write_text(re.sub("%s.*%s" % (re.escape(BEGIN), re.escape(END)), lambda _: BEGIN + "\n" + text + END, page, flags=re.DOTALL))


if __name__ == "__main__":
    main()
