# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of `rented.gpu.ready`: the first login, with the patience it needs, and the one reading of the host."""

from __future__ import annotations

import re
import sys
import time

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.basic import _PY_MIN
from ansible.utils.display import Display

from ansible_collections.rented.gpu.plugins.module_utils._host import _stamps, _system_packages
from ansible_collections.rented.gpu.plugins.modules.ready import ARGUMENT_SPEC as SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils._failure import Failure
from ansible_collections.rented.gpu.plugins.plugin_utils._role_action import RoleAction
from ansible_collections.rented.gpu.plugins.plugin_utils._run_facts import FACTS
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh import _commands, _deadline, _local_host, _login_failures

display = Display()

INTERPRETER = "discovered_interpreter_python"  # the fact in which Ansible keeps what its own search found
GUESS = "/usr/bin/python3"
# Seconds that a refused key is tried again: providers place keys 10 to 15 s after sshd answers.
KEY_GRACE = 25
LONGEST_PAUSE = 15

NO_PYTHON = re.compile(r"not found|No such file or directory|requires a minimum of Python|requires Python \d|SyntaxError|No module named")
# Seconds that the first reading may take on a host that let us in: nvidia-smi alone may take 30.
READING = 120
LEAST = 45  # also where ready_timeout is shorter
PROBE = 20
INSTALLING = 900  # beyond ready_timeout, for the one command that installs Python

CLOSED = re.compile(r"(?m)^(?!kex_)(?:.*: )?Connection (?:closed|reset) by \S+ port \d+")

# One raw command: finds a Python, or installs one. %(install)s is 0 in check mode. It prints lines that begin with RENTED-,
# between whatever else a login shell prints.
FIND_PYTHON = r"""
found() {
  for folder in $(echo "$PATH" | tr : ' ') /usr/bin /usr/local/bin /usr/libexec /opt/conda/bin /opt/miniconda3/bin /opt/miniforge3/bin \
      /opt/venv/bin /venv/main/bin "$HOME/miniconda3/bin" "$HOME/miniforge3/bin" "$HOME/.local/bin"; do
    for python in "$folder"/python3 "$folder"/python3.[0-9] "$folder"/python3.[0-9][0-9] "$folder"/platform-python; do
      if [ -x "$python" ] && "$python" -c 'import sys, json, zipfile, ast; sys.exit(sys.version_info < %(least)s)' >/dev/null 2>&1; then
        echo "RENTED-PYTHON=$python"
        return 0
      fi
    done
  done
  return 1
}
asking_sudo() { printf '%%s\n' "$secret" | sudo -k -S -p '' "$@"; }
stop() { echo "RENTED-ERROR=$*"; exit 0; }
secret=
[ %(password)s = 0 ] || IFS= read -r secret
found && exit 0
[ %(install)s = 1 ] || { echo RENTED-WOULD-INSTALL=1; exit 0; }
root=
if [ "$(id -u)" != 0 ]; then
  if sudo -n true >/dev/null 2>&1; then root="sudo -n"
  elif [ -z "$secret" ]; then
    stop "the login user '$(id -un)' is neither root nor may use sudo without a password (set ansible_become_password, or run with -K)"
  else
    root=asking_sudo
    $root true >/dev/null 2>&1 || stop "sudo does not take the password in ansible_become_password for the login user '$(id -un)'"
  fi
fi
end=$(( $(date +%%s) + %(limit)d ))
apt() {
  mended=
  while :; do
    said=$($root env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get "$@" 2>&1) && return 0
    case "$said" in
      *"Could not get lock"*|*"Unable to acquire"*|*"Unable to lock"*)
        [ "$(date +%%s)" -lt "$end" ] ||
          stop "another program installs packages; waited %(limit)d s, nothing was killed:" $(echo "$said" | grep '^E:' | head -n 1)
        sleep 3 ;;
      *"dpkg was interrupted"*)
        [ -z "$mended" ] || return 1
        mended=1
        $root env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >/dev/null 2>&1 ;;
      *) return 1 ;;
    esac
  done
}
if command -v apt-get >/dev/null 2>&1; then
  ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || apt update -q -o Acquire::Languages=none
  wanted="install -q -y --no-install-recommends python3"
  apt $wanted || { apt update -q -o Acquire::Languages=none; apt $wanted; } ||
    stop "apt-get said:" $(echo "$said" | grep '^E:' | head -n 3)
elif command -v dnf >/dev/null 2>&1 || command -v microdnf >/dev/null 2>&1; then
  tool=$(command -v dnf || command -v microdnf)
  said=$($root "$tool" -y install python3 2>&1) || stop "$tool said:" $(echo "$said" | tail -n 3)
else
  stop "the host has neither apt nor dnf"
fi
echo RENTED-INSTALLED=1
found || stop "the package python3 is installed, but it is older than Python %(version)s"
"""


