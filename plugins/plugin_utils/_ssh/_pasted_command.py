# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The ssh command that a provider's page shows, and that people paste: read word by word, never run, never given to a shell.

Options are those of ssh(1), keys of ``-o`` those of ssh_config(5). As for ssh, of two values the first counts. What would change
how the host is reached is honoured or refused; what only matters to a terminal is dropped.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import shlex
import urllib.parse

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._renting import _values

LONGEST = 4096  # characters; the longest that a provider shows has 200

PROGRAMS = frozenset(("ssh", "ssh.exe"))
WITH_VALUE = "BbcDEeFIiJLlmOoPpQRSWw"
# Of no matter here: how the terminal, the output and the one connection are treated. (A is said in a warning.)
FLAGS = "46AaCfgKkMNnqTtvXxYy"
VALUES_DROPPED = "ESe"

FORWARDS = {"L": "local", "R": "remote", "D": "dynamic"}
LETTERS = {kind: letter for letter, kind in FORWARDS.items()}

SAME_AS = {
    "port": "p",
    "user": "l",
    "identityfile": "i",
    "proxyjump": "J",
    "localforward": "L",
    "remoteforward": "R",
    "dynamicforward": "D",
}
# Said in a warning when the value is one of these ("*": any), and never honoured.
UNSAFE = {
    "stricthostkeychecking": ("no", "off", "false"),
    "userknownhostsfile": ("*",),
    "globalknownhostsfile": ("*",),
    "nohostauthenticationforlocalhost": ("yes", "true"),
    "forwardagent": ("*",),
    "hostkeyalias": ("*",),
}
# Neither honoured nor mentioned.
HARMLESS = (
    "addkeystoagent addressfamily batchmode checkhostip clearallforwardings compression connectionattempts connecttimeout controlmaster "
    "controlpath controlpersist escapechar exitonforwardfailure forkafterauthentication forwardx11 forwardx11timeout forwardx11trusted "
    "gatewayports hashknownhosts identitiesonly ipqos loglevel numberofpasswordprompts passwordauthentication preferredauthentications "
    "kbdinteractiveauthentication pubkeyauthentication rekeylimit requesttty sendenv serveralivecountmax serveraliveinterval setenv "
    "streamlocalbindmask streamlocalbindunlink tcpkeepalive updatehostkeys verifyhostkeydns visualhostkey"
)

