# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Paperspace runs at the first boot, run as root on a VM look-alike with Paperspace's user: the key logs in through real sshd."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._providers._paperspace import scripts
from ansible_collections.rented.gpu.plugins.module_utils._renting._models import LaunchRequest


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("vm")
    found.wait_for_ssh()
    found.ssh("sudo useradd --create-home --shell /bin/bash paperspace")
    return found


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@example.org", "-f", str(path)], check=True)
    return path


def test_the_key_logs_in_and_the_users_script_ran_as_root(box, key):
    def login(command):
        ssh = [part.replace("ubuntu@", "paperspace@") for part in box.ssh_command("-o", "IdentitiesOnly=yes")]
        ssh[ssh.index("-i") + 1] = str(key)
        return subprocess.run([*ssh, command], capture_output=True, text=True, timeout=60, check=False)

    assert login("id -un").returncode == 255
    public = key.with_suffix(".pub").read_text()
    script = "#!/bin/bash\nid -un > /etc/who-was-it\n"
    for _boot in range(2):
        text = scripts.first_boot(LaunchRequest(name="x", ssh_public_key=public, startup_script=script))
        box.ssh("cat > first_boot && chmod +x first_boot && sudo ./first_boot", input=text)
    done = login("id -un; cat /etc/who-was-it; grep -c ssh-ed25519 .ssh/authorized_keys; stat -c '%U %a' .ssh .ssh/authorized_keys")
    assert done.stdout.split() == ["paperspace", "root", "1", "paperspace", "700", "paperspace", "600"], done.stderr
