# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""How Compute Engine is asked: errors as sentences, lists over pages and zones, operations to their end.

Facts: the discovery document ``compute.v1`` (revision 20261106) inside google-api-python-client 2.202.
"""

from __future__ import annotations

import re

from ansible_collections.rented.gpu.plugins.module_utils._errors import AuthenticationError, ProviderUnavailable, RentedError
from ansible_collections.rented.gpu.plugins.module_utils._providers._gcp.credentials import NAME, SCOPE_READ, SCOPE_WRITE, TITLE
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _values

PAGE_SIZE = 500  # the API's maximum
# A page of 500 nodes of Kubernetes, each with 100 KB of metadata, is larger than what other APIs answer.
ANSWER_LIMIT = 128 * 1024 * 1024
MOST_THREADS = 8
WAIT_SECONDS = 130  # `wait` answers after two minutes at the latest
OPERATION_SECONDS = 900  # a VM with eight GPUs takes minutes to begin
WAIT_FAILURES = 4
LONGEST_PAUSE = 10.0  # seconds between two waits that were answered at once
BUSY = ("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED")
SCOPE_LACKS = ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
SERVICE_OFF = ("accessNotConfigured", "SERVICE_DISABLED")
NO_BILLING = ("billingNotEnabled", "BILLING_DISABLED", "UREQ_PROJECT_BILLING_NOT_FOUND")
# Words of an operation that failed because there is no such machine free just now: another zone may have one.
CAPACITY = ("ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "RESOURCE_POOL_EXHAUSTED", "STOCKOUT")
QUOTA = ("QUOTA_EXCEEDED", "quotaExceeded")


class Conflict(RentedError):
    """What was to be changed has been changed by another client meanwhile (412)."""


class Failed(RentedError):
    """An operation that ended with an error; ``code`` is the API's word."""

    def __init__(self, message: str, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message, NAME, status)
        self.code = code


