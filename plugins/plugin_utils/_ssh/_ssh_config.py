# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Every option of ssh_config(5), and what it may do to the connections of this collection.

*neutralised*: set on the command line of ssh, where the first value wins, so that ``~/.ssh/config`` has no say. *harmless*: left alone,
because it changes nothing in a session without a terminal. *wanted*: left alone, because it says how the user reaches hosts.
docs/surroundings.md shows this table, and a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

NEUTRALISED = "neutralised"
HARMLESS = "harmless"
WANTED = "wanted"


@dataclass(frozen=True)
class Option:
    """One option. ``value`` is what a neutralised one is set to; None where it depends on the instance."""

    name: str
    verdict: str
    why: str
    value: str | None = None
    since: tuple = (0, 0)  # the first release of OpenSSH that knows it; only asked for those that are neutralised

    @property
    def key(self) -> str:
        """As ``ssh -G`` prints it."""
        return self.name.lower()


def _set(name: str, value, why: str, since: tuple = (0, 0)) -> Option:
    return Option(name, NEUTRALISED, why, value, since)


def _all(verdict: str, why: str, names: str) -> list:
    return [Option(name, verdict, why) for name in names.split()]


# In the order in which ssh gets them. Set for Ansible, git, rsync and the login of `adopt`.
SESSION = (
    _set("RemoteCommand", "none", "A session that runs a command of its own refuses ours."),
    _set("RequestTTY", "no", "A terminal would change line ends. Ansible still asks for one (-tt) where it needs it."),
    _set("StdinNull", "no", "The input of modules, git and rsync would be lost.", (8, 7)),
    _set("ForkAfterAuthentication", "no", "ssh would go to the background, and its end would be taken for that of the command.", (8, 7)),
    _set("EscapeChar", "none", "A byte of the input would be taken for a command to ssh."),
    _set("PermitLocalCommand", "no", "What a LocalCommand prints would be mixed with the output of the host."),
    _set(
        "ClearAllForwardings",
        "yes",
        "A forwarded port that is in use ends the login or fills it with warnings; the shared connection would keep it.",
    ),
    _set("ExitOnForwardFailure", "no", "Nothing is forwarded."),
    _set("Tunnel", "no", "A tunnel into your network is nothing for a rented machine."),
    _set("ForwardAgent", "no", "The machine is a stranger's. Mode agent lends the agent to one login."),
    _set("ForwardX11", "no", "The machine is a stranger's."),
    _set("GSSAPIDelegateCredentials", "no", "Your Kerberos ticket would be on a stranger's machine."),
    _set("ChannelTimeout", "none", "A long installation prints nothing for minutes and would be cut off.", (9, 7)),
    _set("LogLevel", "ERROR", "Banners and notices would end in the error output of every task. Errors stay."),
    _set("LogVerbose", "none", "As LogLevel.", (8, 5)),
    _set("VisualHostKey", "no", "A picture of the host key would be mixed with messages."),
    _set("FingerprintHash", "sha256", "Messages name keys by this kind of fingerprint."),
)

# Whose host key is checked, and against what. Set for instances that the inventory lists.
IDENTITY = (
    _set("HostKeyAlias", None, "The key belongs to the instance, not to an address that is used again."),
    _set("UserKnownHostsFile", None, "The keys of instances are kept in the state directory of the collection."),
    _set("GlobalKnownHostsFile", "/dev/null", "A key or a certificate authority for * would stand in for the pinned key."),
    _set("KnownHostsCommand", "none", "As GlobalKnownHostsFile.", (8, 5)),
    _set("StrictHostKeyChecking", "accept-new", "A key is learned once; a changed key stops the run."),
    _set("CheckHostIP", "no", "Addresses are reused by instances of other people."),
    _set("NoHostAuthenticationForLocalhost", "no", "A forwarded port of this machine would be trusted unseen."),
    _set("VerifyHostKeyDNS", "no", "An entry in the DNS would replace the pinned key."),
    _set("UpdateHostKeys", "no", "The host would add keys to the pinned one."),
    _set("HostName", None, "The address of the provider counts. Names that you adopted are resolved by your ssh configuration."),
    _set("CanonicalizeHostname", None, "A search domain would lead to another machine. Names that you adopted keep your setting."),
)

# How connections are kept. Set for instances that the inventory lists; git and rsync share them.
SHARING = (
    _set("ServerAliveInterval", "15", "A dead connection is noticed after a minute."),
    _set("ServerAliveCountMax", "4", "As ServerAliveInterval."),
    _set("ControlMaster", "auto", "One connection serves a run and the next one."),
    _set("ControlPersist", "300s", "As ControlMaster."),
    _set("ControlPath", None, "As ControlMaster: a path that belongs to the instance."),
)

