# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""uv on a host without root: found, or fetched as one binary in its pinned release; and what its errors mean.

Many images have neither pip nor ensurepip, so the wheel is fetched from a package index with the standard library (simple
repository API, PEP 503 and 691), its SHA-256 checked against the index, and the one binary unpacked. Python 3.8 is enough.
"""

from __future__ import annotations

import configparser
import hashlib
import html.parser
import importlib.machinery
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import zipfile

from ansible.module_utils.urls import open_url

from ansible_collections.rented.gpu.plugins.module_utils._host import _cuda

from . import _uv_versions

# The oldest uv whose options and torch builds are known to be enough.
MINIMUM = "0.9.0"
_SECONDS = 30
_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = _JSON + ", application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


class Unobtainable(Exception):
    """uv could not be fetched: one sentence for each way that was tried."""


def place(home: str, version: str) -> str:
    """Where a fetched uv lies."""
    return os.path.join(home, ".rented", "uv", version, "uv")


def find(candidates: list, specifier: str = "") -> str | None:
    """The first uv that fits the specifier; without one, the first that is new enough."""
    for path in candidates:
        version = version_of(path)
        if version and (_uv_versions.allows(specifier, version) if specifier else _cuda.version(version) >= _cuda.version(MINIMUM)):
            return path
    return None


def fetched(home: str) -> list:
    """Every uv that was fetched to this host, the newest first."""
    top = os.path.join(home, ".rented", "uv")
    versions = [name for name in (os.listdir(top) if os.path.isdir(top) else []) if os.path.isfile(os.path.join(top, name, "uv"))]
    return [place(home, version) for version in sorted(versions, key=_cuda.version, reverse=True)]


def version_of(path: str) -> str | None:
    """The version that a uv says, or None when it does not run."""
    try:
        out = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(rb"uv (\d+\.\d+\.\d+)", out)
    return found.group(1).decode() if found else None


def fetch(home: str, version: str, index: str | None, specifier: str = "", where: str | None = None) -> tuple:
    """Put a uv below ``home``: ``(path, how)``. It is this version, or with a specifier the newest that fits it, ``version`` first.

    ``index`` is asked when the host has none configured. Raises `Unobtainable`, and `_uv_versions.Unusable` when no release fits.
    """
    top = os.path.dirname(os.path.dirname(place(home, version)))
    os.makedirs(top, mode=0o700, exist_ok=True)
    tried = []
    for address in [configured_index(home) or index]:
        if address:
            try:
                page, files = _listed(address)
                if specifier:
                    found = _uv_versions.choose([_version_in(name) for name in files], specifier, version)
                    if found is None:
                        raise _uv_versions.Unusable(_uv_versions.none_fits(specifier, where))
                    version = found
                return _from_index(page, files, version, place(home, version)), "from the package index"
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                tried.append(f"the package index: {getattr(error, 'reason', None) or error}")
    try:
        return _with_pip("uv" + (specifier or "==" + version), top), "with pip"
    except (OSError, subprocess.SubprocessError) as error:
        tried.append(f"pip: {error}")
    raise Unobtainable("; ".join(tried))


def _version_in(name: str) -> str:
    found = re.match(r"uv-(\d+\.\d+\.\d+)-", name)
    return found.group(1) if found else ""


def unpack(wheel: str, home: str) -> str:
    """Take the binary out of a wheel that was sent, in one rename; its place. The name of the wheel says its version."""
    version = _version_in(os.path.basename(wheel))
    return _unpack(wheel, version, place(home, version))


def _unpack(wheel: str, version: str, target: str) -> str:
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target))
    try:
        name = f"uv-{version}.data/scripts/uv"
        with os.fdopen(handle, "wb") as stream, zipfile.ZipFile(wheel) as archive, archive.open(name) as binary:
            shutil.copyfileobj(binary, stream)
        os.chmod(temporary, 0o755)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def configured_index(home: str) -> str | None:
    """The package index that this host is configured for (pip's and uv's variables, pip's files), or None."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name].partition("=")[2] if re.match(r"^[\w-]+=", os.environ[name]) else os.environ[name]
    files = [os.environ.get("PIP_CONFIG_FILE", ""), os.path.join(home, ".config/pip/pip.conf"), os.path.join(home, ".pip/pip.conf")]
    for path in files + ["/etc/xdg/pip/pip.conf", "/etc/pip.conf"]:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path)
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        for section in ("install", "global"):
            if parser.has_option(section, "index-url"):
                return parser.get(section, "index-url").strip()
    return None


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.files: list = []

    def handle_starttag(self, tag, attrs):
        address, _hash, fragment = (dict(attrs).get("href") or "").partition("#")
        if tag == "a" and fragment.startswith("sha256="):
            self.files.append({"filename": address.rsplit("/", 1)[-1], "url": address, "hashes": {"sha256": fragment[len("sha256=") :]}})


def choose(names: list, version: str, machine: str, glibc: bool) -> str:
    """The wheel of this release for a machine ("x86_64"); with glibc the one for it first. Raises ValueError."""
    fitting = [
        name
        for name in names
        if name.startswith(f"uv-{version}-") and name.endswith(".whl") and re.search(rf"linux_[\d_]*{machine}\b", name.replace(".", " "))
    ]
    if not fitting:
        raise ValueError(f"it has no uv {version} for {machine}")
    return sorted(fitting, key=lambda name: ("manylinux" in name) != glibc)[0]


