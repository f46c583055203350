# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Why a login failed, by the words of OpenSSH's client, and what a person can do about it."""

from __future__ import annotations

import random
import re
import subprocess

from ansible_collections.rented.gpu.plugins.module_utils import _plain

DOWN = "down"  # no answer yet
KEY = "key"  # sshd answers and takes none of our keys
CHANGED = "changed"  # the host key is not the one we know
UNKNOWN = "unknown"  # no host key is known and none may be learned
NAME = "name"  # the address does not exist
CONFIG = "config"  # ssh's settings on this machine keep it from running our command
LOCAL = "local"  # something on this machine, beside the settings
CIPHERS = "ciphers"  # the two sshs have no algorithm in common
PROXY = "proxy"  # the way through a jump host or proxy command
ACCOUNT = "account"  # our key was accepted, and the login ended all the same
OTHER = "other"

# In this order: a changed key is followed by "Host key verification failed", a cut login by "Permission denied" of an earlier try.
SIGNS = (
    (CHANGED, r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed"),
    (UNKNOWN, r"Host key verification failed|host key is known for .* and you have requested strict checking"),
    (
        CONFIG,
        r"Cannot execute command-line and remote command|Bad configuration option|terminating, \d+ bad configuration options|"
        r"Could not request local forwarding|cannot listen to port|remote port forwarding failed|Bad owner or permissions on|"
        r"(?m:^(?!\S*sh: )\S+:? line \d+: )|Unsupported (?:option|KEX)|Bad (?:stdio |local |remote |dynamic )?forwarding specification|"
        r"percent_expand: |vdollar_percent_expand: |Can't open user config file|illegal option|unknown option",
    ),
    (
        LOCAL,
        r"unix_listener: |ControlPath too long|too long for Unix domain socket|muxserver_listen|Too many open files|"
        r"Cannot allocate memory|No user exists for uid|(?m:^fork: )|No file descriptors available",
    ),
    (
        CIPHERS,
        r"Unable to negotiate with|no matching (?:host key type|key exchange method|cipher|MAC) found|Protocol major versions differ",
    ),
    (ACCOUNT, r"(?i)your account has expired|your password has expired|password change required|account is locked"),
    (NAME, r"Could not resolve hostname|Name or service not known|nodename nor servname"),
    (PROXY, r"administratively prohibited|unknown channel type|(?m:^(?:\S*sh|\S*env): .*(?:not found|No such file|Permission denied))"),
    (KEY, r"Permission denied \(|Too many authentication failures|No supported authentication methods"),
    (
        DOWN,
        r"Connection refused|timed out|Connection reset|Connection closed|closed by remote host|No route to host|"
        r"Network is unreachable|Host is down|banner exchange|kex_exchange_identification|Broken pipe|Data could not be sent|"
        r"Connection to .* closed|client_loop: send disconnect",
    ),
)

OFFERED = re.compile(r"Offering public key: (?P<name>.*) (?P<type>\S+) (?P<fingerprint>SHA256:\S+)(?P<where>.*)$")
ACCEPTED = re.compile(r"Server accepts key: (?P<name>.*?) (?P<type>\S+) (?P<fingerprint>SHA256:\S+)(?P<where>.*)$", flags=re.M)
ATTEMPTED = re.compile(r"^debug1: Will attempt key: .*SHA256:.*$", flags=re.M)
METHODS = re.compile(r"Authentications that can continue: (\S*)")
UNUSABLE = re.compile(
    r"Load key |Permissions \d+ for .* are too open|no such identity: |identity_sign: |sign_and_send_pubkey: |"
    r"Warning: Identity file .* not accessible"
)
BOOTING = re.compile(r"(?i)system is booting up|not permitted to log in yet|Not allowed at this time")
PREAMBLE = re.compile(r"^.*?(?:Failed to connect to the host via ssh:|Make sure this host can be reached over (?:ssh:|SSH\.))", flags=re.S)


def classify(text: str) -> str:
    """Why ssh failed. What ssh says by itself comes before what only its debug lines say."""
    said = "\n".join(line for line in text.splitlines() if not line.startswith("debug"))
    for part in (said, text):
        for kind, pattern in SIGNS:
            if re.search(pattern, part):
                if kind == DOWN and "Data could not be sent" in part and _unexplained(part):
                    return OTHER
                return kind
    return OTHER


def _unexplained(text: str) -> bool:
    """Whether Ansible's "Data could not be sent" is followed by words of ssh of which none looks like a host that is down."""
    words = last_words(text)
    return words != NOTHING and not any(re.search(pattern, words) for kind, pattern in SIGNS if kind == DOWN)


def cause(text: str, ask_again) -> str:
    """What ssh said. Where Ansible only noticed that ssh hung up, before ssh had said why, ``ask_again()`` asks it for the words."""
    if "Data could not be sent" not in text or classify(text) != DOWN or last_words(text) != NOTHING:
        return text
    said = ask_again()
    if not said or "Authenticated to" in said or last_words(said) == NOTHING:
        return text
    return said


NOTHING = "ssh said nothing"


def last_words(text: str) -> str:
    """What ssh said, in one line, without Ansible's preamble, banners and debug lines."""
    text = PREAMBLE.sub("", text)
    noise = ("debug", "@", "OpenSSH_", "Warning: Perm")
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith(noise)]
    return _plain.plain("; ".join(lines[-2:])[:400]) or NOTHING


