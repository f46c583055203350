#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prepares the instance that it runs on: uv, ansible-core and the collection in a private place, then apply.sh, which comes with the collection.
# playbooks/provision_script.yml puts lines before this that set place, log and the v_* variables, leaves out the parts `# only WORD` to `# end`
# whose word does not apply, and takes out comments and indentation, because some places take 4,048 characters. POSIX sh.
# shellcheck disable=SC2154,SC2317,SC2329  # v_*: see above; functions that `again` calls
# shellcheck disable=SC2030,SC2031  # UV_DEFAULT_INDEX is meant for uv alone
set -u
umask 22
PATH=$PATH:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C.UTF-8
# shellcheck disable=SC2046  # words
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME $(env | sed -n 's/^\(ANSIBLE_[A-Z0-9_]*\)=.*/\1/p')
rented=$HOME/.rented
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
step=begin

say() { echo "rented: $*" | tee -a "$log"; }
# A text as JSON.
text() { printf '"%s"' "$(printf %s "$1" | tr '\000-\037' ' ' | sed 's/[\\"]/\\&/g')"; }
# state NAME [EXIT-CODE [ERROR]]: what a person who logs in reads, in one rename.
state() {
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ) ended=null error=null
    [ -z "${2:-}" ] || ended=$(text "$now")
    [ -z "${3:-}" ] || error=$(text "$3")
    cat >"$rented/provision.json.new" <<E && mv "$rented/provision.json.new" "$rented/provision.json"
{"schema": 1, "state": "$1", "step": $(text "$step"), "began": "$began", "at": "$now", "ended": $ended, "exit_code": ${2:-null}, \
"error": $error, "log": $(text "$log"), "script": "$v_script"}
E
}
begin() { step=$1 && state running && say "$1"; }
fail() {
    say "failed: $1"
    state failed "${2:-1}" "$1"
    exit "${2:-1}"
}
# again WHAT COMMAND...: until it works, with growing pauses, for two minutes: at boot the network is not always there.
again() {
    what=$1 pause=1
    shift
    until "$@" >"$place/said" 2>&1 9>&-; do
        cat "$place/said" >>"$log"
        [ $pause -le 64 ] || fail "$what: $(grep . "$place/said" | tail -n 1 | cut -c 1-500)"
        sleep $pause 9>&-
        pause=$((pause * 2))
    done
    cat "$place/said" >>"$log"
}
has() { command -v "$1" >/dev/null 2>&1; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
packages() {
    if has apt-get; then
        root apt-get -q update &&
            root env DEBIAN_FRONTEND=noninteractive apt-get -qy -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
    elif has dnf; then
        root dnf -q -y install "$@"
    else
        echo "there is no apt and no dnf" && return 1
    fi
}
# get URL FILE
get() {
    if has curl; then
        curl -fsSL --connect-timeout 20 -o "$2" "$1"
    elif has wget; then
        # Without -T, which kills the wget of busybox 1.35.
        wget -O "$2" "$1"
    else
        python3 -c 'import sys, urllib.request as u; u.urlretrieve(*sys.argv[1:])' "$1" "$2"
    fi
}
sum() { sha256sum <"$1" | cut -c 1-64; }
# One binary out of a wheel, by the simple API of a package index (PEP 503), its SHA-256 as the index states it.
get_uv() {
    libc=manylinux
    ls /lib/ld-musl-* >/dev/null 2>&1 && libc=musllinux
    get "$index/uv/" "$place/page" || return
    link=$(tr '"' '\n' <"$place/page" | grep "uv-$v_uv-.*$libc.*$(uname -m)\.whl#sha256=" | head -n 1)
    case $link in
        http*) url=$link ;;
        "") echo "the index has no uv $v_uv for $(uname -m)" && return 1 ;;
        /*) url=$(echo "$index" | cut -d / -f 1-3)$link ;;
        *) url=$index/uv/$link ;;
    esac
    get "${url%#*}" "$place/uv.whl" || return
    [ "$(sum "$place/uv.whl")" = "${link##*=}" ] || { echo "the SHA-256 of uv is not what the index says" && return 1; }
    if has unzip; then
        unzip -oq "$place/uv.whl" -d "$place/wheel"
    else
        python3 -m zipfile -e "$place/uv.whl" "$place/wheel"
    fi && mv "$place/wheel/uv-$v_uv.data/scripts/uv" "$uv.new" && chmod 755 "$uv.new" && mv "$uv.new" "$uv"
}
get_ansible() (
    rm -rf "$place/env"
    # A Python that is not there is fetched by uv, where no other program looks.
    export UV_PYTHON_INSTALL_DIR="$place/python" UV_DEFAULT_INDEX="$index"
    "$uv" --no-cache venv -q --python "$v_python" "$place/env" && "$uv" --no-cache pip install -q -p "$place/env" "ansible-core==$v_core"
)

main() {
    mkdir -p "$rented"
    # shellcheck disable=SC2174  # the folders above it are as usual
    mkdir -m 700 -p "$place" 2>/dev/null || { root test ! -e "$place" && root install -d -m 700 -o "$(id -u)" "$place"; }
    # A folder without our mark belongs to another owner.
    [ -e "$place/.rented-private" ] || [ -z "$(ls -A "$place")" ] ||
        fail "provision_place $place is not empty: name a folder of its own, e.g. $place/.rented-provision"
    # Not `:`, with which dash would end here.
    { true >"$place/.rented-private" && true >"$place/ansible.cfg"; } || fail "$place cannot be written"
    mkdir -p "$(dirname "$log")"
    true >>"$log" || fail "$log cannot be written"
    has flock || fail "there is no flock"
    exec 9>"$place/lock"
    flock -n 9 || { say "another run is at work" && exit 0; }
    trap 'fail "it was interrupted" 143' HUP INT TERM

    uv=$rented/uv/$v_uv/uv
    # Ansible's commands see nothing of the user's own settings: no file, and no variable is left.
    export ANSIBLE_CONFIG="$place/ansible.cfg" ANSIBLE_HOME="$place/ansible" ANSIBLE_COLLECTIONS_PATH="$place/collections" ANSIBLE_NOCOLOR=1 \
        RENTED_GPU_HOME="$place/state"
    made="$v_core $v_uv $v_collection $v_ref"
    if [ "$(cat "$place/made" 2>/dev/null)" != "$made" ] || ! "$place/env/bin/ansible-playbook" --version >/dev/null 2>&1; then
        rm -f "$place/made"
        index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-$v_index}}}
        # uv takes NAME=URL, too.
        index=http${index#*http}
        index=${index%/}
        want=
        has python3 || { { has curl || has wget; } && has unzip; } || want=python3
        grep -qs CERT /etc/ssl/cert.pem /etc/ssl/certs/ca-*.crt /etc/pki/tls/certs/ca-*.crt || want="$want ca-certificates"
        # only git
        has git || want="$want git"
        # end
        if [ "$want" ]; then
            begin "install $want"
            # shellcheck disable=SC2086  # words
            again "$want could not be installed" packages $want
        fi
        if [ ! -x "$uv" ]; then
            begin "get uv $v_uv"
            mkdir -p "${uv%/uv}"
            again "uv could not be fetched" get_uv
        fi
        begin "install ansible-core $v_core"
        again "ansible-core could not be installed" get_ansible
        begin "get the collection"
        # only galaxy
        set -- "rented.gpu:==$v_collection"
        # end
        # only git
        set -- --offline "git+$v_collection,$v_ref"
        # end
        # only url
        set -- --offline "$place/gpu.tar.gz"
        again "the collection could not be fetched" get "$v_collection" "$2"
        [ "$(sum "$2")" = "$v_ref" ] || fail "the SHA-256 of $v_collection is $(sum "$2"), not $v_ref: nothing of it was run"
        # end
        again "the collection could not be installed" "$place/env/bin/ansible-galaxy" collection install --force "$@"
        rm -rf "$place/page" "$place/uv.whl" "$place/wheel" "$place/gpu.tar.gz"
        echo "$made" >"$place/made"
    fi

    # The rest comes with the collection.
    # shellcheck source=playbooks/files/provision/apply.sh
    . "$place/collections/ansible_collections/rented/gpu/playbooks/files/provision/apply.sh"
}
main </dev/null
exit
