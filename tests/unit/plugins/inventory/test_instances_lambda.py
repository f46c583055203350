# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-inventory`` as a user calls it, against a Lambda API over real HTTP: a key in the environment is enough."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]


def fakes():
    spec = importlib.util.spec_from_file_location("fake_of_lambda", ROOT / "tests" / "fakes" / "lambda_cloud.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_key_is_enough(tmp_path):
    made = fakes()
    rows = [made.row(number) for number in range(1, 301)]
    rows[1].update(instance_type=made.KINDS["gpu_8x_h100_sxm5"])
    rows[2].update(status="booting")
    del rows[2]["ip"]
    (tmp_path / "rented.yml").write_text("plugin: rented.gpu.instances\ninclude_raw: true\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "LAMBDA_", "RENTED", "VAST", "XDG_"))}
    env.update(HOME=str(tmp_path), ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS), ANSIBLE_NOCOLOR="1", RENTED_GPU_REHEARSAL="0")
    with made.FakeLambda(rows=rows) as fake:
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.inventory", "-i", str(tmp_path / "rented.yml"), "--list"],
            cwd=tmp_path,
            env={**env, **fake.environment()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, len(fake.calls("list")), fake.violations) == (0, 1, []), done.stderr
        assert fake.key not in done.stdout + done.stderr
    groups = json.loads(done.stdout, object_hook=lambda item: item.get("__ansible_unsafe", item))
    hosts = groups["_meta"]["hostvars"]
    assert len(hosts) == 299 and "lambda-" + made.identity(3) not in hosts
    first = hosts["lambda-" + made.identity(1)]
    assert (first["ansible_host"], first["ansible_port"], first["ansible_user"]) == ("198.51.100.2", 22, "ubuntu")
    assert first["rented_raw"]["private_ip"] == "10.0.0.2" and first["rented_tags"] == {"course": "ml-1"}
    assert groups["gpu_h100"]["hosts"] == ["lambda-" + made.identity(2)]
    assert {"provider_lambda", "kind_vm", "trust_datacenter", "gpu_a10", "state_running"} <= set(groups)
    assert "SECRET" not in done.stdout + done.stderr
