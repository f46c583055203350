# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The script with which an instance prepares itself: what runs there, and the form that each place takes.

What runs is ``playbooks/files/provision/run.sh``, and ``apply.sh`` out of the collection that it gets. Nothing is filled into their text:
the settings are shell variables before it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import math
import os
import re
import shlex
import urllib.parse
import zlib
from dataclasses import dataclass

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal.launching import LONGEST_STARTUP
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils import _collection

RUN = os.path.join(_collection.ROOT, "playbooks", "files", "provision", "run.sh")
# The pair of Python and ansible-core that is tested with the oldest Python (requirements/runtime.in).
ANSIBLE_CORE = "2.19.14"
PYTHON = ">=3.11,<3.14"
PLACE = "~/.rented/provision"
LOG = "~/.rented/provision.log"
# One word of a command line: MAX_ARG_STRLEN of Linux, less its NUL.
LONGEST_WORD = 131071

LOGIN = re.compile(r"^[a-z_][a-z0-9_-]{0,31}$")
SHA256 = re.compile(r"^[0-9a-f]{64}$")
VERSION = re.compile(r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")


@dataclass(frozen=True)
class Form:
    """What one place takes. ``limit`` counts characters (``unit``); None where none is known. ``user`` is the usual login."""

    title: str
    where: str  # where a person puts it
    user: str
    limit: int | None = None
    unit: str = "characters"
    wrap: str = "script"  # or command: one line that ends in the image's own start
    longer: str = ""  # what to do when it does not fit


# Limits and users: docs/places_without_ssh.md names the source of each.
FORMS = {
    "vast": Form(
        "Vast's onstart", "the field On-start Script, or startup_script of the module instance", "root", 4048,
        longer="put it at a URL instead: provision_for: vast_provisioning_script makes the file for PROVISIONING_SCRIPT",
    ),
    "vast_provisioning_script": Form(
        "Vast's PROVISIONING_SCRIPT", "a URL, named in the instance's environment variable PROVISIONING_SCRIPT", "root"
    ),
    "runpod": Form(
        "RunPod's start command", "the field Container Start Command, or as the pod's cmd", "root", LONGEST_WORD, wrap="command"
    ),
    "lambda": Form("Lambda's user data", "user_data, the cloud-init field of a launch", "ubuntu", 1000000, "bytes"),
    "aws": Form("AWS's user data", "UserData, as it is: the clients encode it", "ubuntu", 16384, "bytes"),
    "gcp": Form("GCP's startup-script", "the metadata key startup-script", "gcpuser", 262144, "bytes"),
    "paperspace": Form("Paperspace's startup script", "Startup Scripts in the console, and the machine's startupScriptId", "paperspace"),
    "rehearsal": Form("a rehearsal box", "startup_script of the module instance", "root", LONGEST_STARTUP, "bytes"),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Where the instance gets the collection: ``kind`` is galaxy (``what`` a version), url (``ref`` its SHA-256) or git."""

    kind: str
    what: str
    ref: str = ""


@dataclass(frozen=True)
class ScriptRequest:
    """What the script is to do. Paths are those of the instance."""

    settings: dict
    source: Source
    uv: str
    index: str
    wait_for: tuple = ()
    wait_timeout: int = 3600
    place: str = PLACE
    log: str = LOG


@dataclass(frozen=True)
class Script:
    """The text for one place; ``size`` in the unit of its form, ``packed`` when it unpacks itself."""

    text: str
    size: int
    packed: bool
    digest: str


def source(text: str) -> Source:
    """`provision_collection` as a `Source`. Raises `RentedError`."""
    text = text.strip()
    if not text or VERSION.match(text):
        return Source("galaxy", text or _collection.version())
    parts = urllib.parse.urlsplit(text)
    if parts.scheme.startswith("git+") or text.startswith("git@") or re.match(r"^(ssh|git)://", text):
        what, at, ref = text.rpartition("@")
        # Of git@host:path and ssh://git@host/path the last @ may be the login's.
        if not at or "/" in ref or ":" in ref:
            raise RentedError(f"provision_collection is a git URL without a version: write URL@TAG or URL@COMMIT, not '{shown(text)}'.")
        return Source("git", what[len("git+") :] if what.startswith("git+") else what, ref)
    if parts.scheme not in ("http", "https"):
        raise RentedError(
            f"provision_collection is '{shown(text)}'; it takes a version of the released collection, the URL of a "
            "tarball with #sha256=…, or git+https://…@TAG."
        )
    url, _hash, fragment = text.partition("#")
    digest = fragment[len("sha256=") :].lower() if fragment.startswith("sha256=") else ""
    if not SHA256.match(digest):
        raise RentedError(
            "provision_collection is the URL of a tarball, and its SHA-256 has to be said: write URL#sha256=<64 hex digits> "
            "(sha256sum FILE shows it)."
        )
    return Source("url", url, digest)


def build(wish: ScriptRequest, form_name: str, user: str = "") -> Script:
    """The script for one place. Raises `RentedError` when it does not fit there, or when a value cannot be."""
    form = form_of(form_name)
    user = user or form.user
    if not LOGIN.match(user):
        raise RentedError(f"provision_user is '{shown(user)}', which is not a login name.")
    run = _inner(wish)
    plain = _outer(run, user)
    if form.wrap == "command":
        text, packed = _command(plain), True
    else:
        text, packed = plain, False
        if form.limit and _size(text, form) > form.limit:
            text, packed = _packed(plain), True
    size = _size(text, form)
    if form.limit and size > form.limit:
        raise RentedError(
            "The script for %s has %d %s although it is compressed, and %d are the limit there: %s."
            % (form.title, size, form.unit, form.limit, form.longer or "give fewer settings, or let it fetch more of them by a repository")
        )
    return Script(text, size, packed, hashlib.sha256(text.encode()).hexdigest())


def form_of(name: str) -> Form:
    """The form of a place. Raises `RentedError` with the nearest name."""
    if name not in FORMS:
        raise RentedError(f"provision_for is '{shown(name)}', and there is no such place. {nearest(name[:80], FORMS)}")
    return FORMS[name]


def _size(text: str, form: Form) -> int:
    return len(text) if form.unit == "characters" else len(text.encode())


def _inner(wish: ScriptRequest) -> str:
    """run.sh with its settings before it, without comments and indentation."""
    words = {"provision_" + name: getattr(wish, name) for name in ("place", "log", "index", "wait_for")}
    for name, value in {**wish.settings, **words, "provision_collection": wish.source.what + wish.source.ref}.items():
        _check(name, value)
    settings = json.dumps(wish.settings, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    values = {
        "place": wish.place, "log": wish.log, "v_wait": "\n".join(wish.wait_for), "v_timeout": str(int(wish.wait_timeout)),
        "v_core": ANSIBLE_CORE, "v_python": PYTHON, "v_uv": wish.uv, "v_index": wish.index,
        "v_collection": wish.source.what, "v_ref": wish.source.ref, "v_settings": settings,
    }  # fmt: skip
    lines = ["%s=%s" % (name, _path(value) if name in ("place", "log") else shlex.quote(value)) for name, value in values.items()]
    lines += _body(wish.source.kind)
    text = "\n".join(lines) + "\n"
    # So that the state on an instance says which script it was.
    return f"v_script={hashlib.sha256(text.encode()).hexdigest()[:12]}\n{text}"


def _path(path: str) -> str:
    """A path for an assignment: the shell of the instance knows the home."""
    return "~/" + shlex.quote(path[2:]) if path.startswith("~/") else shlex.quote(path)


def _check(name: str, value) -> None:
    """Raises `RentedError` for what cannot be written as JSON: most often a date or a number that was meant as text."""
    why = ""
    if isinstance(value, (dict, list, tuple)):
        for part in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
            _check(name, part)
    elif isinstance(value, datetime.date):
        why = f"{value}, which YAML reads as a date: quote it"
    elif isinstance(value, float) and not math.isfinite(value):
        why = f"{value}, which is not a number in JSON: quote it"
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            why = f"{value!a}, which is not Unicode text: write it otherwise"
    elif value is not None and not isinstance(value, (int, float)):
        why = f"{shown(value)}, which is neither text, number nor list: quote it"
    if why:
        raise RentedError(f"{name} holds {why}.")


def _body(word: str) -> list:
    """The lines of run.sh that do something, without the parts that are for other words."""
    lines, skipped = [], False
    with open(RUN, encoding="utf-8") as handle:
        for line in map(str.strip, handle):
            if line.startswith("# only "):
                skipped = line != "# only " + word
            elif line == "# end":
                skipped = False
            elif line and not line.startswith("#") and not skipped:
                lines.append(line)
    return lines


# For root, or for the user who runs it. cloud-init and some images set no HOME. The empty file marks the folder as ours.
OUTER_ROOT = """\
#!/bin/sh
# rented.gpu %(version)s prepares this instance. State: ~/.rented/provision.json
export HOME="${HOME:-/root}"
mkdir -p ~/.rented/provision
chmod 700 ~/.rented
: >~/.rented/provision/.rented-private
cat >~/.rented/provision/run.sh <<'RENTED'
%(run)sRENTED
exec sh ~/.rented/provision/run.sh
"""

OUTER = """\
#!/bin/sh
# rented.gpu %(version)s prepares this instance. State: ~/.rented/provision.json of user %(user)s.
u=%(user)s
[ "$(id -u)" = 0 ] || u=$(id -un)
i=0
until id "$u" >/dev/null 2>&1; do
[ $((i += 1)) -le 300 ] || { echo "rented: there is no user $u" >&2; exit 1; }
sleep 2
done
[ "${HOME:-}" ] || HOME=$(eval echo "~$(id -un)")
export HOME
c='mkdir -p ~/.rented/provision && cd ~/.rented && chmod 700 . && : >provision/.rented-private &&
cat >provision/run.sh && cd && exec sh ~/.rented/provision/run.sh'
if [ "$u" = "$(id -un)" ]; then s() { sh -c "$c"; }; else s() { su -s /bin/sh "$u" -c "$c"; }; fi
s <<'RENTED'
%(run)sRENTED
"""


def _outer(run: str, user: str) -> str:
    """Root gives it to the login user, who prepares the instance for himself: nothing of root's is in his home."""
    return (OUTER_ROOT if user == "root" else OUTER) % {"version": _collection.version(), "user": user, "run": run}


def _unpacker(plain: str) -> str:
    """A command that runs a script. The lines that say what it is are left out: they stand before it, where people see them."""
    code = base64.b64encode(_gzip(plain.split("\n", 2)[2].encode())).decode()
    return f"echo {code}|base64 -d|gzip -dc|sh"


def _gzip(content: bytes) -> bytes:
    """As small as zlib makes it: how much it remembers decides where it cuts blocks, and more is not always better."""
    found = []
    for memory in range(4, 10):
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, memory)
        found.append(packer.compress(content) + packer.flush())
    return min(found, key=len)


def _packed(plain: str) -> str:
    """The same as a script that unpacks itself. Its second line still says what it is."""
    return f"#!/bin/sh\n{plain.splitlines()[1]}\n{_unpacker(plain)}\n"


def _command(plain: str) -> str:
    """One line for where a command, not a script, is given: beside the image's own start, which is what the instance then is."""
    start = "if [ -x /start.sh ]; then exec /start.sh; fi; exec sleep infinity"
    return "bash -c %s\n" % shlex.quote(f"({_unpacker(plain)}) & {start}")
