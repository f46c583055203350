# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The first login to a host: is what was typed right?"""

from __future__ import annotations

import re
import shlex
import shutil

from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _host_checks, _login_failures, _options

WORKS = "works"
NO_ANSWER = "no answer"
MORE = 20  # seconds beyond those for the connection: for jump hosts and a slow login


def command(variables: dict, seconds: int) -> list:
    """ssh as the inventory's variables say, alone on its connection, without the remote command."""
    words = ["ssh", "-v", *_options.words(_options.first_login(seconds))]
    words += shlex.split(variables.get("ansible_ssh_common_args", ""))
    for option, name in (("-p", "ansible_port"), ("-i", "ansible_ssh_private_key_file"), ("-l", "ansible_user")):
        if variables.get(name):
            words += [option, str(variables[name])]
    return [*words, "--", variables["ansible_host"]]


def attempt(variables: dict, host: str, seconds: int) -> tuple:
    """``(WORKS, None)``, or ``(NO_ANSWER, warning)`` for a host that does not answer yet. Raises `RentedError` for what is wrong."""
    words = command(variables, seconds)
    if not shutil.which("ssh"):
        raise RentedError("There is no ssh on this machine: install it (apt-get install openssh-client).")
    probe = _login_failures.Probe(words, seconds + MORE)
    said = probe.said
    if probe.works:
        not_kept = _host_checks.unpinned(variables.get("ansible_ssh_common_args", ""))
        if not_kept:
            raise RentedError(not_kept)
        return WORKS, None
    if probe.logged_in and (probe.timed_out or probe.code != 255):
        user = variables.get("ansible_user") or "(ssh's choice)"
        other = _login_failures.other_user(probe.printed + said)
        if other:
            raise RentedError(
                f"{host} does not let user '{user}' work; it says: log in as '{other}'. Paste the command with that user.{_NOTHING}"
            )
        raise RentedError(f"{host} let user '{user}' in, but {probe.instead().rstrip('.')}.{_NOTHING}")
    if probe.timed_out:
        return NO_ANSWER, _not_yet(host, "ssh did not end within %d s" % (seconds + MORE))
    why, words_of_ssh = _login_failures.classify(said), _login_failures.last_words(said)
    if why == _login_failures.DOWN and _login_failures.ACCEPTED.search(said) and not _login_failures.BOOTING.search(said):
        raise RentedError(_login_failures.key_refused(host, variables.get("ansible_user") or "(ssh's choice)", said) + _NOTHING)
    if why == _login_failures.DOWN:
        return NO_ANSWER, _not_yet(host, words_of_ssh)
    if why == _login_failures.KEY:
        # The jump host's own ssh says no more than that it was refused; the host itself has not answered by then.
        if "Authentications that can continue" not in said and "ProxyCommand" in variables["ansible_ssh_common_args"]:
            raise RentedError(
                f"The jump host on the way to {host} refused the login; ssh said: {words_of_ssh.rstrip('.')}. Which "
                "key it is offered is ssh's choice: load the right one in the agent (ssh-add), or name it in "
                f"~/.ssh/config.{_NOTHING}"
            )
        user = variables.get("ansible_user") or "(ssh's choice)"
        raise RentedError(_login_failures.key_refused(host, user, said) + _NOTHING)
    if why == _login_failures.CHANGED:
        changed = re.search(r"Host key for (\S+) has changed", said)
        whose = host if not changed or changed.group(1) == host else f"The jump host {changed.group(1)} on the way to {host}"
        raise RentedError(_login_failures.host_key_changed(whose, said) + _NOTHING)
    if why == _login_failures.NAME:
        raise RentedError(f"The address cannot be resolved; ssh said: {words_of_ssh}. Check it for a typing error.{_NOTHING}")
    sentence = _login_failures.local_cause(why, host, said)
    if sentence:
        raise RentedError(sentence + _NOTHING)
    raise RentedError(f"ssh could not log in; it said: {words_of_ssh.rstrip('.')}.{_NOTHING}")


_NOTHING = " Nothing was adopted; adopt_login=false adopts without a login."


def _not_yet(host: str, why: str) -> str:
    return (
        f"{host} does not answer yet ({why.rstrip('.')}). It is adopted all the same; when it does not answer in "
        "some minutes either, compare address and port with its page."
    )
