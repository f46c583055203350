#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# python.sh FOLDER PYTHON REQUIREMENTS: a Python environment with the pinned packages, made or brought up to date.
set -eu
folder=$1 python=$2 requirements=$3
here=$(dirname "$0")
uv=$(sed -n 's/^uv==/uv==/p' "$here/uv.txt")

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
[ -x "$folder/bin/uv" ] || "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$uv"
"$folder/bin/uv" pip install --quiet --system-certs --python "$folder/bin/python" -r "$requirements"
touch "$folder/.ready"
