# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates: every verdict that a person may meet, with its sentence."""

from __future__ import annotations

import copy
import pathlib

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _nvidia
from ansible_collections.rented.gpu.plugins.plugin_utils import _gates

SMI = pathlib.Path(__file__).resolve().parents[3] / "fixtures" / "host" / "smi"
LIMITS = {"shm_mb": 0, "disk_free_gb": 0, "compute_capability": ""}
NOTHING_SAID = {"gpu_model": None, "gpu_count": None, "gpu_vram_mb": None, "cpu_cores": None, "ram_gb": None, "simulated": False}
SOLD = dict(NOTHING_SAID, gpu_model="RTX 4090", gpu_count=2, gpu_vram_mb=24564, cpu_cores=16, ram_gb=64)
ARCHES = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


def gpu(index=0, **changes) -> dict:
    made = {"index": index, "name": "NVIDIA GeForce RTX 4090", "uuid": "GPU-%d" % index, "memory_mb": 24564, "compute_capability": "8.9"}
    made.update({"ecc_errors": None, "mig": None, "problem": None}, **changes)
    return made


def facts_with(gpus, **changes) -> dict:
    facts = {
        "gpu": dict(_nvidia.nothing(), present=bool(gpus), working=bool(gpus), driver="550.54" if gpus else None, gpus=gpus),
        "shm_mb": 2048,
        "disks": {"workdir": {"path": "/workspace", "free_mb": 50000}},
        "cpu": {"cores": 32, "quota": 16.0},
        "memory": {"total_mb": 128000, "limit_mb": 61035},
    }
    for name, value in changes.items():
        if isinstance(facts.get(name), dict) and isinstance(value, dict):
            facts[name] = dict(facts[name], **value)
        else:
            facts[name] = value
    return facts


def proof_of(version="2.9.0+cu126", cuda="12.6", devices=2, **changes) -> dict:
    made = [{"device": "cuda:%d" % index, "error": None} for index in range(devices)]
    torch = {"version": version, "cuda": cuda, "arch_list": list(ARCHES)}
    return dict({"torch": torch, "devices": made, "error": None, "visible": None, "seconds": 3.5, "at": "2026-03-02T10:00:00Z"}, **changes)


def judge(facts=None, rented=None, limits=None, proof=None, required=_gates.REQUIRED) -> dict:
    rented, limits = SOLD if rented is None else rented, LIMITS if limits is None else limits
    facts = facts_with([gpu(0), gpu(1)]) if facts is None else facts
    gates = _gates.evaluate(facts, rented, limits, proof_of() if proof is None else proof, list(required))
    assert [gate["name"] for gate in gates] == list(_gates.NAMES)
    for gate in gates:
        assert gate["result"] in ("pass", "fail", "skip")
        assert bool(gate["cause"]) == (gate["result"] != "pass"), gate
    return {gate["name"]: gate for gate in gates}


def results(gates: dict) -> dict:
    return {name: gate["result"] for name, gate in gates.items()}


def test_all_is_well():
    gates = judge(limits={"shm_mb": 1024, "disk_free_gb": 20, "compute_capability": "8.0"})
    verdicts = results(gates)
    assert verdicts.pop("ecc") == verdicts.pop("xid") == "skip"
    assert set(verdicts.values()) == {"pass"}
    assert gates["torch"]["seconds"] == 3.5 and "at 2026-03-02T10:00:00Z" in gates["torch"]["value"]
    assert _gates.failures(list(gates.values())) == [] and _gates.sentences(list(gates.values())) == []


@pytest.mark.parametrize("rented", [NOTHING_SAID, dict(NOTHING_SAID, gpu_count=0)])
def test_an_instance_without_a_gpu_skips(rented):
    gates = judge(facts_with([]), rented, proof={"skipped": "there is no GPU"})
    names = ("driver", "torch_driver", "gpu_count", "gpu_model", "gpu_memory", "compute_capability", "torch", "ecc", "xid")
    assert {gates[name]["result"] for name in names} == {"skip"}
    assert not _gates.failures(list(gates.values()))


def test_a_gpu_that_is_rented_and_missing_fails():
    gates = judge(facts_with([]), proof={"skipped": "there is no GPU"})
    assert gates["driver"]["cause"] == (
        "2 x RTX 4090 is rented, but the host shows no GPU: the instance came up without it. Destroy it and rent another."
    )
    assert [gate["name"] for gate in _gates.failures(list(gates.values()))] == ["driver", "gpu_count"]
    assert gates["gpu_memory"]["result"] == "skip"


def test_a_broken_driver_fails_with_its_own_words():
    facts = facts_with([], gpu={"present": True, "error": "Driver/library version mismatch (reboot)", "driver": "550.1"})
    gates = judge(facts, proof={"skipped": "the driver does not work"})
    assert (gates["driver"]["result"], gates["driver"]["cause"]) == ("fail", "Driver/library version mismatch (reboot)")
    assert gates["torch"]["result"] == "skip"


