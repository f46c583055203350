# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules instance and instance_info as processes of their own, with the real client, over the fake Vast.ai."""

from __future__ import annotations

import concurrent.futures
import json

import pytest

from ansible_collections.rented.gpu.tests.fakes.vast import FakeVast, offer, row
from ansible_collections.rented.gpu.tests.unit.plugins.modules._process import run


@pytest.fixture
def fake():
    with FakeVast(rows=[row(1, label="other")], offers=[offer(501), offer(502, gpu_name="RTX 3090", gpu_ram=24576)]) as server:
        yield server
    assert server.violations == []


def call(fake, module="instance", check=False, diff=False, home=None, env=None, **arguments):
    """The module's answer."""
    return call_all(fake, [{**arguments, "_ansible_check_mode": check, "_ansible_diff": diff}], module, home, env)[0]


def call_all(fake, several, module="instance", home=None, env=None):
    """The answers to several calls in one process, because the client's import takes a second."""
    account = {"provider": "vast", "endpoint": fake.url, "api_key": fake.key}
    given = [{name: value for name, value in {**account, **arguments}.items() if value is not None} for arguments in several]
    done = run(module, given, {"PATH": "/usr/bin:/bin", "HOME": str(home or "/nonexistent"), **(env or {})})
    assert done.stdout.strip(), done.stderr
    assert fake.key not in done.stdout and fake.key not in done.stderr
    assert "SECRET" not in done.stdout and "Traceback" not in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert len(answers) == len(several), done.stdout
    return answers


def test_a_life(fake):
    wanted = {"name": "hw", "gpu": "RTX 4090", "ssh_public_key": "ssh-ed25519 AAAA me"}
    predicted = call(fake, check=True, diff=True, **wanted)
    assert predicted["changed"] and predicted["instance"]["gpu_model"] == "RTX 4090" and predicted["diff"]["before"] == {"state": "absent"}
    assert fake.calls("create") == []

    rented = call(fake, diff=True, **wanted)
    assert rented["changed"] and rented["instance"]["state"] == "running" and rented["instance"]["ssh_via"] == "direct"
    assert rented["diff"]["after"]["label"] == "hw"

    again = call(fake, **wanted)
    assert not again["changed"] and again["instance"]["id"] == rented["instance"]["id"]
    other = call(fake, **{**wanted, "gpu": "RTX 3090"})
    assert not other["changed"] and "GPU RTX 4090 instead of RTX 3090" in json.dumps(other["warnings"])
    assert len(fake.calls("create")) == 1

    stopped = call(fake, name="hw", state="stopped", diff=True)
    assert stopped["changed"] and (stopped["diff"]["before"]["state"], stopped["diff"]["after"]["state"]) == ("running", "stopped")
    assert not call(fake, name="hw", state="stopped")["changed"]
    assert call(fake, name="hw", state="started")["instance"]["state"] == "running"

    assert call(fake, name="hw", state="absent", check=True)["changed"] and len(fake.rows) == 2
    gone = call(fake, name="hw", state="absent", diff=True)
    assert gone["changed"] and gone["instance"] is None and gone["diff"]["after"] == {"state": "absent"}
    assert not call(fake, name="hw", state="absent")["changed"]
    assert list(fake.rows) == [1]


def test_an_answer_that_is_lost_does_not_rent_twice(fake):
    """The server rents and then breaks the connection: the worst that can happen to the one request that costs money."""
    fake.fault("create", "answer", status=502, body="Bad gateway", done=True)
    rented = call(fake, name="hw", gpu="RTX 4090")
    assert rented["changed"] and rented["instance"]["label"] == "hw" and "rented nevertheless" in json.dumps(rented["warnings"])
    assert not call(fake, name="hw", gpu="RTX 4090")["changed"]
    assert len(fake.calls("create")) == 1 and len(fake.rows) == 2


def test_what_is_rented_is_named_when_the_list_fails_afterwards(fake):
    fake.fault("list", "500", skip=1, times=-1)
    failed = call(fake, name="hw", gpu="RTX 4090", wait=False)
    assert failed["failed"] and failed["instance_id"] == failed["instance"]["id"] == "3000001"
    assert "500: Internal error" in failed["msg"] and "The instance 3000001 was rented, and may be billed" in failed["msg"]


def test_empty_texts_are_not_given(fake):
    neither, by_name = call_all(
        fake, [{"name": "", "id": "", "state": "absent"}, {"name": "other", "id": "", "state": "absent", "not_mine": "1"}]
    )
    assert neither["failed"] and "Say which instance is meant" in neither["msg"]
    assert by_name["changed"] and fake.rows == {}


