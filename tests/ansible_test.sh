#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test wants to lie in ansible_collections/rented/gpu and does not follow our link: it gets a copy of the tracked files.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/.cache/ansible_test
copy=$work/ansible_collections/rented/gpu
version=$("$root/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

rm -rf "$copy"
mkdir -p "$copy" "$work/home/.ansible/test/cache"
git -C "$root" ls-files -z -- ':!.collections' | rsync -a --from0 --files-from=- "$root/" "$copy/"
git -C "$copy" init -q && git -C "$copy" add -A

# ansible-test fetches pip's installer from a host that is not always reachable. This stand-in of the same name
# takes the pip that Python carries, then the pinned one from the package index.
for name in get_pip_24_2.py get_pip_25_2.py get_pip_25_3.py get_pip_26_0.py; do
    cat >"$work/home/.ansible/test/cache/$name" <<'STAND_IN'
import os, subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip", "--upgrade"])
os.environ.pop("PIP_CONFIG_FILE", None)
wanted = [word for word in sys.argv[1:] if word.split("=")[0] in ("pip", "setuptools", "wheel")]
if wanted:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *wanted])
STAND_IN
done

cd "$copy"
export HOME=$work/home PATH=$root/.venv/bin:$PATH
unset PYENV_VERSION ANSIBLE_HOME
ansible-test sanity --local --python "$version" --color no "$@"
# That the tests are where ansible-test looks for them. All of them run under pytest already, for each Python once.
ansible-test units --local --python "$version" --color no tests/unit/plugins/modules/test_host_facts.py tests/unit/plugins/plugin_utils/_show/test_table.py
