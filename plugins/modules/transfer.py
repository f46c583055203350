#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: transfer
short_description: Feed data to a rented host, from the controller or from a URL
version_added: 0.1.0
description:
  - Used as a task, the action of the same name runs on the controller. It takes O(items), sends local files and folders with
    rsync over the host's own ssh connection, and calls this module once for all that is done on the host.
  - On the host this module downloads URLs. A download that was cut off goes on where it stopped, its checksum is verified before
    it is put in place, and archives are unpacked without ever writing outside of their place.
  - It also notes what was sent, so that the next run knows without asking again that nothing has to be done.
options:
  items:
    description:
      - What the action takes, the items of the variable C(data_sync_items). Known keys are C(src), C(dest), C(url), C(checksum),
        C(unpack), C(exclude), C(delete).
      - Only the action looks at it.
    type: list
    elements: raw
  sent:
    description: What the action has sent.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path.
        type: path
        required: true
      names:
        description: Relative names of the files, separated by NUL, compressed by zlib, in base64.
        type: str
        required: true
      whole:
        description: Whether other files below O(sent[].dest) count as a change, as they do where the sending deletes them.
        type: bool
        default: false
      stamp:
        description: Name of the stamp to write.
        type: str
        required: true
      stamp_wanted:
        description: Digest of the request, computed on the controller.
        type: str
        required: true
  downloads:
    description: What the host fetches itself.
    type: list
    elements: dict
    default: []
    suboptions:
      url:
        description: An C(http) or C(https) URL.
        type: str
        required: true
      dest:
        description: Absolute path of the file, or of the folder that the content of the archive is put in.
        type: path
        required: true
      checksum:
        description: C(<algorithm>:<hex digits>), or C(<algorithm>:<URL>) of a list of checksums.
        type: str
      unpack:
        description: Folder to unpack into. Without it the file is kept as it is.
        type: path
      keep:
        description: Whether the archive is kept at O(downloads[].dest) after unpacking.
        type: bool
        default: false
      stamp:
        description: Name of the stamp to write.
        type: str
      stamp_wanted:
        description: Digest of the request, computed on the controller.
        type: str
attributes:
  check_mode:
    description: Predicts without changing anything.
    support: full
  diff_mode:
    description: Shows what is put where.
    support: full
author:
  - The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Feed data
  rented.gpu.transfer:
    items:
      - {src: ~/data/cifar, dest: data/cifar, exclude: ["*.tmp"]}
      - url: https://example.org/weights.tar.gz
        dest: models/weights
        checksum: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
        unpack: true
"""

RETURN = r"""
items:
  description: What was found and done, one entry per item.
  type: list
  elements: dict
  returned: always
  contains:
    dest:
      description: Path on the host.
      type: str
    changed:
      description: Whether anything was changed.
      type: bool
    files:
      description: Number of files that were sent or put in place.
      type: int
    bytes:
      description: Size of what was sent or downloaded, in bytes.
      type: int
    resumed:
      description: Number of bytes that an earlier, cut off download had left, in bytes.
      type: int
    seconds:
      description: How long it took.
      type: float
