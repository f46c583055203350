#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: git_keys
short_description: Set the git identity, and give git on a host a key of its own or take it back
version_added: 0.1.0
description:
  - Sets C(user.name) and C(user.email) in the login user's global git settings, when they are given.
  - Places a private key as C(~/.ssh/rented_git_key), mode 0600, used by ssh and git for the named hosts only; the user's own keys and settings stay
    as they are. The key is noted in C(~/.rented/secrets.json) by path and SHA-256, so that it can be removed later.
  - Without a key it removes the key, the settings and the note that an earlier run left.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  name:
    description: The name in commits. If omitted or empty, it stays as it is.
    type: str
    default: ''
  email:
    description: The address in commits. If omitted or empty, it stays as it is.
    type: str
    default: ''
  mode:
    description:
      - V(push) and V(agent) place nothing on the host.
      - V(private_key) places a key.
    type: str
    choices: [push, agent, private_key]
    default: push
  hosts:
    description: The git hosts that the key is for.
    type: list
    elements: str
    default: [github.com, gitlab.com, bitbucket.org, hf.co]
  private_key:
    description:
      - With O(mode=private_key), the file of the key on the controller, or the key itself as its text, for example from a vault.
      - The action plugin reads and checks it. Only the content travels, and only to this module.
    type: str
  content:
    description: The private key itself. The action sets it.
    type: str
  stamp_wanted:
    description: Digest of the request, kept in the stamp C(git_keys). The action sets it.
    type: str
attributes:
  check_mode:
    support: full
    description: Says what would be set, placed and removed.
  diff_mode:
    support: full
    description: Shows the identity and which files are there; never a key.
"""

EXAMPLES = r"""
- name: Set the identity, and leave no key
  rented.gpu.git_keys:
    name: Ada Lovelace
    email: ada@example.org

- name: Give the host a key for one server
  rented.gpu.git_keys:
    mode: private_key
    private_key: ~/.ssh/rented
    hosts: [git.example.org]
"""

RETURN = r"""
fingerprint:
  description: SHA256 fingerprint of the key that git on the host uses.
  type: str
  returned: with O(mode=private_key)
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps

ARGUMENT_SPEC = {
    "name": {"type": "str", "default": ""},
    "email": {"type": "str", "default": ""},
    "mode": {"type": "str", "choices": ["push", "agent", "private_key"], "default": "push"},
    "hosts": {"type": "list", "elements": "str", "default": ["github.com", "gitlab.com", "bitbucket.org", "hf.co"]},
    "private_key": {"type": "str", "no_log": True},
    "content": {"type": "str", "no_log": True},
    "stamp_wanted": {"type": "str"},
}
STAMP = "git_keys"
KEY = "rented_git_key"
CONFIG = "rented_config"
INCLUDE = "Include ~/.ssh/" + CONFIG
HEAD = "# Written by the role rented.gpu.git_keys, and overwritten by its next run.\n"


def ssh_config(hosts: list) -> str:
    """The settings of our own file: the key for these hosts, and no other key for them."""
    if not hosts:
        return HEAD
    return HEAD + f"Host {' '.join(hosts)}\n    IdentityFile ~/.ssh/{KEY}\n    IdentitiesOnly yes\n"


def with_include(text: str) -> str:
    """The user's ssh settings with our file included; on top, because below a Host line it would be part of that."""
    return text if _leads(text) else INCLUDE + "\n" + without_include(text)


def _leads(text: str) -> bool:
    return _stamps.leading(text.splitlines(), INCLUDE)


def without_include(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() != INCLUDE)