class Probe:
    """One login of its own that has to prove itself: ``works`` when a shell on the host computed what we asked; ``said`` by ``ssh -v``."""

    def __init__(self, command: list, seconds: float) -> None:
        first, second = (random.randrange(10**8, 10**9) for _number in range(2))
        # The answer does not stand in the command: a shell or a message that repeats the command proves nothing.
        wanted = "rented-%d" % (first + second)
        words = [*command, f"sh -c 'echo rented-$(({first} + {second}))'"]
        self.timed_out = False
        self.code = None
        try:
            ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False)
            out, error, self.code = ran.stdout, ran.stderr, ran.returncode
        except subprocess.TimeoutExpired as late:
            out, error, self.timed_out = late.stdout or b"", late.stderr or b"", True
        except (OSError, subprocess.SubprocessError):
            out, error = b"", b""
        self.printed = _plain.plain(out[:20000].decode(errors="replace")).strip()
        self.said = _plain.plain(error[:200000].decode(errors="replace"))
        self.works = wanted in self.printed
        self.logged_in = "Authenticated to " in self.said or "mux_client_request_session" in self.said

    def instead(self) -> str:
        """What came instead of our command, for a login that succeeded and ran something else."""
        if self.timed_out:
            return "the login shell did not run our command: look at ~/.bashrc, ~/.zshrc or ~/.profile on the host (exec, read, a menu)"
        server = [
            line
            for line in self.said.splitlines()
            if line.strip() and not re.match(r"debug|OpenSSH_|Warning: Perm|Authenticated|Trans|Bytes", line)
        ]
        words = " ".join((self.printed or " ".join(server)).split())[:300]
        told = f"it printed: '{words}'" if words else "it printed nothing"
        return f"our command was not run (exit code {self.code}); {told}"


def ask(command: list, seconds: float = 30) -> str:
    """What ``ssh -v`` says when it logs in with this command (the command line without the remote command)."""
    return Probe(command, seconds).said


OTHER_USER = re.compile(
    r"""Please log ?in as the (?:user )?["']?([\w-]+)["']? (?:user )?rather than|Please login as the user ["']?([\w-]+)""", flags=re.I
)


def other_user(text: str) -> str | None:
    """The user that the images of clouds say to log in as, when root's key runs only that message."""
    found = OTHER_USER.search(text)
    return found and (found.group(1) or found.group(2))


def may_heal(said: str) -> bool:
    """Whether a refusal may end by itself: a provider places a key late. ``said`` is what ``ssh -v`` said.

    A key that was not offered, one that was accepted, and a server that hung up or takes no keys do not heal by waiting.
    """
    if not said or BOOTING.search(said):
        return True
    if ACCEPTED.search(said) or "Too many authentication failures" in said or not offered(said)[0]:
        return False
    return _takes_keys(said)


def _takes_keys(said: str) -> bool:
    methods = METHODS.findall(said)
    return not methods or "publickey" in methods[0].split(",")


def offered(said: str) -> tuple:
    """``(keys, problems)`` of what ``ssh -v`` said: each key that was offered, as a person knows it, and why others were not."""
    keys = []
    problems = []
    for line in said.splitlines():
        line = line.strip()
        found = OFFERED.search(line)
        if found:
            where = ", from the ssh agent" if "agent" in found.group("where") else ""
            keys.append(f"{found.group('name')} ({found.group('type')} {found.group('fingerprint')}{where})")
        elif UNUSABLE.match(line):
            problems.append(line.rstrip("."))
    return list(dict.fromkeys(keys)), list(dict.fromkeys(problems))


NAME_IT = "name the right one with ansible_ssh_private_key_file, --private-key or IdentityFile in ~/.ssh/config"


