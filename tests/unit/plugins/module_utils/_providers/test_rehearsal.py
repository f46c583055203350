# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal provider without an engine: what engines print, what requests mean, and the text that runs in a box."""

from __future__ import annotations

import csv
import os
import pathlib
import shutil
import stat
import subprocess
from xml.etree import ElementTree

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, MissingLibrary, ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers import rehearsal
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine, images, launching, machines, tools
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest, Wish

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "rehearsal"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7dTIKiiPvUrBZ5UqNcXRrsNrH1mLTMdcuFxCPPpVHo test"


def recorded(name):
    return (FIXTURES / name).read_text(encoding="utf-8")


# --- what engines print ----------------------------------------------------------------------------------------------


def test_podman_list_becomes_instances():
    running, stopped, vanishing = [rehearsal.instance(box) for box in engine.parse_podman(recorded("podman-4.3-ps.json"))]
    assert running.label == 'homework, "part" {{ 1 }} = é'
    assert (running.provider, running.account, running.kind, running.state) == ("rehearsal", "recorded", "container", "running")
    assert (running.ssh_user, running.ssh_host, running.ssh_via) == ("root", "127.0.0.1", "direct")
    assert 1024 < running.ssh_port < 65536
    assert len(running.id) == 12
    assert (running.gpu_model, running.gpu_count, running.gpu_vram_mb) == ("RTX 4090", 2, 24564)
    assert running.gpu_name_raw.endswith("(simulated)")
    assert running.price_per_hour == pytest.approx(0.72)
    assert running.tags == {"simulated": "true"}
    # podman still names the port of a stopped container; nothing listens there
    assert (stopped.label, stopped.kind, stopped.state, stopped.ssh_host, stopped.ssh_port) == ("stopped", "vm", "stopped", None, None)
    assert (vanishing.gpu_name_raw, vanishing.gpu_model, vanishing.gpu_vram_mb, vanishing.driver) == (None, None, None, None)
    assert vanishing.ends_at > vanishing.started_at


def test_docker_list_says_the_same():
    podman = [rehearsal.instance(box) for box in engine.parse_podman(recorded("podman-4.3-ps.json"))][:2]
    docker = [rehearsal.instance(box) for box in engine.parse_docker(recorded("docker-20.10-ps.jsonl"))]
    docker.sort(key=lambda box: box.label)
    for one, other in zip(podman, docker):
        for field in ("account", "label", "kind", "state", "gpu_model", "gpu_count", "gpu_vram_mb", "price_per_hour", "image", "ssh_user"):
            assert getattr(one, field) == getattr(other, field), field
    assert [box.ssh_port for box in docker] == [32769, None]


@pytest.mark.parametrize(
    "mapping",
    [
        {"host_ip": "127.0.0.1", "container_port": 22, "host_port": 40001, "range": 1, "protocol": "tcp"},
        {"hostPort": 40001, "containerPort": 22, "protocol": "tcp", "hostIP": "127.0.0.1"},
    ],
)
def test_ports_of_older_and_newer_podman(mapping):
    assert engine._from_podman({"Id": "1" * 64, "Names": ["x"], "State": "running", "Ports": [mapping], "Labels": None})["port"] == 40001


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("created", "pending"),
        ("running", "running"),
        ("exited", "stopped"),
        ("stopping", "stopping"),
        ("dead", "error"),
        ("new word", "unknown"),
    ],
)
def test_states(word, state):
    box = {"id": "1" * 64, "name": "rented.1.x", "state": word, "labels": {}, "port": None, "started": None}
    assert (rehearsal.instance(box).state, rehearsal.instance(box).state_raw) == (state, word)


def test_a_container_with_our_account_and_nothing_else_is_no_crash():
    box = {
        "id": "1" * 64,
        "name": "x",
        "state": "running",
        "labels": {"gpu.rented.account": "a", "gpu.rented.gpu_count": "many"},
        "port": 1,
        "started": None,
    }
    seen = rehearsal.instance(box)
    assert (seen.account, seen.label, seen.kind, seen.gpu_count, seen.price_per_hour) == ("a", None, None, None, None)