class Access:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.home = _stamps.user_home()
        self.ssh = os.path.join(self.home, ".ssh")
        self.before: list = []
        self.after: list = []

    def path(self, name: str) -> str:
        return os.path.join(self.ssh, name)

    def read(self, path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as handle:
                return handle.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            return self.module.fail_json(msg=f"{path} cannot be read on the host: {error.strerror}.")

    def write(self, path: str, text: str, mode: int = 0o600) -> None:
        if self.module.check_mode:
            return
        if not os.path.isdir(self.ssh):
            os.makedirs(self.ssh, mode=0o700)
        _stamps.write_private(os.path.realpath(path), text, mode)

    def identity(self) -> None:
        git = shutil.which("git")
        for key, value in (("user.name", self.module.params["name"]), ("user.email", self.module.params["email"])):
            if not value:
                continue
            if not git and not self.module.check_mode:
                self.module.fail_json(msg=f"git is not installed on the host, so {key} cannot be set: run the role ready first.")
            now = self.module.run_command([git, "config", "--global", "--get", key])[1].strip() if git else ""
            if now == value:
                continue
            self.before.append(f"{key}: {now}")
            self.after.append(f"{key}: {value}")
            if not self.module.check_mode:
                code, out, err = self.module.run_command([git, "config", "--global", "--replace-all", key, value])
                if code != 0:
                    self.module.fail_json(msg=f"git could not set {key} on the host: {(err or out).strip()}")

    def changes(self, path: str, what: str) -> None:
        self.before.append("%s: %s" % (path, "other" if os.path.lexists(path) else "absent"))
        self.after.append(f"{path}: {what}")

    def place(self, content: str, hosts: list) -> None:
        key, config, user = self.path(KEY), self.path(CONFIG), self.path("config")
        if os.path.islink(key):
            self.module.fail_json(msg=f"{key} is a link on the host; a key is not written through it. Remove it and run again.")
        if not self.module.check_mode:
            # From here until the end an interrupted run is seen, in every mode.
            _stamps.write(self.home, STAMP, "unfinished", {})
        if self.read(key) != content or os.stat(key).st_mode & 0o777 != 0o600:
            self.changes(key, "the private key, 0600")
            self.write(key, content)
        if not self.module.check_mode:
            _stamps.record_secret(self.home, key)
        if self.read(config) != ssh_config(hosts):
            self.changes(config, "for " + " ".join(hosts))
            self.write(config, ssh_config(hosts))
        text = self.read(user) or ""
        if with_include(text) != text:
            self.changes(user, "includes " + config)
            mode = os.stat(user).st_mode & 0o777 if os.path.exists(user) else 0o600
            self.write(user, with_include(text), mode)
        if not self.module.check_mode:
            watch = {
                "files": {path: _stamps.file_digest(path) for path in (key, config)},
                "modes": {key: "0600"},
                "leads": {user: INCLUDE},
            }
            _stamps.write(self.home, STAMP, self.module.params["stamp_wanted"] or "", watch)

    def remove(self) -> None:
        """Take back what `place` made."""
        user = self.path("config")
        for path in (self.path(KEY), self.path(CONFIG)):
            if os.path.lexists(path):
                self.before.append(f"{path}: there")
                self.after.append(f"{path}: absent")
                if not self.module.check_mode:
                    os.unlink(path)
        text = self.read(user) or ""
        if without_include(text) != text:
            self.before.append(f"{user}: includes {CONFIG}")
            self.after.append(f"{user}: does not")
            if without_include(text).strip():
                self.write(user, without_include(text), os.stat(user).st_mode & 0o777)
            elif not self.module.check_mode:
                os.unlink(user)
        if not self.module.check_mode:
            _stamps.forget_secret(self.home, self.path(KEY))
            _stamps.remove(self.home, STAMP)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    access = Access(module)
    params = module.params
    if params["mode"] == "private_key":
        if not params["content"]:
            module.fail_json(
                msg="mode is private_key, but no key came with it: run this as a task, so that the key is read on the controller."
            )
        access.place(params["content"], params["hosts"])
    else:
        access.remove()
    access.identity()
    module.exit_json(
        changed=bool(access.after),
        diff={"before": "".join(line + "\n" for line in access.before), "after": "".join(line + "\n" for line in access.after)},
    )


if __name__ == "__main__":
    main()
