#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Prepares the instance that it runs on: uv, ansible-core and the collection in a private place, then apply.sh, which comes with the collection.
# playbooks/provision_script.yml puts lines before this that set the v_* variables, leaves out the parts `# only WORD` to `# end` whose word
# does not apply, and takes out comments and indentation, because some places take 4,048 characters. POSIX sh.
# shellcheck disable=SC2154,SC2317,SC2329  # v_*: see above; functions that `again` calls
set -u
umask 22
PATH=$PATH:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C.UTF-8
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
rented=$HOME/.rented
expand() { case $1 in [~]/*) echo "$HOME/${1#??}" ;; *) echo "$1" ;; esac; }
place=$(expand "$v_place")
log=$(expand "$v_log")
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
step=begin

say() { echo "rented: $*" | tee -a "$log"; }
# A text as JSON.
text() { printf '"%s"' "$(printf %s "$1" | tr '\n\t\r' '   ' | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }
# state NAME [EXIT-CODE [ERROR]]: what a person who logs in reads, in one rename.
state() {
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ) ended=null error=null
    [ -z "${2:-}" ] || ended=$(text "$now")
    [ -z "${3:-}" ] || error=$(text "$3")
    printf '{"schema": 1, "state": "%s", "step": %s, "began": "%s", "at": "%s", "ended": %s, "exit_code": %s, "error": %s, "log": %s, "script": "%s"}\n' \
        "$1" "$(text "$step")" "$began" "$now" "$ended" "${2:-null}" "$error" "$(text "$log")" "$v_script" \
        >"$rented/provision.json.new" && mv "$rented/provision.json.new" "$rented/provision.json"
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
        root env DEBIAN_FRONTEND=noninteractive sh -c \
            'apt-get -q update && apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"' sh "$@"
    elif has dnf; then
        root dnf -q -y install "$@"
    else
        echo "no apt, no dnf: python3, or curl or wget and unzip, has to be there" && return 1
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
        python3 -c 'import sys, urllib.request as u; open(sys.argv[2], "wb").write(u.urlopen(sys.argv[1], timeout=60).read())' "$1" "$2"
    fi
}
same() { [ "$(sha256sum <"$1")" = "$2  -" ]; }
# One binary out of a wheel, by the simple API of a package index (PEP 503), its SHA-256 as the index states it.
get_uv() {
    libc=manylinux
    ls /lib/ld-musl-* >/dev/null 2>&1 && libc=musllinux
    get "$index/uv/" "$place/page" || return
    link=$(tr '>' '\n' <"$place/page" | sed -n "s/.*href=\"\([^\"]*uv-$v_uv-[^\"]*${libc}[^\"]*$(uname -m)\.whl#sha256=[0-9a-f]*\)\".*/\1/p" | head -n 1)
    case $link in
        http*) url=$link ;;
        "") echo "the index has no uv $v_uv for $(uname -m)" && return 1 ;;
        /*) url=$(echo "$index" | cut -d / -f 1-3)$link ;;
        *) url=$index/uv/$link ;;
    esac
    get "${url%#*}" "$place/uv.whl" || return
    same "$place/uv.whl" "${link##*=}" || { echo "the SHA-256 of uv is not what the index says" && return 1; }
    name=uv-$v_uv.data/scripts/uv
    if has unzip; then
        unzip -p "$place/uv.whl" "$name" >"$uv.new"
    else
        python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$place/uv.whl" "$name" >"$uv.new"
    fi && chmod 755 "$uv.new" && mv "$uv.new" "$uv"
}
get_ansible() (
    rm -rf "$place/env"
    # A Python that is not there is fetched by uv, and nobody else takes it for theirs.
    export UV_PYTHON_INSTALL_DIR="$place/python"
    "$uv" --no-cache venv -q --python "$v_python" "$place/env" && "$uv" --no-cache pip install -q -p "$place/env" "ansible-core==$v_core"
)
galaxy() { own "$place/env/bin/ansible-galaxy" collection install --force -p "$place/collections" "$@"; }
# A command of Ansible's, which sees nothing of the user's own settings.
own() {
    env ANSIBLE_CONFIG="$place/ansible.cfg" ANSIBLE_HOME="$place/ansible" ANSIBLE_COLLECTIONS_PATH="$place/collections" ANSIBLE_NOCOLOR=1 \
        RENTED_GPU_HOME="$place/state" "$@"
}

main() {
    mkdir -p "$rented" "$(dirname "$log")" 2>/dev/null
    [ -d "$place" ] || { mkdir -p "$place" 2>/dev/null && chmod 700 "$place"; } ||
        { root test ! -e "$place" && root install -d -m 700 -o "$(id -u)" "$place"; }
    # What lies in a folder without our mark is somebody's.
    [ -e "$place/.rented-private" ] || [ -z "$(ls -A "$place")" ] ||
        fail "$place has files that are not ours: name a folder of its own in provision_place, e.g. ${place%/}/.rented-provision"
    # Not `:`, with which dash would end here.
    { true >"$place/.rented-private" && true >"$place/ansible.cfg"; } || fail "$place cannot be written"
    has flock || fail "there is no flock"
    exec 9>"$place/lock"
    flock -n 9 || { say "another run is at work" && exit 0; }
    trap 'fail "it was interrupted" 143' HUP INT TERM

    uv=$rented/uv/$v_uv/uv
    made="$v_core $v_uv $v_kind $v_collection $v_ref"
    if [ "$(cat "$place/made" 2>/dev/null)" != "$made" ] || ! "$place/env/bin/ansible-playbook" --version >/dev/null 2>&1; then
        rm -f "$place/made"
        index=${UV_DEFAULT_INDEX:-${PIP_INDEX_URL:-$v_index}}
        index=${index%/}
        want=
        has python3 || { { has curl || has wget; } && has unzip; } || want=python3
        cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem 2>&1 | grep -q CERT || want="$want ca-certificates"
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
        set -- "rented.gpu:==$v_collection"
        # only git
        set -- --offline "git+$v_collection,$v_ref"
        # end
        # only url
        set -- --offline "$place/gpu.tar.gz"
        again "the collection could not be fetched" get "$v_collection" "$2"
        same "$2" "$v_ref" || fail "the SHA-256 of $v_collection is $(sha256sum <"$2" | cut -c 1-64), not $v_ref: nothing of it was run"
        # end
        again "the collection could not be installed" galaxy "$@"
        rm -rf "$place/page" "$place/uv.whl" "$place/gpu.tar.gz"
        echo "$made" >"$place/made"
    fi

    # The rest comes with the collection.
    # shellcheck source=playbooks/files/provision/apply.sh
    . "$place/collections/ansible_collections/rented/gpu/playbooks/files/provision/apply.sh"
}
main </dev/null
exit
