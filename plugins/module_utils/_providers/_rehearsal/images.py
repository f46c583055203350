# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""The images of rehearsal boxes: built once, then found by the digest of what they are made of, which is their tag.

Two layers. The base is a Debian suite: from debootstrap where root and debootstrap are there (the mirror is the one that
the host's apt uses), else from the engine's own ``debian`` image, which needs a registry. On top lie our first process
and the stand-in for nvidia-smi, and what a variant changes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time

from ansible_collections.rented.gpu.plugins.module_utils import _state
from ansible_collections.rented.gpu.plugins.module_utils._errors import ProviderUnavailable, RentedError, nearest
from ansible_collections.rented.gpu.plugins.module_utils._host._stamps import digest
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import engine as engines
from ansible_collections.rented.gpu.plugins.module_utils._providers._rehearsal import tools

# Raised when the way of building changes what comes out.
RECIPE = 1
SUITES = {"debian-12": "bookworm", "debian-13": "trixie"}
PACKAGES = ("openssh-server", "python3", "ca-certificates", "sudo", "iproute2")
VARIANTS = {
    "": None,
    "no-python": "apt-get purge -y -qq python3 'python3.*' libpython3-stdlib 'libpython3.*' && apt-get autoremove -y -qq --purge",
    "tools": "apt-get update -qq && apt-get install -y -qq --no-install-recommends git rsync tmux curl"
    " && apt-get clean && rm -rf /var/lib/apt/lists/*",
}
MIRROR_ENV = "RENTED_GPU_DEBIAN_MIRROR"
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
REPOSITORY = "localhost/rented-gpu-box"

IMAGES = {
    suite + ("-" + variant if variant else ""): (suite, variant) for suite in SUITES for variant in VARIANTS
}  # what LaunchRequest.image may say


def ca_bundle() -> str | None:
    """The host's file of trusted certificates, where there is one; a company's proxy is trusted through it."""
    return next((os.path.realpath(path) for path in CA_BUNDLES if os.path.isfile(path)), None)


def split(name: str) -> tuple:
    """``debian-12-no-python`` as (``debian-12``, ``no-python``); raises `RentedError` with the nearest name for others."""
    if name not in IMAGES:
        raise RentedError(f"The rehearsal provider has no image '{name}'. {nearest(str(name), IMAGES)}", "rehearsal")
    return IMAGES[name]


def tags(name: str) -> tuple:
    """The tags of an image's base and of the image itself; they change with what goes into them."""
    suite, variant = split(name)
    base = digest([RECIPE, suite, PACKAGES])[:12]
    top = digest([base, variant, VARIANTS[variant], tools.ENTRY, tools.NVIDIA_SMI])[:12]
    return f"{REPOSITORY}:{suite}-base-{base}", f"{REPOSITORY}:{name}-{top}"


def ensure(engine: engines.Engine, name: str, report=None) -> str:
    """The tag of an image, built when it is not there: about a minute for a suite's first, seconds for its variants.

    ``report`` is called with a line of text before each long step. Raises `RentedError` with what to install.
    """
    report = report or (lambda line: None)
    base, top = tags(name)
    if engine.has_image(top):
        return top
    with _lock():
        # Another process may have built it while this one waited.
        if engine.has_image(top):
            return top
        suite, variant = split(name)
        if not engine.has_image(base):
            started = time.time()
            _build_base(engine, suite, base, report)
            report(f"{suite}: base ready after {time.time() - started:.0f} s")
        started = time.time()
        _build_top(engine, base, top, VARIANTS[variant])
        report(f"{name}: ready after {time.time() - started:.1f} s")
    return top


def built(engine: engines.Engine) -> list:
    """The tags of all images that were built here, by this version or another; the newest first."""
    printed = engine.run("images", "--filter", f"reference={REPOSITORY}", "--format", "{{.Repository}}:{{.Tag}}", timeout=30)
    return [tag for tag in printed.split() if tag.startswith(REPOSITORY + ":") and not tag.endswith(":<none>")]


@contextlib.contextmanager
def _lock():
    """One build at a time per user: two would do the same work twice."""
    path = os.path.join(_state.folder("rehearsal"), "build.lock")
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- the base --------------------------------------------------------------------------------------------------------


def _build_base(engine: engines.Engine, suite: str, tag: str, report) -> None:
    root = _root_prefix()
    missing = []
    if root is None:
        missing.append("root or passwordless sudo")
    if not _debootstrap():
        missing.append("debootstrap (apt-get install debootstrap)")
    if not os.path.isfile(KEYRING):
        missing.append(f"{KEYRING} (apt-get install debian-archive-keyring)")
    mirror = debian_mirror()
    if not mirror:
        missing.append(f"a Debian mirror in apt's sources (or ${MIRROR_ENV})")
    if not missing and root is not None and mirror:
        report(f"{suite}: debootstrap (40 to 90 s, once)")
        _bootstrap(engine, suite, tag, root, mirror)
        return
    report(f"{suite}: no {'; no '.join(missing)} here, so from the engine's debian image")
    try:
        _from_registry(engine, suite, tag)
    except RentedError as error:
        raise ProviderUnavailable(
            f"The {suite} image could not be made. Not by debootstrap, because these are missing: "
            f"{'; '.join(missing)}. Not from a registry: {error.message}",
            "rehearsal",
        )


def _debootstrap() -> str | None:
    # /usr/sbin is not on every user's PATH.
    return shutil.which("debootstrap") or shutil.which("debootstrap", path="/usr/sbin:/sbin")


def _root_prefix() -> list | None:
    """What to put before a command that needs root; None when there is no way."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=False).returncode == 0:
        return [sudo, "-n"]
    return None


def debian_mirror() -> str | None:
    """The mirror that the host's apt uses for Debian; None on other systems."""
    chosen = os.environ.get(MIRROR_ENV, "").strip()
    if chosen:
        return chosen
    form = "$(SITE) $(RELEASE) $(COMPONENT)"
    try:
        printed = subprocess.run(
            ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            universal_newlines=True, timeout=30, check=False,
        ).stdout  # fmt: skip
        with open("/etc/os-release", encoding="utf-8") as handle:
            release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', handle.read(), re.MULTILINE))
    except (OSError, subprocess.SubprocessError):
        return None
    if release.get("ID") != "debian":
        return None
    return _mirror_in(printed, release.get("VERSION_CODENAME", ""))


def _mirror_in(printed: str, codename: str) -> str | None:
    """The site of the host's own release, main, among lines of "site release component"."""
    for line in printed.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[2] == "main" and parts[1] in (codename, "stable", "testing", "unstable", "sid"):
            return parts[0]
    return None


def _bootstrap(engine: engines.Engine, suite: str, tag: str, root: list, mirror: str) -> None:
    # /var/tmp, because /tmp is often small or mounted without devices.
    folder = tempfile.mkdtemp(prefix="rented-box-", dir="/var/tmp")
    tree = os.path.join(folder, "root")
    command = root + [
        _debootstrap(), "--variant=minbase", "--keyring=" + KEYRING, "--include=" + ",".join(PACKAGES), SUITES[suite], tree, mirror,
    ]  # fmt: skip
    try:
        made = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            universal_newlines=True, errors="replace", timeout=1800, check=False,
            env=dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8"),
        )  # fmt: skip
        if made.returncode:
            lines = [line for line in made.stdout.splitlines() if line.startswith(("E:", "W:"))] or made.stdout.splitlines()
            raise ProviderUnavailable(
                f"debootstrap could not make {suite} from {mirror}: {' '.join(lines[-2:]) or 'no word of why'}", "rehearsal"
            )
        archive = os.path.join(folder, "root.tar")
        # Host keys made at installation would be the same in every box; package lists and archives would only age.
        subprocess.run(
            root + ["tar", "--create", "--file", archive, "--directory", tree, "--one-file-system", "--numeric-owner",
                    "--exclude=./etc/ssh/ssh_host_*", "--exclude=./var/cache/apt/*.bin", "--exclude=./var/cache/apt/archives/*.deb",
                    "--exclude=./var/lib/apt/lists/*", "--exclude=./var/log/*.log", "--exclude=./proc/*", "--exclude=./sys/*",
                    "--exclude=./dev/*", "."],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, timeout=600,
        )  # fmt: skip
        if root:
            subprocess.run(root + ["chown", str(os.getuid()), archive], stdin=subprocess.DEVNULL, check=True, timeout=60)
        engine.run("import", archive, tag, timeout=600)
    except subprocess.CalledProcessError as error:
        words = (error.stderr or b"").decode("utf-8", "replace").strip()[-300:]
        raise ProviderUnavailable(f"The {suite} file system could not be packed: {words}", "rehearsal")
    finally:
        # An interrupted debootstrap can leave its /proc mounted: stay on this file system.
        subprocess.run(root + ["rm", "-rf", "--one-file-system", folder], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _from_registry(engine: engines.Engine, suite: str, tag: str) -> None:
    # The short name, without a registry: the engine knows where its own come from.
    source = suite.replace("-", ":") + "-slim"
    script = (
        f"apt-get update -qq && apt-get install -y -qq --no-install-recommends {' '.join(PACKAGES)} && apt-get clean "
        "&& rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*"
    )
    engine.run("pull", "--quiet", source, timeout=900)
    engine.ready(source)
    _commit(engine, source, tag, script)


# --- the top ---------------------------------------------------------------------------------------------------------


def _build_top(engine: engines.Engine, base: str, tag: str, script: str | None) -> None:
    engine.ready(base)
    source = base
    if script:
        # Kept, so that a change of our own tools does not install packages again.
        source = f"{base}-{digest(script)[:12]}"
        if not engine.has_image(source):
            bundle = ca_bundle()
            mount = ["--volume", bundle + ":/etc/ssl/certs/ca-certificates.crt:ro"] if bundle else []
            _commit(engine, base, source, script, mount)
    folder = tempfile.mkdtemp(prefix="rented-box-")
    container = None
    try:
        place = os.path.join(folder, "rented-box")
        os.mkdir(place, 0o755)
        os.chmod(folder, 0o755)
        for name, text in (("entry", tools.ENTRY), ("nvidia-smi", tools.NVIDIA_SMI)):
            path = os.path.join(place, name)
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)
            os.chmod(path, 0o755)
        container = engine.run("create", source, "/bin/true").strip().splitlines()[-1]
        engine.run("cp", place, container + ":/usr/local/lib/")
        changes = []
        for change in ('ENTRYPOINT ["/usr/local/lib/rented-box/entry"]', "CMD []", "LABEL gpu.rented.image=1", "EXPOSE 22/tcp"):
            changes += ["--change", change]
        engine.run("commit", *(changes + [container, tag]), timeout=300)
    finally:
        if container:
            engine.remove(container)
        shutil.rmtree(folder, ignore_errors=True)


def _commit(engine: engines.Engine, source: str, tag: str, script: str, extra=()) -> None:
    """Run a script as root in a container of an image, and keep the result as another image."""
    name = f"rented-box-build-{os.getpid()}"
    engine.remove(name)
    try:
        arguments = ["run", "--name", name, "--env", "DEBIAN_FRONTEND=noninteractive", *extra, "--entrypoint", "/bin/sh"]
        engine.run(*arguments, source, "-c", script, timeout=900)
        engine.run("commit", name, tag, timeout=300)
    finally:
        engine.remove(name)
