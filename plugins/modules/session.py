#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: session
short_description: Open a named tmux session in a project on a rented host
version_added: 0.1.0
description:
  - Gives tmux a configuration, unless the user has one, and starts a detached session in the project's folder.
  - Its shell is a login shell, so the environment that M(rented.gpu.python_env) made is active in it.
  - A session that is there is never touched, and nothing is ever killed.
  - Used as a task, the action of the same name runs on the controller. It does not go to the host at all when the session is
    known to be there, and calls this module otherwise.
options:
  name:
    description: Name of the session. When it is empty, the action takes the name of the project's folder.
    type: str
    default: ''
  project:
    description: Folder in which the session starts. When it is empty, the action takes the first of O(repos), else the workdir.
    type: path
    default: ''
  repos:
    description: The variable C(repos_list). Only the action looks at it.
    type: list
    elements: raw
    default: []
  config:
    description: Whether to give tmux a configuration when the user has none.
    type: bool
    default: true
  pending:
    description: The project or tmux itself would come earlier in this run, which is in check mode. The action sets it.
    type: bool
    default: false
  stamp_wanted:
    description: Digest of the request. The action sets it.
    type: str
    default: ''
attributes:
  check_mode:
    description: Predicts without changing anything.
    support: full
  diff_mode:
    description: Shows the configuration and the sessions before and after.
    support: full
author: The rented.gpu contributors (@rented-gpu)
"""

EXAMPLES = r"""
- name: Open a session in the homework
  rented.gpu.session:
    name: homework
    project: homework
"""

RETURN = r"""
name:
  description: Name of the session.
  type: str
  returned: always
attach:
  description: The command that attaches to it, to be typed on the host.
  type: str
  returned: always
config:
  description: Whose configuration tmux has, V(ours) or V(the user's own), or V(none).
  type: str
  returned: always
sessions:
  description: All sessions of the user.
  type: list
  elements: str
  returned: always
stamp:
  description: The stamp that was written.
  type: dict
  returned: when it was written
"""

import os
import shlex

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rented.gpu.plugins.module_utils import _shell_files, _stamps
from ansible_collections.rented.gpu.plugins.module_utils._host import _tools

STAMP = "tmux"

ARGUMENT_SPEC = {
    "name": {"type": "str", "default": ""},
    "project": {"type": "path", "default": ""},
    "repos": {"type": "list", "elements": "raw", "default": []},
    "config": {"type": "bool", "default": True},
    "pending": {"type": "bool", "default": False},
    "stamp_wanted": {"type": "str", "default": ""},
}

SOURCE = "source-file -q ~/.rented/tmux.conf"
CONFIG = """\
# tmux on a rented host. Written by rented.gpu.session, which overwrites changes: put your own lines into ~/.tmux.conf.
set -g mouse on
set -g history-limit 100000
set -g default-terminal "screen-256color"
set -g set-titles on
set -sg escape-time 20
"""


class Session:
    def __init__(self, module):
        self.module = module
        self.home = _stamps.user_home()
        self.name = module.params["name"]
        self.project = module.params["project"] or self.home
        self.tmux = _tools.which("tmux", _tools.folders(self.home))
        self.diff = []

    def run(self):
        wanted = self.module.params
        there = self.sessions()
        if not self.name or ":" in self.name or "." in self.name:
            self.module.fail_json(msg="A tmux session needs a name without ':' and '.'; this one is '%s'." % self.name)
        if not wanted["pending"]:
            if not self.tmux:
                self.module.fail_json(
                    msg="tmux is not on the host: the role ready installs it; without root, ask for an image that has it, or leave the "
                    "role tmux out. Nothing was changed."
                )
            if self.name not in there and not os.path.isdir(self.project):
                self.module.fail_json(msg="The folder %s, where the tmux session should start, is not on the host." % self.project)
        dry = self.module.check_mode
        if not dry:
            _stamps.remove(self.home, STAMP)
        config, changed = self.configure(dry) if wanted["config"] else ("none", False)
        if self.name not in there:
            changed = True
            if not dry:
                self.start()
            after = sorted(there + [self.name])
            self.diff.append(
                {"before_header": "tmux sessions", "after_header": "tmux sessions", "before": _listed(there), "after": _listed(after)}
            )
            there = after
        result = {
            "changed": changed,
            "name": self.name,
            "attach": "tmux attach -t %s" % shlex.quote(self.name),
            "config": config,
            "sessions": there,
            "diff": self.diff,
        }
        if wanted["stamp_wanted"] and not dry:
            data = {"name": self.name, "attach": result["attach"], "project": self.project, "config": config, "says": "tmux"}
            watch = self.watch(config)
            _stamps.write(self.home, STAMP, wanted["stamp_wanted"], watch, data)
            result["stamp"] = {"wanted": wanted["stamp_wanted"], "watch": watch, "data": data}
        self.module.exit_json(**result)

    def sessions(self):
        return sorted(_tools.tmux_sessions(self.tmux, os.getuid()))

    def configure(self, dry):
        """Our settings in a file of their own, read by a marked block; a user's configuration is left as it is."""
        path = os.path.join(self.home, ".tmux.conf")
        begin = _shell_files.BEGIN % STAMP
        before = _shell_files.read(path)
        other = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(self.home, ".config"), "tmux", "tmux.conf")
        if (before.strip() and begin not in before) or os.path.exists(other):
            return "the user's own", False
        changed = self.put(os.path.join(self.home, _stamps.HOME, "tmux.conf"), CONFIG, dry)
        return "ours", self.put(path, _shell_files.with_block(before, STAMP, [SOURCE], top=True), dry) or changed

    def put(self, path, after, dry):
        before = _shell_files.read(path)
        if before == after:
            return False
        self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})
        if not dry:
            os.makedirs(os.path.join(self.home, _stamps.HOME), mode=0o700, exist_ok=True)
            _shell_files.write(path, after)
        return True

    def start(self):
        # The server keeps the surroundings of this command for all sessions to come: those of a bare login, not those of a module.
        kept = {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "TMUX_TMPDIR", "TZ") if name in os.environ}
        kept["LANG"] = os.environ.get("LANG") or "C.UTF-8"
        command = ["env", "-i"] + ["%s=%s" % pair for pair in sorted(kept.items())]
        rc, out, err = self.module.run_command(command + [self.tmux, "new-session", "-d", "-s", self.name, "-c", self.project])
        if rc and self.name not in self.sessions():
            self.module.fail_json(msg="The tmux session '%s' could not be started: %s" % (self.name, (err or out).strip()))

    def watch(self, config):
        if config != "ours":
            return {}
        mine = os.path.join(self.home, _stamps.HOME, "tmux.conf")
        return {
            "files": {mine: _stamps.file_digest(mine)},
            "lines": {os.path.join(self.home, ".tmux.conf"): [_shell_files.BEGIN % STAMP, SOURCE]},
        }


def _listed(names):
    return "".join(name + "\n" for name in names)


def main():
    Session(AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)).run()


if __name__ == "__main__":
    main()
