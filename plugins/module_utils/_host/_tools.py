# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Tools and their versions, Python interpreters, git identity, tmux: read from files wherever files know, by running where not."""

from __future__ import annotations

import json
import os
import re
import sys

from . import _read, _system

# Marks a folder whose programs are Ansible's own.
PRIVATE = ".rented-private"

TOOLS = ("git", "git-lfs", "rsync", "tmux", "curl", "uv", "conda", "python3", "nvcc", "tar", "unzip", "zstd", "sudo")

# Where tools lie that a non-interactive ssh session has not in PATH ("~" is the home).
_MORE_FOLDERS = (
    "~/.local/bin", "~/.cargo/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
    "/usr/local/cuda/bin", "/snap/bin", "~/miniforge3/bin", "~/miniconda3/bin", "~/anaconda3/bin",
    "/opt/conda/bin", "/opt/miniforge3/bin", "/opt/miniconda3/bin", "/root/miniconda3/bin",
)  # fmt: skip
# Conda and uv bring their own python3, git and tar; only the tool itself is looked for there.
_ONLY_CONDA = re.compile(r"/(miniforge3|miniconda3|anaconda3|conda)/bin$")
_VERSION = re.compile(r"\b(\d+(?:\.\d+)+[a-z]?)\b")
_HOW = {"nvcc": ["--version"], "tmux": ["-V"], "unzip": ["-v"], "sudo": ["-V"]}


def folders(home: str, path: str | None = None) -> list:
    """PATH, then the folders where tools lie that are not in it; each once."""
    search = (os.environ.get("PATH", "") if path is None else path).split(os.pathsep)
    search += [folder.replace("~", home, 1) if folder.startswith("~") else folder for folder in _MORE_FOLDERS]
    seen = []
    for folder in search:
        if folder and os.path.isabs(folder) and folder not in seen and not folder.endswith("/shims"):
            seen.append(folder)
    return seen


def which(name: str, search: list) -> str | None:
    """The first executable file ``name`` in the folders."""
    for folder in search:
        if _ONLY_CONDA.search(folder) and name != "conda":
            continue
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def known_version(name: str, path: str, installed: dict) -> str | None:
    """The version of a tool as far as files know it, without running it."""
    if name == "python3" and os.path.realpath(path) == os.path.realpath(sys.executable):
        return "%d.%d.%d" % sys.version_info[:3]
    if name == "nvcc":
        text = _read.read("/", os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(path))), "version.json")) or ""
        try:
            listed = json.loads(text)
            version = (listed.get("cuda_nvcc") or listed["cuda"])["version"]
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return None
        return version if isinstance(version, str) else None
    if name == "conda":
        for entry in _read.names("/", os.path.join(os.path.dirname(os.path.dirname(path)), "conda-meta")):
            found = re.match(r"conda-(\d[\w.]*)-[^-]+\.json$", entry)
            if found:
                return found.group(1)
        return None
    if path.startswith(("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/")) and installed.get(name) and name != "python3":
        return _system.upstream_version(installed[name])
    return None


def asked_version(name: str, path: str) -> str | None:
    """The version that a tool itself says."""
    ran = _read.run([path] + _HOW.get(name, ["--version"]), seconds=5)
    text = ran.out or ran.err
    if name == "nvcc":
        found = re.search(r"release [\d.]+, V([\d.]+)", text)
        return found.group(1) if found else None
    found = _VERSION.search(text)
    return found.group(1) if found else None


