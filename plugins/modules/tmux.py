#!/usr/bin/python
# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tmux
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
    description: Folder in which the session starts. When it is empty, the action takes the first repository of C(repos_list), else the workdir.
    type: path
    default: ''
  config:
    description: Whether to give tmux a configuration when the user has none. With V(false) the one that an earlier run gave is taken back.
    type: bool
    default: true
  environment:
    description:
      - The Python environment of the session, active in each of its windows even when another project is prepared on the host later.
      - The action takes the one that M(rented.gpu.python_env) made.
    type: path
    default: ''
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
  rented.gpu.tmux:
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
command:
  description: The command that attaches to it from the controller, with a terminal that every host knows.
  type: str
  returned: from the action
environment:
  description: The Python environment of the session, if any.
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

from ansible_collections.rented.gpu.plugins.module_utils._host import _shell_files, _stamps, _tools

STAMP = "tmux"

ARGUMENT_SPEC = {
    "name": {"type": "str", "default": ""},
    "project": {"type": "path", "default": ""},
    "config": {"type": "bool", "default": True},
    "environment": {"type": "path", "default": ""},
    "pending": {"type": "bool", "default": False},
    "stamp_wanted": {"type": "str", "default": ""},
}

VARIABLE = "RENTED_ENV"  # read by ~/.rented/env.sh: the environment of this session, and not of the project that was prepared last
SOURCE = "source-file -q ~/.rented/tmux.conf"
CONFIG = """\
# tmux on a rented host. Written by rented.gpu.tmux, which overwrites changes: put your own lines into ~/.tmux.conf.
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
        self.environment = module.params["environment"]
        self.tmux = _tools.which("tmux", _tools.folders(self.home))
        self.diff = []
        self.theirs = None  # the user's own configuration, when there is one

    def run(self):
        wanted = self.module.params
        there = self.sessions()
        if not self.name or ":" in self.name or "." in self.name:
            self.module.fail_json(msg=f"A tmux session needs a name without ':' and '.'; this one is '{self.name}'.")
        if not wanted["pending"]:
            if not self.tmux:
                self.module.fail_json(
                    msg="tmux is not on the host: the role ready installs it; without root, ask for an image that has it, or leave the "
                    "role tmux out. Nothing was changed."
                )
            if self.name not in there and not os.path.isdir(self.project):
                self.module.fail_json(msg=f"The folder {self.project}, where the tmux session should start, is not on the host.")
        dry = self.module.check_mode
        if not dry:
            _stamps.remove(self.home, STAMP)
        config, changed = self.configure(dry) if wanted["config"] else ("none", self.take_back(dry))
        if self.name not in there:
            changed = True
            if not dry:
                self.start()
            # What is there now, and not what should be: a configuration may end sessions that no client is attached to.
            after = sorted(there + [self.name]) if dry else self.sessions()
            self.diff.append(
                {"before_header": "tmux sessions", "after_header": "tmux sessions", "before": _listed(there), "after": _listed(after)}
            )
            there = after
        elif self.environment and self.environment_of_session() not in (None, self.environment):
            changed = True
            was = self.environment_of_session()
            header = f"environment of new windows in the tmux session {self.name}"
            self.diff.append({"before_header": header, "after_header": header, "before": was + "\n", "after": self.environment + "\n"})
            if not dry:
                self.ask("set-environment", "-t", self.target, VARIABLE, self.environment)
        result = {
            "changed": changed,
            "name": self.name,
            "attach": f"tmux attach -t {shlex.quote(self.name)}",
            "environment": self.environment or None,
            "config": config,
            "sessions": there,
            "diff": self.diff,
        }
        if wanted["stamp_wanted"] and not dry:
            data = {"name": self.name, "attach": result["attach"], "project": self.project, "config": config, "says": "tmux"}
            data["environment"] = self.environment or None
            watch = self.watch(config)
            _stamps.write(self.home, STAMP, wanted["stamp_wanted"], watch, data)
            result["stamp"] = {"wanted": wanted["stamp_wanted"], "watch": watch, "data": data}
        self.module.exit_json(**result)

    @property
    def target(self):
        """The session for tmux, by its whole name: without the sign a beginning of the name would do."""
        return "=" + self.name

    def sessions(self):
        # Not with the short time limit of the facts: a busy host must not look like one without the session.
        rc, out, _err = self.ask("list-sessions", "-F", "#{session_name}") if self.tmux else (1, "", "")
        return sorted(filter(None, out.split("\n"))) if rc == 0 else []

    def ask(self, *arguments):
        return self.module.run_command([self.tmux, "-u", *arguments], environ_update={"TMUX": ""})

    def environment_of_session(self):
        """The Python environment that new windows of the session get; None when it has none of its own, as sessions of other people."""
        if not self.tmux:
            return None
        rc, out, _err = self.ask("show-environment", "-t", self.target, VARIABLE)
        name, _equals, value = out.strip().partition("=")
        return value if rc == 0 and name == VARIABLE else None

    def take_back(self, dry):
        """Without our configuration: our file, and our lines in the user's."""
        changed = False
        path = os.path.join(self.home, ".tmux.conf")
        before = _shell_files.read(path)
        after = _shell_files.without_block(before, STAMP)
        if after != before:
            changed = True
            self.diff.append({"before_header": path, "after_header": path, "before": before, "after": after})
            if not dry:
                if after.strip() or os.path.islink(path):
                    _shell_files.write(path, after)
                else:
                    os.unlink(path)
        ours = os.path.join(self.home, _stamps.HOME, "tmux.conf")
        if os.path.lexists(ours):
            changed = True
            self.diff.append({"before_header": ours, "after_header": ours, "before": _shell_files.read(ours), "after": ""})
            if not dry:
                os.unlink(ours)
        return changed

    def configure(self, dry):
        """Our settings in a file of their own, read by a marked block; a user's configuration is left as it is."""
        path = os.path.join(self.home, ".tmux.conf")
        begin = _shell_files.BEGIN % STAMP
        before = _shell_files.read(path)
        other = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(self.home, ".config"), "tmux", "tmux.conf")
        for theirs, there in ((path, before.strip() and begin not in before), (other, os.path.exists(other))):
            if there:
                self.theirs = theirs
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
        if self.environment:
            kept[VARIABLE] = (
                self.environment
            )  # for the first window; a server that starts now takes it for all sessions, which is mended below
        command = ["env", "-i"] + ["%s=%s" % pair for pair in sorted(kept.items())] + [self.tmux, "-u"]
        folder = self.project.replace("#", "##")  # tmux expands formats in it
        if self.environment and self.sessions():
            self.ask("set-environment", "-g", VARIABLE, self.environment)  # the server runs already, and does not look at ours
        out, err = self.module.run_command(command + ["new-session", "-d", "-s", self.name, "-c", folder])[1:]
        if self.name not in self.sessions():
            said = (err or out).strip()
            if not said:
                said = "tmux started it, and it ended at once: look at default-command, default-shell and destroy-unattached in the "
                said += "configuration of tmux, and at ~/.profile."
            self.module.fail_json(msg=f"The tmux session '{self.name}' could not be started: {said}")
        if self.environment:
            self.ask("set-environment", "-t", self.target, VARIABLE, self.environment)
            self.ask("set-environment", "-g", "-u", VARIABLE)

    def watch(self, config):
        if self.theirs:
            return {"exists": {self.theirs: True}}
        if config != "ours":
            return {"exists": {os.path.join(self.home, _stamps.HOME, "tmux.conf"): False}}
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
