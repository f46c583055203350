# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The packages on the host's own disk that requirements files, a pyproject.toml or a uv.lock point to."""

from __future__ import annotations

import glob
import os
import re
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._host import _sources

_EDITABLE = re.compile(r"^(?:-e|--editable)[ =]*(\S.*)$")
_LINKS = re.compile(r"^(?:-f|--find-links)[ =]*(\S.*)$")
_INDEX = re.compile(r"^(?:-i|--index-url|--extra-index-url|--index|--default-index)[ =]*(\S.*)$")
_DIRECT = re.compile(r"^([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(\S.*)$")
_EXTRAS = re.compile(r"\[[\w\s,.-]*\]$")
_SECTION = re.compile(r"^\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_STRING = r"""["']([^"'\n]+)["']"""


class Package:
    """One local package. ``name`` is None where only its build would tell."""

    def __init__(self, path: str, editable: bool, name: str | None) -> None:
        self.path = path
        self.editable = editable and os.path.isdir(path)
        self.name = name

    @property
    def kind(self) -> str:
        """The kind of watch that a stamp has for it."""
        return "editables" if self.editable else "sources"

    def digest(self) -> str | None:
        return _sources.digest(self.path, self.editable)


def reference(line: str) -> tuple | None:
    """``(path as written, editable, name or None)`` when a line of a requirements file names something on this disk."""
    found = _EDITABLE.match(line)
    editable = bool(found)
    text = _unquoted(found.group(1) if found else line)
    direct = _DIRECT.match(text)
    name = direct.group(1) if direct else None
    if direct:
        text = direct.group(2)
    elif text.startswith("-"):
        return None
    text = re.split(r"\s+;|\s+--|;\s", _expanded(_unquoted(text)), maxsplit=1)[0].strip()
    path = _path_of(text)
    if path is None and "://" not in text and (editable or direct or _looks_like_a_path(text)):
        path = _EXTRAS.sub("", text.partition("#")[0])
    if path is None or (direct and not editable and re.match(r"^\w+\+", text) and not text.startswith("git+file:")):
        return None
    return path, editable, name


def links(line: str) -> str | None:
    """The folder that a ``--find-links`` names, or the local index of an ``--index-url``; None for others."""
    found = _LINKS.match(line)
    if found:
        text = _expanded(_unquoted(found.group(1)))
        return _path_of(text) or (None if "://" in text else text)
    found = _INDEX.match(line)
    return _path_of(_expanded(_unquoted(found.group(1)))) if found else None


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _expanded(text: str) -> str:
    """``${NAME}`` of the environment, as pip and uv replace it; uv knows ${PROJECT_ROOT} too."""
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda name: os.environ.get(name.group(1), "." if name.group(1) == "PROJECT_ROOT" else ""), text)


def _path_of(url: str) -> str | None:
    """The path of a ``file:`` URL, also of ``git+file:``; None for others."""
    if not re.match(r"^(git\+)?file:", url):
        return None
    url = url.partition("#")[0].partition("?")[0]
    path = re.sub(r"^(?:git\+)?file:(?://(?:localhost)?(?=/)|//)?", "", url)
    if url.startswith("git+"):
        path = re.sub(r"@[^/@]+$", "", path)
    return urllib.parse.unquote(_EXTRAS.sub("", path)) or None


def _looks_like_a_path(text: str) -> bool:
    bare = _EXTRAS.sub("", text)
    return bare in (".", "..") or "/" in bare or bare.endswith(_sources.ARCHIVES)


def name_of(path: str) -> str | None:
    """The name that a package's files state; None where only code would tell."""
    base = os.path.basename(path)
    if os.path.isfile(path):
        if base.endswith(".whl"):
            return base.split("-")[0]
        found = re.match(r"^(.+?)-\d", base)
        return found.group(1) if found else None
    project = section_of(_text(os.path.join(path, "pyproject.toml")), r"project|tool\.poetry")
    found = re.search(r"^\s*name\s*=\s*" + _STRING, project, re.M)
    if not found:
        found = re.search(r"^\[metadata\][^\[]*?^name\s*=\s*(\S+)", _text(os.path.join(path, "setup.cfg")), re.M | re.S)
    return found.group(1).strip() if found else None


def section_of(text: str, pattern: str) -> str:
    """The lines of all sections of a TOML file whose name matches; without its full grammar, which Python 3.8 cannot read."""
    lines, inside = [], False
    for line in text.splitlines():
        header = _SECTION.match(line)
        if header:
            inside = bool(re.match(rf"^(?:{pattern})$", header.group(1).replace('"', "")))
            named = re.match(r"^.*\.([^.]+)$", header.group(1).replace('"', ""))
            lines += ["# section " + (named.group(1) if named else header.group(1))] if inside else []
        elif inside:
            lines.append(line)
    return "\n".join(lines)


def of_pyproject(text: str) -> list:
    """``(path as written, editable, name or None)`` of what a pyproject.toml points to: path sources and members of a workspace."""
    found = []
    sources = section_of(text, r"tool\.uv\.sources(?:\..+)?|tool\.poetry\..*dependencies(?:\..+)?|tool\.pdm\..+")
    for match in re.finditer(r"\bpath\s*=\s*" + _STRING, sources):
        line = sources[sources.rfind("\n", 0, match.start()) + 1 : (sources + "\n").find("\n", match.end())]
        found.append((match.group(1), _says_editable(line, sources, match), _key(sources, match)))
    for match in re.finditer(r"""["']([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*@\s*(file:[^"'\s;]+)""", text):
        found.append((_path_of(match.group(2)) or "", False, match.group(1)))
    members = re.search(r"^\s*members\s*=\s*\[([^\]]*)\]", section_of(text, r"tool\.uv\.workspace"), re.M)
    if members:
        found += [(pattern, True, None) for pattern in re.findall(_STRING, members.group(1))]
    return [entry for entry in found if entry[0]]


def _says_editable(line: str, text: str, match) -> bool:
    """uv's ``editable`` and poetry's ``develop``: in the same inline table, or in the same section."""
    around = (
        line if "{" in line else text[text.rfind("# section", 0, match.start()) : (text + "\n# section").find("# section", match.end())]
    )
    return bool(re.search(r"\b(?:editable|develop)\s*=\s*true", around))


def _key(text: str, match) -> str | None:
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    key = re.match(r"""\s*["']?([\w.-]+)["']?\s*=\s*[\[{]""", line)
    section = re.findall(r"^# section (.+)$", text[: match.start()], re.M)
    return key.group(1) if key else (section[-1] if section and section[-1] not in ("sources", "dependencies") else None)


def links_of(text: str, is_uv_toml: bool) -> list:
    """The folders of wheels and the local indexes in the settings of uv in a pyproject.toml or uv.toml, as written."""
    settings = text if is_uv_toml else section_of(text, r"tool\.uv(?:\.index|\.pip)?")
    found = []
    for array in re.findall(r"^\s*find-links\s*=\s*\[([^\]]*)\]", settings, re.M):
        found += re.findall(_STRING, array)
    found += re.findall(r"^\s*(?:url|index-url)\s*=\s*" + _STRING, settings, re.M)
    return [path for path in (_path_of(_expanded(written)) or ("" if "://" in written else written) for written in found) if path]


def of_lock(text: str) -> list:
    """The same for a uv.lock."""
    found = []
    for kind, path in re.findall(r"^source = \{ (editable|directory|path) = \"([^\"]+)\"", text, re.M):
        found.append((path, kind == "editable", None))
    return found


def members(folder: str, pattern: str) -> list:
    """The folders that a pattern of a workspace matches."""
    if not re.search(r"[*?\[]", pattern):
        return [os.path.normpath(os.path.join(folder, pattern))]
    found = glob.glob(os.path.join(folder, pattern), recursive=True)
    return sorted(os.path.normpath(path) for path in found if os.path.isfile(os.path.join(path, "pyproject.toml")))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read(1 << 20)
    except OSError:
        return ""
