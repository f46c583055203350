# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""A clean byte pipe to one host, for programs that speak a binary protocol over ssh.

git and rsync start this file in place of ssh: ``python -I -S _channel.py NAME SECONDS COUNT WORD... HOST COMMAND...``. The COUNT words
are the ssh command with its destination. HOST and COMMAND come from git or rsync, and HOST has to be NAME, the made-up name of the one
host that this channel serves. The far side prints a mark before it runs the command. Everything that comes before the mark was printed
by the start-up files of the login shell, and is dropped. Input is held back until then, so that such a file cannot read it either.

This file imports nothing but the standard library, because it runs as a program of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading
import time

# How the lines begin that this program writes to stderr; `_start_failures` turns them into sentences.
REFUSED = "rented-channel: refused: "  # another host was asked for
SILENT = "rented-channel: silent: "  # the command did not start in time
ENDED = "rented-channel: ended: "  # ssh ended before the command started
MISSING = "rented-channel: missing: "  # there is no such program here
MARKED = "marked"

FAILED = 255  # the exit status of ssh for its own failures
REAL_HOME = "RENTED_CHANNEL_HOME"  # HOME for ssh, where the program that starts this one must not find the real one

BLOCK = 1 << 20
QUOTED = 300  # bytes of what the host printed that a message repeats

# Longer words are cut: old versions of csh refuse words of 1024 bytes.
_LONGEST_WORD = 400
# Puts the words together, decodes them and runs them. The words after them become the positional parameters.
_LOADER = 'n=$1; shift; t=; while [ $n -gt 0 ]; do t=$t$1; shift; n=$((n-1)); done; eval "$(printf %b "$t")"'


def for_any_shell(script: str) -> str:
    """A command line that runs ``script`` in ``/bin/sh``, whichever shell reads it: bash, dash, zsh, fish, csh, tcsh.

    These shells agree on single quotes as long as there is no quote, exclamation mark, line end or doubled backslash between them. Other
    bytes travel as octal codes. The login shell is replaced, so that it prints nothing at its end either.
    """
    word, words = "", []
    for byte in script.encode("utf-8", "surrogateescape"):
        sign = chr(byte) if 32 <= byte < 127 and byte not in b"'!\\" else "\\0%03o" % byte
        if len(word) + len(sign) > _LONGEST_WORD:
            words.append(word)
            word = ""
        word += sign
    words.append(word)
    return "exec /bin/sh -c '%s' rented %d %s" % (_LOADER, len(words), " ".join(f"'{word}'" for word in words))


def main(arguments: list) -> int:
    """Run the command; returns the exit status."""
    name, seconds, count = arguments[0], float(arguments[1]), int(arguments[2])
    words, asked = arguments[3 : 3 + count], arguments[3 + count :]
    if not asked or asked[0] != name:
        return _complain(REFUSED, f"this connection is for {name}, and not for {asked[0] if asked else 'another program'}")
    mark = os.urandom(16).hex()
    # In two parts, so that a shell that shows the command does not show the mark.
    far = for_any_shell(f"printf %s%s {mark[:16]} {mark[16:]}\n{' '.join(asked[1:])}")
    if REAL_HOME in os.environ:
        os.environ["HOME"] = os.environ.pop(REAL_HOME)
    try:
        child = subprocess.Popen([*words, far], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    except OSError as error:
        return _complain(MISSING, f"{words[0]}: {error.strerror}")
    _pass_signals_on(child)
    return _serve(child, mark.encode(), seconds)


def _serve(child, mark: bytes, seconds: float) -> int:
    state, text = _wait_for(child.stdout.fileno(), mark, seconds)
    if state == MARKED:
        for handle in (0, 1, child.stdin.fileno(), child.stdout.fileno()):
            with contextlib.suppress(OSError):
                os.set_blocking(handle, True)
            with contextlib.suppress(OSError, AttributeError):  # no pipe, or no Linux
                fcntl.fcntl(handle, fcntl.F_SETPIPE_SZ, BLOCK)
        with contextlib.suppress(BrokenPipeError):
            _write(1, text)
        threading.Thread(target=_pump, args=(0, child.stdin.fileno()), daemon=True).start()
        output = threading.Thread(target=_pump, args=(child.stdout.fileno(), 1), daemon=True)
        output.start()
        status = _wait(child)
        output.join(60)  # what is still in the pipe; as a rule its end comes at once
        return status
    printed = " ".join(text.decode("ascii", "replace").split())[-QUOTED:]
    if state == SILENT:
        child.terminate()
        _wait_briefly(child)
        return _complain(SILENT, f"{seconds:.0f} s; {printed}")
    status = _wait(child)
    if status == FAILED and not printed:
        return status  # ssh itself has said why
    return _complain(ENDED, printed or f"exit status {status}")


def _wait_for(handle: int, mark: bytes, seconds: float) -> tuple:
    """`MARKED` and what came after the mark; or `SILENT` or `ENDED`, and the last that was printed."""
    end = time.monotonic() + seconds
    seen = printed = b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([handle], [], [], left)[0]:
            return SILENT, printed
        block = os.read(handle, BLOCK)
        if not block:
            return ENDED, printed
        seen += block
        at = seen.find(mark)
        if at >= 0:
            return MARKED, seen[at + len(mark) :]
        printed = (printed + block)[-2 * QUOTED :]
        seen = seen[1 - len(mark) :]


def _pump(source: int, sink: int) -> None:
    """Move bytes until the source ends or the reader is gone, then close both: each side sees the end of the other.

    Not by splice(2): it locks the pipe while it waits, and the other side of the pipe waits with it.
    """
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    with contextlib.suppress(OSError):
        while True:
            length = os.readv(source, [buffer])
            if not length:
                break
            _write(sink, view[:length])
    for handle in (sink, source):
        with contextlib.suppress(OSError):
            os.close(handle)


def _write(handle: int, block) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(handle, view) :]


def _pass_signals_on(child) -> None:
    def end(number, _frame):
        with contextlib.suppress(OSError):
            child.send_signal(number)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def _wait(child) -> int:
    """The exit status of ssh. Where a signal ended it, the same signal ends this program."""
    status = child.wait()
    if status < 0:
        with contextlib.suppress(OSError):  # not every signal can be handled
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _wait_briefly(child) -> None:
    try:
        child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()


def _complain(sign: str, text: str) -> int:
    os.write(2, (f"{sign}{text}\n").encode("utf-8", "replace"))
    return FAILED


if __name__ == "__main__":
    # Not sys.exit: a thread may still wait for input that never comes.
    os._exit(main(sys.argv[1:]))