"""

import base64
import errno
import fcntl
import hashlib
import http.client
import os
import re
import select
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils import _stamps

AGENT = "rented.gpu"
BLOCK = 1 << 20
SILENCE = 60  # seconds without a byte
TRIES = 5  # in a row without one new byte
WAIT = 600  # seconds to wait for an earlier run that is still at work
LISTED = 10


class Trouble(Exception):
    """This item cannot be done; the sentence says why."""


# --- downloads -----------------------------------------------------------------------------------------------------


class Download:
    """One file from a URL into ``<place>.part``, and on from where an earlier one stopped."""

    def __init__(self, url, place):
        self.url, self.place = url, place
        self.part, self.note = place + ".part", place + ".part.from"
        self.resumed = 0
        self.total = None

    def request(self, start):
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = "bytes=%d-" % start
            tag = self.remembered()
            if tag:
                headers["If-Range"] = tag  # RFC 9110, 13.1.5: another file by now is sent from its beginning
        return urllib.request.Request(self.url, headers=headers)

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
                        "%s answers %d %s: is the address right, and may it be read without a login?"
                        % (shown(self.url), error.code, error.reason)
                    )
                reason = "the server answers %d" % error.code
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise Trouble(
                        "the disk is full after %s; what is there is kept and the next run goes on from it" % size_text(self.size())
                    )
                reason = str(getattr(error, "reason", error))
                if "CERTIFICATE_VERIFY_FAILED" in reason:
                    raise Trouble("the certificate of %s cannot be verified (%s)" % (server(self.url), reason))
            failures = 0 if self.size() > size else failures + 1
            size = self.size()
            if failures >= (TRIES if size else 3):
                raise Trouble(
                    "the host cannot fetch %s from %s (%s): check the address and the host's network, or feed the file from here with src"
                    % (shown(self.url), server(self.url), reason)
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
        with urllib.request.urlopen(self.request(start), timeout=SILENCE) as answer:
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
            room(self.place, (self.total or 0) - start, shown(self.url))
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


def room(place, wanted, what):
    """Fail before anything is written when the disk has no room."""
    folder = place
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if wanted > free:
        raise Trouble(
            "%s needs %s and %s has %s free: free some space, or rent a larger disk" % (what, size_text(wanted), folder, size_text(free))
        )


def leave_if_alone():
    """End when nobody listens any more: the connection was cut, and the next run wants to go on from here."""
    poll = select.poll()
    poll.register(1, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _handle, event in poll.poll(0)):
        sys.exit(1)


def expected(checksum, name):
    """``(algorithm, hex digits)`` of a checksum; looked up when it is the URL of a list."""
    algorithm, _colon, value = checksum.partition(":")
    if algorithm not in hashlib.algorithms_available:
        raise Trouble("the checksum's algorithm '%s' is not known: write sha256:<hex digits>" % algorithm)
    if not re.match(r"^https?://", value):
        return algorithm, value.lower()
    try:
        with urllib.request.urlopen(urllib.request.Request(value, headers={"User-Agent": AGENT}), timeout=SILENCE) as answer:
            text = answer.read(BLOCK).decode("utf-8", "replace")
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise Trouble("the list of checksums %s cannot be read (%s)" % (shown(value), error))
    lines = [line.split() for line in text.splitlines() if line.strip()]
    for words in lines:
        # Two forms: "<hex>  [*]name", and "ALGO (name) = <hex>"
        if len(words) >= 2 and os.path.basename(words[-1].lstrip("*")) == name:
            return algorithm, words[0].lower()
        if len(words) == 4 and words[1] == "(%s)" % name and words[2] == "=":
            return algorithm, words[3].lower()
    if len(lines) == 1 and len(lines[0]) == 1:
        return algorithm, lines[0][0].lower()
    raise Trouble("the list of checksums %s does not name %s" % (shown(value), name))


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
        "%s has the %s %s, and %s is wanted: it was removed, nothing was put in place; correct the checksum, or do not trust the server"
        % (shown(download.url), wanted[0], found, wanted[1])
    )


# --- archives ------------------------------------------------------------------------------------------------------


def inside(name):
    """The name of a member as a path below the place of unpacking; fails when it leads out of it."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise Trouble("the archive has a member that leads out of its place (%s): nothing was put in place" % name)
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
                raise Trouble("the archive is damaged (zstd ended with %d)" % process.returncode)
            return names
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Trouble("the archive is damaged (%s)" % error)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Trouble("the disk is full while unpacking; nothing was put in place, and the archive is kept for the next run")
        raise
    raise Trouble("it is not an archive that is known (tar, tar.gz, tar.bz2, tar.xz, tar.zst, zip): set unpack to false")


def place_for(folder, name):
    full = os.path.join(folder, name)
    parent = os.path.dirname(full)
    if os.path.commonpath([os.path.realpath(parent), os.path.realpath(folder)]) != os.path.realpath(folder):
        raise Trouble("the archive has a member that leads out of its place (%s): nothing was put in place" % name)
    os.makedirs(parent, exist_ok=True)
    return full


def put(source, full, mode, when):
    if os.path.lexists(full):
        os.unlink(full)
    with open(full, "wb") as handle:
        shutil.copyfileobj(source, handle, BLOCK)
    os.chmod(full, 0o755 if mode & 0o100 else 0o644)
    os.utime(full, (when, when))
    leave_if_alone()