@pytest.mark.parametrize("parse", [engine.parse_podman, engine.parse_docker])
@pytest.mark.parametrize("text", ["<html>", "[1, 2]", '{"Id"', '[{"Names": []}]'])
def test_nonsense_is_an_error_and_not_an_empty_list(parse, text):
    with pytest.raises(ProviderUnavailable, match="something that is not its list"):
        parse(text)


def test_nothing_is_an_empty_list():
    assert engine.parse_podman("") == engine.parse_podman("null") == engine.parse_podman("[]") == engine.parse_docker("\n") == []


@pytest.mark.parametrize("label", ["a", "a, b=c", "{{ x }}", "ü", "100%41", "a_20b", "-", "a\nb"])
def test_any_label_survives_as_name_and_as_label_value(label):
    name = machines.container_name("12ab34cd", label)
    assert machines.tag_and_label(name) == ("12ab34cd", label)
    assert all(character.isalnum() or character in "_.-" for character in name)
    assert engine.unquote(engine.quote(label)) == label
    assert not set(engine.quote(label)) & set(",=\n")


@pytest.mark.parametrize("label", ["", "x" * 121, "ü" * 21])
def test_a_label_that_no_container_can_carry(label):
    with pytest.raises(RentedError, match="1 to 120 characters"):
        machines.container_name("12ab34cd", label)


# --- requests --------------------------------------------------------------------------------------------------------


def test_prices_are_stated_and_limits_kept():
    assert launching.plan(LaunchRequest(name="x"))["price"] == pytest.approx(0.37)
    assert launching.plan(LaunchRequest(name="x", gpu_count=2, options={"kind": "vm"}))["price"] == pytest.approx(1.55)
    assert launching.plan(LaunchRequest(name="x", gpu="none"))["price"] == pytest.approx(0.02)
    assert launching.plan(LaunchRequest(name="x", interruptible=True))["price"] == pytest.approx(0.185)
    with pytest.raises(RentedError, match=r"0\.37 USD/h, above the limit of 0\.30"):
        launching.plan(LaunchRequest(name="x", max_price_per_hour=0.3))


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("rtx_4090", "NVIDIA GeForce RTX 4090"),
        ("NVIDIA GeForce RTX 4090 (simulated)", "NVIDIA GeForce RTX 4090"),
        ("A100", "NVIDIA A100-SXM4-40GB"),
        ("A100 80GB", "NVIDIA A100-SXM4-80GB"),
        ("none", None),
    ],
)
def test_gpu_names(asked, name):
    assert launching.find_gpu(asked) == name


def test_every_simulated_gpu_has_a_name_that_the_shared_table_knows():
    for name, facts in machines.GPUS.items():
        assert _gpu_names.KNOWN.match(_gpu_names.normalise(name, facts[0]).model), name
        assert launching.find_gpu(name) == name


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (LaunchRequest(name="x", options={"ssh_dely": 1}), "Rehearsal takes no launch option 'ssh_dely'. Did you mean 'ssh_delay'?"),
        (LaunchRequest(name="x", options={"ssh_delay": "soon"}), "whole number"),
        (LaunchRequest(name="x", options={"vanish_after": -1}), "0 or more"),
        (LaunchRequest(name="x", options={"refuse_key": "maybe"}), "true or false"),
        (LaunchRequest(name="x", options={"kind": "pod"}), "no kind of box 'pod'"),
        (LaunchRequest(name="x", options={"driver": "1'; rm -rf /"}), "takes letters"),
        (LaunchRequest(name="x", gpu="RTX 4091"), "no simulated GPU 'RTX 4091'. Did you mean 'RTX 4090'?"),
        (LaunchRequest(name="x", gpu_count=17), "0 to 16"),
        (LaunchRequest(name="x", image="debian-11"), "no image 'debian-11'. Did you mean 'debian-1"),
        (LaunchRequest(name="x", options={"user": "paperspace"}), "take kind: vm"),
        (LaunchRequest(name="x", options={"user": "root", "kind": "vm"}), "take kind: container"),
        (LaunchRequest(name="x", options={"user": "Ada Lovelace", "kind": "vm"}), "takes a login name"),
        (LaunchRequest(name="x", startup_script="#" * 100001), "at most 100000 bytes, and this one has 100001"),
    ],
)
def test_wrong_requests(request_, words):
    with pytest.raises(RentedError) as caught:
        launching.plan(request_)
    assert words in caught.value.message