def _known_project(facts):
    """Project and environment of an earlier run, so that a role that reads them can run without python_env."""
    stamp = (facts.get("stamps") or {}).get("python_env") or {}
    data = stamp.get("data") if stamp.get("intact") else None
    return {"project": data["project"], "environment": data["path"]} if data and data.get("project") and data.get("path") else {}


class ActionModule(RoleAction):
    ARGUMENT_SPEC = SPEC

    def work(self, arguments):
        self.host = self._task_vars.get("inventory_hostname")
        self.timeout = arguments["timeout"]
        self.settled_interpreter = self._chosen_interpreter()
        # On this machine there is one that surely works.
        self._use_interpreter(sys.executable if _local_host.is_here(self._connection) else GUESS)
        request = {"workdir": arguments["workdir"] or None, "packages": _system_packages.names_to_ask(arguments["packages"])}

        result = self._log_in(request)
        changed = False
        if self._lacks_python(result):
            python, changed = self._find_python()
            if python is None:
                message = f"Would install Python on {self.host}; what follows cannot be predicted before it is there."
                return {"changed": True, "msg": message, "diff": {"before": "missing: Python\n", "after": "there: Python\n"}}
            self._use_interpreter(python)
            result = self._read(request)
        facts = self._facts_of(result)
        self.check_pinned()
        self.set_facts(**facts, **_known_project(facts))

        need = {
            "packages": _system_packages.missing(arguments["packages"], facts),
            "auto_tmux_off": facts["auto_tmux"]["present"] and not facts["auto_tmux"]["off"],
        }
        wanted = {"workdir": arguments["workdir"]}
        if arguments["workdir"] and not self.settled("ready", wanted):
            need["workdir"] = facts["workdir"]
        if not any(need.values()):
            return {"changed": changed}
        if arguments["workdir"]:  # the stamp is written anew, and watches it
            need["workdir"] = facts["workdir"]
        need["stamp_wanted"] = _stamps.digest(wanted)
        done = self.remote("host_setup", dict(need, lock_timeout=self.timeout, become_password=self.become_password()))
        answer = {key: done[key] for key in ("installed", "made", "diff") if key in done}
        if done["changed"] and not self.check_mode:
            facts = self._facts_of(self._read(request))
            self.set_facts(**facts, **_known_project(facts))
        return dict(answer, changed=changed or done["changed"])

    # --- the interpreter ---------------------------------------------------------------------------------------

    def _chosen_interpreter(self):
        """The interpreter that the user set, or None where Ansible would search."""
        value = self._templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=self._task_vars))
        return None if not value or str(value).startswith("auto") else str(value)

    def _use_interpreter(self, path):
        if not self.settled_interpreter:
            self._task_vars["ansible_facts"][INTERPRETER] = path
            self._new_facts[INTERPRETER] = path

    def _find_python(self):
        """``(path, installed)``; the path is None in check mode when one would have to be installed."""
        if self.settled_interpreter:
            raise Failure(
                f"ansible_python_interpreter is {self.settled_interpreter}, and {self.host} has no usable Python "
                "there: take the setting out (ready finds or installs one), or set the right path."
            )
        password = self.become_password()
        script = FIND_PYTHON % {
            "least": "(%d, %d)" % _PY_MIN,
            "version": "%d.%d" % _PY_MIN,
            "install": 0 if self.check_mode else 1,
            "limit": self.timeout,
            "password": 1 if password else 0,
        }
        self.executions += 1
        options = {"in_data": (password + "\n").encode()} if password else {}
        with _deadline.Deadline(self._connection, self.timeout + INSTALLING) as deadline:
            said = self._low_level_execute_command(script, **options)
        if deadline.passed:
            raise Failure(f"Installing Python on {self.host} did not end within {deadline.seconds:.0f} s and was stopped.")
        lines = dict(re.findall(r"^RENTED-([A-Z-]+)=(.*?)\r?$", said["stdout"], flags=re.M))
        if "PYTHON" in lines:
            return lines["PYTHON"], "INSTALLED" in lines
        if "WOULD-INSTALL" in lines:
            return None, False
        why = lines.get("ERROR") or _login_failures.last_words(said["stderr"] or said["stdout"])
        raise Failure("%s has no Python %d.%d or later, and none could be installed: %s." % (self.host, *_PY_MIN, why.rstrip(".")))

    # --- the login ---------------------------------------------------------------------------------------------

    def _log_in(self, request):
        """The first reading of the host, tried until it lets us in. Raises AnsibleConnectionFailure with a sentence when it does not."""
        began = time.monotonic()
        refused = None
        looked = False
        pause = 1
        while True:
            left = self.timeout - (time.monotonic() - began)
            text = None
            with _deadline.Deadline(self._connection, max(min(left, READING), LEAST)) as deadline:
                try:
                    result = self._read(request)
                except AnsibleConnectionFailure as error:
                    text = str(error)
            if deadline.passed:
                raise self._stuck(deadline.seconds)
            if text is None:
                return result
            self._tell_other_user(text)
            if "Failed to create temporary directory" in text:
                self._tell_no_shell(text)
            text = _login_failures.cause(text, self._ask_ssh)
            now = time.monotonic()
            why = _login_failures.classify(text)
            if why == _login_failures.KEY:
                said = self._ask_ssh() if refused is None or now - refused >= min(KEY_GRACE, self.timeout) else ""
                refused = refused or now
                if now - refused >= min(KEY_GRACE, self.timeout) or not _login_failures.may_heal(said):
                    raise AnsibleConnectionFailure(_login_failures.key_refused(self.host, self._user(), said)) from None
            elif why == _login_failures.CHANGED:
                raise AnsibleConnectionFailure(_login_failures.host_key_changed(self.host, text)) from None
            elif why != _login_failures.DOWN or now - began >= self.timeout:
                raise AnsibleConnectionFailure(self._no_login(why, text, now - began)) from None
            elif not looked and CLOSED.search(text):
                # Hung up after the greetings: only the whole story tells whether our key was accepted before.
                looked = True
                said = self._ask_ssh()
                if _login_failures.ACCEPTED.search(said) and "Authenticated to" not in said and not _login_failures.BOOTING.search(said):
                    raise AnsibleConnectionFailure(_login_failures.key_refused(self.host, self._user(), said)) from None
            if pause == 1:
                doing = "does not take the key yet" if why == _login_failures.KEY else "does not answer yet"
                display.display(
                    "%s %s; trying again for up to %d s (%s)"
                    % (
                        self.host,
                        doing,
                        min(KEY_GRACE, self.timeout) if why == _login_failures.KEY else self.timeout,
                        _login_failures.last_words(text),
                    )
                )
            time.sleep(min(pause, max(0.1, self.timeout - (now - began))))
            pause = min(pause * 1.6, LONGEST_PAUSE)

    def _stuck(self, seconds):
        """What to say of a first reading that did not end: does the login shell run commands at all?"""
        probe = self._probe()
        if probe.works:
            return Failure(
                f"{self.host} let us in, but reading it did not end within {seconds:.0f} s: a program or a disk on "
                "the host hangs. Log in and look."
            )
        if probe.logged_in:
            return Failure(
                f"{self.host}: logged in, but the login shell runs no command (waited {seconds:.0f} s): look at "
                "~/.bashrc, ~/.zshrc and ~/.profile on the host (exec, read, a menu)."
            )
        return AnsibleConnectionFailure(
            f"{self.host}: the login did not end within {seconds:.0f} s; ssh said: {_login_failures.last_words(probe.said).rstrip('.')}."
        )

    def _tell_other_user(self, text):
        other = _login_failures.other_user(text)
        if other:
            raise Failure(
                f"{self.host} does not let user '{self._user()}' work; it says: log in as '{other}'. Set ansible_user to '{other}'."
            )

    def _tell_no_shell(self, text):
        """Without pipelining Ansible says no more than that its folder could not be made; the login itself tells why."""
        probe = self._probe()
        self._tell_other_user(probe.printed + probe.said)
        if probe.logged_in and not probe.works:
            raise Failure(f"{self.host} let user '{self._user()}' in, but {probe.instead().rstrip('.')}.")

    def _no_login(self, why, text, seconds):
        place = f"{self.host} ({self._task_vars.get('ansible_host', self.host)}, port {self._task_vars.get('ansible_port', 22)})"
        words = _login_failures.last_words(text)
        if why == _login_failures.DOWN:
            return (
                f"{place} did not let us in within {seconds:.0f} s; ssh said: {words}. Check at the provider that "
                "the instance runs and that this address and port are still its own, look at its console, or raise "
                "ready_timeout."
            )
        if why == _login_failures.NAME:
            return f"The address of {place} cannot be resolved; ssh said: {words}. Check ansible_host and this machine's network."
        if why == _login_failures.UNKNOWN:
            return (
                f"The host key of {place} is not known and may not be learned; ssh said: {words}. List the host with "
                "the inventory plugin, which keeps host keys per instance, or put its key into your known_hosts "
                "file."
            )
        return _login_failures.local_cause(why, self.host, text) or f"ssh could not log in to {place}; it said: {words}."

    def log_in_anew(self):
        self._probe()

    def _ask_ssh(self):
        return self._probe().said

    def _probe(self):
        command = _commands.Ssh(self._connection, self._task_vars).argv()
        # First value wins in ssh: a login of its own, whatever the rest says about sharing.
        alone = ["-v", "-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "PreferredAuthentications=publickey"]
        return _login_failures.Probe([command[0], *alone, *command[1:], str(self._task_vars.get("ansible_host", self.host))], PROBE)

    def _user(self):
        try:
            return self._connection.get_option("remote_user") or "(yours)"
        except Exception:  # another connection plugin
            return self._task_vars.get("ansible_user", "(yours)")

    # --- the reading -------------------------------------------------------------------------------------------

    def _read(self, request):
        result = self._execute_module(module_name="rented.gpu.host_facts", module_args=dict(request), task_vars=self._task_vars)
        self.executions += 1
        return result

    def _words_of(self, result):
        return "\n".join(str(result.get(key) or "") for key in ("module_stderr", "module_stdout", "msg"))

    def _lacks_python(self, result):
        if isinstance(result.get("ansible_facts"), dict) and FACTS in result["ansible_facts"]:
            return False
        words = self._words_of(result)
        self._tell_other_user(words)
        return result.get("rc") == 127 or bool(NO_PYTHON.search(words))

    def _facts_of(self, result):
        found = result.get("ansible_facts")
        facts = found.get(FACTS) if isinstance(found, dict) else None
        if not facts and '"ansible_facts"' in str(result.get("module_stdout")):
            raise Failure(
                f"{self.host} let us in, but what its login shell prints hides the answers: it begins with "
                f"'{result['module_stdout'].strip().splitlines()[0][:80]}'. Make ~/.bashrc print nothing in a shell "
                "that is not interactive."
            )
        if not facts:
            words = _login_failures.last_words(self._words_of(result))
            raise Failure(f"{self.host} let us in, but could not be read: {words}", rc=result.get("rc"))
        return self.facts_in(result)
