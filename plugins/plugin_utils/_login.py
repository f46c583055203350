# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Why a login failed, by the words of OpenSSH's client, and what a person can do about it."""

from __future__ import annotations

import re
import subprocess

from ansible_collections.rented.gpu.plugins.plugin_utils import _terminal

DOWN = "down"  # nobody answers yet
KEY = "key"  # sshd answers and takes none of our keys
CHANGED = "changed"  # the host key is not the one we know
UNKNOWN = "unknown"  # no host key is known and none may be learned
NAME = "name"  # the address does not exist
OTHER = "other"

# In this order: a changed key is followed by "Host key verification failed", a cut login by "Permission denied" of an earlier try.
SIGNS = (
    (CHANGED, r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed"),
    (UNKNOWN, r"Host key verification failed|host key is known for .* and you have requested strict checking"),
    (NAME, r"Could not resolve hostname|Name or service not known|nodename nor servname"),
    (KEY, r"Permission denied \(|Too many authentication failures|No supported authentication methods"),
    (
        DOWN,
        r"Connection refused|timed out|Connection reset|Connection closed|closed by remote host|No route to host|"
        r"Network is unreachable|Host is down|banner exchange|kex_exchange_identification|Broken pipe|Data could not be sent|"
        r"Connection to .* closed|client_loop: send disconnect",
    ),
)

OFFERED = re.compile(r"Offering public key: (?P<name>.*) (?P<type>\S+) (?P<fingerprint>SHA256:\S+)(?P<where>.*)$")
UNUSABLE = re.compile(r"Load key |Permissions \d+ for .* are too open|no such identity: |identity_sign: |sign_and_send_pubkey: ")


def classify(text: str) -> str:
    """Why ssh failed."""
    for kind, pattern in SIGNS:
        if re.search(pattern, text):
            return kind
    return OTHER


def cause(text: str, ask_again) -> str:
    """What ssh said. Where Ansible only noticed that ssh hung up, before ssh had said why, ``ask_again()`` asks it for the words."""
    if "Data could not be sent" not in text or classify(text) != DOWN:
        return text
    said = ask_again()
    return text if classify(said) == OTHER else said


def last_words(text: str) -> str:
    """What ssh said, in one line, without Ansible's preamble, banners and debug lines."""
    text = re.sub(r"^.*?(?:Failed to connect to the host via ssh:|Make sure this host can be reached over ssh:)", "", text, flags=re.S)
    noise = ("debug", "@", "OpenSSH_", "Warning: Perm")
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith(noise)]
    return _terminal.plain("; ".join(lines[-2:])[:400]) or "ssh said nothing"


def ask(command: list, seconds: float = 30) -> str:
    """What ``ssh -v`` says when it runs ``true`` with this command (the command line without the remote command)."""
    try:
        ran = subprocess.run(
            [*command, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=seconds, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return _terminal.plain(ran.stderr.decode(errors="replace"))


def offered(said: str) -> tuple:
    """``(keys, problems)`` of what ``ssh -v`` said: each key that was offered, as a person knows it, and why others were not."""
    keys = []
    problems = []
    for line in said.splitlines():
        line = line.strip()
        found = OFFERED.search(line)
        if found:
            where = ", from the ssh agent" if "agent" in found.group("where") else ""
            keys.append("%s (%s %s%s)" % (found.group("name"), found.group("type"), found.group("fingerprint"), where))
        elif UNUSABLE.match(line):
            problems.append(line.rstrip("."))
    return list(dict.fromkeys(keys)), list(dict.fromkeys(problems))


def key_refused(host: str, user: str, said: str) -> str:
    """The sentence for a key that is not accepted."""
    keys, problems = offered(said)
    if keys:
        tried = "ssh offered %s, and %s takes none of them" % (" and ".join(keys), host)
        if len(keys) == 1:
            tried = "ssh offered %s, and %s does not take it" % (keys[0], host)
    else:
        tried = "ssh had no key to offer to %s" % host
    advice = (
        "Check that the public half of the right key is in your account at the provider (and was there when this instance was rented), "
        "that the private half is named by ansible_ssh_private_key_file, --private-key or ~/.ssh/config, or loaded in the agent "
        "(ssh-add -l), and that '%s' is the right user" % user
    )
    trouble = " ssh also said: %s." % "; ".join(problems) if problems else ""
    return "%s as user '%s'.%s %s." % (tried, user, trouble, advice)


def host_key_changed(host: str, text: str) -> str:
    """The sentence for a host key that is not the one we know."""
    alias = re.search(r"Host key for (\S+) has changed", text)
    place = re.search(r"Offending \S+ key in (.+?):(\d+)\s*$", text, flags=re.M)
    known = re.search(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s*$", text, flags=re.M)
    name = alias.group(1) if alias else host
    forget = "ssh-keygen -R '%s'" % name + (" -f '%s'" % place.group(1) if place else "")
    sent = " The host now shows the %s key %s." % (known.group(1), known.group(2)) if known else ""
    return (
        "%s shows another host key than at the first login, so nothing was sent to it.%s Either the instance was reinstalled or replaced, "
        "or somebody stands between you and it. When you know that it was reinstalled, forget the old key with: %s" % (host, sent, forget)
    )
