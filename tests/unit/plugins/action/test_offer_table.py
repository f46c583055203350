# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ansible-playbook rented.gpu.offers`` as a user calls it, without an inventory, over Vast's API and the rehearsal provider."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

from ansible_collections.rented.gpu.plugins.modules import offer_info, offer_table
from ansible_collections.rented.gpu.tests.fakes.aws import FakeAws
from ansible_collections.rented.gpu.tests.fakes.gcp import PROJECT, FakeGcp
from ansible_collections.rented.gpu.tests.fakes.lambda_cloud import FakeLambda
from ansible_collections.rented.gpu.tests.fakes.paperspace import FakePaperspace
from ansible_collections.rented.gpu.tests.fakes.runpod import FakeRunpod
from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, offer

ROOT = pathlib.Path(__file__).absolute().parents[4]
COLLECTIONS = ROOT / ".collections" if (ROOT / ".collections").is_dir() else ROOT.parents[2]

pytest.importorskip("vastai", reason="the official client of Vast.ai is not installed")


@pytest.fixture
def fake():
    offers = [
        offer(1, dph_base=0.30, dph_total=0.31, inet_down=100.0, inet_down_cost=0.02),
        offer(2, dph_base=0.34, dph_total=0.35, inet_down=2000.0, inet_down_cost=0.0, geolocation="Austin, Texas, US"),
        offer(3, dph_base=0.90, dph_total=0.91, gpu_name="L40S", gpu_ram=46068, inet_up_cost=None),
    ]
    with FakeVast(offers=offers) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def play(fake, tmp_path):
    """``play(variables, *arguments)``: status and output of the playbook."""

    def run(variables, *arguments, playbook="rented.gpu.offers", **environment):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "VAST", "RENTED", "XDG_"))}
        env.update(
            HOME=str(tmp_path),
            ANSIBLE_HOME=str(tmp_path / "ansible"),
            ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
            ANSIBLE_NOCOLOR="1",
            COLUMNS="119",
            RENTED_GPU_REHEARSAL="1",
        )
        env.update(fake.environment())
        env.update(environment)
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.playbook", playbook, "-e", json.dumps(variables), *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert fake.key not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


WISH = {"offers_gpu": ["RTX 4090", "L40S"], "offers_hours": 6, "offers_data_gb": 40, "offers_results_gb": 1}


def test_the_table(play):
    status, said = play(WISH)
    lines = said.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("#"))
    assert status == 0 and lines[head].split()[:4] == ["#", "provider", "offer", "GPU"]
    rows = [line.split() for line in lines[head + 2 : head + 7]]
    assert rows[0][:3] == ["1", "vast", "2"] and [row[1] for row in rows].count("rehearsal") == 2
    assert rows[-1][:3] == ["5", "vast", "3"] and "+" in " ".join(rows[-1])
    assert "(simulated)" in said and "not counted (a total with +): boot time (rehearsal); price of traffic out (vast)" in said
    assert "Prices in USD of this minute (" in said


@pytest.fixture
def five_more():
    """The servers of the other five providers, and the environment that leads to them."""
    servers = {"lambda": FakeLambda(), "runpod": FakeRunpod(), "paperspace": FakePaperspace(), "gcp": FakeGcp()}
    with servers["lambda"], servers["runpod"], servers["paperspace"], servers["gcp"], FakeAws() as amazon:
        env = {"GOOGLE_CLOUD_PROJECT": PROJECT, **amazon.env}
        for server in servers.values():
            env.update(server.environment())
        yield {**servers, "aws": amazon}, env
    assert [server.violations for server in (*servers.values(), amazon)] == [[]] * 5