class Compute(_http.JsonApi):
    """One thread's way to one project's machines."""

    def __init__(self, endpoint: str, project: str, tokens, who: str, timeout: float, write: bool, sleep, clock) -> None:
        super().__init__(
            TITLE,
            NAME,
            endpoint,
            lambda: tokens.token(SCOPE_WRITE if write else SCOPE_READ),
            timeout=timeout,
            sleep=sleep,
            answer_limit=ANSWER_LIMIT,
        )
        self.project = project
        self.who = who
        self._clock = clock

    # --- errors ------------------------------------------------------------------------------------------------------

    def _once(self, method: str, url: str, data, headers: dict, watch) -> tuple:
        """One request. "Too many" is 403 in places; as 429 it is waited out like everywhere."""
        status, answer_headers, text = super()._once(method, url, data, headers, watch)
        if status == 403 and set(reasons(text)) & set(BUSY):
            status = 429
        return status, answer_headers, text

    def _decode(self, status: int, content_type: str, text: str, what: str):
        if 200 <= status < 300 or _http.is_web_page(text, content_type):
            return super()._decode(status, content_type, text, what)
        why = set(reasons(text))
        said = _http.describe(text, content_type)[1]
        said = " (%d%s)" % (status, ": " + _http.redact(said, self._api_key).rstrip(".") if said else "")
        if status == 401:
            raise AuthenticationError(f"{TITLE} refused the credentials of {self.who}{said}. Check them.", NAME, status)
        if status == 403 and why & set(SERVICE_OFF):
            hint = f"Switch it on with 'gcloud services enable compute.googleapis.com --project {self.project}', and wait some minutes"
            raise AuthenticationError(f"The Compute Engine API is not enabled for project '{self.project}'{said}. {hint}.", NAME, status)
        if status == 403 and why & set(SCOPE_LACKS):
            need = "compute.readonly, or compute for renting and changing"
            raise AuthenticationError(
                f"The login of {self.who} lacks the scope that is needed to {what}{said}. It needs {need}: make it "
                "again with 'gcloud auth application-default login'.",
                NAME,
                status,
            )
        if status == 403 and why & set(NO_BILLING):
            raise AuthenticationError(f"Project '{self.project}' has no billing account{said}. Link one.", NAME, status)
        if why & set(CAPACITY):
            raise Failed(f"{TITLE} could not {what}{said}.", CAPACITY[0], status)
        if why & set(QUOTA):
            raise Failed(quota_sentence(what, said), "QUOTA_EXCEEDED", status)
        if status in (400, 403, 404) and _about_project(text, self.project):
            raise RentedError(
                f"{TITLE} knows no project '{self.project}' that {self.who} may see{said}. Check 'project': it is "
                "the project's id, not its title.",
                NAME,
                status,
            )
        if status == 403:
            raise AuthenticationError(
                f"{TITLE} does not allow {self.who} to {what} in project '{self.project}'{said}. Give it the role "
                "that the page of this provider names.",
                NAME,
                status,
            )
        if status == 412:
            raise Conflict(f"Another client changed the same thing at {TITLE} while this tried to {what}{said}. Try again.", NAME, status)
        return super()._decode(status, content_type, text, what)

    # --- lists -------------------------------------------------------------------------------------------------------

    def aggregated(self, kind: str, what: str, only: str | None = None, whole: bool = True) -> list:
        """``kind`` ("instances") of every zone. A zone that did not answer fails the list: its machines would go on being billed unseen.

        Not ``whole``: it is passed over, where a zone that does not answer is of no use anyway.
        """

        def fetch(token):
            answer = self._page(f"/projects/{self.project}/aggregated/{kind}", token, what, only, returnPartialSuccess="true")
            silent = [last(name) for name in self._list(answer, "unreachables", what) if isinstance(name, str)]
            found = []
            scopes = answer.get("items")
            if scopes is not None and not isinstance(scopes, dict):
                raise _http.no_list(TITLE, NAME, what)
            for scope, part in (scopes or {}).items():
                part = _values.mapping(part)
                warning = _values.mapping(part.get("warning"))
                if warning and warning.get("code") != "NO_RESULTS_ON_PAGE":
                    silent.append(f"{last(scope)} ({warning.get('code')})")
                found += self._list(part, kind, what)
            if silent and whole:
                raise ProviderUnavailable(
                    f"{TITLE} could not {what} in {', '.join(sorted(set(silent)))}, so the list is not whole. Try "
                    "later, or name the zones to ask with 'zones'.",
                    NAME,
                )
            return found, answer.get("nextPageToken")

        return list(_http.pages(fetch, TITLE))

    def in_zone(self, kind: str, zone: str, what: str, only: str | None = None) -> list:
        """``kind`` of one zone."""
        return self.items(f"/projects/{self.project}/zones/{zone}/{kind}", what, only)

    def items(self, path: str, what: str, only: str | None = None) -> list:
        """A plain list, all pages of it."""

        def fetch(token):
            answer = self._page(path, token, what, only)
            warning = _values.mapping(answer.get("warning"))
            if warning and warning.get("code") != "NO_RESULTS_ON_PAGE":
                raise ProviderUnavailable(f"{TITLE} could not {what} whole: {warning.get('code')}. Try later.", NAME)
            return self._list(answer, "items", what), answer.get("nextPageToken")

        return list(_http.pages(fetch, TITLE))

    @staticmethod
    def _list(answer: dict, key: str, what: str) -> list:
        """The list under a key that may be left out where it is empty."""
        return [] if answer.get(key) is None else _http.list_in(answer, key, TITLE, NAME, what)

    def _page(self, path: str, token, what: str, only: str | None, **more) -> dict:
        answer = self.get(path, {"maxResults": PAGE_SIZE, "pageToken": token, "filter": only, **more}, what)
        # Each real answer says what kind of list it is, also where the list is empty and "items" is left out.
        if not isinstance(answer, dict) or not str(answer.get("kind") or "").startswith("compute#"):
            raise _http.no_list(TITLE, NAME, what)
        return answer

    # --- operations --------------------------------------------------------------------------------------------------

    def begin(self, method: str, path: str, what: str, body=None, **query) -> dict:
        """Ask for a change, once; the operation that the API made of it."""
        answer = self.call(method, f"/projects/{self.project}{path}", query=query, body=body, what=what)
        if not isinstance(answer, dict) or not answer.get("name"):
            raise ProviderUnavailable(f"{TITLE} answered no operation when asked to {what}. Look before you try again.", NAME)
        return answer

    def finish(self, operation: dict, what: str) -> dict:
        """Wait until an operation is done. Raises `Failed` with the API's reason, `ProviderUnavailable` when its end is not seen.

        Waiting does nothing to a machine, so a wait that breaks off is begun again.
        """
        zone = last(operation.get("zone"))
        scope = "zones/" + zone if zone else "global"
        path = f"/projects/{self.project}/{scope}/operations/{operation['name']}/wait"
        end, failures, early = self._clock() + OPERATION_SECONDS, 0, 0
        usual, self.timeout = self.timeout, max(self.timeout, WAIT_SECONDS)
        try:
            while operation.get("status") != "DONE":
                if self._clock() >= end:
                    raise ProviderUnavailable(f"{TITLE} has not finished to {what} after {OPERATION_SECONDS} s.", NAME)
                began = self._clock()
                try:
                    operation = _values.mapping(self.call("POST", path, what="wait for the end of: " + what))
                    failures = 0
                except ProviderUnavailable as error:
                    failures += 1
                    if failures >= WAIT_FAILURES:
                        raise ProviderUnavailable(f"{error.message} Whether {what} was done is not known.", NAME) from None
                    self._sleep(_http.retry_wait(None, failures))
                else:
                    # An overloaded server answers at once that it is not done.
                    if operation.get("status") != "DONE" and self._clock() - began < 1:
                        self._sleep(min(2.0**early, LONGEST_PAUSE))
                        early += 1
        finally:
            self.timeout = usual
        errors = _values.rows(_values.mapping(operation.get("error")).get("errors"))
        if errors:
            code = _values.text(errors[0].get("code"))
            words = _http.shortened(errors[0].get("message") or code, self._api_key)
            raise Failed(_failed_sentence(code, words, what), code, _values.whole(operation.get("httpErrorStatusCode")))
        return operation


