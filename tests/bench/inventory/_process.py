# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command as a whole: seconds, CPU seconds, and the most memory that it held, as the kernel accounts for it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time


@dataclasses.dataclass(frozen=True)
class Ran:
    """``mib`` is the largest resident size of the process or one of its children; ``out`` is what it printed."""

    seconds: float
    cpu: float
    mib: float
    out: str


def run(command: list, env: dict, cwd) -> Ran:
    """Run it to its end. Raises SystemExit with its words when it fails.

    A small process in between starts it: the kernel counts what a process held before its exec, which would be our own size.
    """
    done = subprocess.run(
        [sys.executable, "-S", __file__, *map(str, command)], env=env, cwd=cwd, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    if found["status"] or "Failed to parse" in found["errors"]:
        raise SystemExit("%s failed:\n%s" % (" ".join(map(str, command)), found["errors"][-2000:]))
    return Ran(found["seconds"], found["cpu"], found["mib"], found["out"])


def _measured(command: list) -> dict:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        return {
            "status": process.returncode,
            "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime,
            "mib": usage.ru_maxrss / 1024,
            "out": out.read(),
            "errors": errors.read(),
        }


def environment(folder, **more) -> dict:
    """An environment without anybody's settings or credentials, at home in ``folder``."""
    foreign = (
        "ANSIBLE_",
        "VAST",
        "RUNPOD",
        "LAMBDA",
        "PAPERSPACE",
        "AWS_",
        "GOOGLE_",
        "GCLOUD_",
        "CLOUDSDK_",
        "GCP_",
        "XDG_",
        "RENTED_GPU",
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    root = pathlib.Path(__file__).resolve().parents[3]
    env.update(
        HOME=str(folder),
        ANSIBLE_HOME=str(folder),
        RENTED_GPU_HOME=str(folder),
        RENTED_GPU_REHEARSAL="0",
        ANSIBLE_COLLECTIONS_PATH=str(root / ".collections"),
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1",
        **more,
    )
    return env


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1:])))
