# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What runs inside a rehearsal box: its first process and the stand-in for nvidia-smi.

They are text in a Python file because Ansible ships only Python files to where a module runs.
Both need a POSIX shell and coreutils only: a box may have no Python.
"""

from __future__ import annotations

ENTRY = r"""#!/bin/sh
# First process of a rehearsal box: makes the machine that BOX_* asks for, then becomes sshd.
set -u
say() { echo "box: $*"; }

kind=${BOX_KIND:-container} user=root home=/root
[ "$kind" = vm ] && user=${BOX_USER:-ubuntu} && home=/home/$user

mkdir -p /run/sshd /etc/rented-box
if [ -s /run/rented-box/ca.crt ]; then
    # The host's certificates: pip and uv then work behind the same proxies as the host. Copied, so that packages can replace the file.
    cat /run/rented-box/ca.crt > /etc/ssl/certs/ca-certificates.crt
fi

if [ ! -e /etc/rented-box/booted ]; then
    mkdir -p /etc/uv
    echo 'system-certs = true' > /etc/uv/uv.toml
    echo 'This is a rehearsal: a container on your own machine. Its GPU is simulated.' > /etc/motd
    if [ "$kind" = vm ]; then
        useradd -s /bin/bash "$user" 2> /dev/null
        mkdir -p "$home"
        cp -n /etc/skel/.[a-z]* "$home/" 2> /dev/null
        chown -R "$user:$user" "$home"
        echo "$user ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/90-cloud-user
        chmod 0440 /etc/sudoers.d/90-cloud-user
    else
        mkdir -p /workspace
        {
            echo "CONTAINER_ID=$(cat /etc/hostname)"
            echo "VAST_CONTAINERLABEL=C.$(cat /etc/hostname)"
            echo "DATA_DIRECTORY=/workspace/"
            echo "GPU_COUNT=${BOX_GPU_COUNT:-0}"
        } >> /etc/environment
        # Marketplace images put every login into tmux, before asking whether it is interactive.
        {
            echo 'if [ ! -e ~/.no_auto_tmux ] && [ -z "$TMUX" ] && [ -n "$SSH_CONNECTION" ] && command -v tmux > /dev/null; then'
            echo '    tmux attach-session -t ssh_tmux || tmux new-session -s ssh_tmux'
            echo 'fi'
            cat "$home/.bashrc" 2> /dev/null
        } > /etc/rented-box/bashrc
        cp /etc/rented-box/bashrc "$home/.bashrc"
    fi
    ssh-keygen -q -t ed25519 -N '' -C "$(cat /etc/hostname)" -f /etc/ssh/ssh_host_ed25519_key
    ssh-keygen -q -t ecdsa -N '' -C "$(cat /etc/hostname)" -f /etc/ssh/ssh_host_ecdsa_key
    if [ "${BOX_GPU_NAME:-none}" != none ]; then
        {
            echo "name='$BOX_GPU_NAME (simulated)'"
            echo "count=${BOX_GPU_COUNT:-1}"
            echo "memory_mb=${BOX_GPU_MEMORY_MB:-24576}"
            echo "used_mb=${BOX_GPU_USED_MB:-1}"
            echo "compute_cap=${BOX_GPU_COMPUTE_CAP:-8.9}"
            echo "power_w=${BOX_GPU_POWER_W:-300}"
            echo "ecc=${BOX_GPU_ECC:-N/A}"
            echo "driver=${BOX_GPU_DRIVER}"
            echo "cuda=${BOX_GPU_CUDA}"
            echo "broken=${BOX_GPU_BROKEN:-0}"
            echo "seed=$(cat /etc/hostname)"
        } > /etc/rented-box/gpu.conf
        cp /usr/local/lib/rented-box/nvidia-smi /usr/bin/nvidia-smi
        chmod 0755 /usr/bin/nvidia-smi
    fi
    : > /etc/rented-box/booted
fi