def test_two_at_the_same_time_rent_one(fake, tmp_path):
    """Two forks of one play: each sees the list before either has rented, if nothing keeps them apart."""
    fake.offers, fake.boot_lists = {number: offer(number) for number in (501, 502)}, 1
    fake.fault("list", "slow", seconds=3)  # the other one's list stands behind it
    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = [pool.submit(call, fake, name="hw", gpu="RTX 4090", env={"RENTED_GPU_HOME": str(tmp_path)}) for _number in range(2)]
        answers = [future.result(60) for future in both]
    assert sorted(answer["changed"] for answer in answers) == [False, True]
    assert {answer["instance"]["id"] for answer in answers} == {"3000001"} and len(fake.calls("create")) == 1


def test_absent_waits_until_it_is_listed_no_more(fake):
    fake.gone_lists = 2
    fake.fault("list", "500", skip=1)
    assert call(fake, name="other", state="absent", not_mine="1")["changed"]
    assert fake.rows == {} and len(fake.calls("list")) >= 4


def test_half_a_rental_is_named(fake):
    failed = call(fake, name="hw", gpu="RTX 4090", interruptible=True, bid_per_hour=0.01)
    assert failed["failed"] and failed["instance_id"] == "3000001" and "was destroyed again" in failed["msg"]


def test_a_bid_for_one_that_exists(fake):
    fake.rows[1].update(is_bid=True, dph_base=0.21)
    predicted = call(fake, name="other", bid_per_hour=0.3, check=True, diff=True)
    assert predicted["changed"] and predicted["diff"]["after"]["bid_per_hour"] == 0.3 and fake.calls("bid") == []
    changed = call(fake, name="other", bid_per_hour=0.3, diff=True)
    assert changed["changed"] and changed["instance"]["price_per_hour"] == 0.3
    assert (changed["diff"]["before"]["bid_per_hour"], changed["diff"]["after"]["bid_per_hour"]) == (0.21, 0.3)
    assert not call(fake, name="other", bid_per_hour=0.3)["changed"]
    assert fake.calls("bid") == [{"client_id": "me", "price": 0.3}]


def test_a_name_that_two_have(fake):
    fake.rows[2] = row(2, label="other")
    failed = call(fake, name="other", state="absent")
    assert failed["failed"] and "2 instances at Vast.ai are called 'other' (ids 1, 2)" in failed["msg"]
    assert call(fake, id="2", state="absent", not_mine="2")["changed"] and list(fake.rows) == [1]


@pytest.mark.parametrize("label", ["{{ lookup('pipe', 'id') }}", "#jinja2: trim_blocks:True"])
def test_a_label_like_a_template_is_only_a_label(fake, label):
    fake.rows[1]["label"] = label
    assert not call(fake, name=label)["changed"]
    assert call(fake, "instance_info", name=label)["instances"][0]["label"] == label


MISTAKES = [
    ({"provider": "vst"}, "There is no provider 'vst'. Did you mean 'vast'?"),
    ({"api_key": "a-wrong-key-0000"}, "Vast.ai refused the API key (404: Invalid user key). Check the key."),
    ({"api_key": ""}, "'api_key' is empty; leave it out or give it a value."),
    ({"endpoint": "console.vast.ai"}, "The endpoint 'console.vast.ai' does not begin with https://."),
    ({"account_options": {"region": "x"}}, "An account of Vast.ai has no option 'region'. It has none."),
    ({"options": {"imag": "x"}}, "Vast.ai takes no launch option 'imag'."),
    ({"bid_per_hour": 0.2}, "'bid_per_hour' is for what is rented interruptibly: say 'interruptible: true' too, or leave it out."),
    ({"name": "other", "bid_per_hour": 0.2}, "The instance 'other' (1) at Vast.ai was not rented by a bid"),
    ({"options": {"onstart": "x"}}, "Vast.ai takes no launch option 'onstart'."),
    ({"name": "hw "}, "A name has at least one character and no spaces at its ends."),
    ({"state": "started"}, "Vast.ai has no instance 'hw'. 'state: present' rents one."),
    ({"gpu": "RTX 9090"}, "Vast.ai has no offer for 1× RTX 9090. Ask for less, or pay more."),
    ({"ssh_public_key": "/nowhere/id.pub"}, "The SSH public key /nowhere/id.pub cannot be read: No such file or directory."),
    (
        {"ssh_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"},
        "ssh_public_key is a private key; give the public one (the file that ends in .pub).",
    ),
    ({"ssh_public_key": "hello"}, "ssh_public_key is not one SSH public key on one line."),
    ({"timeout": 0}, "'timeout' is a number of seconds above 0, and at most 86400."),
]


def test_one_sentence_for_each_mistake(fake):
    answers = call_all(fake, [{"name": "hw", "gpu": "RTX 4090", **arguments} for arguments, _sentence in MISTAKES])
    for answer, sentence in zip(answers, [sentence for _given, sentence in MISTAKES]):
        assert answer["failed"] and answer["msg"].startswith(sentence)
    assert fake.calls("create") == []


