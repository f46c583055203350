# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""Whether, and for whom, credentials of AWS are in their usual places: it reads environment and files, and makes no request.

The places are those of "Configuration and credential precedence" in the user guide of the AWS CLI. The metadata service of an
EC2 instance is none of them: asking it would be a request, and would find the owner of the machine.
"""

from __future__ import annotations

import configparser
import os

KEY_ENV = "AWS_ACCESS_KEY_ID"
PROFILE_ENV = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
OTHER_ENV = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
FILES = (("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config"))
SECRET_ENV = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
# Settings of a profile that lead to credentials; one that only names a region does not.
LEADS = (
    "aws_access_key_id",
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "web_identity_token_file",
    "login_session",
)
PLACES = ["$" + KEY_ENV, "$AWS_PROFILE", "$AWS_WEB_IDENTITY_TOKEN_FILE", "$AWS_CONTAINER_CREDENTIALS_*"] + [name for _env, name in FILES]


def _env(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def files() -> list:
    """The paths of the credentials and the configuration file, whether or not they exist."""
    return [os.path.expanduser(_env(name) or usual) for name, usual in FILES]


def profile() -> str | None:
    """The profile that the environment names."""
    return next((found for found in (_env(name) for name in PROFILE_ENV) if found), None)


def of_profile(name: str) -> dict | None:
    """The settings of a profile from both files, None where neither has it. A file that cannot be read as such counts as having it:
    botocore says better what is wrong."""
    found = None
    for path in files():
        reader = configparser.RawConfigParser(strict=False)
        try:
            with open(path, encoding="utf-8") as handle:
                reader.read_file(handle)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error):
            return {"aws_access_key_id": "unreadable"}
        for section in (name, "profile " + name, f'profile "{name}"'):
            if reader.has_section(section):
                found = {**(found or {}), **dict(reader.items(section))}
    return found


def exist() -> bool:
    """Whether AWS's own chain would find credentials without the metadata service."""
    if any(_env(name) for name in (KEY_ENV, *OTHER_ENV)) or profile():
        return True
    return any((of_profile("default") or {}).get(name) for name in LEADS)


def who(options: dict) -> tuple:
    """What tells one account from another: access key id or profile, never a secret. ``options`` are those of the account."""
    if options.get("access_key_id"):
        return ("key", options["access_key_id"])
    named = options.get("profile")
    if not named and _env(KEY_ENV):
        return ("key", _env(KEY_ENV))
    named = named or profile() or "default"
    settings = of_profile(named) or {}
    return ("profile", named, *files(), *(settings.get(name) for name in LEADS), *(_env(name) for name in ("AWS_ROLE_ARN", *OTHER_ENV)))


def secrets() -> list:
    """Secrets that lie in the environment."""
    return [value for value in (_env(name) for name in SECRET_ENV) if value]
