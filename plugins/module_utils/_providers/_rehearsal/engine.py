# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The container engine of the rehearsal provider: podman, or docker where podman is not installed.

The engine's own settings are left alone. Only where podman cannot start a container with them (no cgroup v2, resource
limits below its defaults: nested containers and sandboxes), the collection's own ``containers.conf`` is used for its commands.
What was decided is kept in the state directory; nothing of the user's is edited.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingLibrary, ProviderUnavailable

ENV = "RENTED_GPU_ENGINE"
ENGINES = ("podman", "docker")
PACKAGES = "podman runc netavark iptables debootstrap"
HELPER_FOLDERS = ("/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/lib/podman", "/usr/local/lib/podman")

_GONE = re.compile(r"no such container|no container with (name|id)|no such object|does not exist", re.IGNORECASE)


class Engine:
    """One engine binary. ``kind`` is podman or docker; ``config`` is our containers.conf, None while the engine's own settings are used."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.kind = "docker" if os.path.basename(path).startswith("docker") else "podman"
        self.config = self._decision().get("config")

    def environment(self) -> dict:
        """The environment of the engine's process. A CONTAINERS_CONF that the user has set is obeyed."""
        environment = dict(os.environ)
        if self.config and not environment.get("CONTAINERS_CONF"):
            environment["CONTAINERS_CONF"] = self.config
        return environment

    def call(self, *arguments, text: str | None = None, timeout: float = 120) -> subprocess.CompletedProcess:
        """Run the engine; returns the finished process, whatever its status. Raises `ProviderUnavailable` when it hangs."""
        try:
            return subprocess.run(
                [self.path] + list(arguments),
                input=text if text is not None else "",
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                universal_newlines=True,
                encoding="utf-8",
                errors="replace",
                env=self.environment(),
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProviderUnavailable(
                f"{self.kind} {arguments[0]} did not finish in {timeout:.0f} s. Try it by hand to see what it waits for.", "rehearsal"
            )
        except OSError as error:
            raise ProviderUnavailable(f"{self.path} cannot be run: {error.strerror}.", "rehearsal")

    def run(self, *arguments, text: str | None = None, timeout: float = 120) -> str:
        """Run the engine and return what it printed; raises `ProviderUnavailable` with its last words when it fails."""
        done = self.call(*arguments, text=text, timeout=timeout)
        if done.returncode:
            raise ProviderUnavailable(f"'{self.kind} {arguments[0]}' failed: {last_words(done)}{self._hint(done)}", "rehearsal")
        return done.stdout

    # --- what the provider does with it --------------------------------------------------------------------------

    def containers(self, label: str, value: str) -> list:
        """Every container that carries ``label=value``, in any state, as `parse_podman` describes; one call, no inspect."""
        form = "json" if self.kind == "podman" else "{{json .}}"
        printed = self.run("ps", "--all", "--no-trunc", "--filter", f"label={label}={quote(value)}", "--format", form, timeout=30)
        return parse_podman(printed) if self.kind == "podman" else parse_docker(printed)

    def remove(self, container: str) -> None:
        """Remove a container at once; one that is gone is success."""
        # docker has no --time here; its --force kills at once.
        extra = ["--time", "0"] if self.kind == "podman" else []
        done = self.call("rm", "--force", "--volumes", *(extra + [container]))
        if done.returncode and not _GONE.search(done.stderr):
            raise ProviderUnavailable(f"The container {container} could not be removed: {last_words(done)}", "rehearsal")

    def has_image(self, tag: str) -> bool:
        """Whether the image is in the engine's store."""
        return self.call("image", "inspect", "--format", "{{.Id}}", tag, timeout=30).returncode == 0

    def ready(self, image: str) -> None:
        """Make sure that this engine can start a container; decided once per engine binary and kept in the state directory.

        Raises `ProviderUnavailable` when it can start one neither with its own settings nor with ours.
        """
        if self._decision():
            return
        probe = ("run", "--rm", "--publish", "127.0.0.1::22", "--entrypoint", "/bin/true", image)
        first = self.call(*probe)
        config = None
        if first.returncode:
            if self.kind != "podman" or os.environ.get("CONTAINERS_CONF"):
                why = last_words(first) + self._hint(first)
                raise ProviderUnavailable(f"{self.kind} cannot start a container: {why}", "rehearsal")
            config = os.path.join(_state.folder("rehearsal"), "containers.conf")
            with open(config, "w", encoding="utf-8") as handle:
                handle.write(fallback_config())
            self.config = config
            second = self.call(*probe)
            if second.returncode:
                self.config = None
                raise ProviderUnavailable(
                    f"podman cannot start a container. With its own settings: {last_words(first)} With {config}: "
                    f"{last_words(second)}{self._hint(second)}",
                    "rehearsal",
                )
        decisions = _read_json(self._decisions_file())
        decisions[self._key()] = {"config": config, "why": last_words(first) if config else None}
        temporary = os.path.join(_state.folder("rehearsal"), f"engine.json.{os.getpid()}")
        with open(temporary, "w", encoding="utf-8") as handle:
            json.dump(decisions, handle, indent=1)
        os.replace(temporary, self._decisions_file())

    # --- the decision ----------------------------------------------------------------------------------------------

    def _key(self) -> str:
        # Another binary (an upgrade) or another set of the user's own settings is another decision.
        try:
            stamp = int(os.stat(self.path).st_mtime)
        except OSError:
            stamp = 0
        return f"{self.path} {stamp} {os.getuid()} {os.environ.get('CONTAINERS_CONF', '')}"

    @staticmethod
    def _decisions_file() -> str:
        return os.path.join(_state.home_path(), "rehearsal", "engine.json")

    def _decision(self) -> dict:
        decision = _read_json(self._decisions_file()).get(self._key()) or {}
        if decision.get("config") and not os.path.isfile(decision["config"]):
            return {}
        return decision

    def _hint(self, done: subprocess.CompletedProcess) -> str:
        words = done.stderr.lower()
        if self.kind == "docker" and "daemon" in words:
            return f" Start the docker service, or install podman: apt-get install {PACKAGES}"
        for program in ("netavark", "iptables", "crun", "runc", "conmon", "slirp4netns", "newuidmap"):
            if program in words and ("not found" in words or "no such file" in words or "could not find" in words):
                package = "uidmap" if program == "newuidmap" else program
                return f" '{program}' seems to be missing: apt-get install {package}"
        return ""


def find_engine(chosen: str | None = None) -> Engine | None:
    """The engine: ``chosen``, else $RENTED_GPU_ENGINE, else podman, else docker; None when there is none.

    Raises `MissingLibrary` when one was asked for by name and is not there.
    """
    chosen = chosen or os.environ.get(ENV, "").strip()
    for name in (chosen,) if chosen else ENGINES:
        path = shutil.which(name)
        if path:
            return Engine(path)
    if chosen:
        raise MissingLibrary(f"The container engine '{chosen}' (${ENV}) is not installed or not on the PATH.", "rehearsal")
    return None


def need_engine(chosen: str | None = None) -> Engine:
    """The engine, or `MissingLibrary` with the command that installs one."""
    engine = find_engine(chosen)
    if engine is None:
        raise MissingLibrary(
            "Rehearsals need a container engine, and neither podman nor docker was found. On Debian or Ubuntu, as "
            f"root: apt-get install {PACKAGES}",
            "rehearsal",
        )
    return engine


def fallback_config() -> str:
    """A containers.conf for where podman's defaults fail: cgroupfs, runc where it is installed, limits that this process may set."""
    limits = []
    for name, number, default in (("nofile", resource.RLIMIT_NOFILE, 20000), ("nproc", resource.RLIMIT_NPROC, 32000)):
        hard = resource.getrlimit(number)[1]
        limit = default if hard == resource.RLIM_INFINITY else min(hard, default)
        limits.append(f'"{name}={limit}:{limit}"')
    folders = [f'"{folder}"' for folder in HELPER_FOLDERS if os.path.isdir(folder)]
    lines = [
        "# Written by the rehearsal provider of rented.gpu, for its own podman commands only; safe to delete.",
        "[containers]",
        f"default_ulimits=[{', '.join(limits)}]",
        "[engine]",
        'cgroup_manager="cgroupfs"',
        f"helper_binaries_dir=[{', '.join(folders)}]",
    ]
    if shutil.which("runc"):
        lines.append('runtime="runc"')
    return "\n".join(lines) + "\n"


# --- what engines print ------------------------------------------------------------------------------------------------


def quote(value) -> str:
    """A label value that survives docker's comma-joined list: comma, equals sign, percent and control characters are %-encoded."""
    return urllib.parse.quote(str(value), safe=" /:;.()[]{}<>'\"#@!?*+&|~^$-_")


def unquote(text: str) -> str:
    """The value that was %-encoded."""
    return urllib.parse.unquote(text)


def parse_podman(text: str) -> list:
    """Containers from ``podman ps --format json`` (3.x to 5.x): dicts of ``id``, ``name``, ``state``, ``labels``, ``port``, ``started``.

    ``port`` is the host's port for the container's 22/tcp or None; ``started`` is seconds since the epoch or None.
    Raises `ProviderUnavailable` when it is not such a list.
    """
    try:
        found = json.loads(text or "[]") or []
        return [_from_podman(entry) for entry in found]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ProviderUnavailable(f"podman ps answered something that is not its list of containers ({error}).", "rehearsal")


def _from_podman(entry: dict) -> dict:
    port = None
    for mapping in entry.get("Ports") or []:
        # 3.x before 3.1 wrote camelCase
        inside = mapping.get("container_port", mapping.get("containerPort"))
        if inside == 22 and mapping.get("protocol", "tcp") == "tcp":
            port = mapping.get("host_port", mapping.get("hostPort")) or None
    started = entry.get("StartedAt")
    names = entry.get("Names") or [""]
    return {
        "id": entry["Id"],
        "name": names if isinstance(names, str) else names[0],
        "state": str(entry.get("State") or "").lower(),
        "labels": {name: unquote(str(value)) for name, value in (entry.get("Labels") or {}).items()},
        "port": port,
        # Go's zero time is a large negative number: never started
        "started": started if isinstance(started, (int, float)) and started > 0 else None,
    }


def parse_docker(text: str) -> list:
    """Containers from ``docker ps --format '{{json .}}'``, one object per line, in the form of `parse_podman`; ``started`` is not told.

    Raises `ProviderUnavailable` when it is not such a list.
    """
    try:
        return [_from_docker(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise ProviderUnavailable(f"docker ps answered something that is not its list of containers ({error}).", "rehearsal")


def _from_docker(entry: dict) -> dict:
    labels = {}
    for pair in (entry.get("Labels") or "").split(","):
        name, found, value = pair.partition("=")
        if found:
            labels[name] = unquote(value)
    port = None
    for mapping in (entry.get("Ports") or "").split(","):
        match = re.search(r":(\d+)->22/tcp", mapping)
        if match:
            port = int(match.group(1))
    return {
        "id": entry["ID"],
        "name": (entry.get("Names") or "").split(",")[0],
        "state": (entry.get("State") or "").lower(),
        "labels": labels,
        "port": port,
        "started": None,
    }


def last_words(done: subprocess.CompletedProcess) -> str:
    """The last line that an engine wrote to stderr, without its 'Error:', for messages."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    words = lines[-1] if lines else f"it ended with status {done.returncode} and said nothing"
    words = re.sub(r"^(error:|docker:)\s*", "", words, flags=re.IGNORECASE)
    return words[:400].rstrip(".") + "."


def _read_json(path: str) -> dict:
    try:
        with open(path, encoding="utf-8") as handle:
            content = json.load(handle)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