# Set for ssh alone: sftp and scp refuse to run with it. See `_options.session_type`.
SESSION_TYPE = _set("SessionType", "default", "A session without a command never runs ours.", (8, 7))

LEFT = (
    *_all(NEUTRALISED, "ClearAllForwardings removes it.", "LocalForward RemoteForward DynamicForward"),
    *_all(NEUTRALISED, "PermitLocalCommand switches it off.", "LocalCommand"),
    *_all(
        HARMLESS, "Nothing is forwarded.",
        "ForwardX11Timeout ForwardX11Trusted GatewayPorts PermitRemoteOpen StreamLocalBindMask "
        "StreamLocalBindUnlink TunnelDevice XAuthLocation",
    ),
    *_all(HARMLESS, "Without a terminal it does nothing.", "EnableEscapeCommandline ObscureKeystrokeTiming"),
    *_all(
        HARMLESS, "CanonicalizeHostname is off.",
        "CanonicalDomains CanonicalizeFallbackLocal CanonicalizeMaxDots CanonicalizePermittedCNAMEs",
    ),
    *_all(
        HARMLESS, "sshd takes only what its AcceptEnv names. Our commands set or remove the variables that they depend on.",
        "SendEnv SetEnv",
    ),
    *_all(HARMLESS, "It changes how a key is written down, not which key counts.", "HashKnownHosts"),
    *_all(HARMLESS, "It concerns logs of this machine.", "SyslogFacility"),
    *_all(HARMLESS, "It warns on the error output.", "WarnWeakCrypto"),
    *_all(HARMLESS, "Ansible, git, rsync and adopt set it themselves, or never ask.", "ConnectTimeout NumberOfPasswordPrompts BatchMode"),
    *_all(HARMLESS, "It works with machines of your own Kerberos realm only.", "GSSAPIKeyExchange GSSAPITrustDns GSSAPIRenewalForcesRekey"),
    *_all(HARMLESS, "It concerns your own machine's host key.", "EnableSSHKeysign"),
    *_all(
        WANTED, "Which lines of the configuration are for which host is up to you.",
        "Host Match Include IgnoreUnknown Tag RefuseConnection",
    ),
    *_all(WANTED, "What the provider says comes first; for a host that you adopted without it, yours counts.", "User Port"),
    *_all(WANTED, "How your network reaches the outside. The jump host of an adopted host comes first.", "ProxyCommand ProxyJump"),
    *_all(WANTED, "It belongs to ProxyCommand; it is off where the collection sets that.", "ProxyUseFdpass"),
    *_all(
        WANTED, "How your network reaches the outside.",
        "AddressFamily BindAddress BindInterface ConnectionAttempts Compression IPQoS TCPKeepAlive",
    ),
    *_all(
        WANTED, "Which key you log in with. The key of an account or an instance comes first.",
        "IdentityFile IdentitiesOnly IdentityAgent CertificateFile AddKeysToAgent UseKeychain PKCS11Provider SecurityKeyProvider",
    ),
    *_all(
        WANTED, "How you log in. Ansible narrows it to what needs no answer.",
        "PubkeyAuthentication PasswordAuthentication KbdInteractiveAuthentication KbdInteractiveDevices PreferredAuthentications "
        "HostbasedAuthentication GSSAPIAuthentication GSSAPIClientIdentity GSSAPIServerIdentity",
    ),
    *_all(
        WANTED, "Which algorithms you trust.",
        "Ciphers MACs KexAlgorithms HostKeyAlgorithms CASignatureAlgorithms PubkeyAcceptedAlgorithms HostbasedAcceptedAlgorithms "
        "RequiredRSASize RekeyLimit RevokedHostKeys GSSAPIKexAlgorithms",
    ),
    *_all(WANTED, "What your ssh says of itself to a server.", "VersionAddendum"),
)  # fmt: skip

TABLE = tuple(sorted((*SESSION, *IDENTITY, *SHARING, SESSION_TYPE, *LEFT), key=lambda option: option.key))
BY_KEY = {option.key: option for option in TABLE}


def markdown() -> str:
    """The table as docs/surroundings.md shows it."""
    lines = ["| option | verdict | why |", "|---|---|---|"]
    for option in TABLE:
        verdict = option.verdict + (f" (`{option.value}`)" if option.value else "")
        lines.append(f"| `{option.name}` | {verdict} | {option.why} |")
    return "\n".join(lines) + "\n"
