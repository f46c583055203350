# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Variables that were meant as settings and are none.

Ansible takes any variable without a word, so a misspelt setting does nothing. A variable that nearly is a setting is an error. A
variable whose name only suggests one (`torch`, `requirements`) is an error when it was given for this run (-e) and the setting was
not; a lab's inventory may have such a variable for its own use, so there it is a warning.
"""

from __future__ import annotations

import dataclasses
import difflib
import re

# A variable that is this close to a setting is a typing error.
CLOSE = 0.85
# Close to a setting, and yet common names of their own.
COMMON = frozenset(("cuda_path", "git_host", "git_hosts", "python_path", "read_timeout"))
# Names that stand for a setting, and for nothing else in a run of these playbooks.
STRONG = {
    "cuda_check": ("cuda_check_required",),
    "data_sync": ("data_sync_items",),
    "git_email": ("git_keys_email",),
    "git_keys": ("git_keys_mode", "git_keys_private_key"),
    "git_mode": ("git_keys_mode",),
    "git_name": ("git_keys_name",),
    "git_private_key": ("git_keys_private_key",),
    "git_user_email": ("git_keys_email",),
    "git_user_name": ("git_keys_name",),
    "known_hosts": ("known_hosts_extra",),
    "pip_packages": ("python_env_packages",),
    "pip_requirements": ("python_env_requirements",),
    "python_env": ("python_env_requirements", "python_env_packages"),
    "python_torch": ("python_env_torch",),
    "rented_group": ("rented_hosts",),
    "repos": ("repos_list",),
    "requirements_file": ("python_env_requirements",),
    "requirements_files": ("python_env_requirements",),
    "requirements_txt": ("python_env_requirements",),
    "sync_data": ("data_sync_items",),
}
# Names that suggest a setting, and may be a lab's own.
WEAK = {
    "extras": ("python_env_extras",),
    "packages": ("python_env_packages", "ready_packages"),
    "private_key": ("git_keys_private_key",),
    "python": ("python_env_python",),
    "python_version": ("python_env_python",),
    "repo": ("repos_list",),
    "repositories": ("repos_list",),
    "repository": ("repos_list",),
    "requirements": ("python_env_requirements",),
    "session": ("tmux_session",),
    "session_name": ("tmux_session",),
    "tmux": ("tmux_session",),
    "torch": ("python_env_torch",),
    "torch_version": ("python_env_torch",),
    "uv_version": ("python_env_uv_version",),
    "venv": ("python_env_path",),
    "work_dir": ("rented_workdir",),
    "workdir": ("rented_workdir",),
}
# Names that are worth a warning when they are given for this run and nothing uses them.
FAINT = {
    "data": ("data_sync_items",),
    "dataset": ("data_sync_items",),
    "datasets": ("data_sync_items",),
    "email": ("git_keys_email",),
    "git_repo": ("repos_list",),
    "git_repos": ("repos_list",),
    "project": ("python_env_project",),
    "repo_url": ("repos_list",),
}
NAME = re.compile(r"[A-Za-z_]\w*")


@dataclasses.dataclass(frozen=True)
class Given:
    """A variable that a user gave. ``now``: for this run, by -e; ``where``: file and line, when known."""

    name: str
    raw: object = None
    now: bool = False
    where: str = ""


@dataclasses.dataclass(frozen=True)
class Suspect:
    given: Given
    nearest: tuple
    certain: bool  # an error; else a warning

    def __str__(self) -> str:
        names = " or ".join(f"'{name}'" for name in self.nearest)
        where = f" ({self.given.where})" if self.given.where else ""
        if self.certain:
            return f"'{self.given.name}'{where} is not a setting. Did you mean {names}?"
        return f"'{self.given.name}'{where} is not a setting of these playbooks. If you meant {names}, rename it."


def suspects(given: list, settings, others=()) -> list:
    """The `Suspect` variables. ``settings`` are the names that exist; ``others`` exist too, and no name is compared with them."""
    settings, others = set(settings), set(others)
    have = {one.name for one in given} & settings
    used = _used(given)
    found = []
    for one in sorted(given, key=lambda one: one.name):
        name = one.name
        if name in settings or name in others or name in used or name.startswith(("_", "ansible_")):
            continue
        near = tuple(known for known in STRONG.get(_key(name), ()) if known in settings) or _close(name, settings)
        if near:
            found.append(Suspect(one, near, True))
            continue
        for table, certain, everywhere in ((WEAK, one.now, True), (FAINT, False, False)):
            near = tuple(known for known in table.get(_key(name), ()) if known in settings)
            if near and not have.intersection(near) and (one.now or everywhere):
                found.append(Suspect(one, near, certain))
                break
    return found


def _key(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _words(name: str) -> list:
    return sorted(word[:-1] if word.endswith("s") else word for word in _key(name).split("_") if word)


def _close(name: str, settings) -> tuple:
    """The settings that a name was meant to be: a slip of the finger, another order, a missing or an additional part."""
    if name in COMMON or len(name) < 5:
        return ()
    word = _key(name)
    near = difflib.get_close_matches(word, sorted(settings), n=1, cutoff=CLOSE)
    if near:
        return (near[0],)
    mine = _words(name)
    if len(mine) < 2:
        return ()
    same = [known for known in sorted(settings) if _words(known) == mine or _words(known.replace("workdir", "work_dir")) == mine]
    # Without the middle of the role's name: python_requirements, python_packages, cuda_required.
    shorter = [
        known
        for known in sorted(settings)
        if len(known.split("_")) == 3 and _words("_".join((known.split("_")[0], known.split("_")[2]))) == mine
    ]
    return tuple(same or shorter)


def _used(given: list) -> set:
    """Every name inside of a template of the user's variables: such a variable is used, whatever its name looks like."""
    found = set()
    for one in given:
        for text in _texts(one.raw):
            for part in re.findall(r"\{[{%](.*?)[%}]\}", text, re.DOTALL):
                found.update(NAME.findall(part))
    return found


def _texts(value, depth: int = 0):
    if isinstance(value, str):
        yield value
    elif depth < 20 and isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner, depth + 1)
    elif depth < 20 and isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner, depth + 1)