def in_parallel(function, items) -> list:
    """``function`` of each item, side by side, in order; the first error of any is raised."""
    items = list(items)
    if len(items) < 2:
        return [function(item) for item in items]
    with _deadline.Threads(max_workers=min(len(items), MOST_THREADS)) as pool:
        return list(pool.map(function, items))


def last(url) -> str | None:
    """The last part of a URL: the API names zones, machine types and images by URLs."""
    found = _values.text(url)
    return found.rstrip("/").rsplit("/", 1)[-1] if found else None


def reasons(text: str) -> list:
    """The API's words for why it refused: ``error.errors[].reason``, ``error.details[].reason`` and ``error.status``."""
    try:
        error = _http.parsed(text[: _http.BODY_LIMIT])["error"]
    except (KeyError, TypeError, *_http.NOT_READABLE):
        return []
    if not isinstance(error, dict):
        return []
    rows = _values.rows(error.get("errors")) + _values.rows(error.get("details"))
    return [word for word in [row.get("reason") for row in rows] + [error.get("status")] if isinstance(word, str)]


def quota_sentence(what: str, said: str) -> str:
    """A quota is not a shortage: it is a number of the project that its owner may have raised."""
    return (
        f"The project's quota at {TITLE} does not allow to {what}{said}. Ask for more under 'IAM & Admin > Quotas', or destroy something."
    )


def _failed_sentence(code: str | None, words: str, what: str) -> str:
    if code in QUOTA:
        return quota_sentence(what, f" ({words.rstrip('.')})")
    return f"{TITLE} could not {what}: {words.rstrip('.')}."


def _about_project(text: str, project: str) -> bool:
    """Whether a refusal is about the project as a whole, not about a thing in it."""
    if "CONSUMER_INVALID" in reasons(text):
        return True
    name = re.escape(project)
    return bool(
        re.search(
            rf"Unknown project id|[Rr]esource 'projects/{name}' was not found|on resource project {name}\b|Project {name} is not found",
            text,
        )
    )
