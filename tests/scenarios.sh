#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# scenarios.sh [NAME...]: the named Molecule scenarios, or all of them, one after the other, with a closing line.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH=$PWD/.venv/bin:$PATH ANSIBLE_HOME=$PWD/.cache/ansible
if [ $# = 0 ]; then
    for file in molecule/*/molecule.yml; do set -- "$@" "$(basename "$(dirname "$file")")"; done
fi
passed=0 failed=0
for scenario in "$@"; do
    if molecule test --scenario-name "$scenario"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "molecule: $passed passed, $failed failed"
[ "$failed" = 0 ]
