# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What can be wrong with the settings of `known_hosts` and `git_keys`, found on the controller. Each check raises `RentedError`."""

from __future__ import annotations

import os
import re
import stat
import struct
import subprocess
import tempfile
from dataclasses import dataclass

from ansible_collections.rented.gpu.plugins.module_utils import _public_key, _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts
from ansible_collections.rented.gpu.plugins.module_utils._shown import shown
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _agent

PUBLIC = re.compile(r"^\s*(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) |BEGIN (?:SSH2 |RSA )?PUBLIC KEY")
LEAST_RSA_BITS = 2048
LONGEST = 1 << 16  # characters; no key is longer
PATH_MAX = 4096  # of Linux


def check_keys(keys: list) -> None:
    """Host keys that can be written to known_hosts: ``[{host, port, key, fingerprint}]``."""
    for item in keys:
        host, port = str(item["host"]), item.get("port") or 22
        where = f"known_hosts_extra, the entry for '{shown(host)}'"
        if not host or re.search(r"[\s,|@#*?!\[\]]", host):
            raise RentedError(f"{where}: give one name or address in 'host', without brackets and patterns, and the port in 'port'.")
        if not 1 <= port <= 65535:
            raise RentedError(f"{where}: {port} is not a port.")
        try:
            blob = _known_hosts.parse_key(item["key"])[1]
        except _known_hosts.KeyFormatError as error:
            raise RentedError(f"{where}: its key cannot be used: {error}.")
        wanted = item.get("fingerprint")
        if wanted and wanted != _known_hosts.fingerprint(blob):
            raise RentedError(f"{where}: the key has the fingerprint {_known_hosts.fingerprint(blob)}, not {shown(wanted)}.")


@dataclass(frozen=True)
class PrivateKey:
    """A key that git on the host may use. ``repr`` does not show ``text``."""

    path: str
    text: str
    public: str  # type and base64
    fingerprint: str

    def __repr__(self) -> str:
        return f"PrivateKey({self.path}, {self.fingerprint})"


def read_private_key(given: str | None) -> PrivateKey:
    """The private key: in a file of the controller, whose ``~`` is expanded, or given as its text (a lookup, a vaulted value)."""
    if not given:
        raise RentedError(
            "git_keys_mode is private_key, but git_keys_private_key does not say which: give the path of a key made for this instance "
            "(ssh-keygen -t ed25519 -f ~/.ssh/rented -N ''), or use git_keys_mode: push, which needs none."
        )
    given = str(given)
    if is_key_text(given):
        return _from_text(given)
    full = os.path.abspath(os.path.expanduser(given))
    where = f"git_keys_private_key: {shown(full)}"
    try:
        state = os.stat(full)
        if not stat.S_ISREG(state.st_mode):
            raise RentedError(
                "%s is %s; give the file of the private key." % (where, "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file")
            )
        with open(full, encoding="utf-8", newline="") as handle:
            text = handle.read(LONGEST)
    except FileNotFoundError:
        raise RentedError(f"{where} does not exist on this machine. Check the path, or use git_keys_mode: push.") from None
    except UnicodeDecodeError:
        raise RentedError(f"{where} is not a private key in a format of OpenSSH.") from None
    except (OSError, ValueError) as error:
        raise RentedError(f"{where} cannot be read ({getattr(error, 'strerror', None) or 'no path'}). Check its owner and mode.") from None
    _check_text(text, where, full)
    if state.st_mode & 0o077:
        raise RentedError(
            "%s may be read by others on this machine (mode %04o), so it may be known already: chmod 600 it, and replace it if the "
            "machine is shared." % (where, stat.S_IMODE(state.st_mode))
        )
    if "\r" in text:
        raise RentedError(f"{where} has the line ends of Windows, which ssh does not take: sed -i 's/\\r$//' it.")
    return _checked(full, text, _public_of(full, where), where)


def is_key_text(given: str) -> bool:
    """Whether this is a key itself, or was meant as one, and no path: a path has no line ends and a limited length."""
    return bool(re.search(r"[\r\n]|PRIVATE KEY", given)) or len(given) > PATH_MAX


