# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Sending trees with rsync over a host's own ssh connection.

Options and output formats: rsync(1), version 3.1 and later on both sides.
"""

from __future__ import annotations

import calendar
import os
import posixpath
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps
from ansible_collections.rented.gpu.plugins.plugin_utils._data import _gitignore
from ansible_collections.rented.gpu.plugins.plugin_utils._data._paths import size
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure, MissingTool
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _channel, _start_failures

PARTIAL = ".rsync-partial"  # in the folder of the file: what a cut transfer left, and where the next one goes on
# Owner, group and modes mean nothing on a rented machine, and network volumes refuse to set them.
ALWAYS = ["-rlt", "--copy-unsafe-links", "--no-owner", "--no-group", "--no-perms", "--omit-dir-times"]
SILENCE = 120  # seconds without a byte before rsync gives up
SHOW_EVERY = 30  # seconds between two lines of progress
KEPT = 200  # names kept for a diff
NEVER = [".git"]  # excluded unless the user says "!.git"
PROGRESS = re.compile(r"^\s*([\d,.]+)\s+(\d+)%\s+(\S+)\s+(\S+)")
ESCAPE = re.compile(rb"\\#([0-3][0-7]{2})")
ITEM = re.compile(r"^(\*deleting  |[<>ch.][fdLDS]\S{9}|[<>ch.][fdLDS]\S*) (.*)$")
MISSING = "nothing-there"  # what our script says of a dest that does not exist yet
# Variables of the host's image that would steer rsync there.
UNSET = 'for name in $(env | sed -n "s/^\\(RSYNC_[A-Za-z0-9_]*\\)=.*/\\1/p"); do unset "$name"; done'


@dataclass
class Stats:
    """What one transfer did: counts, bytes and seconds. ``literal`` is what really travelled as data, before compression."""

    files: int = 0
    bytes: int = 0
    literal: int = 0
    deleted: int = 0
    seconds: float = 0.0
    changes: int = 0
    names: list = field(default_factory=list)


def find() -> str:
    """The controller's rsync. Raises `Failure` when there is none that will do."""
    path = shutil.which("rsync")
    if not path:
        raise MissingTool("Sending data needs rsync on this machine, and it is not here: install it (apt-get install rsync).")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    if "openrsync" in version:
        raise Failure("The rsync of this machine is openrsync, which lacks what is needed: install rsync itself (brew install rsync).")
    return path


def filters(exclude: list) -> list:
    """rsync filter options for patterns that mean what they mean in a .gitignore: the last that matches wins, ``!`` takes back.

    A pattern with a slash in it, other than at its end, is anchored at the root of what is sent.
    """
    options = []
    for pattern in reversed(NEVER + [str(pattern) for pattern in exclude or []]):
        for rule in _gitignore.rules(pattern):
            options += ["--filter", rule]
    return options


def listing(source: str, exclude: list) -> list:
    """Everything that would be sent, as rsync itself sees it, in the form of `_stamps.entry_of`; of a single file the name is empty."""
    if not os.path.isdir(source):
        return [_stamps.entry_of(os.fsencode(source), "")]
    with tempfile.TemporaryDirectory(prefix="rented-") as empty:
        command = [find(), "-n", "-8", *ALWAYS, *filters(exclude), "--out-format=%i %l %M %n", source.rstrip("/") + "/", empty + "/"]
        ran = subprocess.run(command, capture_output=True, env=dict(environment(), TZ="UTC"), check=False)
    if ran.returncode not in (0, 24):  # 24: files vanished while it looked
        raise Failure(f"Reading {source} did not work: {last_lines(ran.stderr.decode('utf-8', 'replace'))}")
    found: list = []
    # Bytes: a name may hold anything, and only the line feed ends a line here.
    for line in ran.stdout.split(b"\n"):
        kind, _space, rest = line.partition(b" ")
        length, when, written = rest.split(b" ", 2) if rest.count(b" ") > 1 else (b"", b"", b"")
        name = unescaped(written).decode("utf-8", "surrogateescape")
        if kind[1:2] == b"f":
            found.append([name, int(length.replace(b",", b"")), _seconds(when, source, name)])
        elif kind[1:2] == b"L" or (kind[1:2] == b"d" and name != "./"):
            found.append(_stamps.entry_of(os.fsencode(source), name))
    return sorted(entry for entry in found if entry)


