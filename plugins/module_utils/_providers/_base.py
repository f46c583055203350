# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What a provider is. Attributes are facts, methods are behaviour, mixins say what else it can do.

A provider file knows its API and nothing of Ansible. It imports no other provider, prints nothing, and does nothing at
import time. An unknown word of the API becomes ``unknown``; a missing field becomes ``None``; a page that fails fails
the whole list.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import os
import time

from ansible_collections.rented.gpu.plugins.module_utils import _masking
from ansible_collections.rented.gpu.plugins.module_utils._errors import MissingCredentials, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _refused
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import HOURS_PER_MONTH, SCHEMA, Instance, LaunchRequest, Wish
from ansible_collections.rented.gpu.plugins.module_utils._renting._remove_secrets import scrub

# What answers with objects that have passed `_field_rules`: whatever was refused there is noted, without a line in the provider's own file.
LISTS = {"list_instances": "instance", "list_offers": "offer", "list_keys": "SSH key"}


def _noting(function, kind: str):
    @functools.wraps(function)
    def noted(self, *args, **kwargs):
        found = list(function(self, *args, **kwargs))
        self.refused.note(kind, found)
        return found

    return noted


class Provider(abc.ABC):
    """One account at one provider. Building it reads the environment and key files, never the network."""

    NAME: str = ""
    TITLE: str = ""  # as the company writes itself, for messages
    ENDPOINT: str = ""  # default base URL, no trailing slash
    ENDPOINT_ENV: tuple = ()  # environment variables that replace ENDPOINT, first hit wins
    API_KEY_ENV: tuple = ()  # environment variables that hold the key, first hit wins
    KEY_FILES: tuple = ()  # files that hold the key; "~" and "$VARIABLES" are expanded
    SSH_USER: str = "root"
    OPTIONS: tuple = ()  # further keys that an account of this provider takes
    SECRET_OPTIONS: tuple = ()  # those of OPTIONS whose values are secrets
    SECRET_ENV: tuple = ()  # environment variables that hold other secrets than the key
    NAMES_MATTER: bool = False  # whether the account's name says which instances are meant; else it is only a word of the user
    HOURS_PER_MONTH: float = HOURS_PER_MONTH  # what a price per month is divided by
    CANNOT: dict = {}  # ability that it lacks -> the sentence that says what to do instead, where the usual one does not help
    NO_PRICES: str | None = None  # where offers have no price: the sentence that says so, and where a person finds the prices

    account_timeout: float = _deadline.ACCOUNT_SECONDS  # seconds for all requests of one list together

    # Replaced by tests, which do not wait.
    clock = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def __init_subclass__(cls, **more) -> None:
        """Lists are bounded in time, what the door refused in them is noted, and secrets are masked, without a word of the subclass."""
        super().__init_subclass__(**more)
        for name, kind in LISTS.items():
            if name in vars(cls):
                setattr(cls, name, _noting(_deadline.within_account(vars(cls)[name]), kind))
        _masking.variables((*cls.API_KEY_ENV, *cls.SECRET_ENV))

    def __init__(
        self,
        account: str | None = None,
        api_key: str | None = None,
        endpoint: str | None = None,
        timeout: float = 30,
        **options,
    ) -> None:
        self.account = account or self.NAME
        self.endpoint = (endpoint or self._first_env(self.ENDPOINT_ENV) or self.ENDPOINT).rstrip("/")
        self.timeout = timeout
        self.options = {name: value for name, value in options.items() if value is not None}
        if api_key and not self.needs_key():
            raise RentedError(f"{self.TITLE} takes no api_key: it looks at {', '.join(self.places_looked_at())}.", self.NAME)
        self.keep_raw = False  # whether `list_instances` also keeps the API's own answers, for `scrubbed_raw`
        self._raw: dict = {}
        self.refused = _refused.Refused()
        self.api_key = api_key or self.find_api_key()
        _masking.holder(self)
        if self.needs_key() and not self.api_key:
            raise MissingCredentials(f"No API key for {self.TITLE}. Looked at {', '.join(self.places_looked_at())}.", provider=self.NAME)

    # --- credentials -------------------------------------------------------------------------------------------

    @classmethod
    def needs_key(cls) -> bool:
        """Whether this provider cannot be asked without a key."""
        return bool(cls.API_KEY_ENV or cls.KEY_FILES)

    @classmethod
    def available(cls) -> bool:
        """Whether an account of this provider is found without being named in the inventory file."""
        return bool(cls.find_api_key())

    @classmethod
    def places_looked_at(cls) -> list:
        """Where `find_api_key` looks, for messages."""
        return ["$" + name for name in cls.API_KEY_ENV] + list(cls.KEY_FILES)

    @classmethod
    def find_api_key(cls) -> str | None:
        """The key from the usual environment variable or file, or None."""
        from_env = cls._first_env(cls.API_KEY_ENV)
        if from_env:
            return from_env
        for name in cls.KEY_FILES:
            path = os.path.expanduser(os.path.expandvars(name))
            try:
                with open(path, encoding="utf-8") as handle:
                    key = cls.key_from_file(handle.read())
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is not text"
                raise MissingCredentials(f"The key file {name} of {cls.TITLE} cannot be read: {why}.", cls.NAME)
            if key:
                return key
        return None

    @staticmethod
    def key_from_file(text: str) -> str | None:
        """The key in a key file: by default the file is the key."""
        return text.strip() or None

    @staticmethod
    def _first_env(names) -> str | None:
        for name in names:
            value = os.environ.get(name, "").strip()
            if value:
                return value
        return None

    def secrets(self) -> list:
        """Every secret of the account, to be masked wherever text is shown. A subclass adds what it finds elsewhere."""
        return [value for value in (self.api_key, *(self.options.get(name) for name in self.SECRET_OPTIONS)) if value]

    def identity(self) -> str:
        """A digest of who is asked, and where: part of the cache key. The key enters only as input of the hash."""
        return hashlib.sha256(repr((SCHEMA, self.account, self._asked())).encode()).hexdigest()

    def owner(self) -> str:
        """A digest of whose instances are listed, whatever the user calls the account."""
        return hashlib.sha256(repr((self._asked(), self.account if self.NAMES_MATTER else None)).encode()).hexdigest()

    def same_account(self, other: Provider) -> bool:
        """Whether both would list the same instances, whatever the user calls them."""
        return self._asked() == other._asked() and not (self.NAMES_MATTER and self.account != other.account)

    def _asked(self) -> tuple:
        return (self.NAME, self.endpoint, self.api_key, sorted(self.options.items()))

    def is_host(self, instance: Instance) -> bool:
        """Whether an instance that is listed may become a host of an inventory: not one without SSH for ever."""
        return True

    def warnings(self) -> list:
        """What was refused of all that the account has answered so far: one sentence for each field, without secrets."""
        return self.refused.sentences(f"{self.TITLE or self.NAME} account '{self.account}'", self.secrets())

    # --- the API's own words, for those who ask ------------------------------------------------------------------

    def remember_raw(self, instance_id, answer) -> None:
        """Called by `list_instances` for each instance; keeps the answer, secrets removed, when `keep_raw` is set."""
        if self.keep_raw:
            self._raw[str(instance_id)] = scrub(_refused.shallow(answer), known=self.secrets())

    def scrubbed_raw(self, instance_id: str):
        """What the API answered about an instance in the last `list_instances`, secrets removed; None where it was not kept."""
        return self._raw.get(str(instance_id))

    # --- what every provider can do ----------------------------------------------------------------------------

    @abc.abstractmethod
    def list_instances(self) -> list:
        """All instances of the account, in every state, as `Instance`; all pages, or an error. Never a part."""

    def get_instance(self, instance_id: str) -> Instance | None:
        """The instance with this id, or None when it is gone."""
        for instance in self.list_instances():
            if instance.id == str(instance_id):
                return instance
        return None

    @classmethod
    def can(cls, ability: str) -> bool:
        """Whether the provider has this ability, by its name in `ABILITIES`."""
        return issubclass(cls, ABILITIES[ability])