def key_refused(host: str, user: str, said: str) -> str:
    """The sentence for a login that was refused, by what ``ssh -v`` said."""
    keys, problems = offered(said)
    trouble = f" ssh also said: {'; '.join(problems)}." if problems else ""
    accepted = ACCEPTED.search(said)
    methods = METHODS.findall(said)
    if "partial success" in said:
        return "%s takes the key of user '%s' and asks for more (%s), which a program cannot answer. %s" % (
            host,
            user,
            methods[-1] if methods else "a second factor",
            "Switch the second factor off for this user, or use another user.",
        )
    if accepted:
        return _accepted_and_refused(host, user, said, accepted, trouble)
    if "Too many authentication failures" in said:
        count = len(ATTEMPTED.findall(said))
        more = f"; ssh had {count} to try, those of the ssh agent first" if count > len(keys) else ""
        return (
            f"{host} hung up after {len(keys)} keys{more}, so the right one may never have been offered (user "
            f"'{user}'): {NAME_IT}, together with IdentitiesOnly=yes."
        )
    if not _takes_keys(said):
        return (
            f"{host} takes no keys from user '{user}', only: {methods[0].replace(',', ', ')}. Check that this is the "
            f"right user, or set ansible_password (needs sshpass).{trouble}"
        )
    if keys:
        tried = f"ssh offered {' and '.join(keys)}, and {host} takes none of them"
        if len(keys) == 1:
            tried = f"ssh offered {keys[0]}, and {host} does not take it"
        advice = (
            "Check that the public half of the right key is in your account at the provider (and was there when "
            "this instance was rented), that the private half is named by ansible_ssh_private_key_file, "
            f"--private-key or ~/.ssh/config, or loaded in the agent (ssh-add -l), and that '{user}' is the right "
            "user (an account that is locked or has no shell is refused in the same way)"
        )
        return f"{tried} as user '{user}'.{trouble} {advice}."
    agent = ""
    if "agent contains no identities" in said:
        agent = ": the ssh agent is empty (ssh-add ~/.ssh/id_ed25519)"
    elif "get_agent_identities" in said and "agent returned" not in said:
        agent = ": the ssh agent did not answer"
    return f"ssh had no key to offer to {host} as user '{user}'{agent}.{trouble} Load the right key in the agent (ssh-add), or {NAME_IT}."


def _accepted_and_refused(host: str, user: str, said: str, accepted, trouble: str) -> str:
    key = f"{accepted.group('name')} ({accepted.group('type')} {accepted.group('fingerprint')})"
    start = f"{host} takes the key {key} of user '{user}'"
    if "agent refused operation" in said:
        return f"{start}, but the ssh agent refused to sign with it: unlock the agent, confirm at its window or token, and run again."
    if "signing failed" in said:
        return f"{start}, but it could not be used to sign.{trouble}"
    if "Permission denied (" in said:
        return (
            f"{start}, but the private half could not be used, most often because a passphrase protects it and the "
            f"agent does not hold it: ssh-add {accepted.group('name')}.{trouble}"
        )
    return (
        f"{start}, and ended the login afterwards; it said: {last_words(said).rstrip('.')}. Check that the account is "
        "not expired or locked and has a shell."
    )


def _decisive(why: str, text: str) -> str:
    """The lines of ssh that show this cause, else its last words: what follows them is often only that the connection ended."""
    pattern = next((pattern for kind, pattern in SIGNS if kind == why), None)
    lines = [line.strip() for line in PREAMBLE.sub("", text).splitlines() if line.strip() and not line.startswith("debug")]
    shown = [line for line in lines if pattern and re.search(pattern, line)]
    return _plain.plain("; ".join(dict.fromkeys(shown))[:400]) or last_words(text)


def local_cause(why: str, host: str, text: str) -> str | None:
    """The sentence for what cannot heal and is not about a key; None for the other kinds."""
    words = _decisive(why, text).rstrip(".")
    if why == CONFIG:
        return (
            f"ssh on this machine did not run the command on {host}, because of its settings; it said: {words}. Look "
            "at ~/.ssh/config, /etc/ssh/ssh_config and the ssh arguments of your inventory and ansible.cfg."
        )
    if why == LOCAL:
        return (
            f"ssh on this machine cannot work; it said: {words}. Free what is short, or set ansible_control_path_dir "
            "to a directory of yours."
        )
    if why == CIPHERS:
        return (
            f"ssh here and the sshd of {host} have no algorithm in common; ssh said: {words[:300]}. Take a newer "
            "image, or allow the old algorithm for this host in ~/.ssh/config."
        )
    if why == PROXY:
        return (
            f"The way to {host} through a jump host or ProxyCommand does not work; it said: {words}. Check ssh_jump, "
            "ProxyJump and ProxyCommand."
        )
    if why == ACCOUNT:
        return f"{host} took the login and ended it; it said: {words}. Use another user, or have the account renewed."
    return None


def host_key_changed(host: str, text: str) -> str:
    """The sentence for a host key that is not the one we know."""
    alias = re.search(r"Host key for (\S+) has changed", text)
    place = re.search(r"Offending \S+ key in (.+?):(\d+)\s*$", text, flags=re.M)
    known = re.search(r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s*$", text, flags=re.M)
    name = alias.group(1) if alias else host
    forget = f"ssh-keygen -R '{name}'" + (f" -f '{place.group(1)}'" if place else "")
    sent = f" The host now shows the {known.group(1)} key {known.group(2)}." if known else ""
    return (
        f"{host} shows another host key than at the first login, so nothing was sent to it.{sent} Either the "
        "instance was reinstalled or replaced, or another machine intercepts the connection. When you know that it "
        f"was reinstalled, forget the old key with: {forget}"
    )