@pytest.mark.parametrize(
    ("driver", "version", "cuda", "cause"),
    [
        ("550.54", "2.9.0+cu130", "13.0", "torch 2.9.0+cu130 needs driver >= 580, host has 550.54: use cu126."),
        ("579.99", "2.11.0+cu130", "13.0", "torch 2.11.0+cu130 needs driver >= 580, host has 579.99: use cu128."),
        # A wheel from PyPI does not say its CUDA in its version.
        ("550.54", "2.11.0", "13.0", "torch 2.11.0 (cu130) needs driver >= 580, host has 550.54: use cu126."),
        ("470.82.01", "2.6.0+cu124", "12.4", "torch 2.6.0+cu124 needs driver >= 525, host has 470.82.01: use cu118."),
        ("470.82.01", "2.9.0+cu126", "12.6", "torch 2.9.0+cu126 needs driver >= 525, host has 470.82.01: use an older torch with cu118."),
        ("418.56", "2.6.0+cu118", "11.8", "torch 2.6.0+cu118 needs driver >= 450, host has 418.56: no build of torch runs on it; "
         "rent a host with a newer driver."),
        ("550.54", "2.9.0+cu126", "12.6", None),
        ("550.54", "2.9.0+cu128", "12.8", None),
        ("525.60.13", "2.8.0+cu129", "12.9", None),
        ("580.65.06", "2.9.0+cu130", "13.0", None),
        ("590.10", "2.6.0+cu118", "11.8", None),
    ],
)  # fmt: skip
def test_driver_and_wheel(driver, version, cuda, cause):
    gate = judge(facts_with([gpu(), gpu(1)], gpu={"driver": driver}), proof=proof_of(version, cuda))["torch_driver"]
    if cause is None:
        assert gate["result"] == "pass" and driver in gate["value"]
    else:
        assert (gate["result"], gate["cause"]) == ("fail", cause)


def test_a_build_without_cuda():
    proof = proof_of("2.13.0+cpu", None, devices=0, error="torch cannot use the GPUs: Torch not compiled with CUDA enabled")
    gates = judge(facts_with([gpu(), gpu(1)], gpu={"driver": "580.95.05"}), proof=proof)
    assert gates["torch_driver"]["cause"] == "torch 2.13.0+cpu is a build without CUDA; use cu130 (python_env_torch)."
    assert gates["torch"]["cause"] == "torch is a build without CUDA (see torch_driver)."


def test_torch_is_not_there():
    gates = judge(proof=proof_of(torch=None, devices=0))
    assert (gates["torch"]["result"], gates["torch"]["cause"]) == ("skip", "torch is not installed")
    assert gates["torch_driver"]["result"] == "skip"
    assert judge(proof={"skipped": "there is no Python environment yet"})["torch"]["cause"] == "there is no Python environment yet"


def test_torch_that_does_not_work():
    gate = judge(proof=proof_of(devices=0, error="torch cannot use the GPUs: RuntimeError: out of memory"))["torch"]
    assert (gate["result"], gate["cause"]) == ("fail", "torch cannot use the GPUs: RuntimeError: out of memory")
    gate = judge(proof=proof_of(devices=1))["torch"]
    assert gate["cause"].startswith("torch sees 1 of 2 GPUs: a build or driver")
    gate = judge(proof=proof_of(devices=1, visible="0"))["torch"]
    assert gate["cause"] == "torch sees 1 of 2 GPUs: CUDA_VISIBLE_DEVICES is '0' on the host; unset it."
    proof = proof_of()
    proof["devices"][1]["error"] = "its product differs from the CPU's"
    gate = judge(proof=proof)["torch"]
    assert (gate["value"], gate["cause"]) == ("1 of 2", "the product is wrong on cuda:1: its product differs from the CPU's.")


def test_one_part_of_a_divided_gpu_is_all_that_torch_can_see():
    divided = gpu(memory_mb=None, mig={"enabled": True, "devices": [{"memory_mb": 19968}, {"memory_mb": 9856}]})
    gates = judge(facts_with([divided]), dict(SOLD, gpu_count=1, gpu_vram_mb=30000), proof=proof_of(devices=1))
    assert (gates["torch"]["result"], gates["gpu_memory"]["result"], gates["gpu_memory"]["value"]) == ("pass", "pass", "29824 MiB")


def test_fewer_gpus_than_rented():
    gate = judge(facts_with([gpu()]))["gpu_count"]
    assert (gate["value"], gate["wanted"]) == (1, 2)
    assert gate["cause"] == "2 x RTX 4090 is rented, but the host shows 1: destroy it and rent another."