class CanLaunch(abc.ABC):
    """The provider can rent and destroy."""

    @abc.abstractmethod
    def launch(self, request: LaunchRequest) -> str:
        """Rent once, settle it, and return the id. Never repeats a request whose outcome is unknown.

        Raises `PartlyCreated` with the id when renting failed after something had been created.
        """

    def settle(self, instance_id: str, request: LaunchRequest) -> None:
        """What is left to do when something is rented; by default nothing. ``launch`` does it itself; for what is found by its name after
        an answer that was lost, the caller does. Raises `PartlyCreated` for what is not what was asked for, once that is destroyed again.
        """
        return

    @abc.abstractmethod
    def check_request(self, request: LaunchRequest) -> None:
        """Raise what `launch` raises before it asks anything: an unknown launch option, what the API cannot do. Makes no request."""

    @abc.abstractmethod
    def destroy(self, instance_id: str) -> None:
        """Destroy; an instance that is already gone is success."""


class CanStop(abc.ABC):
    """The provider can stop an instance, keep its disk, and start it again."""

    @abc.abstractmethod
    def stop(self, instance_id: str) -> None:
        """Ask for a stop; does not wait."""

    @abc.abstractmethod
    def start(self, instance_id: str) -> None:
        """Ask for a start; does not wait."""


