# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""NVIDIA GPUs, as nvidia-smi tells of them.

The XML of ``nvidia-smi -q -x`` has changed its element names over the years; each field lists the names it has had, newest
first. What a GPU lacks reads "N/A", "[N/A]", "[Not Supported]", "[Unknown Error]", "ERR!", "Insufficient Permissions" and so
on: all are None here.
"""

from __future__ import annotations

import os
import re
import time

from . import _read

# GPU names and their compute capability: developer.nvidia.com/cuda-gpus. nvidia-smi -q does not tell it, and a second run of it
# costs seconds.
_CAPABILITIES = (
    (r"\bGB10\b", "12.1"),
    (r"\bG?B300\b", "10.3"),
    (r"\bG?B[12]00\b", "10.0"),
    (r"RTX PRO \d+.*Blackwell|RTX 50\d0", "12.0"),
    (r"\b(G?H[12]00|H800|H20)\b", "9.0"),
    (r"\bL(40S?|4|20|2)\b|RTX 40\d0|\bAda\b", "8.9"),
    (r"\bA(100X?|800|30X?)\b|\bDRIVE-PG199", "8.0"),
    (r"\bA(10G?|10M|16|2|40)\b|RTX 30\d0|RTX A\d{3,4}", "8.6"),
    (r"\bT4G?\b|RTX 20\d0|TITAN RTX|Quadro RTX|GTX 16\d0|\bT(400|600|1000|1200)\b", "7.5"),
    (r"\bV100|TITAN V\b|\bGV100\b", "7.0"),
    (r"\bP100\b|\bGP100\b", "6.0"),
    (r"\bP(4|6|40)\b|GTX 10\d0|TITAN Xp?\b|Quadro P\d+", "6.1"),
    (r"\bM(4|6|10|40|60)\b|GTX 9\d0", "5.2"),
    (r"\bK80\b", "3.7"),
    (r"\bK(20|40)", "3.5"),
)
_POWER = (
    "gpu_power_readings/instant_power_draw",
    "gpu_power_readings/average_power_draw",
    "gpu_power_readings/power_draw",
    "power_readings/power_draw",
)
_FOLDERS = ("/usr/bin", "/usr/local/bin", "/usr/local/nvidia/bin", "/opt/nvidia/bin", "/usr/lib/wsl/lib", "/run/nvidia/driver/usr/bin")
_CSV = "index,name,uuid,driver_version,memory.total,memory.used,power.draw,temperature.gpu,pci.bus_id"
# What nvidia-smi says when it cannot work, and what it means for the user.
_REPLACE = "on a rented host: destroy it and rent another"
_TROUBLE = (
    ("couldn't communicate with the nvidia driver", "the kernel module is not loaded: reboot, or reinstall the driver; " + _REPLACE),
    ("driver/library version mismatch", "the driver was updated without a reboot: reboot the machine (a container cannot: its host must)"),
    ("unable to determine the device handle", "a GPU has fallen off the bus: reboot; " + _REPLACE),
    ("no devices were found", "the driver runs, but it sees no GPU: the instance has none, or it failed at boot"),
    ("failed to initialize nvml", "the container has lost its GPU, or the driver is not loaded: restart the instance"),
    ("gpu is lost", "a GPU has fallen off the bus: reboot; " + _REPLACE),
)


def nothing() -> dict:
    """The GPU facts of a host without one."""
    return {
        "present": False,
        "working": False,
        "error": None,
        "driver": None,
        "cuda_max": None,
        "simulated": False,
        "gpus": [],
        "xid": None,
    }


def number(text: str | None) -> float | None:
    """The number in "81559 MiB", "29 C" or "71.5 W"; None for N/A and its relatives."""
    found = re.match(r"\s*(-?\d+(?:\.\d+)?)\b", text or "")
    return float(found.group(1)) if found else None


def mebibytes(text: str | None) -> int | None:
    """Old drivers write MB and mean MiB; none writes GB so far, but the parser accepts it."""
    amount = number(text)
    if amount is None:
        return None
    return int(amount * 1024) if "G" in (text or "").upper().split()[-1] else int(amount)


def capability(name: str | None) -> str | None:
    """The compute capability of a GPU by its name, None for an unknown name."""
    for pattern, value in _CAPABILITIES:
        if re.search(pattern, name or "", re.IGNORECASE):
            return value
    return None


def explain(text: str) -> str:
    """nvidia-smi's complaint in one line, with what to do where that is known."""
    line = " ".join(text.split())
    for needle, advice in _TROUBLE:
        if needle in line.lower():
            return f"{line[:300].rstrip('.')} ({advice})"
    return line[:300] or "nvidia-smi said nothing"


