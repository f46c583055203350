# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Who asks Google Cloud, for which project, and the token that shows it.

Finding them reads the environment and files, nothing else: google-auth is imported when the first token is asked for, and the metadata
server, which answers on Google's own machines only, is never asked. Places and their order: ``google.auth._default`` and ``_cloud_sdk``
of google-auth 2.63, and the environment names of the Ansible collection google.cloud.
"""

from __future__ import annotations

import configparser
import hashlib
import json
import os
import re
import threading
import warnings

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    MissingLibrary,
    ProviderUnavailable,
    nearest,
)
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _missing_package, _transport

NAME, TITLE = "gcp", "Google Cloud"
FILE_ENV = ("GOOGLE_APPLICATION_CREDENTIALS", "GCP_SERVICE_ACCOUNT_FILE")
PROJECT_ENV = ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT", "GCP_PROJECT")
KIND_ENV = "GCP_AUTH_KIND"
# google.cloud's words; True: we can do it
KINDS = {"application": True, "serviceaccount": True, "machineaccount": False, "accesstoken": False}
ADC_NAME = "application_default_credentials.json"
SCOPE_READ = "https://www.googleapis.com/auth/compute.readonly"
SCOPE_WRITE = "https://www.googleapis.com/auth/compute"
SECRET_KEYS = ("private_key", "client_secret", "refresh_token", "token")
LEAST_SECRET = 16  # characters; the last line of a key can be so short that masking it would mask common words
PLACES = (
    "service_account_file",
    "$GOOGLE_APPLICATION_CREDENTIALS",
    "$GCP_SERVICE_ACCOUNT_FILE",
    "$CLOUDSDK_CONFIG/" + ADC_NAME,
    "~/.config/gcloud/" + ADC_NAME,
)


# --- where they are ----------------------------------------------------------------------------------------------------


def gcloud_folder() -> str:
    """The folder in which gcloud keeps its settings."""
    return os.environ.get("CLOUDSDK_CONFIG") or os.path.join(os.path.expanduser("~"), ".config", "gcloud")


def find_file(option: str | None = None) -> str | None:
    """The path of the credentials file; None where no place has one.

    A place that the user named counts even when nothing is there: falling through to the next one would be another account.
    """
    if option:
        return os.path.abspath(os.path.expanduser(os.path.expandvars(option)))
    kind = _env((KIND_ENV,))
    if kind and not KINDS.get(kind):
        raise MissingCredentials(
            "$%s is '%s'. %s"
            % (
                KIND_ENV,
                kind,
                "Only 'serviceaccount' and 'application' are supported here: name a file with service_account_file."
                if kind in KINDS
                else nearest(kind, KINDS),
            ),
            NAME,
        )
    names = {"serviceaccount": FILE_ENV[::-1], "application": FILE_ENV[:1]}.get(kind or "", FILE_ENV)
    named = _env(names)
    if named:
        return os.path.abspath(os.path.expanduser(named))
    path = os.path.join(gcloud_folder(), ADC_NAME)
    return path if os.path.exists(path) else None


def read_file(path: str) -> dict:
    """What a credentials file says. Raises `MissingCredentials`, without repeating a word of it."""
    try:
        with open(path, encoding="utf-8") as handle:
            info = json.load(handle)
    except OSError as error:
        raise MissingCredentials(f"The credentials file {path} of {TITLE} cannot be read: {error.strerror}.", NAME) from None
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict) or not isinstance(info.get("type"), str):
        raise MissingCredentials(
            f"{path} is not a credentials file of {TITLE} (JSON with a 'type'). Make one with 'gcloud auth "
            "application-default login', or create a key of a service account.",
            NAME,
        )
    return info


def find_project(option: str | None, info: dict) -> str | None:
    """The project: as given, from the environment, from the credentials file, or what gcloud is set to."""
    source = info.get("source_credentials")
    found = [option, _env(PROJECT_ENV), info.get("project_id"), info.get("quota_project_id")]
    if isinstance(source, dict):
        found += [source.get("project_id"), source.get("quota_project_id")]
    return next((item.strip() for item in found if isinstance(item, str) and item.strip()), None) or gcloud_project()


def gcloud_project() -> str | None:
    """The project of gcloud's active configuration."""
    folder = gcloud_folder()
    name = os.environ.get("CLOUDSDK_ACTIVE_CONFIG_NAME", "").strip()
    try:
        if not name:
            with open(os.path.join(folder, "active_config"), encoding="utf-8") as handle:
                name = handle.read().strip()
        if not re.match(r"^[\w.-]+$", name):
            return None
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read(os.path.join(folder, "configurations", "config_" + name), encoding="utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return None
    return parser.get("core", "project", fallback="").strip() or None


def secrets(info) -> list:
    """Every secret of a credentials file, a private key also line by line: a message may show a part of it."""
    found = []
    if isinstance(info, dict):
        for name, value in info.items():
            if name in SECRET_KEYS and isinstance(value, str):
                found.append(value)
                found += [line for line in value.split("\n") if len(line) >= LEAST_SECRET and not line.startswith("-----")]
            else:
                found += secrets(value)
    elif isinstance(info, list):
        for item in info:
            found += secrets(item)
    return [value for value in dict.fromkeys(found) if value.strip()]


def digest(info: dict) -> str:
    """A digest of what the file says: another key is another account, wherever the file lies."""
    return hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()


def _env(names) -> str | None:
    return next((os.environ[name].strip() for name in names if os.environ.get(name, "").strip()), None)


# --- tokens ------------------------------------------------------------------------------------------------------------


class Tokens:
    """Access tokens of one credentials file, one per scope, each renewed before it ends. May be asked by several threads.

    ``timeout`` is seconds for each request to Google's token server.
    """

    answer_limit = _http.ANSWER_LIMIT  # bytes

    def __init__(self, info: dict, path: str, timeout: float) -> None:
        self.info, self.path, self.timeout = info, path, timeout
        self._credentials: dict = {}
        self._lock = threading.Lock()
        self.given: list = []

    def token(self, scope: str) -> str:
        """A token that is good now. Raises `MissingLibrary`, `AuthenticationError` or `ProviderUnavailable`."""
        google = _library()
        with self._lock:
            credentials = self._credentials.get(scope)
            if credentials is None:
                credentials = self._credentials[scope] = self._load(google, scope)
            if not credentials.valid:
                self._refresh(google, credentials)
                self.given.append(credentials.token)
            return credentials.token

    def _load(self, google, scope: str):
        try:
            with warnings.catch_warnings():
                # google-auth warns of files that come from strangers; this one is the user's own.
                warnings.simplefilter("ignore", DeprecationWarning)
                credentials, _project = google.auth.load_credentials_from_dict(self.info)
        except (google.exceptions.GoogleAuthError, ValueError) as error:
            raise AuthenticationError(f"The credentials file {self.path} of {TITLE} is not usable: {self._said(error)}", NAME) from None
        # A user's own login keeps the scopes it was made with; the others are given just what is needed.
        return google.credentials.with_scopes_if_required(credentials, [scope])

    def _refresh(self, google, credentials) -> None:
        what = f"give a token for {self.path}"
        request = google.requests.Request(_transport.careful(google.session()))
        request.session.hooks["response"].append(self._limit)
        watch = None

        def ask(url, method="GET", body=None, headers=None, timeout=None, **more):
            # Redirects would take the credentials along.
            nonlocal watch
            _deadline.check(what)
            more = {**more, **_transport.surroundings(url), "allow_redirects": False}
            with _deadline.Watch(self.timeout) as watch:
                answer = request(url, method=method, body=body, headers=headers, timeout=self.timeout, **more)
                if watch.over:  # what is cut can look whole
                    raise self._too_slow(watch)
                return answer

        try:
            credentials.refresh(ask)
        except google.exceptions.TransportError as error:
            _deadline.check(what)
            if watch is not None and watch.over:
                raise self._too_slow(watch) from None
            raise ProviderUnavailable(f"{TITLE}'s token server did not answer: {self._said(error)}", NAME) from None
        except (RecursionError, KeyError, TypeError, AttributeError, OverflowError):
            raise ProviderUnavailable(f"{TITLE}'s token server answered in an unknown form. Check the credentials file.", NAME) from None
        except google.exceptions.RefreshError as error:
            if getattr(error, "retryable", False):
                raise ProviderUnavailable(f"{TITLE}'s token server is busy: {self._said(error)} Try later.", NAME) from None
            raise AuthenticationError(self._refused(error), NAME) from None
        except (google.exceptions.GoogleAuthError, ValueError) as error:
            raise AuthenticationError(f"{TITLE} gave no token for {self.path}: {self._said(error)}", NAME) from None

    def _too_slow(self, watch) -> ProviderUnavailable:
        return ProviderUnavailable(f"{TITLE}'s token server did not answer ({watch.sentence()}). Try later, or raise 'timeout'.", NAME)

    def _limit(self, answer, **_more) -> None:
        """Called by requests before it reads a body."""
        answer.raw = _Counted(answer.raw, self.answer_limit)

    def _refused(self, error) -> str:
        said = self._said(error)
        if "invalid_scope" in said:
            hint = "The login was made without the scope for Compute Engine: make it again with 'gcloud auth application-default login'."
        elif self.info["type"] == "authorized_user":
            hint = "The login has expired or was withdrawn: run 'gcloud auth application-default login' again."
        elif self.info["type"] == "impersonated_service_account":
            hint = "Check that your login may impersonate the service account (role Service Account Token Creator on it)."
        else:
            hint = (
                "Check that the clock of this computer is right, because a token that seems to be of another hour is refused, "
                "and that the service account and its key are neither disabled nor deleted."
            )
        return f"{TITLE} gave no token for {self.path}: {said} {hint}"

    def _said(self, error) -> str:
        words = error.args[0] if error.args else error
        return _http.shortened(words, *secrets(self.info)).rstrip(".") + "."


class _Counted:
    """The body of an answer, as requests reads it, up to a limit."""

    def __init__(self, raw, limit: int) -> None:
        self._raw, self._limit = raw, limit
        self.release_conn = raw.release_conn

    def stream(self, *arguments, **more):
        size = 0
        for piece in self._raw.stream(*arguments, **more):
            size += len(piece)
            _deadline.come(len(piece))
            if size > self._limit:
                self.close()
                raise ProviderUnavailable(f"{TITLE}'s token server {_http.too_much(self._limit)}.", NAME)
            yield piece

    def close(self) -> None:
        self._raw.close()


class _Google:
    """The parts of google-auth that are used."""

    def __init__(self) -> None:
        import google.auth
        import google.auth.credentials
        import google.auth.exceptions
        import google.auth.transport.requests
        import requests

        self.auth = google.auth
        self.credentials = google.auth.credentials
        self.exceptions = google.auth.exceptions
        self.requests = google.auth.transport.requests
        self.session = requests.Session


def _library() -> _Google:
    try:
        return _Google()
    except ImportError as error:
        raise MissingLibrary(_missing_package.missing(TITLE, ["google-auth", "requests"], error), NAME) from None
