# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Requirements files that cannot work on another computer, told by their text alone: the file, the line and the cure.

Nothing here looks at a disk, so that the controller asks it before the first login and the host before it changes anything.
"""

from __future__ import annotations

import re

# Folders in which conda packages are built, and folders of other operating systems. No rented host has them.
_ELSEWHERE = re.compile(
    r"@\s*file:/+(?:croot/|Croot/|opt/conda/conda-bld/|home/(?:conda|builder)/|tmp/(?:build|abs_|croots)|private/|Users/|opt/concourse/"
    r"|work/|feedstock_root|C:/|D:/|D%3A|C%3A|[A-Z]:[/\\])|feedstock_root|conda-bld|/tmp/build/[0-9a-f]{8}/|/ci_\d+/work",
)
_NAMED = re.compile(r"^([A-Za-z0-9][\w.-]*)")
FREEZE = "pip list --format=freeze > requirements.txt"


class Wrong(Exception):
    """A requirements file that cannot be used: a sentence."""


def decoded(content: bytes, path: str) -> str:
    """The text of a requirements file. PowerShell's ``>`` writes UTF-16, which pip and uv do not both read. Raises `Wrong`."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(content) > 3 and (content[1:4:2] == b"\0\0" or content[0:3:2] == b"\0\0")):
        raise Wrong(
            f"{path} is UTF-16, as PowerShell's > writes it: save it as UTF-8 (in PowerShell: pip freeze | Out-File "
            "-Encoding ascii requirements.txt)."
        )
    if b"\0" in content:
        raise Wrong(f"{path} is not a text file (it holds NUL bytes): write a requirements file.")
    return content.decode("utf-8", "replace").lstrip("\ufeff")


def lines(text: str) -> list:
    """``(number, line)`` of what counts: joined where a line ends in a backslash, without comments and empty lines."""
    found, number = [], 0
    for part in re.split(r"(?<!\\)(?<!\\\r)\r?\n", text):
        joined = re.sub(r"(^|\s)#.*$", "", re.sub(r"\\\r?\n", " ", part), flags=re.M).strip()
        if joined:
            found.append((number + 1, joined))
        number += part.count("\n") + 1
    return found


def check(path: str, text: str) -> None:
    """Raise `Wrong` for a file that was made with another tool than `pip freeze`, or holds lines of the computer it was made on."""
    made_with = _other_tool(text)
    if made_with:
        raise Wrong(f"{path} is the output of {made_with}, not a requirements file. Make it with: {FREEZE}")
    numbered = lines(text)
    conda = [(number, line) for number, line in numbered if _ELSEWHERE.search(line)]
    if conda:
        number, line = conda[0]
        name = _NAMED.match(line)
        raise Wrong(
            f"{path}, line {number}: '{_shown(line)}' points to a folder of the computer on which the file was made, "
            f"as pip freeze writes it in a conda environment{_others(conda)}. Make the file with '{FREEZE}', or "
            f"write {name.group(1) if name else 'NAME'}==VERSION."
        )
    phantom = [(number, line) for number, line in numbered if re.match(r"pkg[-_]resources\s*==\s*0\.0\.0", line)]
    if phantom:
        raise Wrong(
            f"{path}, line {phantom[0][0]}: 'pkg-resources==0.0.0' is not a package; Debian's and Ubuntu's pip "
            "freeze writes this line by mistake. Delete it."
        )
    conflict = [number for number, line in numbered if re.match(r"(<{7}|>{7}|={7})(\s|$)", line)]
    if conflict:
        raise Wrong(f"{path}, line {conflict[0]}: it holds the marks of a git merge conflict. Resolve the conflict and commit the file.")


def _other_tool(text: str) -> str | None:
    if re.search(r"^Package\s+Version\b.*\r?\n-{3,}\s+-{3,}", text, re.M):
        return "'pip list'"
    if re.search(r"^# packages in environment at ", text, re.M):
        return "'conda list'"
    plain = [line for _number, line in lines(text)]
    builds = [line for line in plain if re.match(r"^[\w.-]+=[^=\s]+=[^=\s]+$", line)]
    if "may be used to create an environment using" in text or (builds and len(builds) == len(plain)):
        return "'conda list --export'"
    if re.search(r"^dependencies:\s*$", text, re.M) and re.search(r"^\s*-\s+\w", text, re.M):
        return "'conda env export' (an environment.yml: name it so, and set python_env_manager to conda)"
    if re.match(r"\s*\[\s*\{\s*\"name\"", text):
        return "'pip list --format=json'"
    return None


def _others(found: list) -> str:
    more = len(found) - 1
    return f" (and {more} more line{'' if more == 1 else 's'})" if more else ""


def _shown(line: str) -> str:
    line = re.sub(r"//[^/@\s]*@", "//", line)
    return line if len(line) <= 90 else line[:90] + "..."