@pytest.mark.parametrize(
    ("sold", "found", "same"),
    [
        ("H100", "NVIDIA H100 80GB HBM3", True),
        ("A100", "NVIDIA A100-SXM4-80GB", True),
        ("RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation", True),
        ("RTX PRO 6000", "NVIDIA RTX PRO 6000 Blackwell Workstation Edition", True),
        ("RTX 3080 Ti", "NVIDIA GeForce RTX 3080 Ti", True),
        ("V100", "Tesla V100-SXM2-32GB", True),
        ("RTX 4090", "NVIDIA GeForce RTX 4090 (simulated)", True),
        ("GH200", "NVIDIA GH200 480GB", True),
        ("RTX 4090", "NVIDIA GeForce RTX 4090 D", False),
        ("RTX 4090", "NVIDIA GeForce RTX 4090 Laptop GPU", False),
        ("RTX 3080 Ti", "NVIDIA GeForce RTX 3080", False),
        ("A100", "NVIDIA A10", False),
        ("L40", "NVIDIA L40S", False),
        ("RTX 4090", None, False),
    ],
)
def test_model(sold, found, same):
    gate = judge(facts_with([gpu(name=found)]), dict(SOLD, gpu_count=1, gpu_model=sold), proof=proof_of(devices=1))["gpu_model"]
    assert gate["result"] == ("pass" if same else "fail")


@pytest.mark.parametrize(
    ("sold", "found", "result"),
    [(81920, 81559, "pass"), (81920, 76186, "pass"), (81920, 76185, "fail"), (40960, 81559, "pass"), (80000, None, "skip")],
)
def test_memory_within_seven_percent(sold, found, result):
    assert judge(facts_with([gpu(memory_mb=found)]), dict(SOLD, gpu_count=1, gpu_vram_mb=sold))["gpu_memory"]["result"] == result


def test_memory_names_the_gpu_that_is_short():
    gate = judge(facts_with([gpu(), gpu(1, memory_mb=12000)]))["gpu_memory"]
    assert gate["cause"] == "24564 MiB per GPU are rented, but GPU 1 has 12000: destroy the instance and rent another."


def test_compute_capability():
    facts = facts_with([gpu(), gpu(1)])
    assert judge(facts, limits=dict(LIMITS, compute_capability="8.9"))["compute_capability"]["result"] == "pass"
    gate = judge(facts, limits=dict(LIMITS, compute_capability="9.0"))["compute_capability"]
    assert gate["cause"] == "NVIDIA GeForce RTX 4090 has compute capability 8.9; rent a newer model."
    # 10.0 is more than 9.0, and 9.0 more than 8.10 would be: numbers, not texts.
    blackwell = facts_with([gpu(compute_capability="10.0"), gpu(1, compute_capability="10.0")])
    assert judge(blackwell, limits=dict(LIMITS, compute_capability="9.0"))["compute_capability"]["result"] == "pass"
    assert judge(facts_with([gpu(compute_capability=None)]))["compute_capability"]["result"] == "skip"


@pytest.mark.parametrize(
    ("capability", "built", "runs"),
    [
        ("8.9", ARCHES, True),  # code for 8.6 runs on 8.9
        ("7.0", ARCHES, False),
        ("6.1", ARCHES, False),
        ("12.1", ARCHES, True),
        ("10.3", ARCHES, True),
        ("13.0", ARCHES, True),  # PTX of 12.0
        ("9.0", ["sm_80", "sm_86"], False),
        ("9.0", ["sm_90a"], True),
        ("8.0", ["sm_86"], False),
        ("9.0", [], True),  # not known: nothing is claimed
    ],
)
def test_torch_has_code_for_the_gpu(capability, built, runs):
    proof = proof_of()
    proof["torch"]["arch_list"] = built
    gate = judge(facts_with([gpu(compute_capability=capability), gpu(1, compute_capability=capability)]), proof=proof)["compute_capability"]
    assert gate["result"] == ("pass" if runs else "fail")


def test_no_code_for_an_old_gpu_is_explained():
    facts = facts_with([gpu(name="Tesla V100-SXM2-16GB", compute_capability="7.0")], gpu={"driver": "580.95.05"})
    gate = judge(facts, proof=proof_of("2.9.0+cu130", "13.0", devices=1))["compute_capability"]
    assert gate["cause"] == "torch 2.9.0+cu130 has no code for compute capability 7.0 (Tesla V100-SXM2-16GB): use cu126."