def _from_text(given: str) -> PrivateKey:
    where = "git_keys_private_key, which was given as the text of a key,"
    # A lookup takes the last line end off, and a text of one line (-e, a folded YAML text) has spaces instead of line ends.
    text = _unfolded(given.replace("\r\n", "\n").strip()) + "\n"
    if len(text) > LONGEST:
        raise RentedError(f"{where} is longer than any key.")
    _check_text(text, where)
    try:
        with tempfile.TemporaryDirectory(prefix="key-", dir=_state.home()) as folder:  # 0700
            path = os.path.join(folder, "key")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
                handle.write(text)
            public = _public_of(path, where)
    except UnicodeEncodeError:
        raise RentedError(f"{where} is not a private key in a format of OpenSSH.") from None
    except OSError as error:
        raise RentedError(f"{where} cannot be checked: {_state.home()} cannot be written ({error.strerror}).") from None
    return _checked("", text, public, where)


def _unfolded(text: str) -> str:
    """The lines of a key whose line ends became spaces."""
    found = re.fullmatch(r"(-----BEGIN [A-Z ]+-----) ([A-Za-z0-9+/= ]+) (-----END [A-Z ]+-----)", text)
    return "\n".join((found[1], *found[2].split(), found[3])) if found else text


def _check_text(text: str, where: str, path: str = "") -> None:
    if PUBLIC.search(text):
        other = path[: -len(".pub")] if path.endswith(".pub") else None
        hint = ": " + shown(other) if other and os.path.exists(other) else " (its file has no .pub)"
        raise RentedError(f"{where} is a public key, and the private one is needed{hint}.")
    if "PuTTY-User-Key-File" in text:
        raise RentedError(f"{where} is a key of PuTTY: export it in OpenSSH's format (puttygen KEY -O private-openssh -o FILE).")
    if "PRIVATE KEY-----" not in text:
        raise RentedError(f"{where} is not a private key.")


def _checked(path: str, text: str, public: str, where: str) -> PrivateKey:
    key = _public_key.parsed(public)
    if key.kind == "ssh-dss":
        raise RentedError(f"{where} is a DSA key, which git hosts no longer take: make one with ssh-keygen -t ed25519.")
    content = key.content or b""
    bits = _rsa_bits(content) if key.kind == "ssh-rsa" else None
    if bits and bits < LEAST_RSA_BITS:
        raise RentedError(f"{where} is an RSA key of {bits} bits, which is too weak: make one with ssh-keygen -t ed25519.")
    return PrivateKey(path, text.rstrip("\n") + "\n", key.body, _public_key.fingerprint(content))


def _public_of(path: str, where: str) -> str:
    """The public half, which ssh-keygen derives; so the key is whole and has no passphrase."""
    command = ["ssh-keygen", "-y", "-P", "", "-f", path]
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False, encoding="utf-8", errors="replace"
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        raise RentedError(f"{where} cannot be checked: ssh-keygen does not run on this machine; install OpenSSH's client.") from None
    if ran.returncode == 0:
        return ran.stdout
    if "passphrase" in ran.stderr:
        raise RentedError(
            f"{where} is protected by a passphrase, which cannot be typed on the host: use git_keys_mode: agent "
            "(ssh-add it here first), or a key without passphrase made for this instance only."
        )
    said = " ".join(ran.stderr.replace(path, "the key").split())[-200:]
    raise RentedError(f"{where} cannot be used; ssh-keygen says: {shown(said) or 'nothing'}")


def _rsa_bits(raw: bytes) -> int:
    """Length of the modulus, the last field of the key (RFC 4253, 6.6)."""
    fields = []
    while raw:
        length = struct.unpack(">I", raw[:4])[0]
        fields.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    return int.from_bytes(fields[-1], "big").bit_length()


def check_agent(command: list | None = None) -> None:
    """Mode agent needs an agent with a key: the one that ssh would use for this command, or, before a host is known, for any host."""
    if command is None and _agent.named_for_some_hosts():
        return
    trouble = _agent.trouble(command or _agent.ANY_HOST)
    if trouble:
        raise RentedError(f"git_keys_mode is agent, but {trouble}.")


def check_hosts(hosts: list) -> None:
    """Names for a Host line of ssh's settings."""
    for host in hosts:
        if not re.fullmatch(r"[\w.*?:-]+", host):
            raise RentedError(f"git_keys_hosts: '{shown(host)}' is not the name of a host.")


# --- before the first login: see _preflight.CHECKS ---------------------------------------------------------------


def preflight_known_hosts(settings: dict) -> None:
    check_keys(settings.get("known_hosts_extra") or [])


def preflight_git_keys(settings: dict) -> None:
    mode = settings.get("git_keys_mode") or "push"
    check_hosts(settings.get("git_keys_hosts") or [])
    if mode == "private_key":
        read_private_key(settings.get("git_keys_private_key"))
    elif mode == "agent":
        check_agent()
