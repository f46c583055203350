#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# other_python.sh PYTHON: prints a Python that gets another ansible-core than PYTHON does (2.19 below 3.12, 2.21 from there on), or nothing.
mine=$("${1:-python3}" -c 'import sys; print(sys.version_info >= (3, 12))' 2>/dev/null) || exit 0
if [ "$mine" = True ]; then wanted="3.11"; else wanted="3.13 3.14 3.12"; fi
for version in $wanted; do
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version".*/bin/python; do
        # A pyenv shim exists for versions that are not chosen, so being there is not enough.
        if "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            command -v "$python"
            exit 0
        fi
    done
done
