# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Downloads that go on where they stopped, checksums, and archives that cannot write outside of their place.

Runs on the host: Python 3.8 and the standard library are enough.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import json
import os
import re
import select
import shutil
import stat
import struct
import subprocess
import tarfile
import time
import urllib.error
import urllib.parse
import zipfile
import zlib

from ansible.module_utils.urls import open_url

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps, _urls

AGENT = "rented.gpu"
BLOCK = 1 << 20
SILENCE = 60  # seconds without a byte
TRIES = 5  # in a row without one new byte
LISTED = 10
LONGEST_NAME = 255  # bytes, on every usual file system


class Trouble(Exception):
    """This item cannot be done; the sentence says why."""


class Abandoned(Exception):
    """The connection was cut; what was done so far is kept for the next run."""


# --- downloads -----------------------------------------------------------------------------------------------------


class Download:
    """One file from a URL into ``<place>.part``, and on from where an earlier one stopped."""

    def __init__(self, url, place):
        self.url, self.place = url, place
        self.part, self.note = place + ".part", place + ".part.from"
        self.resumed = 0
        self.total = None

    def headers(self, start):
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            tag = self.remembered()
            if tag:
                headers["If-Range"] = tag  # RFC 9110, 13.1.5: another file by now is sent from its beginning
        return headers

    def remembered(self):
        try:
            with open(self.note, encoding="utf-8") as handle:
                return handle.read().strip()
        except OSError:
            return ""

    def fetch(self):
        """Download until the part is complete."""
        failures, size = 0, self.size()
        self.resumed = size
        while True:
            try:
                if self.once():
                    return
                reason = "the server ended the connection early"
            except urllib.error.HTTPError as error:
                if error.code == 416 and size:
                    match = re.match(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
                    if match and int(match.group(1)) == self.size():
                        return
                    self.forget()
                elif error.code not in (429, 500, 502, 503, 504):
                    raise Trouble(
                        f"{_urls.without_secrets(self.url)} answers {error.code} {error.reason}: is the address right, and may it be "
                        "read without a login?"
                    )
                reason = f"the server answers {error.code}"
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise Trouble(
                        f"the disk is full after {size_text(self.size())}; what is there is kept and the next run goes on from it"
                    )
                reason = str(getattr(error, "reason", error))
                if "CERTIFICATE_VERIFY_FAILED" in reason:
                    raise Trouble(f"the certificate of {server(self.url)} cannot be verified ({reason})")
            failures = 0 if self.size() > size else failures + 1
            size = self.size()
            if failures >= (TRIES if size else 3):
                raise Trouble(
                    f"the host cannot fetch {_urls.without_secrets(self.url)} from {server(self.url)} ({reason}): check the address "
                    "and the host's network, or feed the file from here with src"
                )
            time.sleep(min(2**failures, 10))

    def size(self):
        try:
            return os.path.getsize(self.part)
        except OSError:
            return 0

    def forget(self):
        for path in (self.part, self.note):
            if os.path.lexists(path):
                os.unlink(path)
        self.resumed = 0

    def once(self):
        """One request; True when the file is complete."""
        start = self.size()
        with read(self.url, self.headers(start)) as answer:
            length = answer.headers.get("Content-Length")
            if answer.status == 206:
                match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range") or "")
                if not match or int(match.group(1)) != start:
                    self.forget()
                    return False
                self.total = int(match.group(2)) if match.group(2) != "*" else None
            else:
                start = self.resumed = 0
                self.total = int(length) if length else None
            room(self.place, (self.total or 0) - start, _urls.without_secrets(self.url))
            os.makedirs(os.path.dirname(self.place), exist_ok=True)
            tag = answer.headers.get("ETag") or ""
            with open(self.note, "w", encoding="utf-8") as handle:
                handle.write(answer.headers.get("Last-Modified") or "" if tag.startswith("W/") or not tag else tag)
            with open(self.part, "ab" if start else "wb") as handle:
                while True:
                    block = answer.read(BLOCK)
                    if not block:
                        break
                    handle.write(block)
                    leave_if_alone()
        return self.total is None or self.size() >= self.total


def read(url, headers=None):
    """The answer to a GET, undecoded; proxies are those of the host's environment. ``timeout`` counts from byte to byte."""
    return open_url(url, headers=headers, timeout=SILENCE, http_agent=AGENT, decompress=False)


def room(place, wanted, what):
    """Fail before anything is written when the disk has no room."""
    folder = place
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if wanted > free:
        raise Trouble(f"{what} needs {size_text(wanted)} and {folder} has {size_text(free)} free: free some space, or rent a larger disk")


def leave_if_alone():
    """End when the connection was cut, and the next run wants to go on from here."""
    poll = select.poll()
    poll.register(1, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _handle, event in poll.poll(0)):
        raise Abandoned("The connection was cut.")


def expected(checksum, name):
    """``(algorithm, hex digits)`` of a checksum; looked up when it is the URL of a list."""
    algorithm, _colon, value = checksum.partition(":")
    if algorithm not in hashlib.algorithms_available:
        raise Trouble(f"the checksum's algorithm '{algorithm}' is not known: write sha256:<hex digits>")
    if not re.match(r"^https?://", value):
        return algorithm, value.lower()
    try:
        with read(value) as answer:
            text = answer.read(BLOCK).decode("utf-8", "replace")
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise Trouble(f"the list of checksums {_urls.without_secrets(value)} cannot be read ({error})")
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for words in lines:
        # Two forms: "<hex>  [*]name", and "ALGO (name) = <hex>"
        if len(words) >= 2 and os.path.basename(words[-1].lstrip("*")) == name:
            return algorithm, words[0].lower()
        if len(words) == 4 and words[1] == f"({name})" and words[2] == "=":
            return algorithm, words[3].lower()
    if len(lines) == 1 and len(lines[0]) == 1:
        return algorithm, lines[0][0].lower()
    raise Trouble(f"the list of checksums {_urls.without_secrets(value)} does not name {name}")


def checksum_of(path, algorithm):
    state = hashlib.new(algorithm)
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(BLOCK), b""):
            state.update(block)
            leave_if_alone()
    return state.hexdigest()