def test_one_table_over_several_providers(play, five_more, tmp_path):
    servers, env = five_more
    settings = {"offers_limit": 0, "offers_format": "json", "offers_file": "all.json"}
    status, said = play(settings, **env)
    assert status == 0 and "Paperspace's API tells no prices" in said and "Google Cloud's API tells no prices" in said
    assert "no credentials were found" not in said and "FAILED" not in said
    found = json.loads((tmp_path / "all.json").read_text())
    assert {row["provider"] for row in found["offers"]} == {"vast", "lambda", "runpod", "paperspace", "gcp", "aws", "rehearsal"}
    totals = [row["total_usd"] for row in found["offers"]]
    known = [total for total in totals if total is not None]
    assert known == sorted(known) and totals == known + [None] * (len(totals) - len(known))
    assert {row["provider"] for row in found["offers"] if row["total_usd"] is None} == {"paperspace", "gcp"}

    servers["runpod"].fault("*", "500", times=-1)
    servers["aws"].fault("DescribeInstanceTypeOfferings", "denied", times=-1)
    status, said = play({**settings, "offers_max_price": 3}, **env)
    assert status == 0 and "FAILED: RunPod" in said.replace("\n", " ") and "FAILED: AWS" in said.replace("\n", " ")
    for title in ("Paperspace", "Google Cloud"):
        assert "%s: offers without a price were left out, because 'max_price' is given" % title in said.replace("\n  ", " ")
    found = json.loads((tmp_path / "all.json").read_text())
    assert {row["provider"] for row in found["offers"]} == {"vast", "lambda", "rehearsal"}
    assert sorted(failure["provider"] for failure in found["failures"]) == ["aws", "runpod"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_all_providers_in_a_terminal(play, five_more, width):
    _servers, env = five_more
    wish = {"offers_gpu": ["RTX 4090", "A10", "L4", "A100 80GB"], "offers_hours": 6, "offers_data_gb": 40}
    status, said = play(wish, **env, COLUMNS=str(width), RENTED_GPU_REHEARSAL="0")
    lines = said.splitlines()
    head = next(number for number, line in enumerate(lines) if line.strip().startswith("#"))
    table = lines[head : lines.index("", head)]
    assert status == 0 and max(map(len, lines[head : said[: said.index("ok: [localhost]")].count("\n")])) <= width
    # One line for each thing that can be rented, at however many places: nobody is crowded out.
    assert {line.split()[1] for line in table[2:]} == {"vast", "lambda", "runpod", "paperspace", "gcp", "aws"} and len(table) <= 22
    (cheapest,) = [line for line in table if "0.647" in line]
    assert cheapest.split()[1] == "aws" and re.search(r" \+\d+( |$)", cheapest)
    assert ("offer" in table[0], "trust" in table[0], "g6.xlarge" in cheapest) == (width == 120,) * 3
    assert "https://cloud.google.com/compute/gpus-pricing" in said and "https://www.paperspace.com/pricing" in said


def test_in_a_narrow_terminal(play):
    _status, said = play(WISH, COLUMNS="79")
    table = said[said.index("\n#") : said.index("ok: [localhost]")]
    assert max(map(len, table.splitlines())) <= 79 and "…" in table


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_file_is_written_and_read_back(play, tmp_path, form):
    settings = {**WISH, "offers_format": form, "offers_file": "~/offers." + form}
    assert "would be written" in play(settings, "--check")[1].lower() and not (tmp_path / ("offers." + form)).exists()
    status, said = play(settings)
    path = tmp_path / ("offers." + form)
    assert status == 0 and "Written: %s" % path in said and "changed=1" in said
    text = path.read_text()
    rows = json.loads(text)["offers"] if form == "json" else list(csv.DictReader(text.splitlines()))
    assert [row["provider"] for row in rows] == ["vast", "rehearsal", "vast", "rehearsal", "vast"]
    totals = [float(row["total_usd"]) for row in rows]
    assert totals == sorted(totals) and totals[0] == pytest.approx(2.13, abs=0.01)


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_place_with_ends_of_lines_in_its_name_stays_one_value(play, fake, tmp_path, form):
    place = "Somewhere\u2028odd\x85\x0b\x9b\rplace, NO"
    fake.offers[1]["geolocation"] = place
    settings = {"offers_format": form, "offers_providers": ["vast"], "offers_limit": 0}
    assert play({**settings, "offers_file": "~/o"})[0] == 0
    text = (tmp_path / "o").read_bytes().decode()
    rows = json.loads(text)["offers"] if form == "json" else list(csv.DictReader(io.StringIO(text, newline="")))
    assert "Somewhere\ufffdodd\ufffd\ufffd\ufffd\ufffdplace, NO" in [row["region"] for row in rows]
    assert "changed=0" in play({**settings, "offers_file": "~/o"})[1] or form == "json"  # JSON says when it was asked
    said = play(settings)[1]
    assert "\x9b" not in said and "\u2028" not in said


def test_json_on_the_terminal(play):
    _status, said = play({**WISH, "offers_format": "json", "offers_query": "[].{gpu: gpu_model, usd: total_usd}", "offers_limit": 1})
    document = json.loads(said[said.index("\n{") : said.index("\n}") + 2])
    assert document["result"] == [{"gpu": "RTX 4090", "usd": document["offers"][0]["total_usd"]}] and document["found"] == 5


def test_one_that_fails_is_named_under_the_table(play, fake):
    fake.fault("search", "500", times=-1)
    status, said = play(WISH)
    assert status == 0 and "FAILED: Vast.ai failed to search offers (500" in said and "rehearsal" in said


def test_when_all_fail_the_play_fails(play, fake):
    fake.fault("search", "500", times=-1)
    status, said = play({**WISH, "offers_providers": ["vast"]})
    assert status == 2 and "Vast.ai failed to search offers (500" in said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"offers_gpus": "RTX 4090"}, "No provider was asked. 'offers_gpus' is not a setting. Did you mean 'offers_gpu'?"),
        ({"offers_regions": ["NO"], "offers_hour": 1}, "'offers_regions' is not a setting. Did you mean 'offers_region'?"),
        ({"offers_format": "xml"}, "'format' cannot be 'xml'. Known: csv, json, table."),
        ({"offers_hours": "six"}, "'hours'"),
        ({"offers_file": "~/nowhere/offers.csv"}, "would be in a folder that does not exist"),
        ({"offers_file": "~"}, "is a folder"),
        ({"offers_hours": 0}, "'hours' is above 0, not 0.0."),
    ],
)
def test_mistakes_are_told_before_anybody_is_asked(play, fake, settings, words):
    status, said = play(settings)
    assert status == 2 and words in said.replace("\n", " ") and fake.requests == []


