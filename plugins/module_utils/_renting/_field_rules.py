# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The one door for values of an API: what each field of an `Instance`, `Offer` and `SshKey` may hold.

`_models` sends every object through it at construction, so that a provider cannot forget it. A value that does not pass becomes
``None`` and is noted in ``refused`` of the object. Control characters, and those that change the direction of writing, are replaced.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re

# Only what the user adopted by hand names a key file or a jump host, and may use the forms that ssh accepts beyond DNS names.
USERS_OWN = ("adopted",)

LONGEST_HOST = 253
LONGEST_LABEL = 1024
MOST_TAGS = 64
DEEPEST = 4  # of the options of an offer
REPLACEMENT = "\ufffd"

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?")
_OWN_NAME = re.compile(r"\w(?:[\w.-]*\w)?\.?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,62}\$?")
_OWN_USER = re.compile(r"[\w.][\w.@+=-]{0,126}\$?")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=,-]{0,127}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]{0,63}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})")
# What a terminal obeys, what turns the direction of writing, what cannot be seen, and halves of characters.
# The joiners (200c, 200d) stay: emoji and several scripts need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def is_host(value) -> bool:
    """Whether a text is an IP address without a scope, or a DNS name."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_HOST:
        return False
    if _NAME.fullmatch(value):
        # A name that ends in a number is read as an IPv4 address by the resolver, in forms such as "127.1" too.
        return value != "0.0.0.0" and bool(_IPV4.fullmatch(value)) if _NUMERIC_END.fullmatch(value) else True
    if ":" not in value or "%" in value:
        return False
    return _is_address(value)


def is_own_host(value) -> bool:
    """Whether a text is an address that a user may adopt: also an alias of ``~/.ssh/config``, or an IPv6 address with its interface."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_HOST:
        return False
    if _OWN_NAME.fullmatch(value):
        return True
    address, _percent, scope = value.partition("%")
    return _is_address(address) and (not scope or bool(_OWN_NAME.fullmatch(scope)))


def _is_address(value: str) -> bool:
    try:
        return not ipaddress.ip_address(value).is_unspecified
    except ValueError:
        return False


def is_port(value) -> bool:
    """Whether this is a TCP port, as a number."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def is_user(value) -> bool:
    """Whether a text is the name of a login user."""
    return isinstance(value, str) and bool(_USER.fullmatch(value))


def is_own_user(value) -> bool:
    """Whether a text is a name of a login user that may be adopted."""
    return isinstance(value, str) and bool(_OWN_USER.fullmatch(value))


def printable(value: str) -> str:
    """The text with every character replaced that a terminal obeys, or that does not show."""
    return value if value.isprintable() else _UNSAFE.sub(REPLACEMENT, value)


def brief(value) -> str:
    """A value for a warning: short, and in ASCII."""
    if isinstance(value, (dict, list, tuple, set)):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number with about %d digits" % (value.bit_length() * 0.30103 + 1)
    text = ascii(value[:60] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- rules: ``(fits, mended)``. ``fits`` is asked about every value but None; ``mended`` gives what is left of one that does not fit.


def _nothing(_value):
    return None


def _text(limit: int) -> tuple:
    def fits(value) -> bool:
        return isinstance(value, str) and len(value) <= limit and value.isprintable()

    def mended(value):
        return (printable(value).strip() or None) if isinstance(value, str) and len(value) <= limit else None

    return fits, mended


def _matching(pattern) -> tuple:
    def fits(value) -> bool:
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    return fits, _nothing


def _number(most: float) -> tuple:
    def fits(value) -> bool:
        # A NaN is not between anything.
        return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most

    return fits, _nothing


def _count(most: int) -> tuple:
    def fits(value) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most

    def mended(value):
        return int(value) if isinstance(value, float) and 0 <= value <= most and value == int(value) else None

    return fits, mended


def _one_of(*words) -> tuple:
    def fits(value) -> bool:
        return isinstance(value, str) and value in words

    return fits, _nothing


def _identified(pattern) -> tuple:
    """An id is never left out: what is listed costs money. One that does not fit is replaced, and names nothing at the provider."""

    def fits(value) -> bool:
        return value == "" or (isinstance(value, str) and pattern.fullmatch(value) is not None)

    def mended(value) -> str:
        return "unusable-" + hashlib.sha256(ascii(value).encode()).hexdigest()[:12]

    return fits, mended


def _tags_fit(value) -> bool:
    return isinstance(value, dict) and len(value) <= MOST_TAGS and all(_KEY[0](name) and _VALUE[0](item) for name, item in value.items())


def _tags_mended(value) -> dict:
    kept: dict = {}
    for name, item in value.items() if isinstance(value, dict) else ():
        name = name if _KEY[0](name) else _KEY[1](name)
        item = item if _VALUE[0](item) else _VALUE[1](item)
        if name is not None and item is not None and len(kept) < MOST_TAGS:
            kept[name] = item
    return kept


def _plain(value, depth: int = DEEPEST) -> bool:
    """Whether a value is made of short texts, numbers and nothing that is deep or long."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, str):
        return len(value) <= 1024 and value.isprintable()
    if isinstance(value, (int, float)):
        return -1e15 <= value <= 1e15
    if depth and isinstance(value, (list, tuple)):
        return len(value) <= 256 and all(_plain(item, depth - 1) for item in value)
    if depth and isinstance(value, dict):
        return len(value) <= 256 and all(isinstance(name, str) and _plain(name) and _plain(item, depth - 1) for name, item in value.items())
    return False