def link(full, folder, target, name):
    aimed = os.path.realpath(os.path.join(os.path.dirname(full), target))
    if os.path.isabs(target) or os.path.commonpath([aimed, os.path.realpath(folder)]) != os.path.realpath(folder):
        raise Trouble("the archive has a link that leads out of its place (%s -> %s): nothing was put in place" % (name, target))
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
        elif member.islnk():
            first = os.path.join(folder, inside(member.linkname))
            if os.path.islink(first) or not os.path.isfile(first):
                raise Trouble("the archive has a hard link to something that is no file of its own (%s): nothing was put in place" % name)
            if os.path.lexists(full):
                os.unlink(full)
            os.link(first, full)
            names.append(name)
        else:
            raise Trouble("the archive has a device or a pipe (%s): nothing was put in place" % name)
    return names


def unpack_zip(path, folder):
    names = []
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        room(folder, sum(member.file_size for member in members), "unpacking it")
        for member in members:
            name = inside(member.filename)
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
                    put(source, full, mode, int(time.mktime(member.date_time + (0, 0, -1))))
                names.append(name)
    return names


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
            % (folder, ", ".join(sorted(foreign)[:LISTED]), " and %d more" % more if more > 0 else "")
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


# --- one item ------------------------------------------------------------------------------------------------------


def download(item, home, check_mode):
    started = time.monotonic()
    dest, folder, name = item["dest"], item["unpack"], os.path.basename(urllib.parse.urlsplit(item["url"]).path) or "download"
    # What an earlier run of this item put there may be replaced; anything else may not.
    before = earlier(home, item["stamp"], item["stamp_wanted"])
    if before.get("same"):
        return {"dest": dest, "changed": False, "files": 0, "bytes": 0, "resumed": 0}
    place = dest if item["keep"] or not folder else "%s.%s" % (folder.rstrip("/"), name)
    if os.path.isdir(dest) and not folder:
        raise Trouble("it is a folder, and a file is to be put there: write dest with a slash at its end to put the file into it")
    if folder and os.path.lexists(folder) and not os.path.isdir(folder):
        raise Trouble("%s is a file, and an archive is to be unpacked there: choose another dest" % folder)
    result = {"dest": dest, "changed": True, "files": 1, "bytes": 0, "resumed": 0}
    there = os.path.isfile(place) and (item["keep"] or not folder)
    wanted = None
    if there or not check_mode:
        wanted = expected(item["checksum"], name) if item["checksum"] else None
    if there and wanted and checksum_of(place, wanted[0]) == wanted[1]:
        there = "right"
    elif there and place not in before.get("paths", []):
        raise Trouble(
            "another file is there already%s: move it away, or choose another dest"
            % (", with another checksum" if wanted else ", and without a checksum nobody can tell whether it is the right one")
        )
    if check_mode:
        result["changed"] = there != "right" or bool(folder)
        return result
    if item["stamp"]:
        _stamps.remove(home, item["stamp"])
    if there != "right":
        fetched = Download(item["url"], place)
        ready = place + ".complete"
        if not (folder and not item["keep"] and os.path.isfile(ready) and (not wanted or checksum_of(ready, wanted[0]) == wanted[1])):
            verified(fetched, wanted)
            result.update(bytes=os.path.getsize(fetched.part), resumed=fetched.resumed)
            os.replace(fetched.part, place if item["keep"] or not folder else ready)
            fetched.forget()
        archive = place if item["keep"] or not folder else ready
    else:
        archive = place
        result["changed"] = False
    watch, paths = {}, []
    if not folder or item["keep"]:
        watch = {"trees": {place: _stamps.tree_digest(place)}}
        paths = [place]
    if folder:
        temporary = folder.rstrip("/") + ".unpacking"
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        try:
            names = sorted(set(unpack(archive, temporary)))
            merge(temporary, folder, before.get("names", set()))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if not item["keep"]:
            os.unlink(archive)
        result.update(files=len(names), changed=True)
        watch.update(watched(home, item["stamp"] or "download", folder, names))
        paths.append(folder)
    if item["stamp"]:
        _stamps.write(home, item["stamp"], item["stamp_wanted"] or "", watch, {"paths": paths, "source": shown(item["url"])})
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def watched(home, stamp, folder, names):
    if not names:
        return {"exists": {folder: True}}
    lists = _stamps.write_list(home, stamp, names)
    return {"listed": {folder: {"names": lists, "digest": _stamps.listed_digest(folder, lists)}}}