def interpreters(home: str, search: list) -> dict:
    """Python interpreters, path -> version or None where only running it would tell. uv's and pyenv's say it in their folder's name."""
    found: dict = {os.path.realpath(sys.executable): (sys.executable, "%d.%d.%d" % sys.version_info[:3])}
    for folder in search:
        if _ONLY_CONDA.search(folder):
            continue
        for name in _read.names("/", folder):
            path = os.path.join(folder, name)
            if re.match(r"python3(\.\d+)?$", name) and os.access(path, os.X_OK):
                found.setdefault(os.path.realpath(path), (path, None))
    data = os.environ.get("XDG_DATA_HOME") or os.path.join(home, ".local/share")
    managed = [
        (os.environ.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv/python"), r"cpython-(\d+\.\d+\.\d+)-linux", "bin/python3"),
        (os.path.join(os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions"), r"(\d+\.\d+\.\d+)$", "bin/python3"),
    ]
    for top, pattern, inside in managed:
        for name in _read.names("/", top):
            version = re.match(pattern, name)
            path = os.path.join(top, name, inside)
            if version and os.access(path, os.X_OK):
                real = os.path.realpath(path)
                if found.get(real, (None, None))[1] is None:
                    found[real] = (path, version.group(1))
    return dict(found.values())


def private(path: str) -> bool:
    """Whether a program is part of Ansible's own installation, as a provision script makes it: a folder above it carries `PRIVATE`."""
    folder = os.path.dirname(os.path.realpath(path))
    while folder != os.path.dirname(folder):
        if os.path.exists(os.path.join(folder, PRIVATE)):
            return True
        folder = os.path.dirname(folder)
    return False


def python_version(path: str) -> str | None:
    """The version of an interpreter, by running it; None when it does not run."""
    ran = _read.run([path, "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"], seconds=5)
    return ran.out.strip() if ran.code == 0 else None


def git_identity(home: str, root: str = "/") -> dict:
    """``name`` and ``email`` as git would use them outside of a repository, from its configuration files (git-config(1))."""
    config_home = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    identity = {"name": None, "email": None}
    for path in ("/etc/gitconfig", os.path.join(config_home, "git/config"), os.path.join(home, ".gitconfig")):
        _read_gitconfig(path, home, root, identity, 0)
    return identity


def _read_gitconfig(path: str, home: str, root: str, identity: dict, depth: int) -> None:
    section = ""
    for line in (_read.read(root, path) or "").splitlines():
        line = line.strip()
        if line.startswith("["):
            section, _bracket, line = line[1:].partition("]")
            section, line = section.strip().lower(), line.strip()
        if not line or line[0] in "#;":
            continue
        key, _equals, value = line.partition("=")
        key, value = key.strip().lower(), _unquote(value.strip())
        if section == "user" and key in identity:
            identity[key] = value or None
        elif section == "include" and key == "path" and depth < 5:
            other = home + value[1:] if value.startswith("~/") else value
            _read_gitconfig(os.path.join(os.path.dirname(path), other), home, root, identity, depth + 1)


def _unquote(value: str) -> str:
    """A value of a git configuration: quotes and backslashes resolved, a comment outside of quotes cut."""
    text, quoted, characters = "", False, iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            text += {"n": "\n", "t": "\t", "b": "\b"}.get(following, following)
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            text += character
    return text.strip()


def auto_tmux(home: str, root: str = "/") -> dict:
    """``present``: a login shell is thrown into tmux (Vast.ai does that); ``off``: `~/.no_auto_tmux` switches it off."""
    files = [os.path.join(home, name) for name in (".bashrc", ".profile", ".bash_profile", ".zshrc")]
    files += ["/etc/bash.bashrc", "/etc/profile", "/etc/bashrc"]
    files += ["/etc/profile.d/" + name for name in _read.names(root, "/etc/profile.d")]
    present = False
    for path in files:
        for line in (_read.read(root, path) or "").splitlines():
            line = line.strip()
            if not line.startswith("#") and (
                ".no_auto_tmux" in line or re.search(r"\btmux\b.*\b(attach|attach-session|new|new-session)\b", line)
            ):
                present = True
    if "VAST_CONTAINERLABEL" in os.environ or "VAST_CONTAINERLABEL=" in (_read.read(root, "/etc/environment") or ""):
        present = True
    return {"present": present, "off": os.path.exists(_read.under(root, os.path.join(home, ".no_auto_tmux")))}


def tmux_sessions(tmux: str | None, uid: int) -> list:
    """Names of the user's tmux sessions on the default socket. tmux is run only where there is a socket."""
    folder = os.path.join(os.environ.get("TMUX_TMPDIR") or "/tmp", f"tmux-{uid}")
    if not tmux or not os.path.exists(os.path.join(folder, "default")):
        return []
    # TMUX names the server of another tmux around us. Without -u a name that is not ASCII comes as underscores.
    ran = _read.run([tmux, "-u", "list-sessions", "-F", "#{session_name}"], seconds=5, env={"TMUX": ""})
    return ran.out.splitlines() if ran.code == 0 else []