# Outside of the first boot: a home on tmpfs is empty after each start.
if [ ! -e "$home/.ssh/authorized_keys" ]; then
    mkdir -p "$home/.ssh"
    chmod 0700 "$home/.ssh"
    if [ "${BOX_REFUSE_KEY:-0}" = 1 ]; then
        # A key of another owner: the private half is thrown away.
        ssh-keygen -q -t ed25519 -N '' -C somebody-else -f /run/somebody
        mv /run/somebody.pub "$home/.ssh/authorized_keys"
        rm -f /run/somebody
    else
        printf '%s\n' "$BOX_SSH_KEY" > "$home/.ssh/authorized_keys"
    fi
    chmod 0600 "$home/.ssh/authorized_keys"
    chown -R "$user" "$home/.ssh"
fi
if [ "$kind" = vm ]; then chown "$user:$user" "$home"; fi

if [ "${BOX_NO_NETWORK:-0}" = 1 ]; then
    # Only the way out is cut; the published SSH port arrives from the link itself.
    while ip route del default 2> /dev/null; do :; done
    while ip -6 route del default 2> /dev/null; do :; done
    # A name server on the link would still answer.
    echo 'nameserver 127.0.0.1' > /etc/resolv.conf
    say "no way out to the network"
fi
if [ "${BOX_APT_LOCK_SECONDS:-0}" -gt 0 ]; then
    say "unattended-upgrades holds dpkg's lock for $BOX_APT_LOCK_SECONDS s"
    mkdir -p /var/lib/dpkg /var/lib/apt/lists
    # fcntl locks, as dpkg and apt take them; struct flock of 64-bit Linux.
    perl -MFcntl -e '
        $0 = "unattended-upgr";
        my @open;
        for my $path ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock") {
            open(my $handle, "+>>", $path) or next;
            my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
            fcntl($handle, F_SETLK, $lock) or die "lock $path: $!";
            push @open, $handle;
        }
        open(my $taken, ">", "/run/apt-locked");
        close($taken);
        sleep $ARGV[0];
    ' "$BOX_APT_LOCK_SECONDS" &
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e /run/apt-locked ] || sleep 0.1; done
fi
if [ -n "${BOX_STARTUP_SCRIPT:-}" ]; then
    # At each start, as root, beside sshd: so do marketplaces run the script that was given when the box was rented.
    say "the startup script starts"
    printf '%s\n' "$BOX_STARTUP_SCRIPT" > /etc/rented-box/startup
    chmod 0700 /etc/rented-box/startup
    run='cd /; case $(head -c 2 "$0") in "#!") exec "$0" ;; *) exec sh "$0" ;; esac'
    (
        code=0
        env -i PATH="$PATH" HOME=/root sh -c "$run" /etc/rented-box/startup < /dev/null || code=$?
        say "the startup script ended with $code"
    ) 2>&1 &
fi
unset BOX_STARTUP_SCRIPT
say "SSH host keys:"
for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -l -f "$key"; done
if [ "${BOX_SSH_DELAY:-0}" != 0 ]; then
    say "sshd starts in $BOX_SSH_DELAY s"
    sleep "$BOX_SSH_DELAY"
fi
if [ "${BOX_VANISH_AFTER:-0}" != 0 ]; then
    say "vanishes in $BOX_VANISH_AFTER s"
    /usr/sbin/sshd -D -e &
    sleep "$BOX_VANISH_AFTER"
    exit 0
fi
say "sshd starts"
exec /usr/sbin/sshd -D -e
"""

NVIDIA_SMI = r"""#!/bin/sh
# A stand-in for nvidia-smi in a rehearsal box. It reads /etc/rented-box/gpu.conf and says "simulated" in every GPU name.
set -u
. /etc/rented-box/gpu.conf

if [ "$broken" = 1 ]; then
    printf '%s ' "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    echo 'Make sure that the latest NVIDIA driver is installed and running.'
    echo
    exit 9
fi

query='' format='' mode=table only=''
while [ $# -gt 0 ]; do
    case $1 in
        --query-gpu=*) mode=csv query=${1#*=} ;;
        --query-gpu) mode=csv query=$2; shift ;;
        --query-compute-apps=* | --query-accounted-apps=* | --query-retired-pages=*) mode=empty query=${1#*=} ;;
        --query-compute-apps) mode=empty query=$2; shift ;;
        --format=*) format=${1#*=} ;;
        --format) format=$2; shift ;;
        -i | --id) only=$2; shift ;;
        -i=* | --id=*) only=${1#*=} ;;
        -q | --query) [ $mode = xml ] || mode=query ;;
        -x | --xml-format) mode=xml ;;
        -qx | -xq) mode=xml ;;
        -L | --list-gpus) mode=list ;;
        --version) mode=version ;;
        -h | --help) echo "Simulated nvidia-smi: -q, -q -x, -L, --version, --query-gpu=... --format=csv[,noheader][,nounits], -i"; exit 0 ;;
        *) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 1 ;;
    esac
    shift
