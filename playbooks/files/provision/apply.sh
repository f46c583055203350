#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Second half of run.sh, read by it: waits for what comes later, then applies the roles. It may use all that run.sh has.
# shellcheck disable=SC2154  # set by run.sh
expand() { case $1 in [~]/*) echo "$HOME/${1#??}" ;; *) echo "$1" ;; esac; }
missing() {
    printf '%s\n' "$v_wait" | while IFS= read -r path; do
        full=$(expand "$path")
        [ -z "$path" ] || [ -d "$full" ] || [ -s "$full" ] || printf '%s ' "$path"
    done
}

end=$(($(date +%s) + v_timeout)) last=
while left=$(missing) && [ "$left" ]; do
    step="wait for ${left% }"
    [ "$(date +%s)" -lt $end ] || fail "waited $v_timeout s for ${left% }: put it there, then run: sh ~/.rented/provision/run.sh"
    [ "$left" = "$last" ] || { say "$step" && state waiting; }
    last=$left
    sleep 2 9>&-
done

begin "apply the roles"
printf '%s\n' "$v_settings" >"$place/settings.json"
cd "$HOME" || cd / || exit 1
lines=$(wc -l <"$log")
"$place/env/bin/ansible-playbook" -i "$place/collections/ansible_collections/rented/gpu/inventory/here.yml" \
    rented.gpu.bootstrap -e "@$place/settings.json" >>"$log" 2>&1 9>&-
code=$?
if [ $code != 0 ]; then
    # The sentence of the task that failed: in its result, or alone for Ansible's own errors.
    why=$(tail -n "+$((lines + 1))" "$log" | "$place/env/bin/python" -c '
import json, sys
said = ""
for line in sys.stdin:
    if line.startswith("[ERROR]: "):
        said = line[9:]
    elif line.startswith("fatal: ") and "=> " in line:
        try:
            said = str(json.loads(line.split("=> ", 1)[1])["msg"])
        except (ValueError, KeyError, TypeError):
            pass
print(" ".join(said.split())[:1000])')
    fail "${why:-ansible-playbook ended with $code}" $code
fi
step="all is done"
state ready 0
say "ready: ~/.rented/ready.json"
