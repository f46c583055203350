#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the collection, checks it as Galaxy does, installs it in an empty folder, and looks whether Ansible finds what it needs there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/.cache/package
rm -rf "$work" && mkdir -p "$work"
cd "$work"
ansible-galaxy collection build --output-path "$work" "$root" >/dev/null
archive=$(ls "$work"/rented-gpu-*.tar.gz)
python -m galaxy_importer.main "$archive" >importer.log 2>&1 || { cat importer.log; exit 1; }
tail -n 3 importer.log
ansible-galaxy collection install --offline --collections-path "$work/installed" "$archive" >/dev/null
export ANSIBLE_COLLECTIONS_PATH=$work/installed
cd "$work/installed"
ansible-playbook --syntax-check rented.gpu.bootstrap
ansible-doc -t inventory rented.gpu.instances >/dev/null
echo "package: $(basename "$archive") builds, imports and installs"