def files(found: list) -> list:
    """The files of a listing, without links and folders."""
    return [entry for entry in found if len(entry) == 3]


def unescaped(name: bytes) -> bytes:
    """The name behind one that rsync printed with ``-8``, where a control character is ``\\#`` and three digits."""
    return ESCAPE.sub(lambda code: bytes([int(code.group(1), 8)]), name)


def _seconds(when: bytes, source: str, name: str) -> int:
    try:
        return calendar.timegm(time.strptime(when.decode("ascii"), "%Y/%m/%d-%H:%M:%S"))
    except ValueError:  # a year of five digits
        return os.stat(os.path.join(os.fsencode(source), name.encode("utf-8", "surrogateescape"))).st_mtime_ns // 10**9


def listing_digest(found: list) -> str:
    return _stamps.digest(found)


def environment() -> dict:
    """This process's environment without what a user may have set for rsync: its variables, and ~/.popt, which it looks for in HOME."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RSYNC_") and name not in ("HOME", "CVSIGNORE")}
    return dict(kept, HOME="/nonexistent", LC_ALL="C", **{_channel.REAL_HOME: os.environ.get("HOME") or os.path.expanduser("~")})


def _command(ssh, remote: list) -> list:
    """rsync up to its options; ``remote`` are the lines that `sh` runs on the host, the last of which gets the words of rsync's server."""
    far = "\n".join([UNSET, *remote])
    return [find(), "-e", ssh.command(), "--rsync-path", far, "-8", "-s", *ALWAYS, "--partial-dir=" + PARTIAL, f"--timeout={SILENCE}"]


def send(ssh, source: str, dest: str, exclude: list, delete: bool, dry=False, show=None, checksum=False, silence=SILENCE) -> Stats | None:
    """Make ``dest`` on the host hold what ``source`` holds (a folder: its content; a file: the file). ``show(text)`` gets progress.

    ``checksum`` compares contents, not only sizes and times; ``silence`` is how many seconds that may take without a byte.
    With ``dry`` nothing is changed; None then means that there is nothing at ``dest`` yet. Raises `Failure`.
    """
    folder = os.path.isdir(source)
    where = shlex.quote(dest)
    if folder:
        wrong, prepare = f"[ -e {where} ] && [ ! -d {where} ]", f"mkdir -p {where}"
    else:
        wrong, prepare = f"[ -d {where} ]", f"mkdir -p {shlex.quote(posixpath.dirname(dest))}"
    marker = _start_failures.Marker()
    if dry:
        prepare = f"[ -e {where} ] || {{ {marker.say(MISSING)}; exit 9; }}"
    remote = [
        f"command -v rsync >/dev/null || {{ {marker.say('no-rsync')}; exit 9; }}",
        f"if {wrong}; then {marker.say('wrong-kind')}; exit 9; fi",
        f"{{ {prepare}; }} && exec rsync",
    ]
    command = _command(ssh, remote) + ["--stats", "--out-format=%i %n"]
    command += filters(exclude) if folder else []
    command += ["--delete"] if delete and folder else []
    command += ["--checksum", f"--timeout={silence:.0f}"] if checksum else []
    command += ["-n"] if dry else ["--info=progress2"]
    command += [source.rstrip("/") + "/" if folder else source, f"{ssh.alias}:{dest + '/' if folder else dest}"]
    stats, code, stderr = _watched(command, show)
    word = marker.said(stderr)
    if dry and word == MISSING:
        return None
    if code not in (0, 24):
        raise Failure(explain(source, dest, code, stderr, word), stderr=stderr[-2000:])
    return stats


