#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# make_repository.sh FOLDER: the files in it become the first commit of a repository.
set -eu
cd "$1"
git init -q -b main
git add .
git -c user.name="Ada Lovelace" -c user.email=ada@example.org commit -q -m "Begin the homework"