_KEY, _VALUE = _text(256), _text(4096)
_BOOLEAN = (lambda value: isinstance(value, bool), _nothing)
_TAGS = (_tags_fit, _tags_mended)
_OPTIONS: tuple = (lambda value: isinstance(value, dict) and _plain(value), lambda value: {})
_PRICE, _SMALL_PRICE = _number(1e6), _number(1e5)
_MIB, _GB, _CORES, _MBPS = _count(10**9), _number(1e9), _number(1e6), _number(1e9)
_GPUS = _count(100000)
_NAMED, _LONG = _text(LONGEST_LABEL), _text(2048)
_MOMENT = _matching(_DATE)
_KIND = _matching(_WORD)

INSTANCE = {
    "id": _identified(_ID),
    "label": _NAMED,
    "state_raw": _NAMED,
    "kind": _KIND,
    "ssh_host": (is_host, _nothing),
    "ssh_port": (is_port, _nothing),
    "ssh_user": (is_user, _nothing),
    "ssh_via": _one_of("direct", "proxy"),
    "ssh_proxy_host": (is_host, _nothing),
    "ssh_proxy_port": (is_port, _nothing),
    "ssh_private_key_file": (lambda value: False, _nothing),
    "ssh_jump": (lambda value: False, _nothing),
    "gpu_name_raw": _NAMED,
    "gpu_model": _NAMED,
    "gpu_variant": _NAMED,
    "gpu_count": _GPUS,
    "gpu_vram_mb": _MIB,
    "cpu_cores": _CORES,
    "ram_gb": _GB,
    "disk_gb": _GB,
    "cuda_max": _NAMED,
    "driver": _NAMED,
    "region": _NAMED,
    "price_per_hour": _PRICE,
    "storage_price_per_hour": _PRICE,
    "interruptible": _BOOLEAN,
    "trust": _KIND,
    "machine_id": _NAMED,
    "image": _LONG,
    "started_at": _MOMENT,
    "ends_at": _MOMENT,
    "reliability": _number(1.0),
    "inet_down_mbps": _MBPS,
    "inet_up_mbps": _MBPS,
    "tags": _TAGS,
}

OWN_INSTANCE = dict(
    INSTANCE,
    id=_identified(re.compile(r"[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]{0,255}")),
    ssh_host=(is_own_host, _nothing),
    ssh_user=(is_own_user, _nothing),
    ssh_private_key_file=_text(4096),
    ssh_jump=_text(4096),
    gpu_name_raw=_LONG,
    gpu_model=_LONG,
    started_at=_NAMED,
    ends_at=_NAMED,
)

OFFER = {
    "id": _identified(re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:@+=,/()-]{0,254}")),
    "kind": _KIND,
    "instance_type": _NAMED,
    **{name: rule for name, rule in INSTANCE.items() if name.startswith("gpu_") or name in ("cpu_cores", "ram_gb", "disk_gb", "region")},
    "price_per_hour": _PRICE,
    "storage_price_per_gb_month": _SMALL_PRICE,
    "inet_down_price_per_gb": _SMALL_PRICE,
    "inet_up_price_per_gb": _SMALL_PRICE,
    "inet_down_mbps": _MBPS,
    "inet_up_mbps": _MBPS,
    "interruptible": _BOOLEAN,
    "trust": _KIND,
    "reliability": _number(1.0),
    "availability": _KIND,
    "cuda_max": _NAMED,
    "machine_id": _NAMED,
    "options": _OPTIONS,
}

KEY = {
    "id": _identified(re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@+=,/$-]{0,4095}")),
    "name": _NAMED,
    "public_key": (lambda value: isinstance(value, str) and len(value) <= 16384 and value.isprintable(), _nothing),
}

_ITEMS = {id(rules): tuple(rules.items()) for rules in (INSTANCE, OWN_INSTANCE, OFFER, KEY)}


def passed(record, rules: dict) -> tuple:
    """Put every field of a record through its rule. ``(field, what it was)`` of each that did not fit, or whose text was changed."""
    values = record.__dict__
    refused = []
    for name, (fits, mended) in _ITEMS[id(rules)]:
        value = values[name]
        if value is None or fits(value):
            continue
        values[name] = new = mended(value)
        if new != value:
            refused.append((name, brief(value)))
    return tuple(refused)


def instance(record) -> tuple:
    """The fields of an `Instance`; a refused host or port leaves no half of an address."""
    rules = OWN_INSTANCE if record.provider in USERS_OWN else INSTANCE
    refused = passed(record, rules)
    names = {name for name, _value in refused}
    values = record.__dict__
    if names & {"ssh_proxy_host", "ssh_proxy_port"}:
        values["ssh_proxy_host"] = values["ssh_proxy_port"] = None
    if names & {"ssh_host", "ssh_port", "ssh_via"}:
        # The other way in is as good as before.
        values["ssh_host"], values["ssh_port"] = values["ssh_proxy_host"], values["ssh_proxy_port"]
        values["ssh_via"] = "proxy" if values["ssh_host"] else None
    return refused
