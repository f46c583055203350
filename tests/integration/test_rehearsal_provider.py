# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal provider over the real container engine, reached with the real ssh client."""

from __future__ import annotations

import csv
import re
import subprocess
import time
import uuid
from xml.etree import ElementTree

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, NotFound, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import RehearsalProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest


class Ground:
    """An account of its own, a key, and ssh."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.key = str(folder / "key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key], check=True)
        self.public_key = (folder / "key.pub").read_text()
        self.provider = RehearsalProvider(account="test-" + uuid.uuid4().hex[:8])

    def launch(self, name="box", **more):
        options = more.pop("options", {})
        wait = more.pop("wait", True)
        more.setdefault("ssh_public_key", self.public_key)
        box = self.provider.launch(LaunchRequest(name=name, options=options, **more))
        instance = self.provider.get_instance(box)
        if wait:
            self.wait(instance)
        return instance

    def ssh(self, instance, command, key=None):
        known_hosts = "UserKnownHostsFile=%s" % (self.folder / "known_hosts")
        return subprocess.run(
            ["ssh", "-i", key or self.key, "-p", str(instance.ssh_port), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
             "-o", known_hosts, "-o", "StrictHostKeyChecking=accept-new", "-o", "HostKeyAlias=rehearsal-" + instance.id,
             "-o", "ConnectTimeout=5", "%s@%s" % (instance.ssh_user, instance.ssh_host), command],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def out(self, instance, command):
        done = self.ssh(instance, command)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.strip()

    def wait(self, instance, seconds=20):
        started = time.monotonic()
        while True:
            done = self.ssh(instance, "true")
            if done.returncode == 0:
                return time.monotonic() - started
            assert time.monotonic() - started < seconds, done.stderr + self.provider.console(instance.id)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    place = Ground(tmp_path_factory.mktemp("rehearsal"))
    yield place
    for instance in place.provider.list_instances():
        place.provider.destroy(instance.id)
    assert place.provider.list_instances() == []


@pytest.fixture
def box(ground, request):
    """One box of the kind that the test names, destroyed afterwards."""
    instance = ground.launch(request.node.name[:40], options={"kind": getattr(request, "param", "container")})
    yield instance
    ground.provider.destroy(instance.id)


def test_a_root_container_looks_like_one(ground):
    instance = ground.launch("as on a marketplace", gpu="RTX 3090", gpu_count=2)
    try:
        assert (instance.state, instance.kind, instance.ssh_user, instance.ssh_via) == ("running", "container", "root", "direct")
        assert instance.label == "as on a marketplace"
        assert (instance.gpu_name_raw, instance.gpu_count, instance.gpu_vram_mb) == ("NVIDIA GeForce RTX 3090 (simulated)", 2, 24576)
        assert instance.tags["simulated"] == "true"
        assert instance.trust == "own"
        assert instance.price_per_hour == pytest.approx(0.72)
        assert ground.out(instance, "id -un; echo $HOME; test -w /workspace; echo $CONTAINER_ID").split() == ["root", "/root", instance.id]
        assert ground.ssh(instance, "test -d /run/systemd/system").returncode != 0
        assert ground.out(instance, "cat /proc/1/comm") == "sshd"
        printed = ground.out(instance, "nvidia-smi --query-gpu=index,name,memory.total,compute_cap --format=csv,noheader,nounits")
        rows = [[cell.strip() for cell in row] for row in csv.reader(printed.splitlines())]
        assert rows == [[str(number), "NVIDIA GeForce RTX 3090 (simulated)", "24576", "8.6"] for number in range(2)]
        tree = ElementTree.fromstring(ground.out(instance, "nvidia-smi -q -x"))
        assert [gpu.findtext("product_name") for gpu in tree.iter("gpu")] == ["NVIDIA GeForce RTX 3090 (simulated)"] * 2
        assert len({gpu.findtext("uuid") for gpu in tree.iter("gpu")}) == 2
        assert tree.findtext("driver_version") == instance.driver
        assert "simulated" in ground.out(instance, "nvidia-smi").lower()
    finally:
        ground.provider.destroy(instance.id)


@pytest.mark.parametrize("box", ["vm"], indirect=True)
def test_a_vm_has_a_sudo_user_and_no_workspace(ground, box):
    assert (box.kind, box.ssh_user) == ("vm", "ubuntu")
    assert ground.out(box, "id -un; echo $HOME; sudo -n id -un; touch ~/file && stat -c %U ~/file").split() == [
        "ubuntu",
        "/home/ubuntu",
        "root",
        "ubuntu",
    ]
    assert ground.ssh(box, "test -e /workspace").returncode != 0


def test_a_vm_has_the_login_user_that_was_asked_for(ground):
    instance = ground.launch("another user", options={"kind": "vm", "user": "ec2-user", "small_disk_mb": 20})
    try:
        assert instance.ssh_user == "ec2-user"
        told = ground.out(
            instance, "id -un; echo $HOME; sudo -n id -un; touch ~/file && stat -c %U ~/file; df --output=size -m ~ | tail -1"
        )
        assert told.split() == ["ec2-user", "/home/ec2-user", "root", "ec2-user", "20"]
        other = ground.public_key.split()[1].replace("A", "B", 1)
        ground.provider.attach_key(instance.id, "ssh-ed25519 %s other" % other)
        assert ground.out(instance, "wc -l < ~/.ssh/authorized_keys") == "2"
    finally:
        ground.provider.destroy(instance.id)


@pytest.mark.parametrize("kind", ["container", "vm"])
def test_a_startup_script_runs_as_root_at_each_start(ground, kind):
    log = "/var/tmp/started"
    script = '#!/bin/bash\n[[ -d / ]] && echo "it\'s $(id -un) in $HOME" | tee -a %s\nenv | grep -c BOX_ >> %s\nexit 3' % (log, log)
    instance = ground.launch("startup", options={"kind": kind}, startup_script=script)
    try:
        for starts in (1, 2):
            end = time.monotonic() + 20
            while ground.provider.console(instance.id).count("the startup script ended with 3") < starts:
                assert time.monotonic() < end, ground.provider.console(instance.id)
                time.sleep(0.2)
            assert ground.out(instance, "cat " + log).splitlines() == ["it's root in /root", "0"] * starts
            ground.provider.stop(instance.id)
            ground.provider.start(instance.id)
            instance = ground.provider.get_instance(instance.id)
            ground.wait(instance)
        assert "it's root in /root" in ground.provider.console(instance.id)
    finally:
        ground.provider.destroy(instance.id)


def test_the_auto_tmux_of_marketplace_images_can_be_turned_off(ground):
    instance = ground.launch("auto tmux", image="debian-12-tools")
    try:
        # What makes `ssh host command` noisy there, and what ends it.
        assert "not a terminal" in ground.ssh(instance, "true").stderr
        assert ground.ssh(instance, "touch ~/.no_auto_tmux").returncode == 0
        assert ground.ssh(instance, "true").stderr == ""
    finally:
        ground.provider.destroy(instance.id)


def test_stop_and_start_keep_files_and_host_key(ground, box):
    before = ground.out(box, "echo kept > /workspace/file; cat /etc/ssh/ssh_host_ed25519_key.pub")
    ground.provider.stop(box.id)
    stopped = ground.provider.get_instance(box.id)
    assert (stopped.state, stopped.ssh_host, stopped.ssh_port) == ("stopped", None, None)
    assert stopped.label == box.label
    with pytest.raises(RentedError, match="start it before"):
        ground.provider.attach_key(box.id, ground.public_key)
    ground.provider.start(box.id)
    started = ground.provider.get_instance(box.id)
    assert started.state == "running"
    ground.wait(started)
    assert ground.out(started, "cat /workspace/file").split() == ["kept"]
    assert ground.out(started, "cat /etc/ssh/ssh_host_ed25519_key.pub") == before
    assert ground.out(started, "wc -l < ~/.ssh/authorized_keys") == "1"


def test_boxes_have_host_keys_of_their_own_which_the_console_shows(ground, box):
    other = ground.launch("other")
    try:
        prints = []
        for instance in (box, other):
            print_of_key = ground.out(instance, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
            assert print_of_key in ground.provider.console(instance.id)
            prints.append(print_of_key)
        assert prints[0] != prints[1]
    finally:
        ground.provider.destroy(other.id)


def test_destroyed_is_gone_and_twice_is_no_error(ground):
    instance = ground.launch("to be gone", wait=False)
    ground.provider.destroy(instance.id)
    assert ground.provider.get_instance(instance.id) is None
    ground.provider.destroy(instance.id)
    for act in (ground.provider.stop, ground.provider.start, ground.provider.console):
        with pytest.raises(NotFound, match=instance.id):
            act(instance.id)


def test_accounts_do_not_see_or_touch_each_other(ground, box):
    stranger = RehearsalProvider(account="test-" + uuid.uuid4().hex[:8])
    assert stranger.list_instances() == []
    stranger.destroy(box.id)
    with pytest.raises(NotFound):
        stranger.stop(box.id)
    assert ground.provider.get_instance(box.id).state == "running"


@pytest.mark.parametrize("label", ["{{ 7 * 7 }}", "#jinja2: x", 'a, b="c" d=e', "Übung 1/2 %41"])
def test_any_label_comes_back_as_it_was(ground, label):
    instance = ground.launch(label, wait=False)
    try:
        assert instance.label == label
        ground.provider.set_label(instance.id, label + "!")
        assert ground.provider.get_instance(instance.id).label == label + "!"
    finally:
        ground.provider.destroy(instance.id)


def test_listing_is_one_cheap_call(ground, box, monkeypatch):
    from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal.engine import Engine

    calls = []
    call = Engine.call
    monkeypatch.setattr(Engine, "call", lambda self, *arguments, **more: calls.append(arguments[0]) or call(self, *arguments, **more))
    assert [instance.id for instance in ground.provider.list_instances()] == [box.id]
    assert calls == ["ps"]


def test_running_comes_before_sshd(ground):
    instance = ground.launch("slow sshd", options={"ssh_delay": 3}, wait=False)
    try:
        assert instance.state == "running"
        assert ground.ssh(instance, "true").returncode == 255
        assert ground.wait(instance) > 1
    finally:
        ground.provider.destroy(instance.id)


def test_a_refused_key_is_mended_by_attaching_it(ground):
    instance = ground.launch("refuses", options={"refuse_key": True}, wait=False)
    try:
        for _attempt in range(40):
            done = ground.ssh(instance, "true")
            if "Permission denied" in done.stderr:
                break
            time.sleep(0.1)
        assert "Permission denied" in done.stderr
        ground.provider.attach_key(instance.id, ground.public_key)
        ground.provider.attach_key(instance.id, ground.public_key)
        assert ground.out(instance, "grep -c ' test$' ~/.ssh/authorized_keys") == "1"
    finally:
        ground.provider.destroy(instance.id)


def test_a_locked_dpkg_is_free_again_later(ground):
    instance = ground.launch("locked", options={"apt_lock_seconds": 4})
    try:
        locked = ground.ssh(instance, "apt-get install -y -qq nothing-of-this-name; dpkg --configure -a")
        assert locked.returncode != 0
        assert "lock" in locked.stderr
        assert re.search(r"unattended-upgr|process \d+", locked.stderr)
        time.sleep(4)
        assert ground.ssh(instance, "dpkg --configure -a").returncode == 0
    finally:
        ground.provider.destroy(instance.id)


def test_a_small_disk_is_small(ground):
    instance = ground.launch("small", options={"small_disk_mb": 20})
    try:
        assert ground.out(instance, "df --output=size -m /workspace | tail -1") == "20"
        assert "No space left" in ground.ssh(instance, "head -c 30M /dev/zero > /workspace/file").stderr
    finally:
        ground.provider.destroy(instance.id)


def test_a_vanishing_box_is_gone_by_itself(ground):
    instance = ground.launch("vanishes", options={"vanish_after": 3})
    assert instance.ends_at > instance.started_at
    deadline = time.monotonic() + 15
    while ground.provider.get_instance(instance.id) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert ground.ssh(instance, "true").returncode == 255


def test_without_network_ssh_still_works(ground):
    instance = ground.launch("island", options={"no_network": True})
    try:
        assert ground.out(instance, "ip route show default") == ""
        done = ground.ssh(instance, "apt-get -o Acquire::Retries=0 update")
        assert "failure resolving" in done.stdout + done.stderr
    finally:
        ground.provider.destroy(instance.id)


@pytest.mark.parametrize("suite", ["debian-12", "debian-13"])
def test_a_box_without_python_can_be_given_one(ground, suite):
    instance = ground.launch("no python", image=suite, options={"no_python": True})
    try:
        assert instance.image == suite + "-no-python"
        assert ground.ssh(instance, "command -v python3 || ls /usr/bin/python3*").returncode != 0
        assert 'VERSION_ID="%s"' % suite[-2:] in ground.out(instance, "cat /etc/os-release")
        # apt must know that it is not there, or `apt-get install python3` would do nothing.
        assert "Status: install ok" not in ground.ssh(instance, "dpkg -s python3-minimal").stdout
        assert "simulated" in ground.out(instance, "nvidia-smi -L")
    finally:
        ground.provider.destroy(instance.id)


def test_gpu_faults(ground):
    instance = ground.launch(
        "gpu faults", gpu="A100", gpu_count=4, options={"gpu_missing": 1, "gpu_ecc_errors": 7, "driver": "550.54.15", "cuda": "12.4"}
    )
    try:
        assert instance.gpu_count == 4
        printed = ground.out(instance, "nvidia-smi --query-gpu=ecc.errors.uncorrected.volatile.total,driver_version --format=csv,noheader")
        assert printed.splitlines() == ["7, 550.54.15"] * 3
        wrong = ground.ssh(instance, "nvidia-smi --query-gpu=nonsense --format=csv")
        assert (wrong.returncode, wrong.stdout.strip()) == (2, 'Field "nonsense" is not a valid field to query.')
    finally:
        ground.provider.destroy(instance.id)


def test_a_broken_driver_and_no_gpu(ground):
    broken = ground.launch("broken", options={"gpu_broken": True})
    without = ground.launch("without", gpu="none")
    try:
        done = ground.ssh(broken, "nvidia-smi")
        assert done.returncode == 9
        assert "couldn't communicate with the NVIDIA driver" in done.stdout
        assert ground.ssh(without, "nvidia-smi").returncode == 127
        assert (without.gpu_name_raw, without.gpu_model, without.gpu_count) == (None, None, 0)
    finally:
        ground.provider.destroy(broken.id)
        ground.provider.destroy(without.id)


def test_a_wrong_request_starts_nothing(ground, monkeypatch, tmp_path):
    for request in (
        LaunchRequest(name="x", ssh_public_key=ground.public_key, options={"ssh_dely": 1}),
        LaunchRequest(name="x", ssh_public_key=ground.public_key, image="debian-11"),
        LaunchRequest(name="x", ssh_public_key=ground.public_key, gpu="RTX 4091"),
        LaunchRequest(name="x", ssh_public_key=(ground.folder / "key").read_text()),
    ):
        before = {instance.id for instance in ground.provider.list_instances()}
        with pytest.raises(RentedError):
            ground.provider.launch(request)
        assert {instance.id for instance in ground.provider.list_instances()} == before
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(MissingCredentials, match="ssh-keygen"):
        ground.provider.launch(LaunchRequest(name="x"))


def test_real_inventories_do_not_show_rehearsals_by_themselves(monkeypatch, ground):
    monkeypatch.delenv("RENTED_GPU_REHEARSAL", raising=False)
    monkeypatch.setattr(RehearsalProvider, "NAME", ground.provider.account)
    assert RehearsalProvider.available() is False
    instance = ground.launch("seen", wait=False)
    try:
        assert RehearsalProvider.available() is True
        monkeypatch.setenv("RENTED_GPU_REHEARSAL", "0")
        assert RehearsalProvider.available() is False
    finally:
        ground.provider.destroy(instance.id)