def test_the_login_user_is_that_of_the_kind_or_the_one_that_was_asked():
    assert launching.plan(LaunchRequest(name="x"))["user"] == "root"
    assert launching.plan(LaunchRequest(name="x", options={"kind": "vm"}))["user"] == "ubuntu"
    assert launching.plan(LaunchRequest(name="x", options={"kind": "vm", "user": "ec2-user"}))["user"] == "ec2-user"
    labels = {"gpu.rented.account": "a", "gpu.rented.kind": "vm", "gpu.rented.login": "ec2-user"}
    box = {"id": "1" * 64, "name": "x", "state": "running", "labels": labels, "port": 1, "started": None}
    assert rehearsal.instance(box).ssh_user == "ec2-user"


def test_no_python_is_an_image():
    assert launching.plan(LaunchRequest(name="x", options={"no_python": True}))["image"] == "debian-12-no-python"
    assert launching.plan(LaunchRequest(name="x", image="debian-13", options={"no_python": "yes"}))["image"] == "debian-13-no-python"


def test_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingCredentials, match="ssh-keygen -t ed25519"):
        launching.find_public_key()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "work.pub").write_text(KEY + "\n")
    assert launching.find_public_key() == KEY
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text(KEY + " usual\n")
    assert launching.find_public_key() == KEY + " usual"
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
    with pytest.raises(MissingCredentials, match=r"give the \.pub file") as caught:
        launching.check_public_key(private, "The key")
    assert "b3Blb" not in caught.value.message
    with pytest.raises(MissingCredentials):
        launching.check_public_key(KEY + "\n" + KEY, "The key")


def test_the_page_names_every_option_and_image():
    page = (FIXTURES.parents[2] / "docs" / "providers" / "rehearsal.md").read_text(encoding="utf-8")
    assert [name for name in launching.LAUNCH_OPTIONS if "`%s`" % name not in page] == []
    assert [name for name in images.VARIANTS if name and "`-%s`" % name not in page] == []
    assert [name for name in images.SUITES if "`%s`" % name not in page] == []


# --- engine and images -----------------------------------------------------------------------------------------------