def test_ecc_and_xid():
    facts = facts_with([gpu(ecc_errors=0), gpu(1, ecc_errors=3)], gpu={"xid": [{"code": 31, "pci": "x", "message": ""}]})
    gates = judge(facts)
    assert (
        gates["ecc"]["cause"]
        == "GPU 1 has 3 uncorrectable ECC errors since its driver was loaded: results cannot be trusted, rent another."
    )
    assert gates["xid"]["result"] == "pass", "31 is a program's own fault"
    facts["gpu"]["xid"].append({"code": 79, "pci": "x", "message": "GPU has fallen off the bus."})
    assert judge(facts)["xid"]["cause"] == "the kernel log has XID 79 (GPU has fallen off the bus.): the GPU is faulty, rent another."
    assert not _gates.failures(list(judge(facts).values())), "advisory unless asked"
    assert [gate["name"] for gate in _gates.failures(list(judge(facts, required=["ecc"]).values()))] == ["ecc"]


def test_shm_and_disk():
    limits = {"shm_mb": 1024, "disk_free_gb": 20, "compute_capability": ""}
    gates = judge(facts_with([gpu(), gpu(1)], shm_mb=62, disks={"workdir": {"path": "/workspace", "free_mb": 9537}}), limits=limits)
    assert gates["shm"]["result"] == "fail" and "62 MiB" in gates["shm"]["cause"] and "--shm-size" in gates["shm"]["cause"]
    assert (gates["disk"]["value"], gates["disk"]["wanted"]) == ("10.0 GB", "20 GB")
    assert gates["disk"]["cause"].startswith("/workspace is short of space")
    assert judge(facts_with([gpu(), gpu(1)], shm_mb=None), limits=limits)["shm"]["result"] == "fail"
    assert judge(facts_with([gpu(), gpu(1)], disks={"workdir": None}), limits=limits)["disk"]["result"] == "skip"


def test_cpu_and_memory_as_rented():
    gates = judge()
    assert (gates["cpu"]["value"], gates["cpu"]["result"]) == ("16", "pass"), "the cgroup's quota counts, not the machine"
    assert (gates["ram"]["value"], gates["ram"]["result"]) == ("64.0", "pass")
    gates = judge(facts_with([gpu(), gpu(1)], cpu={"quota": 4.0}, memory={"limit_mb": 16000}))
    assert gates["cpu"]["cause"] == "16 CPU cores are rented, but the host allows 4: ask the provider, or rent another."
    assert gates["ram"]["result"] == "fail" and not gates["ram"]["required"]


def test_simulated_passes_and_says_so():
    simulated = [gpu(index, name="NVIDIA GeForce RTX 4090 (simulated)", ecc_errors=0) for index in range(2)]
    facts = facts_with(simulated, gpu={"simulated": True}, shm_mb=62)
    gates = judge(facts, dict(SOLD, simulated=True), dict(LIMITS, shm_mb=1024), proof={"skipped": "simulated"})
    for name in ("driver", "gpu_count", "gpu_model", "gpu_memory", "compute_capability"):
        assert gates[name]["result"] == "pass" and "simulated" in gates[name]["value"], name
    for name in ("torch", "torch_driver", "cpu", "ram", "shm"):
        assert gates[name]["result"] == "skip" and "simulated" in gates[name]["cause"], name


def test_the_provider_says_nothing():
    gates = judge(rented=NOTHING_SAID)
    for name in ("gpu_count", "gpu_model", "gpu_memory", "cpu", "ram"):
        assert gates[name]["result"] == "skip" and "does not say" in gates[name]["cause"], name
    assert gates["torch"]["result"] == "pass"


def test_required_names():
    _gates.check_required(list(_gates.NAMES))
    with pytest.raises(ValueError, match=r"'gpu_counts', which is not a gate. Did you mean 'gpu_count'\?"):
        _gates.check_required(["driver", "gpu_counts"])
    with pytest.raises(ValueError, match="Known: compute_capability, cpu, "):
        _gates.check_required(["zzz"])


def test_required_or_advisory_changes_the_sentence_not_the_verdict():
    facts = facts_with([gpu()])
    gates = list(judge(facts, required=["driver"]).values())
    assert _gates.failures(gates) == []
    assert _gates.sentences(gates)[0].endswith("(advisory)")
    gates = list(judge(facts, required=["driver", "gpu_count"]).values())
    assert not _gates.sentences(gates)[0].endswith("(advisory)") and _gates.sentences(gates)[0].startswith("gpu_count: ")


@pytest.mark.parametrize("answer", sorted(path.name for path in SMI.glob("*.xml")))
def test_every_answer_of_nvidia_smi_can_be_judged(answer):
    parsed = _nvidia.parse_xml((SMI / answer).read_text())
    facts = facts_with([gpu()])
    facts["gpu"].update(copy.deepcopy(parsed))
    judge(facts, NOTHING_SAID)
    judge(facts, SOLD)


def test_facts_that_are_nearly_empty_can_be_judged():
    gates = judge({"gpu": _nvidia.nothing()}, NOTHING_SAID, {"shm_mb": 1, "disk_free_gb": 1, "compute_capability": "8.0"}, {})
    assert gates["shm"]["result"] == "fail" and gates["disk"]["result"] == "skip"
