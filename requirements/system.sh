#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What the machine itself needs: `system.sh python` for Python environments, `system.sh engine` also for containers.
# Installs what is missing on Debian and Ubuntu as root or with sudo; elsewhere says what to install.
set -eu

packages=""
need() { # need COMMAND PACKAGE...
    command -v "$1" >/dev/null 2>&1 || { shift; packages="$packages $*"; }
}

PATH="$PATH:/usr/sbin:/sbin"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || packages="$packages python3"
python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
need git git
need ssh openssh-client
need rsync rsync
# The scripts that run on instances are checked, and tried in another shell, with other programs to download and unpack.
need shellcheck shellcheck
need busybox busybox
need curl curl
need wget wget
need unzip unzip
if [ "${1:-python}" = engine ]; then
    if ! command -v docker >/dev/null 2>&1 || ! docker info >/dev/null 2>&1; then
        need podman podman runc netavark aardvark-dns
        need iptables iptables
        # Containers of a user who is not root.
        if [ "$(id -u)" != 0 ]; then
            need newuidmap uidmap
            need slirp4netns slirp4netns
        fi
    fi
    need debootstrap debootstrap
fi

[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "This machine lacks:$packages. Install them with its package manager, then run make again." >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
    sudo="sudo -n"
    $sudo true 2>/dev/null || {
        echo "This machine lacks:$packages. As root: apt-get install$packages" >&2
        exit 1
    }
fi
echo "Installing$packages"
$sudo apt-get update -qq
# shellcheck disable=SC2086  # a list of words on purpose
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null