def test_the_keys_of_the_accounts_are_not_shown(play, fake, tmp_path):
    """On a host that is not this computer it refuses, before it logs in."""
    path = tmp_path / "play.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [{"rented.gpu.offer_table": {}}]}]))
    status, said = play({}, "-i", "192.0.2.1,", playbook=str(path))
    assert status == 2 and "The offers are asked for from your own computer" in said and fake.requests == []


def test_the_playbook_passes_every_option_on():
    (task,) = yaml.safe_load((ROOT / "playbooks" / "offers.yml").read_text())[0]["tasks"]
    given = task["rented.gpu.offer_table"]
    assert set(given) == set(offer_table.ARGUMENT_SPEC) and given["prefix"] == "offers_"
    assert {name: value for name, value in given.items() if name != "prefix"} == {
        name: "{{ offers_%s | default(omit) }}" % name for name in offer_table.ARGUMENT_SPEC if name != "prefix"
    }


def test_the_docs_of_both_modules_name_the_same_options():
    documented = {module: yaml.safe_load(module.DOCUMENTATION)["options"] for module in (offer_info, offer_table)}
    for name, option in documented[offer_table].items():
        spec = offer_table.ARGUMENT_SPEC[name]
        assert (option["type"], option.get("default"), option.get("choices")) == (spec["type"], spec.get("default"), spec.get("choices"))
    assert set(documented[offer_info]) - {"provider"} <= set(documented[offer_table]) == set(offer_table.ARGUMENT_SPEC)


def test_the_page_names_every_variable():
    page = (ROOT / "docs" / "offers.md").read_text()
    assert [name for name in offer_table.ARGUMENT_SPEC if name != "prefix" and "`offers_%s`" % name not in page] == []