done

case ,$format, in *,noheader,*) header=0 ;; *) header=1 ;; esac
case ,$format, in *,nounits,*) units=0 ;; *) units=1 ;; esac
free_mb=$((memory_mb - used_mb))
[ -n "$only" ] && case $only in *[!0-9]*) only=0 ;; esac
if [ -n "$only" ] && [ "$only" -ge "$count" ]; then echo "No devices were found"; exit 6; fi
indexes() { i=0; while [ $i -lt "$count" ]; do { [ -z "$only" ] || [ "$only" = $i ]; } && echo $i; i=$((i + 1)); done; }
bus() { printf '00000000:%02X:00.0' $(($1 + 1)); }
uuid() {
    sum=$(printf '%s-%s' "$seed" "$1" | sha256sum)
    printf 'GPU-%s' "$(printf '%.32s' "$sum" | sed 's/^\(.\{8\}\)\(....\)\(....\)\(....\)/\1-\2-\3-\4-/')"
}
unit() { [ $units = 1 ] && [ "$1" != '[N/A]' ] && printf ' %s' "$2"; :; }
value() { # FIELD INDEX
    case $1 in
        index) printf '%s' "$2" ;;
        count) printf '%s' "$count" ;;
        name | gpu_name) printf '%s' "$name" ;;
        uuid | gpu_uuid) uuid "$2" ;;
        pci.bus_id | gpu_bus_id) bus "$2" ;;
        driver_version) printf '%s' "$driver" ;;
        compute_cap) printf '%s' "$compute_cap" ;;
        memory.total) printf '%s' "$memory_mb"; unit . MiB ;;
        memory.used) printf '%s' "$used_mb"; unit . MiB ;;
        memory.free) printf '%s' "$free_mb"; unit . MiB ;;
        memory.reserved) printf 0; unit . MiB ;;
        utilization.gpu | utilization.memory) printf 0; unit . % ;;
        temperature.gpu) printf 33 ;;
        power.draw | power.draw.instant | power.draw.average) printf '18.50'; unit . W ;;
        power.limit | power.max_limit | power.default_limit | enforced.power.limit) printf '%s.00' "$power_w"; unit . W ;;
        ecc.mode.current) if [ "$ecc" = N/A ]; then printf '[N/A]'; else printf Enabled; fi ;;
        ecc.errors.*) if [ "$ecc" = N/A ]; then printf '[N/A]'; else printf '%s' "$ecc"; fi ;;
        pstate) printf P8 ;;
        persistence_mode) printf Enabled ;;
        compute_mode) printf Default ;;
        clocks.sm | clocks.current.sm | clocks.gr | clocks.current.graphics) printf 210; unit . MHz ;;
        fan.speed | mig.mode.current | mig.mode.pending | serial | gpu_serial) printf '[N/A]' ;;
        timestamp) date '+%Y/%m/%d %H:%M:%S.000' | tr -d '\n' ;;
        *) return 2 ;;
    esac
}
label() {
    case $1 in
        memory.*) printf '%s [MiB]' "$1" ;;
        utilization.*) printf '%s [%%]' "$1" ;;
        power.* | enforced.power.limit) printf '%s [W]' "$1" ;;
        clocks.*) printf '%s [MHz]' "$1" ;;
        *) printf '%s' "$1" ;;
    esac
}