_EXAMPLE = "ssh -p 12345 root@192.0.2.1"
_QUOTED = (
    "``",
    "\u201c\u201d",
    "\u201e\u201c",
    "\u201e\u201d",
    "\u2018\u2019",
    "\xab\xbb",
)  # around the whole, where no shell would take them off
_DASHES = "[\\u2010-\\u2015\\u2212]"
_PROMPT = re.compile(r"^(?:[^\s'\"]*[$#%>❯➜][ \t]+)+(?=ssh\b)|^[$#%>❯➜][ \t]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_NAME = re.compile(r"^\w(?:[\w.-]*\w)?\.?$")
_USER = re.compile(r"^[\w.][\w.@+=-]*\$?$")
_SOCKET = re.compile(r"^/[^\s:]+$")


@dataclasses.dataclass(frozen=True)
class SshCommand:
    """How a host is reached. ``port`` and ``user`` are None where the command leaves them to ssh and its configuration.

    ``jump`` is what ``ssh -J`` takes. ``forwards`` holds pairs: "local", "remote" or "dynamic", and what -L, -R or -D takes.
    ``warnings`` are sentences about what the command says and is not done.
    """

    host: str
    port: int | None = None
    user: str | None = None
    private_key_file: str | None = None
    jump: str | None = None
    forwards: tuple = ()
    warnings: tuple = dataclasses.field(default=(), compare=False)


def render(command: SshCommand) -> str:
    """The command in its shortest form, quoted for a shell; `parse` makes the same of it."""
    words = ["ssh"]
    for option, value in (("-p", command.port), ("-i", command.private_key_file), ("-J", command.jump)):
        if value is not None:
            words += [option, str(value)]
    for kind, spec in command.forwards:
        words += ["-" + LETTERS[kind], spec]
    words.append(command.host if command.user is None else f"{command.user}@{command.host}")
    return " ".join(shlex.quote(word) for word in words)


def parse(text: str) -> SshCommand:
    """What a pasted command says. Raises `RentedError`, with no more of the text in it than the word that is wrong."""
    words = _words(text)
    first = re.split(r"[/\\]", words[0])[-1].lower()
    named = first in PROGRAMS
    wrapped = RentedError(f"{_said(words[0])} is neither ssh nor the address of a host. Paste the ssh command alone: {_EXAMPLE}")
    # Before anything is read: what wraps ssh may have a password among its words.
    if not named and PROGRAMS.intersection(words[1:]):
        raise wrapped
    reading = _Reading()
    reading.read(words[1:] if named else words)
    if reading.target is None:
        raise RentedError(f"The command names no host. It has the form: {_EXAMPLE}")
    if reading.rest and not named:
        raise wrapped
    return reading.result()


def _words(text) -> list:
    if not isinstance(text, str) or not text.strip():
        raise RentedError(f"The ssh command is empty. Paste the one that the provider's page shows: {_EXAMPLE}")
    if len(text) > LONGEST:
        raise RentedError(f"The ssh command has {len(text)} characters, more than any ssh command. Paste the command alone.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\t", " ")
    text = re.sub(r"\\ *\n", " ", text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > 1:
        raise RentedError(f"There are {len(lines)} lines where one ssh command is expected. Paste the command alone.")
    line = lines[0] if lines else ""
    if len(line) > 1 and line[0] + line[-1] in _QUOTED:
        line = line[1:-1].strip()
    line = _PROMPT.sub("", line)
    if _CONTROL.search(line):
        raise RentedError("There are control characters in the ssh command. Type it, or copy it again.")
    try:
        words = shlex.split(line)
    except ValueError:
        raise RentedError("A quotation mark in the ssh command has no partner. Copy it again, whole.") from None
    if len(words) == 1 and words[0] != line and (" " in words[0] or not words[0]):  # all of it was in quotes
        return _words(words[0])
    # Web pages and word processors make a long dash of the one before an option.
    words = [re.sub("^" + _DASHES, "-", word) for word in words]
    if not words:
        raise RentedError(f"The ssh command is empty. Paste the one that the provider's page shows: {_EXAMPLE}")
    return words


class _Reading:
    """One command, from left to right."""

    def __init__(self) -> None:
        self.values: dict = {}
        self.forwards: list = []
        self.warnings: list = []
        self.target = None
        self.rest: list = []

    def read(self, words: list) -> None:
        """Options may stand before and after the host; what follows them is a command for the host."""
        position, options = 0, True
        while position < len(words):
            word = words[position]
            position += 1
            if options and word == "--":
                options = False
            elif options and word.startswith("-") and word != "-":
                position = self._cluster(word[1:], words, position)
            elif self.target is None:
                self._destination(word)
                options = True
            else:
                self.rest = words[position - 1 :]
                return

    def _cluster(self, letters: str, words: list, position: int) -> int:
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in FLAGS:
                if letter == "A":
                    self._warn("The command forwards your ssh agent (-A); that is not done, because the machine is a stranger's.")
                continue
            if letter not in WITH_VALUE:
                raise RentedError(f"-{_said(letter, False)} is not an option of a login by ssh that can be taken over.{_ALIAS}")
            value = letters
            if not value:
                if position >= len(words):
                    raise RentedError(f"The option -{letter} of the ssh command has no value. Copy it again, whole.")
                value = words[position]
                position += 1
            self._option(letter, value)
            return position
        return position

    def _option(self, letter: str, value: str) -> None:
        if letter == "o":
            self._keyword(value)
        elif letter == "p":
            self._once("port", _port(value), "port")
        elif letter == "l":
            self._once("user", _user(value), "user")
        elif letter == "i":
            self._once("private_key_file", _key(value), "private key")
        elif letter == "J":
            self._once("jump", jump(value), "jump host")
        elif letter in FORWARDS:
            self.forwards.append((FORWARDS[letter], forward(letter, value)))
        elif letter not in VALUES_DROPPED:
            raise RentedError(f"-{letter} of the ssh command cannot be taken over.{_ALIAS}")

    def _keyword(self, text: str) -> None:
        """``-o Name=value`` or ``-o "Name value"``."""
        found = re.match(r"^\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$", text)
        if not found:
            raise RentedError(f"The option -o {_said(text)} of the ssh command is not of the form Name=value.")
        name, value = found.group(1), found.group(2)
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        key = name.lower()
        if key in SAME_AS:
            letter = SAME_AS[key]
            if letter in "LR":
                value = ":".join(value.split())  # ssh_config(5) puts a space where -L has a colon
            self._option(letter, value)
        elif key == "hostname":
            self._once("address", _host(value), "address")
        elif key in UNSAFE:
            if "*" in UNSAFE[key] or value.lower() in UNSAFE[key]:
                self._warn(f"The command says {name}={_short(value)}; that is not done: {_INSTEAD.get(key, _PINNED)}.")
        elif key not in HARMLESS.split():
            hint = nearest(key, [*SAME_AS, *UNSAFE, *HARMLESS.split(), "hostname"])
            hint = " " + hint if hint.startswith("Did you mean") else ""
            raise RentedError(f"The option {_said(name)} of the ssh command cannot be taken over.{hint}{_ALIAS}")

    def _destination(self, word: str) -> None:
        user, host, port = _place(word)
        self.target = host
        if user is not None:
            self._once("user", user, "user")
        if port is not None:
            self._once("port", port, "port")

    def _once(self, name: str, value, title: str) -> None:
        if name in self.values:
            if self.values[name] != value:
                self._warn(f"The command names more than one {title}; the first counts, as for ssh.")
            return
        self.values[name] = value

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def result(self) -> SshCommand:
        if self.rest:
            self._warn("What follows the host is a command to run there; it is not part of an address, and was dropped.")
        return SshCommand(
            host=str(self.values.get("address") or self.target),
            port=self.values.get("port"),
            user=self.values.get("user"),
            private_key_file=self.values.get("private_key_file"),
            jump=self.values.get("jump"),
            forwards=tuple(self.forwards),
            warnings=tuple(self.warnings),
        )


_ALIAS = " Put what it says under a Host in ~/.ssh/config, and adopt the name of that Host."
_PINNED = "the key of the machine is pinned at the first login and checked at every other, in the collection's own known_hosts"
_INSTEAD = {"forwardagent": "your agent stays here, because the machine is a stranger's"}


# --- the words ---------------------------------------------------------------------------------------------------------


def jump(text: str) -> str | None:
    """What ``-J`` takes, checked and in one form: hosts ``[user@]host[:port]`` with commas between them; None for "none"."""
    if text.strip().lower() == "none":
        return None
    return ",".join(_written(*hop) for hop in hops(text))


def hops(text: str) -> list:
    """The jump hosts of ``-J`` in their order: ``(user, host, port)``, user and port None where they are left to ssh."""
    found = [_place(part.strip()) for part in text.split(",")]
    for user, _host_name, _port_number in found:
        if user and "@" in user:
            raise RentedError(f"The jump host {_said(text)} has more than one @.")
    return found


def _written(user, host, port) -> str:
    place = host if port is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return place if user is None else f"{user}@{place}"


def _place(word: str) -> tuple:
    """``(user, host, port)`` of ``[user@]host[:port]`` or ``ssh://[user@]host[:port]``."""
    uri = re.match(r"^ssh://([^/?#]*)/?$", word, re.IGNORECASE)
    if word.lower().startswith("ssh:") and not uri:
        raise RentedError(f"The address {_said(word.rsplit('@', 1)[-1])} is not of the form ssh://user@host:port.")
    if uri:
        word = uri.group(1)
    user, at, rest = word.rpartition("@")
    if uri and at:
        user = urllib.parse.unquote(user)
    host, port = rest, None
    bracketed = re.match(r"^\[([^\[\]]+)\](?::(.*))?$", rest)
    if bracketed:
        host, port = bracketed.group(1), bracketed.group(2)
    elif rest.count(":") == 1:
        host, _colon, port = rest.partition(":")
    return (_user(user) if at else None), _host(host), (None if port is None else _port(port))


def _host(text: str) -> str:
    if ":" in text:
        address, _percent, zone = text.partition("%")
        try:
            ipaddress.IPv6Address(address)
        except ValueError:
            raise RentedError(f"{_said(text)} is not an address: neither a name, nor IPv4, nor IPv6.") from None
        if _percent and not re.match(r"^[A-Za-z0-9_.-]+$", zone):
            raise RentedError(f"{_said(text)} has an interface after the % that cannot be one.")
        return text
    if not _NAME.match(text) or len(text) > 253:
        raise RentedError(f"{_said(text)} is not an address of a host.")
    return text


def _user(text: str) -> str:
    # A word that people mistake for a user name may be a password: it is not repeated.
    if ":" in text:
        raise RentedError("There is a colon in the user name. A password has no place in an ssh command: log in with a key.")
    if not _USER.match(text) or len(text) > 128:
        raise RentedError("What stands before the @ (or after -l) is not a user name.")
    return text


def _port(text: str) -> int:
    number = _values.port(text) if re.match(r"^[0-9]{1,5}$", text) else None
    if number is None:
        raise RentedError(f"{_said(text)} is not a port: a port is a number from 1 to 65535.")
    return number


def _key(text: str) -> str:
    if not text.strip() or re.match("-|" + _DASHES, text):
        raise RentedError("The option -i of the ssh command names no file. Copy it again, whole.")
    return text


def forward(letter: str, text: str) -> str:
    """What -L, -R or -D takes, checked: ``[bind:]port:host:port``, ``[bind:]port`` (-D, -R), or paths of sockets in their place."""
    wrong = RentedError(f"-{letter} {_said(text)} is not a forwarding: it has the form {_FORMS[letter]}.")
    parts = _colons(text)
    if parts is None or not all(parts[1:]):
        raise wrong
    if letter == "D" or (letter == "R" and len(parts) <= 2 and not parts[-1].startswith("/")):
        if len(parts) > 2:
            raise wrong
        listen, target = parts, None
    elif len(parts) >= 2 and parts[-1].startswith("/"):
        listen, target = parts[:-1], parts[-1:]
    elif len(parts) >= 3:
        listen, target = parts[:-2], parts[-2:]
    else:
        raise wrong
    if not _listens(listen, letter) or not (target is None or _reaches(target)):
        raise wrong
    return text


_FORMS = {"L": "8080:localhost:8080", "R": "8080:localhost:8080", "D": "1080"}


def _colons(text: str) -> list | None:
    """The parts between colons; those inside of brackets do not count. None for brackets that do not close."""
    parts = re.findall(r"(?:^|:)(\[[^\[\]]*\]|[^:\[\]]*)(?=:|$)", text)
    return parts if ":".join(parts) == text else None


def _listens(parts: list, letter: str) -> bool:
    if len(parts) == 1 and _SOCKET.match(parts[0]):
        return letter != "D"
    least = 0 if letter == "R" else 1  # the far side chooses a port for 0
    if not parts or len(parts) > 2 or not _number(parts[-1], least):
        return False
    return len(parts) == 1 or parts[0] in ("", "*") or _named(parts[0])


def _reaches(parts: list) -> bool:
    return bool(_SOCKET.match(parts[0])) if len(parts) == 1 else _named(parts[0]) and _number(parts[1], 1)


def _number(text: str, least: int) -> bool:
    return bool(re.match(r"^[0-9]{1,5}$", text)) and least <= int(text) < 65536


def _named(text: str) -> bool:
    try:
        _host(text[1:-1] if text.startswith("[") else text)
    except RentedError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _said(text: str, quotes: bool = True) -> str:
    return f"'{_short(text)}'" if quotes else _short(text)