def verified(download, wanted):
    """Fetch; verify; once more from the beginning when a resumed file turns out wrong."""
    download.fetch()
    if not wanted:
        return
    for again in (True, False):
        found = checksum_of(download.part, wanted[0])
        if found == wanted[1]:
            return
        resumed = download.resumed
        download.forget()
        if not (again and resumed):
            break
        download.fetch()
    raise Trouble(
        f"{_urls.without_secrets(download.url)} has the {wanted[0]} {found}, and {wanted[1]} is wanted: it was removed, nothing was "
        "put in place; correct the checksum, or do not trust the server"
    )


# --- archives ------------------------------------------------------------------------------------------------------


def inside(name, windows=False):
    """The name of a member as a path below the place of unpacking; fails when it leads out of it.

    ``windows``: a backslash separates folders, as in zip archives made there. In a tar archive it is part of a name.
    """
    name = name.replace("\\", "/") if windows else name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise Trouble(f"the archive has a member that leads out of its place ({name}): nothing was put in place")
    for part in parts:
        try:
            length = len(os.fsencode(part))
        except UnicodeEncodeError:
            raise Trouble(f"the archive has a name that the host's locale cannot write ({part!r}): nothing was put in place")
        if length > LONGEST_NAME:
            raise Trouble(f"the archive has a name of more than {LONGEST_NAME} bytes ({part[:40]}...): nothing was put in place")
    return "/".join(parts)


def kind_of(path):
    with open(path, "rb") as handle:
        head = handle.read(512)
    for magic, kind in (
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"\x28\xb5\x2f\xfd", "zst"),
        (b"\x1f\x8b", "tar"),
        (b"\xfd7zXZ\0", "tar"),
        (b"BZh", "tar"),
    ):
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else None


def unpack(path, folder):
    """Unpack into an empty folder. Names of its files. Modes: readable for all, executable where the archive says so."""
    kind = kind_of(path)
    try:
        if kind == "zip":
            return unpack_zip(path, folder)
        if kind == "tar":
            with tarfile.open(path, "r|*") as archive:
                return unpack_tar(archive, folder)
        if kind == "zst":
            if not shutil.which("zstd"):
                raise Trouble("unpacking it needs zstd on the host: add zstd to ready_packages")
            with subprocess.Popen(["zstd", "-q", "-dc", path], stdout=subprocess.PIPE) as process:
                with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                    names = unpack_tar(archive, folder)
                process.stdout.read()
            if process.returncode:
                raise Trouble(f"the archive is damaged (zstd ended with {process.returncode})")
            return names
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, OverflowError, struct.error) as error:
        raise Trouble(f"the archive is damaged ({error})")
    except (NotImplementedError, RuntimeError) as error:  # a method of compression that Python lacks; a password
        raise Trouble(f"the archive cannot be unpacked by Python on the host ({error}): set unpack to false")
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Trouble("the disk is full while unpacking; nothing was put in place, and the archive is kept for the next run")
        raise
    raise Trouble("it is not an archive that is known (tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip): set unpack to false")


def place_for(folder, name):
    full = os.path.join(folder, name)
    parent = os.path.dirname(full)
    if os.path.commonpath([os.path.realpath(parent), os.path.realpath(folder)]) != os.path.realpath(folder):
        raise Trouble(f"the archive has a member that leads out of its place ({name}): nothing was put in place")
    os.makedirs(parent, exist_ok=True)
    return full


def put(source, full, mode, when):
    if os.path.lexists(full):
        os.unlink(full)
    with open(full, "wb") as handle:
        shutil.copyfileobj(source, handle, BLOCK)
    os.chmod(full, 0o755 if mode & 0o100 else 0o644)
    try:
        os.utime(full, (when, when))
    except (OSError, OverflowError, ValueError):
        pass  # a time that the file system or Python cannot hold is not a reason to fail
    leave_if_alone()


