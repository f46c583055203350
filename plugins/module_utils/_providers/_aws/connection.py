# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The way to AWS: one session of boto3's core for all regions, and its refusals as our errors.

``botocore`` is what boto3 itself calls; the objects that boto3 puts around it are not needed, and cost memory.
Error codes: "Error codes for the Amazon EC2 API" of the EC2 API reference, and "Common errors" of the AWS APIs.
"""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from ansible_collections.rented.gpu.plugins.module_utils._errors import (
    AuthenticationError,
    MissingCredentials,
    MissingLibrary,
    NotFound,
    ProviderUnavailable,
    RateLimited,
    RentedError,
)
from ansible_collections.rented.gpu.plugins.module_utils._providers._aws import answers, credentials, reader, tolerant
from ansible_collections.rented.gpu.plugins.module_utils._renting import _deadline, _http, _missing_package

NAME = "aws"
TITLE = "AWS"
DEFAULT_REGION = "us-east-1"

WRONG_KEY = {
    "AuthFailure",
    "UnrecognizedClientException",
    "UnrecognizedClient",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "IncompleteSignature",
}
OUT_OF_TIME = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestTimeTooSkewed",
}
DENIED = {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "NotAuthorized"}
BLOCKED = {"OptInRequired", "PendingVerification", "Blocked", "SubscriptionRequiredException"}
THROTTLED = {
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "BandwidthLimitExceeded",
}
CAPACITY = {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientReservedInstanceCapacity", "InsufficientCapacity"}
QUOTA = {"VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "SpotInstanceCountLimitExceeded"}

# The operations of EC2 that are asked for here. Each client has a method for each operation of its model: with all of them it takes
# 14 ms and 1.3 MB, and there is one for each region.
OPERATIONS = (
    "AuthorizeSecurityGroupIngress",
    "CreateSecurityGroup",
    "CreateTags",
    "DeleteKeyPair",
    "DescribeImages",
    "DescribeInstances",
    "DescribeInstanceTypeOfferings",
    "DescribeInstanceTypes",
    "DescribeKeyPairs",
    "DescribeRegions",
    "DescribeSecurityGroups",
    "DescribeSpotPriceHistory",
    "DescribeSubnets",
    "DescribeVpcs",
    "GetConsoleOutput",
    "ImportKeyPair",
    "RunInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
)


class Refused(Exception):
    """A refusal with one of the codes that the caller wanted to see; ``error`` is what to raise when it cannot be helped."""

    def __init__(self, code: str, message: str, error: RentedError) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.error = error


class _NotTheApi(Exception):
    """What answered is something else."""


class Connection:
    """Clients of one account for any region. ``keys`` are (access key id, secret, session token or None), else AWS's own chain decides.

    ``endpoint`` is a URL that stands for every service, None: AWS's own addresses, or what its configuration says.
    ``lean`` parses only those fields of instances that are read.
    """

    answer_limit = _http.ANSWER_LIMIT  # bytes

    def __init__(self, profile=None, keys=None, endpoint=None, timeout: float = 30, lean: bool = True, sleep=time.sleep) -> None:
        self.profile = profile
        self.keys = keys
        self.endpoint = endpoint
        self.timeout = timeout
        self.lean = lean
        self._sleep = sleep
        self._lock = threading.Lock()
        self._clients: dict = {}
        self._slimmed = False
        self._reader: Any = None  # False: it cannot be used
        self._session = None
        self._sender = None
        self._library: Any = None

    # --- session and clients -----------------------------------------------------------------------------------------

    def library(self):
        """botocore's parts, imported when first needed: that takes a third of a second."""
        if self._library is None:
            try:
                import botocore.config
                import botocore.exceptions
                import botocore.parsers
                import botocore.session
            except ImportError as error:
                raise MissingLibrary(_missing_package.missing(TITLE, ["boto3"], error), NAME) from None
            self._library = botocore
        return self._library

    def session(self):
        """The one session; its loader keeps the description of EC2, which all regions share."""
        if self._session is None:
            botocore = self.library()
            session = botocore.session.Session(profile=self.profile)
            tolerant.install(session)
            if self.keys:
                session.set_credentials(*self.keys)
            self._sender = answers.Sender(session, self.timeout, self.answer_limit)
            session.register("before-send", self._sender.whole)
            session.register("before-parse", self._look)
            self._session = session
        return self._session

    def home(self) -> str:
        """The region that the user's configuration names, or the first of AWS."""
        with self._lock:
            return self._explained(lambda: self.session().get_config_variable("region"), "read its configuration") or DEFAULT_REGION

    def known_regions(self) -> set:
        """The regions that botocore knows without asking anybody; a new one may be missing."""
        with self._lock:
            session = self.session()
            return {name for part in session.get_available_partitions() for name in session.get_available_regions("ec2", part)}

    def client(self, service: str, region: str, once: bool = False):
        """The client of a service in a region. ``once``: it never repeats a request."""
        with self._lock:
            key = (service, region, once)
            if key not in self._clients:
                self._clients[key] = self._explained(lambda: self._make(*key), "be asked", region)
            return self._clients[key]

    def _make(self, service: str, region: str, once: bool):
        session = self.session()
        if session.get_credentials() is None:
            raise self.library().exceptions.NoCredentialsError()
        if service == "ec2" and not self._slimmed:
            _slim(session.get_component("data_loader"), self.lean)
            self._slimmed = True
        config = self.library().config.Config(
            connect_timeout=self.timeout,
            read_timeout=self.timeout,
            retries={"mode": "standard", "total_max_attempts": 1 if once else _http.TRIES},
            user_agent_extra=_http.USER_AGENT,
        )
        return session.create_client(service, region_name=region, endpoint_url=self.endpoint, config=config)

    def secrets(self) -> list:
        """The secrets of the credentials that were found; makes no request."""
        # Not by their properties: those of temporary credentials renew them.
        found = getattr(getattr(self._session, "_credentials", None), "__dict__", {})
        values = [found.get(name) for name in ("secret_key", "_secret_key", "token", "_token")]
        return [value for value in values if isinstance(value, str)]

    # --- calling -----------------------------------------------------------------------------------------------------

    def call(
        self,
        region: str,
        operation: str,
        what: str,
        service: str = "ec2",
        once: bool = False,
        refusals=(),
        brief: bool = False,
        **arguments,
    ) -> dict:
        """The answer of one operation (``describe_instances``).

        Reads are repeated by botocore (mode "standard"), with ``once`` nothing is. With ``brief`` only what a list needs is read, by
        `reader` where that is possible, and values are texts. Raises a `RentedError`; for the codes in ``refusals`` `Refused`.
        """
        _deadline.check(what)
        if brief and self._explained(lambda: self._may_read(region), "be asked", region):
            return self._explained(lambda: self._read(region, operation, arguments, what), what, region, service, False, refusals)
        client = self.client(service, region, once)
        return self._explained(lambda: getattr(client, operation)(**arguments), what, region, service, once, refusals)

    def _may_read(self, region: str) -> bool:
        """Whether `reader` can ask this region: not where whole answers are wanted, or an address that only botocore can tell."""
        if not self.lean:
            return False
        with self._lock:
            if self._reader is None:
                self._reader = self._make_reader()
            return bool(self._reader and reader.address(region, self._reader.endpoint))

    def _make_reader(self):
        """False where the configuration asks for addresses of a special kind."""
        session = self.session()
        if any(session.get_config_variable(name) for name in ("use_fips_endpoint", "use_dualstack_endpoint")):
            return False
        configured = self.endpoint or reader.configured_endpoint(session)
        return reader.Reader(session, configured, self._sender, f"{session.user_agent()} {_http.USER_AGENT}")

    def _read(self, region: str, operation: str, arguments: dict, what: str) -> dict:
        """Ask the reader; what botocore would ask again is asked again."""
        errors = self.library().exceptions
        for attempt in range(1, _http.TRIES + 1):
            try:
                return self._reader.ask(region, operation, arguments, self._look)
            except errors.ClientError as error:
                code, status, _words = _said(error)
                if attempt == _http.TRIES or not (code in THROTTLED or status in _http.RETRY_STATUS or status == 500):
                    raise
            except errors.SSLError:
                raise
            except (errors.ConnectionError, errors.HTTPClientError):
                if attempt == _http.TRIES:
                    raise
            pause = _http.retry_wait(None, attempt)
            _deadline.check(what, pause)
            self._sleep(pause)
        raise AssertionError("unreachable")

    def pages(self, region: str, operation: str, key: str, what: str, service: str = "ec2", **arguments):
        """The items of all pages. An answer without ``key`` is not a list: it must not read as an empty one."""

        def fetch(token):
            more = {"NextToken": token} if token else {}
            answer = self.call(region, operation, what, service=service, **arguments, **more)
            if key not in answer:
                raise _http.no_list(f"{TITLE} in {region}", NAME, what)
            return answer[key], answer.get("NextToken")

        return _http.pages(fetch, f"{TITLE} in {region}")

    def _explained(self, function, what: str, region: str | None = None, service: str = "ec2", once: bool = False, refusals=()):
        errors = self.library().exceptions
        try:
            return function()
        except _NotTheApi as error:
            raise ProviderUnavailable(f"{TITLE}{_where(region)}, when asked to {what}, {error}.", NAME) from None
        except answers.TooLarge as error:
            unknown = " Whether it was done is not known." if once else ""
            raise ProviderUnavailable(f"{TITLE}{_where(region)}, when asked to {what}, {error}.{unknown}", NAME) from None
        except answers.TooSlow as error:
            _deadline.check(what)
            unknown = " Whether it was done is not known." if once else ""
            raise ProviderUnavailable(
                f"{TITLE}{_where(region)} did not answer when asked to {what} ({error}; raise 'timeout' if the line "
                f"is that slow).{unknown}",
                NAME,
            ) from None
        except errors.ClientError as error:
            raise self._refusal(error, what, region, service, once, refusals) from None
        except (errors.BotoCoreError, self.library().parsers.ResponseParserError, ValueError, OSError) as error:
            _deadline.check(what)
            raise self._trouble(error, what, region, once) from None
        except (RecursionError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
            unknown = " Whether it was done is not known." if once else ""
            raise ProviderUnavailable(f"{TITLE}{_where(region)} answered in an unknown form when asked to {what}.{unknown}", NAME) from None

    def _look(self, response_dict=None, **_more) -> None:
        """Called by botocore for each answer. Where there is no XML or JSON in it, its parser would only say that it is none."""
        answer = response_dict or {}
        status, headers, body = answer.get("status_code") or 0, answer.get("headers") or {}, answer.get("body") or b""
        if status in _http.REDIRECTS:
            raise _NotTheApi("redirects to another address; the request was not sent there. Check the endpoint")
        if isinstance(body, bytes) and _http.is_web_page(body[:200].decode("utf-8", "replace"), str(headers.get("content-type") or "")):
            if status < 500:
                raise _NotTheApi("answered a web page instead of its API. Check the endpoint, and whether a proxy is in between")
            answer["body"] = b""  # a gateway's page about its own trouble: botocore takes it for that, and asks again

    def _refusal(self, error, what: str, region: str | None, service: str, once: bool, refusals):
        """The error for an answer that says no."""
        code, status, words = _said(error)
        found = self._named(code, status, self._clean(words), what, _where(region), service, error.operation_name, once)
        return Refused(code, words, found) if code in refusals else found

    def _named(self, code, status, words, what, where, service, operation, once) -> RentedError:
        said = f"{code}: {words.rstrip('.')}" if words and words != code else code
        if code in WRONG_KEY:
            return AuthenticationError(
                f"{TITLE} refused the key when asked to {what}{where} ({said}). Check the access key and its secret; "
                "a region that is not enabled for the account answers this too.",
                NAME,
                status,
            )
        if code in OUT_OF_TIME:
            return AuthenticationError(
                f"{TITLE} refused the key when asked to {what}{where} ({said}). A session may have run out (log in "
                "again), the secret may be wrong, or this computer's clock may be.",
                NAME,
                status,
            )
        if code in DENIED:
            return AuthenticationError(
                "%s does not allow this user to %s%s (%s). Add the action %s:%s to the user's IAM policy%s."
                % (
                    TITLE,
                    what,
                    where,
                    code,
                    service,
                    operation,
                    "; where a policy closes that region, name the open ones with the option 'regions'" if where else "",
                ),
                NAME,
                status,
            )
        if code in BLOCKED:
            return AuthenticationError(f"{TITLE} does not serve this account yet{where} ({said}). See its web page.", NAME, status)
        if code in THROTTLED:
            return RateLimited(
                f"{TITLE} kept answering 'too many requests' to: {what}{where} ({said}). Try again in a minute.", NAME, status
            )
        if code in CAPACITY:
            return RentedError(
                f"{TITLE} has no free machine of this type now{where} ({said}). Try later, another region, or another type.",
                NAME,
                status,
            )
        if code in QUOTA:
            return RentedError(
                f"The account may not run that many at once{where} ({said}). Ask for a higher quota of the instance "
                "family in AWS's console (Service Quotas, Amazon EC2); new accounts often have 0 for GPUs.",
                NAME,
                status,
            )
        if code == "SpotMaxPriceTooLow":
            return RentedError(f"The price offered is below the spot price of now{where} ({said}). Offer more.", NAME, status)
        if ".NotFound" in code or code in ("InvalidInstanceID.Malformed", "ParameterNotFound"):
            return NotFound(f"{TITLE} knows nothing of this: {what}{where} ({said}).", NAME, status)
        if status == 410:
            return _http.failure(TITLE, NAME, self.endpoint or "its own address", status, said, what)
        if status >= 500 or code in ("InternalError", "Unavailable", "ServiceUnavailable", "InternalFailure"):
            unknown = " Whether it was done is not known." if once else ""
            return ProviderUnavailable(f"{TITLE} failed to {what}{where} ({status}, {said}). Try later.{unknown}", NAME, status)
        return RentedError(f"{TITLE} refused to {what}{where} ({said}).", NAME, status)

    def _trouble(self, error, what: str, region: str | None, once: bool) -> RentedError:
        """The error for what happened before there was an answer, or for an answer that is none."""
        errors, where = self.library().exceptions, _where(region)
        kind = type(error).__name__
        words = self._clean(str(error))
        if isinstance(error, RentedError):
            return error
        if isinstance(error, errors.NoCredentialsError):
            return MissingCredentials(f"No credentials for {TITLE} were found. Looked at {', '.join(credentials.PLACES)}.", NAME)
        if isinstance(error, (errors.ProfileNotFound, errors.PartialCredentialsError, errors.ConfigParseError, errors.ConfigNotFound)):
            return MissingCredentials(f"The configuration of {TITLE} is not usable: {words.rstrip('.')}.", NAME)
        if isinstance(error, (errors.SSOError, errors.TokenRetrievalError)) or kind.startswith("Login"):
            return AuthenticationError(f"The login at {TITLE} has run out ({words.rstrip('.')}). Run: aws sso login", NAME)
        if isinstance(error, (errors.CredentialRetrievalError, errors.MetadataRetrievalError)):
            return AuthenticationError(f"The credentials for {TITLE} could not be had: {words.rstrip('.')}.", NAME)
        if isinstance(error, (errors.ParamValidationError, errors.UnknownServiceError, errors.InvalidRegionError)):
            return RentedError(f"The request to {what}{where} is not one that {TITLE} takes: {' '.join(words.split())}", NAME)
        if isinstance(error, errors.ProxyConnectionError):
            found = "could not be reached through the proxy that the environment names (HTTP_PROXY, HTTPS_PROXY)"
        elif isinstance(error, errors.SSLError):
            found = "cannot be trusted: its certificate was not accepted"
        elif isinstance(error, (errors.ConnectTimeoutError, errors.ReadTimeoutError)):
            found = "did not answer in time"
        elif isinstance(error, self.library().parsers.ResponseParserError):
            found = "answered something that is not its API (is the endpoint right?)"
        elif isinstance(error, (errors.ConnectionError, errors.HTTPClientError)):
            found = "did not answer (connection failed)"
        else:
            found = f"could not be asked ({kind}: {words.rstrip('.')})"
        unknown = " Whether it was done is not known." if once else ""
        return ProviderUnavailable(f"{TITLE}{where} {found} when asked to {what}.{unknown}", NAME)

    def _clean(self, words: str) -> str:
        """AWS's words without secrets, and without the long blob that only an administrator can decode."""
        words = re.sub(r"(?is)\s*Encoded authorization failure message:.*", "", words)
        words = re.sub(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}\b", "the key", words)
        return _http.shortened(words, *self.secrets(), *(self.keys or ()))


def _said(error) -> tuple:
    """(code, HTTP status, words) of botocore's ClientError."""
    said = error.response.get("Error") or {}
    status = (error.response.get("ResponseMetadata") or {}).get("HTTPStatusCode") or 0
    code = _http.shortened(said.get("Code") or status or "no code")
    return code, status, str(said.get("Message") or "")


def _where(region: str | None) -> str:
    return f" in {region}" if region else ""


def _slim(loader, lean: bool) -> None:
    """Take out of this session's description of EC2 what is not used, and, if ``lean``, what is not read of an instance."""
    model = loader.load_service_model("ec2", "service-2")
    model["operations"] = {name: model["operations"][name] for name in OPERATIONS if name in model["operations"]}
    if lean:
        _slim_instances(model)
    # Nine of ten shapes belong to other operations, and most of the rest is documentation: what is freed serves the answers.
    model["shapes"] = _needed(model["operations"], model["shapes"])


def _slim_instances(model: dict) -> None:
    _list, interface = reader.INSTANCE["NetworkInterfaces"]
    for shape, wanted in (("Instance", reader.INSTANCE), ("InstanceNetworkInterface", interface)):
        members = model["shapes"][shape]["members"]
        model["shapes"][shape]["members"] = {name: member for name, member in members.items() if name in wanted}
    # Reading a time takes the library as long as reading all the rest of an instance.
    model["shapes"]["Instance"]["members"]["LaunchTime"]["shape"] = "String"


def _needed(operations: dict, shapes: dict) -> dict:
    """The shapes that the operations lead to, without their documentation."""
    found: dict = {}
    left: list = [operations]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            if isinstance(part.get("documentation"), str):
                del part["documentation"]
            name = part.get("shape")
            if isinstance(name, str) and name in shapes and name not in found:
                found[name] = shapes[name]
                left.append(shapes[name])
            left += part.values()
    return found
