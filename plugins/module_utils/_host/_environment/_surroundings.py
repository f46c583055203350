# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The surroundings in which pip, uv, conda and builds run on a host: what an image or a user set about them, and what of it is kept.

Where packages come from is wanted; where they go, and how, is the role's own matter. So each family of settings has a list of what is
kept, and the rest is taken out. docs/surroundings_python.md explains each.
"""

from __future__ import annotations

import configparser
import os
import re

# Of each family, the names that are kept. A name that ends in * stands for all that begin so.
KEPT = {
    "PIP_": (
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_CLIENT_CERT",
        "PIP_PROXY", "PIP_KEYRING_PROVIDER", "PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_RESUME_RETRIES", "PIP_CACHE_DIR",
        "PIP_NO_CACHE_DIR", "PIP_PREFER_BINARY",
    ),
    "UV_": (
        "UV_INDEX*", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_NO_INDEX", "UV_FIND_LINKS", "UV_KEYRING_PROVIDER", "UV_INSECURE_HOST",
        "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_HTTP_*", "UV_REQUEST_TIMEOUT", "UV_CONCURRENT_*", "UV_CACHE_DIR", "UV_NO_CACHE",
        "UV_LINK_MODE", "UV_COMPILE_BYTECODE*", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_INSTALL_MIRROR", "UV_PYPY_INSTALL_MIRROR",
        "UV_PYTHON_DOWNLOADS_JSON_URL", "UV_ASTRAL_MIRROR_URL", "UV_PYTHON_CACHE_DIR", "UV_GITHUB_TOKEN", "UV_CREDENTIALS_DIR",
        "UV_GIT_LFS", "UV_S3_ENDPOINT_URL", "UV_GCS_ENDPOINT_URL", "UV_AZURE_ENDPOINT_URL", "UV_LOCK_TIMEOUT",
    ),
    "CONDA_": (
        "CONDA_CHANNELS", "CONDA_DEFAULT_CHANNELS", "CONDA_CHANNEL_ALIAS", "CONDA_CHANNEL_PRIORITY", "CONDA_PKGS_DIRS", "CONDA_SSL_VERIFY",
        "CONDA_OVERRIDE_*", "CONDA_REMOTE_*", "CONDA_SUBDIR", "CONDA_SOLVER", "CONDA_PLUGINS_*", "CONDA_TOKEN",
    ),
    "MAMBA_": ("MAMBA_ROOT_PREFIX", "MAMBA_SSL_VERIFY", "MAMBA_CHANNELS", "MAMBA_PKGS_DIRS"),
    "PYTHON": ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHON_KEYRING_BACKEND"),
}  # fmt: skip
OTHERS = (
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "__PYVENV_LAUNCHER__",
    "PIPENV_ACTIVE",
    "POETRY_ACTIVE",
    "DISTUTILS_USE_SDK",
    "SETUPTOOLS_USE_DISTUTILS",
)
SET = {
    "UV_NO_PROGRESS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "NO_COLOR": "1", "PIP_CONFIG_FILE": os.devnull,
    "PYTHONNOUSERSITE": "1", "CONDA_ALWAYS_YES": "true", "CONDA_REPORT_ERRORS": "false", "CONDA_NOTIFY_OUTDATED_CONDA": "false",
    "CONDA_OFFLINE": "false", "CONDA_DRY_RUN": "false", "CONDA_CREATE_DEFAULT_PACKAGES": "", "MAMBA_ALWAYS_YES": "true",
}  # fmt: skip
# The keys of a uv.toml of the user or of the system that are kept.
KEPT_UV_KEYS = (
    "index", "index-url", "extra-index-url", "no-index", "find-links", "index-strategy", "keyring-provider", "allow-insecure-host",
    "native-tls", "system-certs", "cache-dir", "no-cache", "link-mode", "compile-bytecode", "python-install-mirror",
    "pypy-install-mirror", "concurrent-downloads", "concurrent-builds", "concurrent-installs", "required-version", "trusted-publishing",
)  # fmt: skip


def kept(name: str) -> bool:
    """Whether a variable stays as it is."""
    for family, names in KEPT.items():
        if name.startswith(family):
            return any(name == known or (known.endswith("*") and name.startswith(known[:-1])) for known in names)
    return name not in OTHERS


def clear(environ) -> list:
    """Take out of ``environ`` what would steer the installers; the names that were taken out."""
    gone = [name for name in environ if not kept(name)]
    for name in gone:
        del environ[name]
    return sorted(gone)


def pip_files(home: str, environ: dict, path: str) -> list:
    """The configuration files that pip would read for the environment ``path``, in the order in which the later one wins."""
    folders = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    files = [os.path.join(folder, "pip", "pip.conf") for folder in folders] + ["/etc/pip.conf", os.path.join(home, ".pip", "pip.conf")]
    files.append(os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip", "pip.conf"))
    files.append(os.path.join(path, "pip.conf"))
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    return files + ([named] if named else [])


def from_pip_files(files: list) -> dict:
    """The settings in pip's files that are kept, as variables: pip itself is then told to read no file."""
    found = {}
    for path in files:
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            for key, value in parser.items(section) if parser.has_section(section) else ():
                name = "PIP_" + key.upper().replace("-", "_")
                if kept(name) and value.strip():
                    found[name] = " ".join(value.split())
    return found


def for_uv(home: str, environ: dict) -> dict:
    """Variables that make uv read copies of the uv.toml of the user and of the system, when these hold more than is kept."""
    user = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    system = [os.path.join(folder, "uv", "uv.toml") for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)]
    found = {}
    for name, files in (("XDG_CONFIG_HOME", [os.path.join(user, "uv", "uv.toml")]), ("XDG_CONFIG_DIRS", system + ["/etc/uv/uv.toml"])):
        path = next((path for path in files if os.path.isfile(path)), None)
        text = _read(path) if path else ""
        wanted = without_steering(text)
        if wanted != text:
            folder = os.path.join(home, ".rented", "uv-config", name.rsplit("_", 1)[1].lower())
            os.makedirs(os.path.join(folder, "uv"), mode=0o700, exist_ok=True)
            copy = os.path.join(folder, "uv", "uv.toml")
            # An index in it may have a password.
            handle = os.open(copy + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(wanted)
            os.replace(copy + ".new", copy)
            found[name] = folder
    return found


def without_steering(text: str) -> str:
    """A uv.toml with nothing but what is kept."""
    lines, keep, section, depth = [], True, "", 0
    for line in text.splitlines(True):
        header = re.match(r"^\s*\[{1,2}\s*([\w.-]+)\s*\]{1,2}\s*(?:#.*)?$", line) if not depth else None
        if header:
            section = header.group(1)
            keep = section.split(".")[0] in KEPT_UV_KEYS
        elif not depth and not section:
            key = re.match(r"^\s*([\w-]+)\s*=", line)
            keep = key.group(1) in KEPT_UV_KEYS if key else True
        if keep:
            lines.append(line)
        if not header:
            bare = re.sub(r"""("[^"]*"|'[^']*'|#.*)""", "", line)
            depth = max(0, depth + bare.count("[") - bare.count("]"))
    return "".join(lines)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            return handle.read(1 << 20)
    except OSError:
        return ""
