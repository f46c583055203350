#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_setup
short_description: Install what a host lacks for the other roles
version_added: 0.1.0
description:
  - Installs the missing ones of the named system packages in one call of C(apt-get) or C(dnf), switches off the tmux that Vast.ai puts every
    login into, and makes the work folder.
  - When another program (such as unattended-upgrades) installs packages, the module waits for it, up to O(lock_timeout), and names it; it
    kills nothing and removes no lock.
  - Becomes root by C(sudo), only for what needs root; the rest is done as the login user.
  - The role P(rented.gpu.ready#role) runs it, only on hosts that lack something.
author:
  - The rented.gpu contributors (@rented-gpu)
options:
  packages:
    description:
      - Debian's names of system packages; C(dnf) gets Fedora's names for the same.
      - A package whose command is found in C(PATH) counts as installed.
    type: list
    elements: str
    default: []
  auto_tmux_off:
    description: Whether C(~/.no_auto_tmux) is made.
    type: bool
    default: false
  workdir:
    description: A folder that is made when it is missing, and given to the login user.
    type: path
  lock_timeout:
    description: Seconds to wait while another program installs packages.
    type: int
    default: 300
  become_password:
    description:
      - The login user's password for C(sudo), where that asks for one. It goes to C(sudo) by its standard input only.
      - The role takes it from C(ansible_become_password) or from C(--ask-become-pass).
    type: str
  stamp_wanted:
    description: Digest of the request, kept in the stamp C(ready); if omitted, no stamp is written.
    type: str
attributes:
  check_mode:
    support: full
    description: Says what would be installed and made.
  diff_mode:
    support: full
    description: Shows the list of missing packages and files before and after.
"""

EXAMPLES = r"""
- name: Install git and rsync
  rented.gpu.host_setup:
    packages: [git, rsync]
"""

RETURN = r"""
installed:
  description: The packages that were missing and are (in check mode would be) installed.
  type: list
  elements: str
  returned: success
made:
  description: Files and folders that were made.
  type: list
  elements: str
  returned: success
"""

import os
import shutil

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils._host import _facts, _stamps, _system_packages

ARGUMENT_SPEC = {
    "packages": {"type": "list", "elements": "str", "default": []},
    "auto_tmux_off": {"type": "bool", "default": False},
    "workdir": {"type": "path"},
    "lock_timeout": {"type": "int", "default": 300},
    "become_password": {"type": "str", "no_log": True},
    "stamp_wanted": {"type": "str"},
}
ASKING = ["sudo", "-k", "-S", "-p", ""]  # -k: it asks each time, so that the password never reaches the program behind it
STAMP = "ready"
FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


class Setup:
    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.home = _stamps.user_home()
        self.path = os.pathsep.join([*os.environ.get("PATH", "").split(os.pathsep), *FOLDERS])
        self.made: list = []

    def fail(self, message: str) -> None:
        self.module.fail_json(msg=message)

    def run(self, command: list) -> tuple:
        given = {}
        if command[: len(ASKING)] == ASKING:
            given = {"data": self.module.params["become_password"] + "\n", "binary_data": True}
        return self.module.run_command(command, environ_update={"LC_ALL": "C"}, **given)

    def manager(self) -> str | None:
        for command, name in (("apt-get", "apt"), ("dnf", "dnf")):
            if shutil.which(command, path=self.path):
                return name
        return None

    def root(self, purpose: str) -> list:
        """The command that makes root of us; fails when there is none."""
        if os.geteuid() == 0:
            return []
        if shutil.which("sudo", path=self.path):
            if self.run(["sudo", "-n", "true"])[0] == 0:
                return ["sudo", "-n"]
            if self.module.params["become_password"]:
                if self.run([*ASKING, "true"])[0] == 0:
                    return list(ASKING)
                self.fail(
                    f"{purpose} needs root, and sudo does not take the password in ansible_become_password for the "
                    f"login user '{_facts.user_name()}'. Check it; nothing was changed."
                )
        self.fail(
            f"{purpose} needs root, and the login user '{_facts.user_name()}' is neither root nor may use sudo "
            "without a password. Log in as root (ansible_user; with -c local: start Ansible as root), allow the "
            "user sudo, set ansible_become_password (or run with -K), or do it by hand."
        )
        return []

    def missing(self, manager: str | None) -> list:
        wanted = self.module.params["packages"]
        installed = {}
        for name in wanted:
            real = _system_packages.DNF.get(name, name) if manager == "dnf" else name
            installed[real] = "" if self.is_installed(manager, real) else None
        tools = {command: shutil.which(command, path=self.path) for command in _system_packages.COMMANDS.values()}
        return _system_packages.missing(wanted, {"packages": installed, "tools": tools, "package_manager": manager})

    def is_installed(self, manager: str | None, name: str) -> bool:
        if manager == "apt":
            code, out, _err = self.run(["dpkg-query", "-W", "-f", "${db:Status-Status}\n", name])
            return code == 0 and "installed" in out.split("\n")
        if manager == "dnf":
            return self.run(["rpm", "-q", "--whatprovides", name])[0] == 0
        return False

    def install(self, manager: str | None, names: list) -> None:
        root = self.root(f"Installing {', '.join(names)}") if manager else []
        if self.module.check_mode:
            if not manager:
                self.fail(f"{', '.join(names)} cannot be installed here: the host has neither apt nor dnf.")
            return
        try:
            _system_packages.Installer(self.run, root, self.module.params["lock_timeout"]).install(str(manager), names)
        except _system_packages.PackageError as error:
            self.fail(str(error))

    def make_workdir(self, path: str) -> None:
        if os.path.isdir(path):
            if not os.access(path, os.W_OK | os.X_OK):
                self.fail(
                    f"The work folder {path} exists, but the login user may not write there: choose another "
                    "rented_workdir, or give it to the user."
                )
            return
        if os.path.lexists(path):
            self.fail(f"The work folder {path} is a file on the host: choose another rented_workdir.")
        self.made.append(path)
        above = os.path.dirname(path)
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        by_root = not os.access(above, os.W_OK | os.X_OK)
        root = self.root(f"Making the work folder {path}") if by_root else []
        if self.module.check_mode:
            return
        if by_root:
            code, out, err = self.run(
                [*root, "install", "-d", "-m", "0755", "-o", str(os.geteuid()), "-g", str(os.getegid()), path],
            )
            if code != 0:
                self.fail(f"The work folder {path} could not be made: {(err or out).strip()}")
            return
        try:
            os.makedirs(path)
        except OSError as error:
            self.fail(f"The work folder {path} could not be made: {error.strerror}.")

    def no_auto_tmux(self) -> None:
        path = os.path.join(self.home, ".no_auto_tmux")
        if os.path.lexists(path):
            return
        self.made.append(path)
        if not self.module.check_mode:
            with open(path, "a", encoding="utf-8"):
                pass


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    setup = Setup(module)
    workdir = module.params["workdir"]
    if workdir:
        workdir = os.path.normpath(os.path.join(setup.home, workdir))
    manager = setup.manager()
    names = setup.missing(manager)
    if workdir:
        setup.make_workdir(workdir)
    if module.params["auto_tmux_off"]:
        setup.no_auto_tmux()
    if names:
        setup.install(manager, names)
    if not module.check_mode and module.params["stamp_wanted"]:
        watch = {"exists": {workdir: True}} if workdir else {}
        _stamps.write(setup.home, STAMP, module.params["stamp_wanted"], watch, {"installed": names})
    before = [f"missing package: {name}" for name in names] + [f"missing: {path}" for path in setup.made]
    after = [f"package: {name}" for name in names] + [f"there: {path}" for path in setup.made]
    module.exit_json(
        changed=bool(before),
        installed=names,
        made=setup.made,
        diff={"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)},
    )


if __name__ == "__main__":
    main()
