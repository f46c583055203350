# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the bench: fresh rehearsal boxes, each behind a delaying proxy, each with the repository that the rivals clone."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
import time

from _delay import DelayProxy

from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers.rehearsal import RehearsalProvider
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest
from ansible_collections.rented.gpu.plugins.plugin_utils._ssh._connection import Connection

PATIENCE = 60  # seconds until a new box lets us in


class Box:
    """One rented host. Its address is that of the proxy in front of it."""

    def __init__(self, provider: RehearsalProvider, name: str, work: pathlib.Path, image: str, rtt_ms: float) -> None:
        self.name, self.work = name, work
        self.provider = provider
        self.engine = engines.need_engine()
        key = (work / "key.pub").read_text().strip()
        self.id = provider.launch(LaunchRequest(name=name, image=image, gpu="RTX 4090", ssh_public_key=key))
        self.proxy = None
        try:
            # What the rivals clone lies on the host itself: faster than any git host.
            self.engine.run("exec", self.id, "mkdir", "-p", "/srv/git")
            self.engine.run("cp", str(work / "homework.git"), self.id + ":/srv/git/homework.git")
            # sshd then says when a session starts, in the console. It reads its configuration again in place.
            self.engine.run("exec", self.id, "sh", "-c", "echo LogLevel VERBOSE >> /etc/ssh/sshd_config && kill -HUP 1")
            instance = provider.get_instance(self.id)
            self.proxy = DelayProxy(instance.ssh_port, rtt_ms)
            self.instance = dataclasses.replace(instance, ssh_host="127.0.0.1", ssh_port=self.proxy.port)
            self._wait()
        except BaseException:
            self.destroy()
            raise

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while subprocess.run(self.ssh("true"), capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode:
            if time.monotonic() > end:
                raise SystemExit("The box %s lets nobody in after %d s; its console says:\n%s" % (self.name, PATIENCE, self.console()))
            time.sleep(0.3)

    def ssh(self, *command) -> list:
        """The plain ssh of a person: a login each time."""
        return [
            *["ssh", "-o", "BatchMode=yes", "-o", "ControlPath=none", "-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"],
            *["-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=%s" % (self.work / "known_hosts"), "-o", "HostKeyAlias=" + self.name],
            *["-i", str(self.work / "key"), "-p", str(self.proxy.port), "root@127.0.0.1", *command],
        ]

    def console(self) -> str:
        done = self.engine.call("logs", self.id)
        return done.stdout + done.stderr

    def executions(self) -> int:
        """How many commands sshd has started here so far: remote executions, and one per connection for file transfers."""
        return self.console().count("Starting session:")

    def our_variables(self) -> dict:
        """What our inventory plugin says of this host, with the proxy as its address."""
        variables = Connection().variables(self.instance, private_key_file=str(self.work / "key"))
        variables.update({"rented_" + name: value for name, value in self.instance.as_dict().items()})
        return variables

    def stock_variables(self) -> dict:
        """What a hand-written inventory says."""
        known = self.work / "known_hosts"
        arguments = "-o UserKnownHostsFile=%s -o HostKeyAlias=%s -o StrictHostKeyChecking=accept-new" % (known, self.name)
        return {
            "ansible_host": "127.0.0.1",
            "ansible_port": self.proxy.port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.work / "key"),
            "ansible_ssh_common_args": arguments,
        }

    def pyinfra_data(self) -> dict:
        return {
            "ssh_hostname": "127.0.0.1",
            "ssh_port": self.proxy.port,
            "ssh_user": "root",
            "ssh_key": str(self.work / "key"),
            "ssh_known_hosts_file": str(self.work / ("known_hosts_" + self.name)),
            "ssh_strict_host_key_checking": "accept-new",
            "ssh_allow_agent": False,
            "ssh_look_for_keys": False,
        }

    def destroy(self) -> None:
        if self.proxy:
            self.proxy.close()
        self.provider.destroy(self.id)