def pci(text: str | None) -> str | None:
    """A PCI address without domain padding and function, for comparing: "00000000:01:00.0" and "PCI:0000:01:00" are "0:01:00"."""
    found = re.search(r"([0-9a-fA-F]+):([0-9a-fA-F]{2}):([0-9a-fA-F]{2})", text or "")
    return f"{int(found.group(1), 16):x}:{found.group(2).lower()}:{found.group(3).lower()}" if found else None


def _first(element, *paths: str) -> str | None:
    for path in paths:
        text = element.findtext(path)
        if text is not None and number(text) is not None:
            return text
    return None


def _word(text: str | None) -> str | None:
    """A text that is really one: not N/A, not [Unknown Error]."""
    text = (text or "").strip()
    if not text or text.startswith("[") or text.upper() in ("N/A", "NONE", "ERR!", "UNKNOWN ERROR", "NOT FOUND", "GPU IS LOST"):
        return None
    return text


def _ecc(gpu) -> int | None:
    """Uncorrectable ECC errors since the driver was loaded; None where the GPU has no ECC."""
    names = (
        "sram_uncorrectable", "sram_uncorrectable_parity", "sram_uncorrectable_secded", "dram_uncorrectable",  # 450 and later
        "double_bit/total",  # earlier
    )  # fmt: skip
    read = [number(gpu.findtext("ecc_errors/volatile/" + name)) for name in names]
    counts = [count for count in read if count is not None]
    return int(sum(counts)) if counts else None


def _trouble(gpu) -> str | None:
    """What nvidia-smi says is wrong with this very GPU."""
    said = " ".join(text.strip() for text in gpu.itertext()).lower()
    if "gpu is lost" in said:
        return "GPU is lost"
    if "requires reset" in said or "reset required" in said:
        return "GPU requires reset"
    if (gpu.findtext("remapped_rows/remapped_row_failure") or "").strip().lower() == "yes":
        return "row remapping failed: the memory is worn out"
    if "unknown error" in (gpu.findtext("fb_memory_usage/total") or "").lower():
        return "the memory cannot be read (Unknown Error)"
    return None


def _mig(gpu) -> dict | None:
    """``{"enabled", "devices"}`` of a GPU that can be divided, else None."""
    mode = _word(gpu.findtext("mig_mode/current_mig"))
    if mode is None:
        return None
    devices = []
    for position, device in enumerate(gpu.findall("mig_devices/mig_device")):
        index = number(device.findtext("index"))
        devices.append(
            {
                "index": position if index is None else int(index),
                "uuid": _word(device.findtext("uuid")),
                "memory_mb": mebibytes(device.findtext("fb_memory_usage/total")),
            }
        )
    return {"enabled": mode.lower() == "enabled", "devices": devices}


