# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same work as a pyinfra deploy."""

from __future__ import annotations

import pathlib

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, git, pip, server

PROJECT = "/workspace/homework"
GITHUB = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
ACTIVE = "export VIRTUAL_ENV=%s/.venv PATH=%s/.venv/bin:$PATH" % (PROJECT, PROJECT)

files.file(name="Turn automatic tmux off", path="/root/.no_auto_tmux")
apt.packages(
    name="Install packages",
    packages=["git", "python3-venv", "rsync", "tmux"],
    no_recommends=True,
    update=True,
    cache_time=86400,
)
files.directory(name="Make the folder for ssh", path="/root/.ssh", mode="700")
files.line(name="Trust the key of GitHub", path="/root/.ssh/known_hosts", line=GITHUB)
git.config(name="Set the name for git", key="user.name", value="Ada Lovelace")
git.config(name="Set the address for git", key="user.email", value="ada@example.org")
git.repo(name="Clone the repository", src="/srv/git/homework.git", dest=PROJECT, branch="main")
pip.venv(name="Make the environment", path=PROJECT + "/.venv", python="python3")
pip.packages(name="Upgrade pip", packages=["pip"], latest=True, virtualenv=PROJECT + "/.venv")
pip.packages(name="Install the requirements", requirements=PROJECT + "/requirements.txt", virtualenv=PROJECT + "/.venv")
files.line(name="Activate the environment at login", path="/root/.profile", line=ACTIVE)
files.put(name="Configure tmux", src=str(pathlib.Path(__file__).with_name("tmux.conf")), dest="/root/.tmux.conf", mode="644")
if not host.get_fact(Command, "command -v tmux > /dev/null && tmux has-session -t homework 2> /dev/null && echo yes || true"):
    server.shell(name="Open the session", commands=["tmux new-session -d -s homework -c " + PROJECT])
server.shell(name="Check the driver", commands=["nvidia-smi > /dev/null"])
server.shell(
    name="Check the environment",
    commands=[PROJECT + "/.venv/bin/python -c 'import sys; assert sys.prefix != sys.base_prefix'"],
)
