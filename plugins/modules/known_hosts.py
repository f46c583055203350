#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: known_hosts
short_description: Pin the public keys of git hosts in known_hosts
version_added: 0.1.0
description:
  - Completes C(~/.ssh/known_hosts) of the login user with the given keys.
  - The module asks nothing over the network, because any machine on the way could answer.
  - A key that is already there, also under a hashed name, is not added again. All other lines stay as they are.
  - A line with a key that its host has withdrawn is taken out. Any other line that has another key of the same type for a wanted host ends the
    module with its number; nothing is changed then.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  keys:
    description: The keys.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name or address of the host.
        type: str
        required: true
      port:
        description: Port of its C(sshd).
        type: int
        default: 22
      key:
        description: Type and base64 of the key, such as C(ssh-ed25519 AAAA…).
        type: str
        required: true
      fingerprint:
        description: SHA256 fingerprint that the key must have.
        type: str
  withdrawn:
    description: Keys that their hosts have withdrawn.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name of the host.
        type: str
        required: true
      fingerprint:
        description: SHA256 fingerprint of the key.
        type: str
        required: true
  stamp_wanted:
    description: Digest of the request, kept in the stamp C(known_hosts). The action sets it.
    type: str
attributes:
  check_mode:
    support: full
    description: Says which lines would be added and taken out.
  diff_mode:
    support: full
    description: Shows the lines.
"""

EXAMPLES = r"""
- name: Pin the key of a git server on another port
  rented.gpu.known_hosts:
    keys:
      - host: git.example.org
        port: 2222
        key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
"""

RETURN = r"""
added:
  description: The lines that were added.
  type: list
  elements: str
  returned: success
removed:
  description: The lines that were taken out, with the reason.
  type: list
  elements: str
  returned: success
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _known_hosts, _stamps

ARGUMENT_SPEC = {
    "keys": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": False,
        "options": {
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
            "key": {"type": "str", "required": True, "no_log": False},
            "fingerprint": {"type": "str"},
        },
    },
    "withdrawn": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"host": {"type": "str", "required": True}, "fingerprint": {"type": "str", "required": True}},
    },
    "stamp_wanted": {"type": "str"},
}
STAMP = "known_hosts"


def explain(conflict: _known_hosts.Conflict, path: str) -> str:
    line = conflict.line
    if conflict.revoked:
        return (
            f"Line {line.number} of {path} on the host revokes the key {conflict.wanted} of {conflict.name}, which "
            "is wanted here. Nothing was changed; take out the line or the key."
        )
    return (
        f"Line {line.number} of {path} on the host has another {line.kind} key for {conflict.name} "
        f"({line.fingerprint()}) than the one wanted ({conflict.wanted}). Nothing was changed. Find out which is "
        f"right; when it is the wanted one, take the line out on the host: ssh-keygen -R '{conflict.name}'"
    )


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    home = _stamps.user_home()
    folder = os.path.join(home, ".ssh")
    path = os.path.join(folder, "known_hosts")
    keys = []
    for item in module.params["keys"]:
        try:
            keys.append((_known_hosts.name_of(item["host"], item["port"]), *_known_hosts.parse_key(item["key"])))
        except _known_hosts.KeyFormatError as error:
            module.fail_json(msg=f"The key of {item['host']} cannot be used: {error}.")
    withdrawn: dict = {}
    for item in module.params["withdrawn"]:
        withdrawn.setdefault(_known_hosts.name_of(item["host"]), set()).add(item["fingerprint"])

    # What we wrote ourselves may be replaced when the wanted key changes.
    stamp = _stamps.read_all(home).get(STAMP) or {}
    ours = (stamp.get("data") or {}).get("ours") or []
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as handle:
            before = handle.read()
    except FileNotFoundError:
        before = ""
    except OSError as error:
        module.fail_json(msg=f"{path} cannot be read on the host: {error.strerror}.")
    try:
        after, _kept, added, removed = _known_hosts.complete(before, keys, withdrawn, ours)
    except _known_hosts.Conflict as conflict:
        module.fail_json(msg=explain(conflict, path))

    modes = wrong_modes(folder, path)
    changed = after != before or bool(modes)
    if not module.check_mode:
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700)
        for name, mode in modes.items():
            os.chmod(name, mode)
        if after != before:
            # A link stays a link: the file that it means is replaced.
            real = os.path.realpath(path)
            mode = stat.S_IMODE(os.stat(real).st_mode) if os.path.exists(real) else 0o600
            _stamps.write_private(real, after, mode)
        if module.params["stamp_wanted"]:
            mine = [_stamps.line_mark(line) for line in after.splitlines() if line in added or _stamps.line_mark(line) in ours]
            _stamps.write(
                home,
                STAMP,
                module.params["stamp_wanted"],
                # The whole file: a line that was added by hand may contradict one of the wanted keys, or trust a withdrawn key again.
                {"files": {path: _stamps.file_digest(path)}, "modes": {name: oct(_mode(name))[2:] for name in (folder, path)}},
                {"ours": mine},
            )
    module.exit_json(
        changed=changed,
        added=added,
        removed=removed,
        diff={
            "before": "".join(line + "\n" for line in [*removed, *(f"{name} may be written by others" for name in modes)]),
            "after": "".join(line + "\n" for line in added),
            "before_header": path,
            "after_header": path,
        },
    )


def _mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def wrong_modes(folder: str, path: str) -> dict:
    """Path -> the mode it should have; ssh and git trust neither a folder nor a file that others may write."""
    wrong = {}
    for name, mask in ((folder, 0o077), (path, 0o022)):
        if os.path.exists(name):
            mode = stat.S_IMODE(os.stat(name).st_mode)
            if mode & mask:
                wrong[name] = mode & ~mask
    return wrong


if __name__ == "__main__":
    main()
