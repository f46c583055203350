# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Makes an environment active in login shells, in ``ssh host command`` and in tmux: one file, which every shell reads."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files, _stamps

SOURCE = 'if [ -r "$HOME/.rented/env.sh" ]; then . "$HOME/.rented/env.sh"; fi'


def env_file(home: str) -> str:
    return os.path.join(home, _stamps.HOME, "env.sh")


def env_sh(env: str, conda: bool = False, uv_folder: str = "", cache: str = "") -> str:
    """The content of the file.

    ``uv_folder``: where a uv is that the role fetched. ``cache``: where packages are cached, if not in the usual place.
    """
    lines = [
        "# The Python environment of this host, active in every new shell. Written by rented.gpu.python_env, which overwrites changes.",
        # A tmux session keeps the environment of its own project (rented.gpu.tmux).
        'if [ -n "${RENTED_ENV:-}" ] && [ -x "$RENTED_ENV/bin/python" ]; then __rented_env="$RENTED_ENV"',
        f"else __rented_env={shlex.quote(env)}; fi",
        "# Ansible looks for a Python to run its own modules with: that is the host's, never the project's.",
        'case "${BASH_EXECUTION_STRING:-}${ZSH_EXECUTION_STRING:-}" in *"echo FOUND; command -v "*) __rented_env=/nonexistent ;; esac',
        'if [ -x "$__rented_env/bin/python" ]; then',
        '    case ":$PATH:" in ":$__rented_env/bin:"*) ;; *) PATH="$__rented_env/bin:$PATH" ;; esac',
    ]
    if uv_folder:
        folder = shlex.quote(uv_folder)
        lines.append(f'    case ":$PATH:" in *:{folder}:*) ;; *) PATH="$PATH:"{folder} ;; esac')
    if conda:
        lines.append('    CONDA_PREFIX="$__rented_env"; export PATH CONDA_PREFIX; unset VIRTUAL_ENV PYTHONHOME')
    else:
        lines.append('    VIRTUAL_ENV="$__rented_env"; export PATH VIRTUAL_ENV; unset PYTHONHOME')
    if cache:
        for name, folder in (("UV_CACHE_DIR", "uv"), ("PIP_CACHE_DIR", "pip")):
            lines.append(f"    {name}={shlex.quote(os.path.join(cache, folder))}; export {name}")
    return "\n".join(lines + ["fi", "unset __rented_env"]) + "\n"


def shell_files(home: str) -> list:
    """``(path, name of the block, at the top?)``.

    Bash leaves ~/.bashrc early in a non-interactive shell, so the first block is its first lines. The second one is at the end,
    because images put their own environment in front there.
    """

    def inside(name):
        return os.path.join(home, name)

    files = [(inside(".bashrc"), "python_env", True), (inside(".bashrc"), "python_env again", False)]
    login = [name for name in (".bash_profile", ".bash_login", ".profile") if os.path.exists(inside(name))]
    files += [(inside(name), "python_env", False) for name in login or [".profile"]]
    if os.environ.get("SHELL", "").endswith("/zsh") or os.path.exists(inside(".zshrc")):
        files += [(inside(".zshenv"), "python_env", True), (inside(".zshrc"), "python_env", False)]
    return files


def activate(home: str, text: str, report, dry: bool) -> bool:
    """Write env.sh with this text, and the line that reads it into the shells' files. Whether anything changes."""
    changed = _put(env_file(home), lambda before: text, report, dry)
    for path, name, top in shell_files(home):
        edit = functools.partial(_shell_files.with_block, name=name, lines=[SOURCE], top=top)
        changed = _put(path, edit, report, dry) or changed
    return changed


def _put(path: str, edit, report, dry: bool) -> bool:
    before = _shell_files.read(path)
    after = edit(before)
    if after == before:
        return False
    report.changed(path, before, after)
    if not dry:
        _shell_files.write(path, after)
    return True


def watched_lines(home: str) -> dict:
    """Which lines the stamp watches, by file."""
    lines: dict = {}
    for path, name, _top in shell_files(home):
        lines.setdefault(path, [SOURCE]).append(_shell_files.BEGIN % name)
    return lines


def verify(env: str) -> list:
    """Warnings, where the user's shell finds another python, as a login or as a command over ssh: an image may put one in front."""
    shell = os.environ.get("SHELL") or "/bin/bash"
    warnings = []
    for what, words in (("A login shell", ["-lc"]), ("'ssh host command'", ["-c"])):
        if what != "A login shell" and os.path.basename(shell) not in ("bash", "zsh"):
            continue  # sh reads no file there, which README.md says
        found = _python_of([shell, *words])
        if found != os.path.join(env, "bin", "python"):
            warnings.append(
                f"{what} ({shell}) finds {found or 'no python'}, not the environment: a start-up file of the "
                "host puts it in front, ends early, or waits for input. Activate it there with '. "
                f"{env}/bin/activate'."
            )
    return warnings


def _python_of(command: list) -> str | None:
    """The python that a new shell finds; None when the shell does not say it."""
    surroundings = {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME", "LANG") if name in os.environ}
    # Bash takes a shell for one of sshd by these, and then reads ~/.bashrc (bash(1), "Invocation").
    surroundings.update(PATH="/usr/local/bin:/usr/bin:/bin", SSH_CLIENT="127.0.0.1 1 22", SSH2_CLIENT="127.0.0.1 1 22", SHLVL="0")
    mark = f"rented-{os.urandom(8).hex()}"
    try:
        ran = subprocess.run(
            command + [f"echo; echo {mark}:$(command -v python)"], env=surroundings, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(rf"^{mark}:(\S+)", ran.stdout.decode("utf-8", "replace"), re.M)
    return found.group(1) if found else None