def _listed(index: str) -> tuple:
    """``(address, files by name)`` of uv's page in an index."""
    page = urllib.parse.urljoin(index if index.endswith("/") else index + "/", "uv/")
    if not page.startswith(("http://", "https://")):
        raise ValueError(f"{page} is not a web address")
    with open_url(page, headers={"Accept": _ACCEPT}, timeout=_SECONDS) as answer:
        kind, text = answer.headers.get_content_type(), answer.read().decode("utf-8", "replace")
    if kind == _JSON:
        files = json.loads(text)["files"]
    else:
        links = _Links()
        links.feed(text)
        files = links.files
    return page, {entry["filename"]: entry for entry in files}


def _from_index(page: str, by_name: dict, version: str, target: str) -> str:
    # A static build (musl) runs everywhere; the one for glibc is what most hosts have.
    chosen = by_name[choose(sorted(by_name), version, platform.machine(), platform.libc_ver()[0] == "glibc")]
    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(target), suffix=".whl") as wheel:
        state = hashlib.sha256()
        with open_url(urllib.parse.urljoin(page, chosen["url"]), timeout=_SECONDS) as answer:
            for block in iter(lambda: answer.read(1 << 20), b""):
                state.update(block)
                wheel.write(block)
        wheel.flush()
        if state.hexdigest() != chosen["hashes"]["sha256"]:
            raise ValueError(f"the SHA-256 of {chosen['filename']} is not what the index says")
        return _unpack(wheel.name, version, target)


def _with_pip(requirement: str, top: str) -> str:
    """With the host's own pip, or with that of a throw-away environment. Returns the place of the binary below ``top``."""
    with tempfile.TemporaryDirectory(dir=top) as folder:
        python = sys.executable
        # Not importlib.util.find_spec: setuptools hooks into that and warns when pip is looked for.
        if importlib.machinery.PathFinder.find_spec("pip") is None:
            if importlib.util.find_spec("ensurepip") is None:
                raise OSError("the host's Python has neither pip nor ensurepip")
            _run([python, "-m", "venv", os.path.join(folder, "venv")])
            python = os.path.join(folder, "venv", "bin", "python")
        packages = os.path.join(folder, "packages")
        _run([python, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--target", packages, requirement])
        binary = os.path.join(packages, "bin", "uv")
        version = version_of(binary)
        if not version:
            raise OSError("the uv that pip brought does not run")
        target = os.path.join(top, version, "uv")
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.replace(binary, target)
    return target


def _run(command: list) -> None:
    ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300, check=False)
    if ran.returncode:
        lines = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        raise OSError(lines[-1] if lines else f"it ended with {ran.returncode}")


# --- what went wrong -------------------------------------------------------------------------------------------

_NO_SPACE = re.compile(r"No space left on device|os error 28|Disk quota exceeded|os error 122")
_NO_NETWORK = re.compile(
    r"failed to lookup address|dns error|Could not connect|client error \(Connect\)|error sending request|Temporary failure in name"
    r"|Connection (refused|reset)|operation timed out|ConnectTimeout|Network is unreachable|Max retries exceeded|UnknownIssuer",
    re.I,
)
# Indexes of torch builds lie below a folder that is named after the tag, wherever they are served.
_TORCH_INDEX = re.compile(r"/(?:cpu|cu\d{2,3}|rocm[\d.]+|xpu)/")


def unreachable(output: str) -> bool:
    """Whether a command failed because the network or the index did not answer."""
    return bool(_NO_NETWORK.search(output)) and not no_space(output)


def address(output: str) -> str:
    """The first URL in what a command said; empty without one."""
    found = re.search(r"https?://[^\s`'\")]+", output)
    return found.group(0) if found else ""


def torch_index_unreachable(output: str) -> bool:
    """Whether it was the index of torch builds that did not answer."""
    return bool(_TORCH_INDEX.search(output)) and (unreachable(output) or bool(re.search(r"HTTP status (client|server) error", output)))


def no_space(output: str) -> bool:
    """Whether a disk ran full."""
    return bool(_NO_SPACE.search(output))


def cause(output: str) -> str:
    """The sentence in an error of uv or pip that says what is wrong. The forms are those of uv 0.9 to 0.13 and of pip 23 to 26."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    for pattern in (
        r"(Because .*?)(?:\n\s*\n|\n\s*(?:hint|help|info)\b|\Z)",
        r"(Failed to build `[^`]+`)",
        r"ERROR: (No matching distribution found for [^\n]+)",
        r"ERROR: (Cannot install [^\n]+)",
        r"ERROR: (Failed building wheel for [^\n]+)",
    ):
        found = re.search(pattern, text, re.S)
        if found:
            return _sentence(found.group(1))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if re.match(r"(error|ERROR|×|Caused by)\b:?|× ", line)]
    if errors:
        parts = [re.sub(r"^(error|ERROR|×)\s*:?\s*", "", lines[errors[0]])]
        parts += [
            re.sub(r"^(cause:|╰─▶|Caused by:)\s*", "", line)
            for line in lines[errors[0] + 1 : errors[0] + 3]
            if re.match(r"cause:|╰─▶|Caused by", line)
        ]
        return _sentence(": ".join(parts))
    return _sentence(lines[-1]) if lines else "it said nothing."


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", re.sub(r"[│╰─▶├]", " ", text)).strip().rstrip(".")
    return (text if len(text) <= 600 else text[:600] + " …") + "."