def test_check_mode_finds_the_mistakes_that_need_no_question(fake):
    wrong = [{"options": {"imag": "x"}}, {"bid_per_hour": 0.2}, {"options": {"env": "A=1"}}, {"gpu": None}]
    answers = call_all(fake, [{"name": "hw", "gpu": "RTX 4090", "_ansible_check_mode": True, **arguments} for arguments in wrong])
    for answer, words in zip(answers, ["no launch option 'imag'", "interruptible: true", "'env' of Vast.ai", "Name the GPU"]):
        assert answer["failed"] and words in answer["msg"]


def test_no_key_at_all(fake, tmp_path):
    failed = call(fake, name="hw", api_key=None, home=tmp_path)
    assert failed["msg"].startswith("No API key for Vast.ai. Looked at $VAST_API_KEY, ")


def test_the_key_from_the_environment_is_hidden_too(fake, tmp_path):
    assert call(fake, "instance_info", api_key=None, home=tmp_path, env={"VAST_API_KEY": fake.key})["instances"][0]["id"] == "1"


def test_a_key_file_that_cannot_be_read(fake, tmp_path):
    (tmp_path / ".vast_api_key").mkdir()
    assert "key file ~/.vast_api_key of Vast.ai cannot be read" in call(fake, name="hw", api_key=None, home=tmp_path)["msg"]


def test_a_provider_that_is_down(fake):
    fake.fault("list", "html", times=-1)
    failed = call(fake, name="other", state="absent")
    assert "answered a web page instead of its API" in failed["msg"] and list(fake.rows) == [1]


# --- instance_info -----------------------------------------------------------------------------------------------------


def test_listing(fake):
    fake.rows.update({2: row(2, label="hw", actual_status="exited"), 3: row(3, label="hw", dph_total=2, instance=None)})

    def ids(**arguments):
        return [item["id"] for item in call(fake, "instance_info", **arguments)["instances"]]

    assert ids() == ["1", "2", "3"]
    assert ids(name="hw") == ["2", "3"]
    assert ids(id="2") == ["2"]
    assert ids(states=["stopped"]) == ["2"]
    assert ids(name="nobody") == []
    answer = call(fake, "instance_info", query="[?price_per_hour > `1`].id | [0]", check=True)
    assert answer["result"] == "3" and len(answer["instances"]) == 3 and not answer["changed"]


def test_the_last_output_of_an_instance(fake):
    fake.rows[2] = row(2, label="hw")
    fake.logs[2] = "a" * 30000 + "\x1b]0;owned\x07 the end\n"
    answer = call(fake, "instance_info", name="hw", console=True, check=True)
    (console,) = answer["consoles"]
    assert (console["provider"], console["id"], console["problem"]) == ("vast", "2", None)
    assert console["text"].endswith("\\x1b]0;owned\\x07 the end\n") and 20000 <= len(console["text"]) < 20100
    assert "consoles" not in call(fake, "instance_info")


def test_queries_that_cannot_be(fake):
    queries = {"[?": "Incomplete expression, at column 3.", "sum([].label)": "sum() takes array-number", "nothing(@)": "Unknown function"}
    answers = call_all(fake, [{"query": query} for query in queries], "instance_info")
    assert [words in answer["msg"] for words, answer in zip(queries.values(), answers)] == [True] * 3


def test_an_empty_account():
    with FakeVast() as fake:
        assert call(fake, "instance_info")["instances"] == []


def test_every_account_that_is_found(fake, tmp_path):
    env = {"VAST_API_KEY": fake.key, "VAST_URL": fake.url}
    found = call(fake, "instance_info", provider=None, endpoint=None, api_key=None, home=tmp_path, env=env)
    assert [item["id"] for item in found["instances"] if item["provider"] == "vast"] == ["1"]
    assert "belongs to one provider" in call(fake, "instance_info", provider=None)["msg"]


def test_an_account_that_fails_fails_the_whole(fake, tmp_path):
    fake.fault("list", "500", times=-1)
    env = {"VAST_API_KEY": fake.key, "VAST_URL": fake.url, "RENTED_GPU_REHEARSAL": "0"}
    failed = call(fake, "instance_info", provider=None, endpoint=None, api_key=None, home=tmp_path, env=env)
    assert failed["failed"] and "failed to list the instances (500" in failed["msg"]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("state", ["absent", "stopped"])
def test_what_was_rented_elsewhere_stays_until_its_id_is_named(fake, state, check):
    refused = call(fake, name="other", state=state, check=check)
    assert refused["failed"] and "may not be yours" in refused["msg"] and "not_mine: '1'" in refused["msg"]
    wrong = call(fake, name="other", state=state, check=check, not_mine="2")
    assert wrong["failed"] and "'not_mine' names the instance '2', but the instance meant here is 1" in wrong["msg"]
    assert list(fake.rows) == [1] and fake.calls("destroy") == [] and fake.calls("update") == []