class CanLabel(abc.ABC):
    """The provider can rename an instance that exists."""

    @abc.abstractmethod
    def set_label(self, instance_id: str, label: str) -> None:
        """Give the instance a new label."""


class CanAttachKey(abc.ABC):
    """The provider can add an SSH public key to an instance that exists."""

    @abc.abstractmethod
    def attach_key(self, instance_id: str, public_key: str) -> None:
        """Add the key; a key that is already there is success."""


class CanReadConsole(abc.ABC):
    """The provider shows what the instance printed."""

    @abc.abstractmethod
    def console(self, instance_id: str) -> str:
        """The last output of the instance."""


class CanListOffers(abc.ABC):
    """The provider says what can be rented now."""

    @abc.abstractmethod
    def list_offers(self, wish: Wish) -> list:
        """What can be rented now, as `Offer`: at least everything that fits the wish; more does no harm. Unavailable ones are left out."""


class CanRegisterKey(abc.ABC):
    """The account keeps SSH public keys for instances that are rented later."""

    @abc.abstractmethod
    def list_keys(self) -> list:
        """Every key of the account, as `SshKey`."""

    @abc.abstractmethod
    def add_key(self, name: str, public_key: str) -> str:
        """Register a key that is not there yet and return its id; the other keys stay."""

    @abc.abstractmethod
    def remove_key(self, key_id: str) -> None:
        """Forget a key; one that is already gone is success."""


class CanBid(abc.ABC):
    """The price of an interruptible instance is a bid that can be changed while it exists."""

    @abc.abstractmethod
    def get_bid(self, instance_id: str) -> float | None:
        """The bid of an instance in USD per hour; None for one that is not rented by a bid."""

    @abc.abstractmethod
    def set_bid(self, instance_id: str, price_per_hour: float) -> None:
        """Bid this much, in USD per hour for the whole instance. What is bid is paid."""


# Other parts of the collection call an ability by its name, so that they need not import this file.
ABILITIES = {
    "launch": CanLaunch,
    "stop": CanStop,
    "label": CanLabel,
    "attach_key": CanAttachKey,
    "read_console": CanReadConsole,
    "list_offers": CanListOffers,
    "register_key": CanRegisterKey,
    "bid": CanBid,
}