def fake_engine(folder, name, script):
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def no_engine(tmp_path, monkeypatch):
    """A PATH with a shell's tools and no engine; a state directory of its own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "cat", "echo", "sleep"):
        (folder / tool).symlink_to(shutil.which(tool))
    for name in ("CONTAINERS_CONF", "RENTED_GPU_ENGINE", "RENTED_GPU_REHEARSAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("RENTED_GPU_HOME", str(tmp_path / "state"))
    return folder


def test_without_an_engine_the_message_says_what_to_install(no_engine):
    with pytest.raises(
        MissingLibrary, match=r"neither podman nor docker was found.*apt-get install podman runc netavark iptables debootstrap"
    ):
        rehearsal.RehearsalProvider().list_instances()
    assert rehearsal.RehearsalProvider.available() is False


def test_an_engine_that_was_named_and_is_not_there(no_engine, monkeypatch):
    monkeypatch.setenv("RENTED_GPU_ENGINE", "nerdctl")
    with pytest.raises(MissingLibrary, match=r"'nerdctl' \(\$RENTED_GPU_ENGINE\)"):
        rehearsal.RehearsalProvider().list_instances()


def test_podman_comes_before_docker_and_the_environment_before_both(no_engine, monkeypatch):
    fake_engine(no_engine, "docker", "exit 0\n")
    assert engine.need_engine().kind == "docker"
    fake_engine(no_engine, "podman", "exit 0\n")
    assert engine.need_engine().kind == "podman"
    monkeypatch.setenv("RENTED_GPU_ENGINE", "docker")
    assert engine.need_engine().kind == "docker"


def test_a_docker_without_its_daemon(no_engine):
    fake_engine(
        no_engine,
        "docker",
        "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1\n",
    )
    with pytest.raises(ProviderUnavailable, match=r"Cannot connect to the Docker daemon.*Start the docker service, or install podman"):
        rehearsal.RehearsalProvider().list_instances()
    assert rehearsal.RehearsalProvider.available() is False


def test_an_engine_that_works_is_left_alone(no_engine):
    fake_engine(no_engine, "podman", "exit 0\n")
    podman = engine.need_engine()
    podman.ready("image")
    assert podman.config is None
    assert "CONTAINERS_CONF" not in engine.need_engine().environment()


def test_our_settings_only_where_the_engine_fails_with_its_own_and_decided_once(no_engine, tmp_path):
    log = tmp_path / "log"
    fake_engine(
        no_engine,
        "podman",
        'echo "${CONTAINERS_CONF:-own} $1" >> %s\n' % log
        + '[ -n "${CONTAINERS_CONF:-}" ] && exit 0\necho "Error: error setting rlimit type 7" >&2; exit 126\n',
    )
    podman = engine.need_engine()
    podman.ready("image")
    config = str(tmp_path / "state" / "rehearsal" / "containers.conf")
    assert log.read_text().splitlines() == ["own run", config + " run"]
    again = engine.need_engine()
    again.ready("image")
    assert again.config == config
    assert len(log.read_text().splitlines()) == 2
    # A file that was cleaned away is not referred to.
    os.unlink(config)
    assert engine.need_engine().config is None


def test_the_users_own_settings_are_obeyed(no_engine, monkeypatch):
    monkeypatch.setenv("CONTAINERS_CONF", "/etc/mine.conf")
    fake_engine(no_engine, "podman", 'echo "Error: netavark: could not find iptables: not found" >&2; exit 125\n')
    with pytest.raises(ProviderUnavailable, match=r"cannot start a container: .*'netavark' seems to be missing: apt-get install netavark"):
        engine.need_engine().ready("image")


def test_both_settings_fail(no_engine):
    fake_engine(no_engine, "podman", 'echo "Error: no ${CONTAINERS_CONF:-luck}" >&2; exit 125\n')
    with pytest.raises(ProviderUnavailable, match=r"With its own settings: no luck\. With .*containers\.conf: no .*containers\.conf\."):
        engine.need_engine().ready("image")


def test_a_failing_start_leaves_nothing(no_engine, tmp_path):
    log = tmp_path / "log"
    fake_engine(
        no_engine,
        "podman",
        'echo "$1" >> %s\n[ "$1 $2" = "run --detach" ] && { echo "Error: port in use" >&2; exit 126; }\nexit 0\n' % log,
    )
    with pytest.raises(RentedError, match=r"The box 'x' could not be started: port in use\."):
        rehearsal.RehearsalProvider().launch(LaunchRequest(name="x", ssh_public_key=KEY))
    assert log.read_text().split()[-2:] == ["run", "rm"]


def test_tags_change_with_what_goes_into_an_image(monkeypatch):
    base, top = images.tags("debian-12")
    monkeypatch.setattr(tools, "ENTRY", tools.ENTRY + "# more\n")
    assert images.tags("debian-12")[0] == base
    assert images.tags("debian-12")[1] != top
    monkeypatch.setattr(images, "PACKAGES", (*images.PACKAGES, "git"))
    assert images.tags("debian-12")[0] != base


def test_the_mirror_is_that_of_the_hosts_own_release():
    lines = ["//a/security bookworm-security", "//b/debian bookworm-updates", "//b/debian nodistro", "//c/debian bookworm"]
    printed = "".join("http:%s main\n" % line for line in lines)
    assert images._mirror_in(printed, "bookworm") == "http://c/debian"
    assert images._mirror_in("http://d/thing nodistro main\n", "bookworm") is None


# --- what runs in a box ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ENTRY", "NVIDIA_SMI"])
def test_scripts_are_shell(name):
    subprocess.run(["sh", "-n"], input=getattr(tools, name), text=True, check=True)


@pytest.fixture
def smi(tmp_path):
    """The stand-in of nvidia-smi with settings of the test."""

    def run(*arguments, **settings):
        facts = {
            "name": "NVIDIA A10 (simulated)", "count": 2, "memory_mb": 23028, "used_mb": 28, "compute_cap": "8.6", "power_w": 150,
            "ecc": 0, "driver": "550.54.15", "cuda": "12.4", "broken": 0, "seed": "box",
        }  # fmt: skip
        facts.update(settings)
        config = tmp_path / "gpu.conf"
        config.write_text("".join("%s='%s'\n" % fact for fact in facts.items()))
        script = tools.NVIDIA_SMI.replace("/etc/rented-box/gpu.conf", str(config))
        assert script != tools.NVIDIA_SMI
        return subprocess.run(["sh", "-s", "--", *arguments], input=script, capture_output=True, text=True, check=False)

    return run


def test_csv(smi):
    done = smi("--query-gpu=index,name,memory.total,memory.used,memory.free,power.limit", "--format=csv,noheader,nounits")
    assert list(csv.reader(done.stdout.splitlines(), skipinitialspace=True)) == [
        [number, "NVIDIA A10 (simulated)", "23028", "28", "23000", "150.00"] for number in ("0", "1")
    ]
    with_units = smi("--query-gpu=memory.total,utilization.gpu", "--format=csv", "-i", "1").stdout
    assert with_units == "memory.total [MiB], utilization.gpu [%]\n23028 MiB, 0 %\n"
    assert smi("--query-gpu=ecc.mode.current", "--format=csv,noheader", ecc="N/A").stdout == "[N/A]\n[N/A]\n"


def test_xml(smi):
    tree = ElementTree.fromstring(smi("-q", "-x").stdout)
    assert (tree.findtext("driver_version"), tree.findtext("cuda_version"), tree.findtext("attached_gpus")) == ("550.54.15", "12.4", "2")
    gpus = tree.findall("gpu")
    assert [gpu.findtext("fb_memory_usage/total") for gpu in gpus] == ["23028 MiB", "23028 MiB"]
    assert [gpu.get("id") for gpu in gpus] == ["00000000:01:00.0", "00000000:02:00.0"]
    assert all(len(gpu.findtext("uuid")) == 40 for gpu in gpus)
    assert len({gpu.findtext("uuid") for gpu in gpus}) == 2


def test_every_form_that_shows_a_gpu_says_simulated(smi):
    for arguments in ((), ("-L",), ("-q",), ("-q", "-x"), ("--query-gpu=name", "--format=csv"), ("--version",)):
        assert "simulated" in smi(*arguments).stdout.lower(), arguments


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--query-gpu=name,nonsense", "--format=csv"), 2, 'Field "nonsense" is not a valid field'),
        (("--query-gpu=name",), 2, '"--format="'),
        (("--frobnicate",), 1, "Invalid combination"),
        (("-i", "7", "-L"), 6, "No devices were found"),
    ],
)
def test_wrong_arguments(smi, arguments, status, words):
    done = smi(*arguments)
    assert done.returncode == status
    assert words in done.stdout


def test_broken_driver(smi):
    done = smi(broken=1)
    assert (done.returncode, done.stdout.startswith("NVIDIA-SMI has failed because it couldn't communicate")) == (9, True)


# --- offers ------------------------------------------------------------------------------------------------------------


def test_every_simulated_gpu_is_offered_and_says_that_it_is_one():
    offers = rehearsal.RehearsalProvider(account="class").list_offers(Wish(gpu_count=2))
    assert len(offers) == len({entry.id for entry in offers}) == 2 * len(machines.GPUS)
    assert all(entry.gpu_name_raw.endswith(" (simulated)") and entry.gpu_count == 2 for entry in offers)
    assert {(entry.region, entry.trust, entry.account, entry.interruptible) for entry in offers} == {("local", "own", "class", False)}
    box = next(entry for entry in offers if entry.id == "vm-nvidia-a10-2")
    assert (box.gpu_model, box.gpu_vram_mb, box.price_per_hour, box.options) == ("A10", 23028, 1.55, {"kind": "vm"})


def test_offers_interruptible_or_not():
    provider = rehearsal.RehearsalProvider()
    either = provider.list_offers(Wish(interruptible=None))
    assert len(either) == 2 * len(provider.list_offers(Wish(interruptible=True))) == 4 * len(machines.GPUS)
    assert provider.list_offers(Wish(gpu_count=17)) == []


@pytest.mark.parametrize("interruptible", [True, False])
def test_a_box_costs_what_its_offer_says(interruptible):
    for entry in rehearsal.RehearsalProvider().list_offers(Wish(gpu_count=3, interruptible=interruptible)):
        request = LaunchRequest(name="x", gpu=entry.gpu_name_raw, gpu_count=3, interruptible=interruptible, options=entry.options)
        assert launching.plan(request)["price"] == pytest.approx(entry.price_per_hour)