def parse_xml(text: str) -> dict:
    """Driver, CUDA version and GPUs from ``nvidia-smi -q -x``. Raises ValueError when it is not that."""
    from xml.etree import ElementTree  # 10 ms, only where there is a GPU

    start = text.find("<nvidia_smi_log")
    end = text.rfind("</nvidia_smi_log>")
    if start < 0 or end < 0:
        raise ValueError("no <nvidia_smi_log> in the answer")
    # Messages come before and after the XML, and old drivers put control characters into serial numbers.
    body = re.sub(r"[^\t\n\r\x20-\uffff]", "?", text[start:end] + "</nvidia_smi_log>")
    try:
        log = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ValueError(str(error))
    gpus = []
    for index, gpu in enumerate(log.findall("gpu")):
        name = _word(gpu.findtext("product_name"))
        gpus.append(
            {
                "index": index,
                "name": name,
                "uuid": _word(gpu.findtext("uuid")),
                "pci": gpu.get("id"),
                "memory_mb": mebibytes(_first(gpu, "fb_memory_usage/total", "memory_usage/total")),
                "memory_used_mb": mebibytes(_first(gpu, "fb_memory_usage/used", "memory_usage/used")),
                "compute_capability": _word(gpu.findtext("cuda_compute_capability") or gpu.findtext("compute_cap")) or capability(name),
                "ecc_errors": _ecc(gpu),
                "mig": _mig(gpu),
                "power_w": number(_first(gpu, *_POWER)),
                "temperature_c": number(gpu.findtext("temperature/gpu_temp")),
                "problem": _trouble(gpu),
            }
        )
    return {"driver": _word(log.findtext("driver_version")), "cuda_max": _word(log.findtext("cuda_version")), "gpus": gpus}


def parse_csv(text: str) -> dict:
    """The same from ``--query-gpu=… --format=csv,noheader`` with the fields of `_CSV`; for an nvidia-smi whose XML is broken."""
    gpus = []
    driver = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) < 9 or not cells[0].isdigit():
            continue
        driver = driver or _word(cells[3])
        gpus.append(
            {
                "index": int(cells[0]),
                "name": _word(cells[1]),
                "uuid": _word(cells[2]),
                "pci": cells[8],
                "memory_mb": mebibytes(cells[4]),
                "memory_used_mb": mebibytes(cells[5]),
                "compute_capability": capability(cells[1]),
                "ecc_errors": None,
                "mig": None,
                "power_w": number(cells[6]),
                "temperature_c": number(cells[7]),
                "problem": "the memory cannot be read" if "error" in cells[4].lower() or "lost" in cells[4].lower() else None,
            }
        )
    return {"driver": driver, "cuda_max": None, "gpus": gpus}


def parse_xid(records: list, addresses: set) -> list:
    """XID messages of our own GPUs in kernel log records; a container sees those of its neighbours too."""
    found = []
    for record in records:
        match = re.search(r"NVRM: Xid \(PCI:([0-9a-fA-F:.]+)\): (\d+)(?:, *(.*))?", record)
        if match and (not addresses or pci(match.group(1)) in addresses):
            found.append({"code": int(match.group(2)), "pci": match.group(1), "message": (match.group(3) or "").strip()[:200]})
    return found[-50:]


def kernel_log() -> list | None:
    """Records of /dev/kmsg that speak of XIDs, or None when it may not be read."""
    try:
        handle = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    records: list = []
    end = time.monotonic() + 5
    try:
        while time.monotonic() < end and len(records) < 1000:  # a kernel that logs without end must not hold us
            try:
                record = os.read(handle, 8192)
            except BrokenPipeError:  # overwritten while we read: go on with the next
                continue
            except OSError:  # nothing more (EAGAIN), or one of the kinds of "may not"
                break
            if not record:
                break
            if b"NVRM: Xid" in record:
                records.append(record.decode("utf-8", "replace"))
    finally:
        os.close(handle)
    return records


def kernel_driver(root: str = "/") -> str | None:
    """The version of the loaded kernel module, which nvidia-smi cannot tell when it is broken."""
    said = (_read.read(root, "/sys/module/nvidia/version") or "").strip()
    found = re.search(r"Kernel Module(?: for \S+)?\s+(\d+\.[\d.]+)", _read.read(root, "/proc/driver/nvidia/version") or "")
    return said or (found.group(1) if found else None)


