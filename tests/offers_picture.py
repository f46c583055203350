# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of docs/offers.md: the playbook really run, in a terminal of 120 columns, against the servers in tests/fakes.

python tests/offers_picture.py > docs/images/offers.svg
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "tests")]

from picture import svg

from ansible_collections.rented.gpu.tests.fakes import aws, gcp, lambda_cloud, paperspace, runpod, vast

WISH = '{"offers_gpu": ["RTX 4090", "A10", "L4", "A100 80GB"], "offers_hours": 6, "offers_data_gb": 40}'
# Not the cheapest hour is the cheapest job: the first has a slow link, and its traffic is paid.
OFFERS = [
    vast.offer(7101, dph_base=0.30, dph_total=0.31, inet_down=100.0, inet_down_cost=0.02),
    vast.offer(7102, dph_base=0.34, dph_total=0.35, inet_down=2000.0, inet_down_cost=0.0, geolocation="Austin, Texas, US"),
    vast.offer(7103, dph_base=0.95, dph_total=0.96, gpu_name="A100 PCIE", gpu_ram=81920, geolocation="Reykjavik, IS", hosting_type=1),
]


def offers() -> list:
    """The lines of the table, and of what stands under it."""
    servers = [
        vast.FakeVast(offers=OFFERS),
        runpod.FakeRunpod(),
        lambda_cloud.FakeLambda(),
        paperspace.FakePaperspace(),
        gcp.FakeGcp(),
        aws.FakeAws(),
    ]
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        home = stack.enter_context(tempfile.TemporaryDirectory())
        env = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        env.update(HOME=home, ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"), ANSIBLE_NOCOLOR="1", COLUMNS="120")
        env.update(RENTED_GPU_REHEARSAL="0", GOOGLE_CLOUD_PROJECT=gcp.PROJECT, **servers[-1].env)
        for server in servers[:-1]:
            env.update(server.environment())
        words = [sys.executable, "-m", "ansible.cli.playbook", "rented.gpu.offers", "-e", WISH]
        said = subprocess.run(words, cwd=home, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    head = next(number for number, line in enumerate(said) if line.split()[:2] == ["#", "provider"])
    return "\n".join(said[head : said.index("ok: [localhost]")]).rstrip().split("\n")


if __name__ == "__main__":
    sys.stdout.write(svg("$ ansible-playbook rented.gpu.offers -e '%s'" % WISH, offers()))