def send_listed(ssh, folder: str, names: list, dest: str) -> None:
    """Send these files of a folder, those that are not there yet. Raises `Failure`."""
    remote = [f"mkdir -p {shlex.quote(dest)} && exec rsync"]
    command = _command(ssh, remote) + ["--ignore-existing", "--from0", "--files-from=-", folder + "/", f"{ssh.alias}:{dest}/"]
    ran = subprocess.run(command, input="\0".join(names), capture_output=True, text=True, check=False, env=environment())
    if ran.returncode:
        raise Failure(explain(folder, dest, ran.returncode, ran.stderr), stderr=ran.stderr[-2000:])


def _watched(command: list, show) -> tuple:
    stats = Stats()
    began = shown = time.monotonic()
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, encoding="utf-8", errors="backslashreplace",
            env=environment(), bufsize=1,
        )  # fmt: skip
        try:
            # Universal newlines: progress, which ends in a carriage return, comes as lines too.
            for line in process.stdout or ():
                progress = PROGRESS.match(line)
                if progress and show and time.monotonic() - shown > SHOW_EVERY:
                    shown = time.monotonic()
                    show(f"{progress.group(2)} %, {progress.group(3)}, {progress.group(4)} left")
                elif not progress:
                    _take(stats, line.rstrip("\n"))
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        errors.seek(0)
        stderr = errors.read()
    stats.seconds = round(time.monotonic() - began, 3)  # a small folder takes less than a tenth
    return stats, code, stderr


def _take(stats: Stats, line: str) -> None:
    item = ITEM.match(line)
    if item:
        stats.changes += 1
        stats.deleted += item.group(1).startswith("*deleting")
        if len(stats.names) < KEPT:
            stats.names.append(f"{item.group(1).strip()} {item.group(2)}")
        return
    name, colon, value = line.partition(":")
    if not colon:
        return
    digits = re.match(r"\s*([\d,]+)", value)
    number = int(digits.group(1).replace(",", "")) if digits else 0
    if name == "Number of regular files transferred":
        stats.files = number
    elif name == "Total transferred file size":
        stats.bytes = number
    elif name == "Literal data":
        stats.literal = number


def explain(source: str, dest: str, code: int, stderr: str, word: str | None = None) -> str:
    """What a failed rsync means, in one sentence. ``word`` is what our script on the host said."""
    own = {
        "no-rsync": "rsync is not on the host: the role `ready` installs it.",
        "wrong-kind": "%s on the host is %s: choose another dest, or move it away."
        % (dest, "a folder" if os.path.isfile(source) else "a file"),
    }
    known = (
        ("No space left on device", "the host's disk is full: free some space there, or rent a larger one; what was sent is kept."),
        ("Permission denied (publickey", "the host refused the ssh key."),
        ("Host key verification failed", "the host's key is not the one that is known."),
        ("Permission denied", f"something may not be read here or written there: {last_lines(stderr)}"),
    )
    if word in own:
        return f"Sending {source} did not work: {own[word]}"
    meaning = _start_failures.explained(stderr)
    if meaning:
        return f"Sending {source} did not work: {meaning}."
    for sign, meaning in known:
        if sign in stderr:
            return f"Sending {source} did not work: {meaning}"
    if code in (10, 12, 20, 30, 35, 255) or code < 0:  # socket, protocol stream, signal, time-outs, ssh itself
        return "Sending %s was cut off (%s); run again, it goes on where it stopped." % (source, last_lines(stderr) or "signal %d" % -code)
    return f"Sending {source} to {dest} did not work (rsync ended with {code}): {last_lines(stderr)}"


def last_lines(text: str) -> str:
    return " ".join(line.strip() for line in text.strip().splitlines()[-3:] if line.strip())


def total(found: list) -> str:
    return f"{len(files(found))} files, {size(sum(entry[1] for entry in files(found)))}"
