# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nvidia-smi in its many moods: a real program answers with a fixture, and the facts are what a person would read from it."""

from __future__ import annotations

import os
import pathlib
import time

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _nvidia

FIXTURES = pathlib.Path(__file__).resolve().parents[4] / "fixtures" / "host"
SMI = FIXTURES / "smi"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """``host(answer, code)`` puts an nvidia-smi in front that prints ``answer``, and gathers on a machine with no other trace of a GPU."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(_nvidia, "_FOLDERS", ())
    monkeypatch.setattr(_nvidia, "kernel_log", lambda: None)
    log = tmp_path / "calls"

    def gather(answer=None, code=0, script=None, container=True, seconds=10):
        if script is None and answer is not None:
            script = "cat '%s'; exit %d" % (SMI / answer, code)
        if script is not None:
            smi = tmp_path / "nvidia-smi"
            smi.write_text("#!/bin/sh\necho \"$@\" >> '%s'\n%s\n" % (log, script))
            smi.chmod(0o755)
        return _nvidia.gather([str(tmp_path)], container, seconds, str(root))

    gather.root = root
    gather.calls = lambda: log.read_text().splitlines() if log.exists() else []
    return gather


def test_two_gpus(host):
    facts = host("h100x2.xml")
    assert facts["present"] and facts["working"] and not facts["simulated"] and facts["error"] is None
    assert (facts["driver"], facts["cuda_max"]) == ("580.95.05", "13.0")
    first, second = facts["gpus"]
    assert first == {
        "index": 0,
        "name": "NVIDIA H100 80GB HBM3",
        "uuid": "GPU-11111111-aaaa-bbbb-cccc-000000000001",
        "pci": "00000000:19:00.0",
        "memory_mb": 81559,
        "memory_used_mb": 4,
        "compute_capability": "9.0",
        "ecc_errors": 0,  # the aggregate's 7 are from earlier boots
        "mig": {"enabled": False, "devices": []},
        "power_w": 71.44,
        "temperature_c": 31.0,
        "problem": None,
    }
    assert (second["index"], second["memory_used_mb"], second["ecc_errors"], second["power_w"]) == (1, 10240, 2, None)
    assert host.calls() == ["-q -x"], "nvidia-smi takes seconds; once is enough"


def test_mig(host):
    gpu = host("a100_mig.xml")["gpus"][0]
    assert gpu["mig"] == {
        "enabled": True,
        "devices": [
            {"index": 0, "uuid": None, "memory_mb": 19968},
            {"index": 1, "uuid": "MIG-22222222-aaaa-bbbb-cccc-000000000001", "memory_mb": 9856},
        ],
    }
    assert (gpu["memory_mb"], gpu["memory_used_mb"], gpu["compute_capability"], gpu["power_w"]) == (None, None, "8.0", 52.31)


@pytest.mark.parametrize(
    ("answer", "driver", "cuda", "name", "memory", "capability", "ecc", "power"),
    [
        ("gtx1070_418.xml", "418.56", "10.1", "GeForce GTX 1070", 8116, "6.1", None, 11.87),
        ("k80_384.xml", "384.81", None, "Tesla K80", 11439, "3.7", 1, 27.15),
        ("c2050_270.xml", "270.41.06", None, "Tesla C2050", 2687, None, None, None),
        ("gh200.xml", "550.54.15", "12.4", "NVIDIA GH200 480GB", 97871, "9.0", 0, 84.02),
    ],
)
def test_schemas_of_old_and_odd_drivers(host, answer, driver, cuda, name, memory, capability, ecc, power):
    facts = host(answer)
    gpu = facts["gpus"][0]
    assert facts["working"], facts["error"]
    assert (facts["driver"], facts["cuda_max"]) == (driver, cuda)
    assert (gpu["name"], gpu["memory_mb"], gpu["compute_capability"]) == (name, memory, capability)
    assert (gpu["ecc_errors"], gpu["power_w"]) == (ecc, power)


def test_fields_without_a_value_are_none(host):
    facts = host("all_na.xml")
    gpu = facts["gpus"][0]
    assert facts["cuda_max"] is None
    assert [gpu[key] for key in ("uuid", "memory_mb", "memory_used_mb", "ecc_errors", "mig", "power_w", "temperature_c")] == [None] * 7


def test_an_unknown_name_is_asked_for_its_capability(host):
    facts = host(script="case \"$*\" in *compute_cap*) echo '0, 12.1';; *) cat '%s';; esac" % (SMI / "all_na.xml"))
    assert facts["gpus"][0]["compute_capability"] == "12.1"
    assert len(host.calls()) == 2


@pytest.mark.parametrize(
    ("answer", "code", "said", "advice"),
    [
        ("no_module.txt", 9, "couldn't communicate with the NVIDIA driver", "kernel module is not loaded"),
        ("mismatch.txt", 18, "Driver/library version mismatch", "reboot the machine"),
        ("handle.txt", 255, "Unable to determine the device handle for GPU0000:01:00.0", "fallen off the bus"),
        ("nvml.txt", 255, "Failed to initialize NVML: Unknown Error", "restart the instance"),
    ],
)
def test_a_broken_driver_is_explained(host, answer, code, said, advice):
    facts = host(answer, code)
    assert facts["present"] and not facts["working"] and facts["gpus"] == []
    assert said in facts["error"] and advice in facts["error"]
    assert "\n" not in facts["error"]


def test_a_broken_driver_still_has_the_version_of_its_kernel_module(host):
    (host.root / "sys/module/nvidia").mkdir(parents=True)
    (host.root / "sys/module/nvidia/version").write_text("550.54.15\n")
    assert host("mismatch.txt", 18)["driver"] == "550.54.15"


def test_the_complaint_on_stderr_counts_too(host):
    facts = host(script="echo 'Failed to initialize NVML: Driver/library version mismatch' >&2; exit 18")
    assert "mismatch" in facts["error"]


def test_a_lost_gpu_does_not_hide_the_other(host):
    facts = host("lost.xml", 15)
    assert not facts["working"]
    assert facts["error"] == "GPU 1: GPU is lost"
    assert [gpu["memory_mb"] for gpu in facts["gpus"]] == [24564, None]
    assert facts["gpus"][0]["problem"] is None


def test_messages_around_the_xml_do_no_harm(host):
    facts = host(script="echo 'WARNING: infoROM is corrupted at gpu 0000:01:00.0'; cat '%s'; printf 'bye\\001\\n'" % (SMI / "gh200.xml"))
    assert facts["working"] and facts["driver"] == "550.54.15"


def test_no_devices_is_no_gpu(host):
    facts = host("no_devices.txt", 6)
    assert (facts["present"], facts["working"], facts["error"]) == (False, False, None)


def test_broken_xml_falls_back_to_csv(host):
    line = "0, NVIDIA L4, GPU-7, 535.1, 23034 MiB, 5 MiB, [N/A], 41, 00000000:03:00.0"
    facts = host(script="case \"$*\" in *query-gpu*) echo '%s';; *) echo '<nvidia_smi_log><gpu>';; esac" % line)
    assert facts["working"] and facts["driver"] == "535.1"
    gpu = facts["gpus"][0]
    assert (gpu["name"], gpu["memory_mb"], gpu["power_w"], gpu["temperature_c"]) == ("NVIDIA L4", 23034, None, 41.0)
    assert gpu["compute_capability"] == "8.9"


def test_a_hanging_nvidia_smi_is_given_up(host):
    start = time.monotonic()
    facts = host(script="sleep 60", seconds=1)
    assert time.monotonic() - start < 20
    assert facts["present"] and not facts["working"]
    assert "did not answer within 1 s" in facts["error"]


def test_simulated_is_said(host):
    text = (SMI / "gh200.xml").read_text().replace("NVIDIA GH200 480GB", "NVIDIA GeForce RTX 4090 (simulated)")
    facts = host(script="cat <<'EOT'\n%s\nEOT" % text)
    assert facts["simulated"] and facts["working"] and facts["gpus"][0]["compute_capability"] == "8.9"


def test_no_nvidia_smi_and_no_gpu(host):
    assert host() == _nvidia.nothing()


def _pci(root: pathlib.Path, vendor: str, kind: str) -> None:
    folder = root / "sys/bus/pci/devices/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(vendor + "\n")
    (folder / "class").write_text(kind + "\n")


def test_a_gpu_without_a_driver_is_seen_on_the_bus(host):
    _pci(host.root, "0x10de", "0x030200")
    facts = host(container=False)
    assert facts["present"] and not facts["working"] and "install the driver" in facts["error"]


@pytest.mark.parametrize(("vendor", "kind"), [("0x10de", "0x040300"), ("0x1002", "0x030000")])
def test_sound_cards_and_other_makers_are_no_gpu_of_nvidia(host, vendor, kind):
    _pci(host.root, vendor, kind)
    assert not host(container=False)["present"]


def test_a_container_sees_the_bus_of_its_host_but_has_not_its_gpu(host):
    _pci(host.root, "0x10de", "0x030200")
    assert not host(container=True)["present"]


def test_xids_of_our_own_gpus_only():
    records = [
        "4,1,2,-;NVRM: Xid (PCI:0000:19:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
        "4,2,3,-;NVRM: Xid (PCI:0000:5e:00): 31, pid=77, MMU Fault",
        "4,3,4,-;NVRM: Xid (PCI:0000:19:00): 13",
        "4,4,5,-;something else",
    ]
    ours = {_nvidia.pci("00000000:19:00.0")}
    found = _nvidia.parse_xid(records, ours)
    assert [entry["code"] for entry in found] == [79, 13]
    assert "fallen off the bus" in found[0]["message"]
    assert [entry["code"] for entry in _nvidia.parse_xid(records, set())] == [79, 31, 13]


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("NVIDIA B200", "10.0"),
        ("NVIDIA GB200", "10.0"),
        ("NVIDIA B300 SXM6 AC", "10.3"),
        ("NVIDIA GB10", "12.1"),
        ("NVIDIA H200", "9.0"),
        ("NVIDIA H100 NVL", "9.0"),
        ("NVIDIA GeForce RTX 5090", "12.0"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "12.0"),
        ("NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("NVIDIA L40S", "8.9"),
        ("NVIDIA A100-SXM4-80GB", "8.0"),
        ("NVIDIA A30", "8.0"),
        ("NVIDIA A10G", "8.6"),
        ("NVIDIA RTX A6000", "8.6"),
        ("NVIDIA RTX A4000", "8.6"),
        ("NVIDIA GeForce RTX 3090", "8.6"),
        ("Tesla T4", "7.5"),
        ("Quadro RTX 8000", "7.5"),
        ("Tesla V100-SXM2-16GB", "7.0"),
        ("Tesla P100-PCIE-16GB", "6.0"),
        ("NVIDIA GeForce GTX 1080 Ti", "6.1"),
        ("Tesla M60", "5.2"),
        ("Some future thing", None),
        (None, None),
    ],
)
def test_capability_by_name(name, capability):
    assert _nvidia.capability(name) == capability


def test_the_kernel_log_can_be_read_or_not_without_an_error():
    records = _nvidia.kernel_log()
    assert records is None or all("Xid" in record for record in records)
    if not os.path.exists("/dev/kmsg"):
        assert records is None
