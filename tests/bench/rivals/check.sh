#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What every rival has to leave behind: prints what is missing, nothing when all is there. check.sh COMMIT
project=/workspace/homework
missing() { echo "$*"; }

[ "$(git -C $project rev-parse HEAD)" = "$1" ] || missing "the commit is not checked out"
[ "$(git config --global user.name)/$(git config --global user.email)" = "Ada Lovelace/ada@example.org" ] || missing "no git identity"
ssh-keygen -F github.com > /dev/null || missing "github.com is not in known_hosts"
[ -e ~/.no_auto_tmux ] || missing "automatic tmux is on"
tmux has-session -t homework || missing "no tmux session"
[ "$(bash -lc 'command -v python')" = $project/.venv/bin/python ] || missing "the environment is not active at login"
(cd $project && .venv/bin/python train.py) || missing "train.py fails"