def hardware(root: str = "/", container: bool = False) -> bool:
    """Whether there are traces of an NVIDIA GPU without asking the driver. In a container /sys shows the host's, so it does not count."""
    if any(re.match(r"nvidia\d+$", name) for name in _read.names(root, "/dev")) or _read.names(root, "/proc/driver/nvidia/gpus"):
        return True
    if container:
        return False
    for name in _read.names(root, "/sys/bus/pci/devices"):
        folder = f"/sys/bus/pci/devices/{name}/"
        if (_read.read(root, folder + "vendor") or "").strip() == "0x10de" and (_read.read(root, folder + "class") or "").startswith(
            "0x03"
        ):
            return True
    return False


def find_smi(search: list) -> str | None:
    """Where nvidia-smi lies."""
    for folder in list(search) + [folder for folder in _FOLDERS if folder not in search]:
        path = os.path.join(folder, "nvidia-smi")
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def gather(search: list, container: bool, seconds: float, root: str = "/") -> dict:
    """The GPU facts. nvidia-smi is run once; more often only when its XML is unusable or a GPU's name is not known here."""
    facts = nothing()
    smi = find_smi(search)
    if smi is None:
        facts["driver"] = kernel_driver(root)
        if hardware(root, container):
            facts["present"] = True
            facts["error"] = "There is an NVIDIA GPU but no nvidia-smi: install the driver, or rent from an image that has it."
        return facts
    ran = _read.run([smi, "-q", "-x"], seconds=seconds)
    if ran.timed_out or ran.too_long:
        facts.update(present=True, driver=kernel_driver(root))
        facts["error"] = (
            f"{smi} did not answer within {seconds:.0f} s: a GPU hangs. Reboot; on a rented host: destroy it and rent another."
            if ran.timed_out
            else "%s printed more than %d MiB, which is not an answer: the program on the host is not NVIDIA's." % (smi, _read.OUTPUT >> 20)
        )
        return facts
    try:
        found = parse_xml(ran.out)
    except (ValueError, ImportError):  # python3-minimal has no xml
        found = {"driver": None, "cuda_max": None, "gpus": []}
        if ran.code == 0:
            found = parse_csv(_read.run([smi, "--query-gpu=" + _CSV, "--format=csv,noheader"], seconds=seconds).out)
    facts.update(found)
    facts["driver"] = facts["driver"] or kernel_driver(root)
    # Its own complaint is what is left when the XML is taken out.
    complaint = re.sub(r"<\?xml.*</nvidia_smi_log>", "", ran.out, flags=re.DOTALL) + " " + ran.err
    broken = [f"GPU {gpu['index']}: {gpu['problem']}" for gpu in facts["gpus"] if gpu["problem"]]
    no_devices = "no devices were found" in complaint.lower()
    facts["present"] = bool(facts["gpus"]) or hardware(root, container) or (ran.code != 0 and not no_devices)
    facts["working"] = bool(facts["gpus"]) and ran.code == 0 and not broken
    if not facts["working"] and facts["present"]:
        facts["error"] = "; ".join(broken) or (
            explain(complaint) if complaint.strip() else f"nvidia-smi lists no GPU (exit code {ran.code})"
        )
    facts["simulated"] = any("simulated" in (gpu["name"] or "").lower() for gpu in facts["gpus"])
    if facts["working"] and not facts["simulated"] and any(gpu["compute_capability"] is None for gpu in facts["gpus"]):
        told = _read.run([smi, "--query-gpu=index,compute_cap", "--format=csv,noheader"], seconds=seconds).out
        by_index = dict(line.replace(" ", "").split(",", 1) for line in told.splitlines() if re.match(r"\d+, *\d+\.\d+$", line))
        for gpu in facts["gpus"]:
            gpu["compute_capability"] = gpu["compute_capability"] or by_index.get(str(gpu["index"]))
    if facts["present"]:
        records = kernel_log()
        facts["xid"] = None if records is None else parse_xid(records, {pci(gpu["pci"]) for gpu in facts["gpus"]} - {None})
    return facts
