# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""All facts of an instance in one go. An error in one part goes into ``problems`` and leaves the others alone."""

from __future__ import annotations

import os
import pwd
import sys
import threading

from . import _limits, _nvidia, _read, _stamps, _system, _tools, _work

SCHEMA = 1


class Gathering:
    """Runs the parts and keeps what went wrong."""

    def __init__(self) -> None:
        self.problems: list = []

    def part(self, name: str, function, default):
        """What ``function`` returns, or ``default`` and a problem."""
        try:
            return function()
        except Exception as error:  # any error of one part must leave the rest standing
            self.problems.append(f"{name}: {type(error).__name__}: {error}")
            return default

    def start(self, name: str, function, default):
        """Like `part`, in a thread of its own; the result is what the returned function gives."""
        box = [default]

        def work() -> None:
            box[0] = self.part(name, function, default)

        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()

        def result():
            thread.join()
            return box[0]

        return result


def user_name() -> str:
    """The login name; the number where the password file does not know it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return os.environ.get("USER") or str(os.geteuid())


def may_sudo(sudo: str | None) -> bool:
    """Root, or sudo without a password."""
    if os.geteuid() == 0:
        return True
    return bool(sudo) and _read.run([sudo, "-n", "true"], seconds=10).code == 0


def workspace(mounted: list) -> dict:
    """``exists writable mount`` of /workspace."""
    if not os.path.isdir("/workspace"):
        return {"exists": False, "writable": False, "mount": None}
    return {"exists": True, "writable": os.access("/workspace", os.W_OK | os.X_OK), "mount": _limits.disk("/workspace", mounted)["mount"]}


def work_folder(wanted: str | None, home: str, place: dict) -> str:
    """Where the user works: as asked (relative to the home), else /workspace where it is writable, else the home."""
    if wanted:
        wanted = home + wanted[1:] if wanted == "~" or wanted.startswith("~/") else wanted
        return os.path.normpath(os.path.join(home, wanted))
    return "/workspace" if place["writable"] else home


def read_ready(home: str) -> dict | None:
    """``~/.rented/ready.json``, None when it is absent, damaged or longer than any that we write."""
    return _stamps.read_json(os.path.join(home, _stamps.HOME, "ready.json"))


def gather(workdir: str | None = None, packages: list | None = None, gpu_seconds: float = 30) -> dict:
    """The whole of ``ansible_facts.rented``."""
    work = Gathering()
    home = _read.home_folder()
    uid = os.geteuid()
    search = _tools.folders(home)
    mounted = work.part("mounts", _limits.mounts, [])
    runtime = work.part("container", lambda: _system.container_runtime("/", mounted), None)

    # What has to run programs starts first.
    gpu = work.start("gpu", lambda: _nvidia.gather(search, runtime is not None, gpu_seconds), _nvidia.nothing())
    sudo = work.start("sudo", lambda: may_sudo(_tools.which("sudo", search)), uid == 0)
    stamps = work.start("stamps", lambda: _stamps.read_all(home), {})
    made_here = work.start("work", lambda: _work.of_stamps(stamps(), _tools.which("git", search)), [])
    sessions = work.start("tmux", lambda: _tools.tmux_sessions(_tools.which("tmux", search), uid), [])

    manager = work.part("package manager", _system.package_manager, None)
    installed = work.part("packages", _system.dpkg_packages, {}) if manager == "apt" else {}
    tools: dict = {}
    asked = {}
    for name in _tools.TOOLS:
        path = work.part(name, lambda name=name: _tools.which(name, search), None)
        tools[name] = None
        if path:
            version = work.part(name, lambda name=name, path=path: _tools.known_version(name, path, installed), None)
            tools[name] = {"path": path, "version": version}
            if version is None:
                asked[name] = work.start(name, lambda name=name, path=path: _tools.asked_version(name, path), None)
    pythons = work.part("interpreters", lambda: _tools.interpreters(home, search), {})
    unsure = {
        path: work.start(path, lambda path=path: _tools.python_version(path), None) for path, version in pythons.items() if version is None
    }

    place = work.part("workspace", lambda: workspace(mounted), {"exists": False, "writable": False, "mount": None})
    folder = work_folder(workdir, home, place)
    facts = {
        "schema": SCHEMA,
        "workdir": folder,
        "home": home,
        "user": user_name(),
        "uid": uid,
        "python": {"path": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3]},
        "os": work.part("os", _system.distribution, {"id": "linux", "version_id": None, "name": None, "arch": None, "kernel": None}),
        "hostname": os.uname().nodename,
        "kind": "container" if runtime else "vm" if work.part("virtual machine", _system.is_vm, False) else "host",
        "container_runtime": runtime,
        "systemd": work.part("systemd", _system.systemd, False),
        "boot_id": (_read.read("/", "/proc/sys/kernel/random/boot_id") or "").strip() or None,
        "package_manager": manager,
        "packages": work.part("packages", lambda: _system.packages(packages or [], installed, manager), {}),
        "cpu": work.part("cpu", lambda: _limits.cpu("/", mounted), {"cores": os.cpu_count() or 1, "quota": None}),
        "memory": work.part("memory", lambda: _limits.memory("/", mounted), {"total_mb": None, "limit_mb": None}),
        "shm_mb": work.part("shm", lambda: _limits.shm_mb(mounted), None),
        "disks": {
            "workdir": work.part(f"disk of {folder}", lambda: _limits.disk(folder, mounted), None),
            "home": work.part(f"disk of {home}", lambda: _limits.disk(home, mounted), None),
        },
        "workspace": place,
        "auto_tmux": work.part("auto tmux", lambda: _tools.auto_tmux(home), {"present": False, "off": False}),
        "git_identity": work.part("git identity", lambda: _tools.git_identity(home), {"name": None, "email": None}),
        "ready": work.part("ready.json", lambda: read_ready(home), None),
    }
    for name, result in asked.items():
        tools[name]["version"] = result()
    facts["tools"] = tools
    for path, result in unsure.items():
        pythons[path] = result()
    facts["interpreters"] = [{"path": path, "version": version} for path, version in sorted(pythons.items()) if version]
    facts["tmux_sessions"] = sessions()
    facts["stamps"] = stamps()
    facts["work"] = made_here()
    facts["sudo"] = sudo()
    facts["gpu"] = gpu()
    facts["problems"] = work.problems
    return facts