def earlier(home, stamp, wanted):
    """What an earlier run of the item put in place: ``paths``, ``names`` of unpacked files, and ``same`` when that is all that is wanted."""
    found = _stamps.read_all(home).get(stamp) if stamp else None
    if not found:
        return {}
    names = set()
    for seen in found["watch"].get("listed", {}).values():
        try:
            with open(seen["names"], "rb") as handle:
                names.update(zlib.decompress(handle.read()).decode("utf-8", "surrogateescape").split("\0"))
        except (OSError, zlib.error):
            continue
    return {"paths": found["data"].get("paths", []), "names": names, "same": found["intact"] and found["wanted"] == wanted}


def note_sent(item, home):
    names = zlib.decompress(base64.b64decode(item["names"])).decode("utf-8", "surrogateescape")
    names = names.split("\0") if names != "\1" else []
    if item["whole"]:
        watch = {"trees": {item["dest"]: _stamps.tree_digest(item["dest"])}}
    else:
        watch = watched(home, item["stamp"], item["dest"], names)
    _stamps.write(home, item["stamp"], item["stamp_wanted"], watch, {"paths": [item["dest"]]})


def shown(url):
    """A URL without what may be a secret in it: name and password, and the query of a signed one."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def server(url):
    return urllib.parse.urlsplit(url).hostname or "it"


def size_text(number):
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return "%.0f %s" % (number, unit)
        number /= 1000.0
    return "%.1f TB" % number


def lock(home):
    """One at a time: a run whose connection was cut may still be at work here. None when it does not end."""
    folder = os.path.join(home, _stamps.HOME)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = open(os.path.join(folder, "transfer.lock"), "w")  # noqa: SIM115
    for _second in range(WAIT):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            time.sleep(1)
    handle.close()
    return None


def main():
    module = AnsibleModule(
        argument_spec={
            "items": {"type": "list", "elements": "raw"},
            "sent": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "dest": {"type": "path", "required": True},
                    "names": {"type": "str", "required": True},
                    "whole": {"type": "bool", "default": False},
                    "stamp": {"type": "str", "required": True},
                    "stamp_wanted": {"type": "str", "required": True},
                },
            },
            "downloads": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "url": {"type": "str", "required": True},
                    "dest": {"type": "path", "required": True},
                    "checksum": {"type": "str"},
                    "unpack": {"type": "path"},
                    "keep": {"type": "bool", "default": False},
                    "stamp": {"type": "str"},
                    "stamp_wanted": {"type": "str"},
                },
            },
        },
        supports_check_mode=True,
    )
    home = os.path.expanduser("~")
    held = None
    if not module.check_mode:
        held = lock(home)
        if held is None:
            module.fail_json(msg="An earlier run still fetches data on this host: wait for it, or end it, and run again.")
        for item in module.params["sent"]:
            note_sent(item, home)
    results, failures, diffs = [], [], []
    for item in module.params["downloads"]:
        try:
            result = download(item, home, module.check_mode)
        except Trouble as trouble:
            result = {"dest": item["dest"], "changed": False, "files": 0, "bytes": 0, "resumed": 0, "error": str(trouble)}
            failures.append("%s: %s." % (item["dest"], trouble))
        except OSError as error:
            result = {"dest": item["dest"], "changed": False, "files": 0, "bytes": 0, "resumed": 0, "error": str(error)}
            failures.append("%s: %s." % (item["dest"], error))
        results.append(result)
        if result["changed"]:
            after = "%s from %s\n" % ("unpacked" if item["unpack"] else "file", shown(item["url"]))
            diffs.append({"before_header": item["dest"], "after_header": item["dest"], "before": "", "after": after})
    if held:
        held.close()
    changed = any(result["changed"] for result in results)
    if failures:
        module.fail_json(msg=" ".join(failures), items=results, changed=changed)
    module.exit_json(changed=changed, items=results, diff=diffs)


if __name__ == "__main__":
    main()