fields=$(printf '%s' "$query" | tr ',' ' ')
case $mode in
    version)
        echo "NVIDIA-SMI version  : $driver (simulated)"
        echo "DRIVER version      : $driver"
        echo "CUDA Version        : $cuda"
        ;;
    list)
        for i in $(indexes); do echo "GPU $i: $name (UUID: $(uuid "$i"))"; done
        ;;
    empty)
        [ $header = 1 ] && printf '%s\n' "$query"
        exit 0
        ;;
    csv)
        case $format in csv*) ;; *) echo '"--format=" is missing or its value is not recognized.'; exit 2 ;; esac
        for field in $fields; do
            value "$field" 0 > /dev/null || { echo "Field \"$field\" is not a valid field to query."; echo; exit 2; }
        done
        if [ $header = 1 ]; then
            line=''
            for field in $fields; do line="$line${line:+, }$(label "$field")"; done
            printf '%s\n' "$line"
        fi
        for i in $(indexes); do
            line=''
            for field in $fields; do line="$line${line:+, }$(value "$field" "$i")"; done
            printf '%s\n' "$line"
        done
        ;;
    xml)
        mig=N/A; mode_ecc=N/A
        [ "$ecc" = N/A ] || mode_ecc=Enabled
        echo '<?xml version="1.0" ?>'
        echo '<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">'
        echo '<nvidia_smi_log>'
        echo "    <timestamp>$(date)</timestamp>"
        echo "    <driver_version>$driver</driver_version>"
        echo "    <cuda_version>$cuda</cuda_version>"
        echo "    <attached_gpus>$count</attached_gpus>"
        for i in $(indexes); do
            cat << XML
    <gpu id="$(bus "$i")">
        <product_name>$name</product_name>
        <product_brand>Simulated</product_brand>
        <persistence_mode>Enabled</persistence_mode>
        <mig_mode>
            <current_mig>$mig</current_mig>
            <pending_mig>$mig</pending_mig>
        </mig_mode>
        <mig_devices>
            None
        </mig_devices>
        <serial>N/A</serial>
        <uuid>$(uuid "$i")</uuid>
        <minor_number>$i</minor_number>
        <fan_speed>N/A</fan_speed>
        <performance_state>P8</performance_state>
        <fb_memory_usage>
            <total>$memory_mb MiB</total>
            <reserved>0 MiB</reserved>
            <used>$used_mb MiB</used>
            <free>$free_mb MiB</free>
        </fb_memory_usage>
        <compute_mode>Default</compute_mode>
        <utilization>
            <gpu_util>0 %</gpu_util>
            <memory_util>0 %</memory_util>
        </utilization>
        <ecc_mode>
            <current_ecc>$mode_ecc</current_ecc>
            <pending_ecc>$mode_ecc</pending_ecc>
        </ecc_mode>
        <ecc_errors>
            <volatile>
                <sram_correctable>$([ "$ecc" = N/A ] && echo N/A || echo 0)</sram_correctable>
                <sram_uncorrectable>$ecc</sram_uncorrectable>
                <dram_correctable>$([ "$ecc" = N/A ] && echo N/A || echo 0)</dram_correctable>
                <dram_uncorrectable>$([ "$ecc" = N/A ] && echo N/A || echo 0)</dram_uncorrectable>
            </volatile>
        </ecc_errors>
        <temperature>
            <gpu_temp>33 C</gpu_temp>
        </temperature>
        <gpu_power_readings>
            <power_state>P8</power_state>
            <power_draw>18.50 W</power_draw>
            <current_power_limit>$power_w.00 W</current_power_limit>
        </gpu_power_readings>
        <processes>
        </processes>
    </gpu>
XML
        done
        echo '</nvidia_smi_log>'
        ;;
    query)
        echo; echo "==============NVSMI LOG============== (simulated)"; echo
        printf '%-42s: %s\n%-42s: %s\n\n%-42s: %s\n' 'Driver Version' "$driver" 'CUDA Version' "$cuda" 'Attached GPUs' "$count"
        for i in $(indexes); do printf 'GPU %s\n    %-38s: %s\n' "$(bus "$i")" 'Product Name' "$name"; done
        ;;
    table)
        date
        rule='+-----------------------------------------------------------------------------------------+'
        echo "$rule"
        printf '| NVIDIA-SMI %-15s Driver Version: %-15s CUDA Version: %-17s |\n' "$driver" "$driver" "$cuda"
        echo "$rule"
        for i in $(indexes); do
            printf '| %3s  %-40s %-24s %15s |\n' "$i" "$name" "$(bus "$i")" "$used_mb / $memory_mb MiB"
        done
        echo "$rule"
        printf '| %-87s |\n' 'SIMULATED: a rehearsal box has no GPU; this table is made up.'
        echo "$rule"
        ;;
esac
"""