def link(full, folder, target, name):
    aimed = os.path.realpath(os.path.join(os.path.dirname(full), target))
    if os.path.isabs(target) or os.path.commonpath([aimed, os.path.realpath(folder)]) != os.path.realpath(folder):
        raise Trouble(f"the archive has a link that leads out of its place ({name} -> {target}): nothing was put in place")
    if os.path.lexists(full):
        os.unlink(full)
    os.symlink(target, full)


def unpack_tar(archive, folder):
    names = []
    for member in archive:
        name = inside(member.name)
        if not name:
            continue
        full = place_for(folder, name)
        if member.isdir():
            os.makedirs(full, exist_ok=True)
        elif member.isreg():
            put(archive.extractfile(member), full, member.mode, member.mtime)
            names.append(name)
        elif member.issym():
            link(full, folder, member.linkname, name)
            names.append(name)
        elif member.islnk():
            first = os.path.join(folder, inside(member.linkname))
            if os.path.islink(first) or not os.path.isfile(first):
                raise Trouble(f"the archive has a hard link to something that is not a file of its own ({name}): nothing was put in place")
            if os.path.lexists(full):
                os.unlink(full)
            os.link(first, full)
            names.append(name)
        else:
            raise Trouble(f"the archive has a device or a pipe ({name}): nothing was put in place")
    return names


def unpack_zip(path, folder):
    names = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        room(folder, sum(member.file_size for member in members), "unpacking it")
        for member in members:
            name = inside(member.filename, windows=True)
            if not name:
                continue
            full = place_for(folder, name)
            mode = member.external_attr >> 16
            if member.is_dir():
                os.makedirs(full, exist_ok=True)
            elif stat.S_ISLNK(mode):
                link(full, folder, archive.read(member).decode("utf-8", "surrogateescape"), name)
            else:
                with archive.open(member) as source:
                    put(source, full, mode, zip_time(member.date_time))
            if not member.is_dir():
                names.append(name)
    return names


def zip_time(date):
    try:
        return int(time.mktime(date + (0, 0, -1)))
    except (OverflowError, ValueError):
        return 0


def merge(source, folder, ours):
    """Move everything of ``source`` into ``folder``; files of others there are never overwritten."""
    if not os.path.lexists(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.rename(source, folder)
        return
    moves, foreign = [], []
    for here, folders, files in os.walk(source):
        relative = os.path.relpath(here, source)
        for name in files + [name for name in folders if os.path.islink(os.path.join(here, name))]:
            below = os.path.normpath(os.path.join(relative, name))
            target = os.path.join(folder, below)
            moves.append((os.path.join(here, name), target))
            if os.path.lexists(target) and below not in ours and not alike(os.path.join(here, name), target):
                foreign.append(below)
    if foreign:
        more = len(foreign) - LISTED
        raise Trouble(
            "%s holds other files of the same names (%s%s): move them away, or choose another dest"
            % (folder, ", ".join(sorted(foreign)[:LISTED]), f" and {more} more" if more > 0 else "")
        )
    for here, folders, _files in os.walk(source):
        for name in folders:
            if not os.path.islink(os.path.join(here, name)):
                os.makedirs(os.path.join(folder, os.path.relpath(os.path.join(here, name), source)), exist_ok=True)
    for moved, target in moves:
        os.replace(moved, target)
    shutil.rmtree(source)


def alike(one, other):
    if os.path.islink(one) or os.path.islink(other):
        return os.path.islink(one) and os.path.islink(other) and os.readlink(one) == os.readlink(other)
    return (
        os.path.isfile(other) and os.path.getsize(one) == os.path.getsize(other) and _stamps.file_digest(one) == _stamps.file_digest(other)
    )


def whole(item):
    """``(url, checksum)`` of a download; what may be secret in them travels apart, in a form that no other text contains."""
    if not item.get("secret"):
        return item["url"], item.get("checksum")
    return tuple(json.loads(base64.b64decode(item["secret"]).decode("utf-8")))


def hidden(url, checksum):
    """``secret`` for `whole`, on the controller; None when nothing in the two may be one."""
    address = (checksum or "").partition(":")[2]
    if _urls.without_secrets(url) == url and (not address.startswith(("http://", "https://")) or _urls.without_secrets(address) == address):
        return None
    return base64.b64encode(json.dumps([url, checksum]).encode("utf-8")).decode("ascii")


def without_secrets(text, *urls):
    """A text of a library without what may be secret in these URLs: some put the address that they were given into their errors."""
    for url in urls:
        parts = urllib.parse.urlsplit(url or "")
        login = parts.netloc.rpartition("@")[0]
        for piece in (url, parts.query, parts.fragment, login, login.partition(":")[2]):
            for form in (piece, urllib.parse.unquote(piece or "")):
                if form and len(form) > 3:
                    text = text.replace(form, _urls.without_secrets(url) if piece == url else "...")
    return text


def server(url):
    return urllib.parse.urlsplit(url).hostname or "it"


def size_text(number):
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000.0
    return f"{number:.1f} TB"
