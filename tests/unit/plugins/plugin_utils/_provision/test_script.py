# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script with which an instance prepares itself: its forms and limits, and what can be tried without an instance, in three shells."""

from __future__ import annotations

import base64
import contextlib
import datetime
import fcntl
import functools
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from ansible_collections.rented.gpu.plugins.module_utils import _providers
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._host import _tools
from ansible_collections.rented.gpu.plugins.modules.provision_script import ARGUMENT_SPEC
from ansible_collections.rented.gpu.plugins.plugin_utils import _collection
from ansible_collections.rented.gpu.plugins.plugin_utils._provision import _script

ROOT = pathlib.Path(_collection.ROOT)
FILES = ROOT / "playbooks" / "files" / "provision"
SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}
DIGEST = "8d5e957f297893487bd98fa830fa64134ab1c6e0935f7d2286e19b04c75da3f8"
SETTINGS = {
    "git_keys_name": "Ada Lovelace",
    "git_keys_email": "ada@example.org",
    "repos_list": [{"src": "https://git.example.org/ada/homework.git", "dest": "it's"}],
    "python_env_requirements": ["requirements.txt"],
    "data_sync_items": [{"url": "https://data.example.org/train.tar.gz", "dest": "data", "unpack": True}],
}


def wish(**more):
    return _script.ScriptRequest(
        **{"settings": SETTINGS, "source": _script.source(""), "uv": "0.13.9", "index": "https://index.example/", **more}
    )


def unpacked(text: str) -> str:
    """What a compressed form holds."""
    return gzip.decompress(base64.b64decode(re.search(r"echo ([A-Za-z0-9+/=]+)\|base64 -d\|gzip -dc\|sh", text).group(1))).decode()


# --- where the collection comes from ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ("galaxy", _collection.version(), "")),
        ("0.2.0", ("galaxy", "0.2.0", "")),
        ("1.0.0-rc.1", ("galaxy", "1.0.0-rc.1", "")),
        ("https://files.example.org/gpu.tar.gz#sha256=" + DIGEST.upper(), ("url", "https://files.example.org/gpu.tar.gz", DIGEST)),
        ("git+https://git.example.org/gpu.git@v0.1.0", ("git", "https://git.example.org/gpu.git", "v0.1.0")),
        ("git@git.example.org:ada/gpu.git@0.1.0", ("git", "git@git.example.org:ada/gpu.git", "0.1.0")),
        ("git+ssh://git@git.example.org/gpu.git@1f2e", ("git", "ssh://git@git.example.org/gpu.git", "1f2e")),
    ],
)
def test_sources(text, wanted):
    found = _script.source(text)
    assert (found.kind, found.what, found.ref) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://files.example.org/gpu.tar.gz", "its SHA-256 has to be said"),
        ("https://files.example.org/gpu.tar.gz#sha256=12", "its SHA-256 has to be said"),
        ("git+https://git.example.org/gpu.git", "without a version"),
        ("git@git.example.org:ada/gpu.git", "without a version"),
        ("latest", "it takes a version"),
        ("file:///gpu.tar.gz", "it takes a version"),
    ],
)
def test_wrong_sources(text, words):
    with pytest.raises(RentedError, match=words):
        _script.source(text)


# --- forms and limits ------------------------------------------------------------------------------------------------


def test_the_module_knows_every_form():
    assert ARGUMENT_SPEC["for"]["choices"] == list(_script.FORMS)
    page = (ROOT / "docs" / "places_without_ssh.md").read_text()
    assert [name for name in _script.FORMS if "`%s`" % name not in page] == []


def test_the_login_users_are_those_of_the_providers():
    for name, form in _script.FORMS.items():
        provider = _providers.PROVIDERS.get(name)
        if provider and name not in ("aws", "gcp"):  # theirs depends on the image
            assert form.user == provider.SSH_USER, name


@pytest.mark.parametrize("name", list(_script.FORMS))
def test_each_form_is_clean_shell_and_holds_the_settings(name):
    script = _script.build(wish(), name)
    form = _script.FORMS[name]
    assert form.limit is None or script.size <= form.limit
    assert script.size == len(script.text) and script.digest == hashlib.sha256(script.text.encode()).hexdigest()
    plain = unpacked(script.text) if script.packed else script.text
    for text in (script.text, plain):
        subprocess.run(
            ["shellcheck", "-s", "bash" if name == "runpod" and text == script.text else "sh", "-"], input=text, text=True, check=True
        )
        for shell in SHELLS.values():
            subprocess.run([*shell, "-n"], input=text, text=True, check=True)
    run = re.search(r"<<'RENTED'\n(.*)^RENTED$", plain, re.M | re.S).group(1)
    told = subprocess.run(
        ["dash", "-c", run.partition("set -u")[0] + 'printf %s "$v_settings"'], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == SETTINGS


@pytest.mark.parametrize("name", ["run.sh", "apply.sh"])
def test_the_files_are_clean(name):
    subprocess.run(["shellcheck", "-x", "-s", "sh", str(FILES / name)], check=True, cwd=ROOT)
    for shell in SHELLS.values():
        subprocess.run([*shell, "-n", str(FILES / name)], check=True)


def test_what_is_too_long_is_compressed_and_then_refused():
    long = dict(SETTINGS, data_sync_items=[{"url": "https://data.example.org/%s" % ("part" * 40), "dest": "d%d" % n} for n in range(300)])
    assert _script.build(wish(settings=long), "gcp").packed is False
    aws = _script.build(wish(settings=long), "aws")
    assert aws.packed and aws.size <= 16384 and json.dumps(long["data_sync_items"][7])[1:-1].replace(": ", ":") not in aws.text
    assert "prepares" in aws.text.splitlines()[1].lower()
    noise = dict(SETTINGS, python_env_packages=[hashlib.sha256(b"%d" % n).hexdigest() for n in range(40)])
    with pytest.raises(
        RentedError, match=r"has \d+ characters although it is compressed, and 4048 are the limit there: .*PROVISIONING_SCRIPT"
    ):
        _script.build(wish(settings=noise), "vast")
    assert _script.build(wish(settings=noise), "vast_provisioning_script").packed is False
    most = dict(SETTINGS, python_env_packages=[hashlib.sha256(b"%d" % n).hexdigest() for n in range(400)])
    with pytest.raises(RentedError, match=r"has \d+ bytes although it is compressed, and 16384 are the limit"):
        _script.build(wish(settings=most), "aws")


def test_vasts_limit_leaves_room_for_settings():
    """All kinds of sources, a waited-for key and settings of usual length fit into 4,048 characters."""
    for source in ("", "https://files.example.org/rented-gpu-0.1.0.tar.gz#sha256=" + DIGEST, "git+https://git.example.org/gpu.git@v0.1.0"):
        assert _script.build(wish(source=_script.source(source), wait_for=("~/.ssh/id_ed25519",)), "vast").size <= 4048


HOMEWORK = {
    "git_keys_name": "Ada Lovelace",
    "git_keys_email": "ada@example.org",
    "git_keys_mode": "private_key",
    "git_keys_private_key": "~/.ssh/id_ed25519",
    "repos_list": [
        {"src": "git@git.example.org:ada/homework.git", "dest": "homework", "version": "main"},
        {"src": "https://git.example.net/charles/engine.git", "dest": "engine"},
    ],
    "python_env_packages": ["numpy", "pandas", "transformers>=4.40", "datasets"],
    "python_env_requirements": ["requirements.txt"],
    "data_sync_items": [
        {
            "url": "https://data.example.org/sets/cifar-10-python.tar.gz",
            "checksum": "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            "dest": "data/cifar",
            "unpack": True,
        }
    ],
}


SOURCES = {
    "a release": "",
    "`git+https://…@tag`": "git+https://git.example.com/ada/gpu@v1",
    "`https://…#sha256=…`": "https://git.example.com/ada/gpu/releases/download/v0.1.0/rented-gpu-0.1.0.tar.gz#sha256=" + DIGEST,
}


@pytest.mark.parametrize("name", list(SOURCES))
def test_an_ordinary_homework_fits_into_vasts_limit(name):
    """Two repositories, packages, a data set with its digest and a key that is waited for; with room for more. The page has the numbers."""
    source = _script.source(SOURCES[name])
    script = _script.build(wish(settings=HOMEWORK, source=source, wait_for=("~/.ssh/id_ed25519",)), "vast")
    assert script.packed and script.size <= 4048 - 50
    packed = _script._packed(_script._outer(_script._inner(wish(settings={}, source=source)), "root"))
    page = (ROOT / "docs" / "places_without_ssh.md").read_text()
    told = [int(cell.replace(",", "")) for cell in re.search(r"^\| %s \|([\d, |]+)\|$" % re.escape(name), page, re.M).group(1).split("|")]
    assert told == [pytest.approx(len(packed), abs=40), pytest.approx(4048 - len(packed), abs=40), pytest.approx(script.size, abs=40)]


def test_the_same_wish_gives_the_same_script():
    assert _script.build(wish(), "vast") == _script.build(wish(), "vast")


def test_wrong_places_and_users():
    with pytest.raises(RentedError, match="Did you mean 'vast'"):
        _script.build(wish(), "vats")
    with pytest.raises(RentedError, match="not a login name"):
        _script.build(wish(), "aws", "ada; rm -rf /")


def test_a_start_command_is_one_line_that_becomes_the_images_own_start():
    text = _script.build(wish(), "runpod").text
    words = shlex.split(text)
    assert words[:2] == ["bash", "-c"] and len(words) == 3 and text.count("\n") == 1
    assert words[2].endswith(") & if [ -x /start.sh ]; then exec /start.sh; fi; exec sleep infinity")


# --- what runs on the instance ---------------------------------------------------------------------------------------


def inner(**more) -> str:
    plain = _script.build(wish(**more), "vast_provisioning_script").text
    return re.search(r"<<'RENTED'\n(.*)^RENTED$", plain, re.M | re.S).group(1)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    (folder / ".rented").mkdir(parents=True)
    return folder


def run(shell, script, home, **environment):
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(home), **environment}
    return subprocess.run([*SHELLS[shell], "-s"], input=script, capture_output=True, text=True, env=surroundings, check=False, timeout=60)


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("text", ['a "b" \\ c', "tab\tand\nline", "über 'x' $(id) `id`", "%s %d"])
def test_the_state_is_json_whatever_the_error_says(shell, text, home):
    script = inner().replace("main </dev/null", 'fail "$TEXT" 7')
    done = run(shell, script, home, TEXT=text)
    assert done.returncode == 7
    state = json.loads((home / ".rented" / "provision.json").read_text())
    assert state["error"] == text.replace("\t", " ").replace("\n", " ")
    assert (state["schema"], state["state"], state["exit_code"]) == (1, "failed", 7)
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", state["began"]) and state["ended"] == state["at"] >= state["began"]
    running = run(shell, inner().replace("main </dev/null", "begin 'a step'"), home)
    assert running.returncode == 0, running.stderr
    state = json.loads((home / ".rented" / "provision.json").read_text())
    assert (state["state"], state["step"], state["ended"], state["exit_code"], state["error"]) == ("running", "a step", None, None, None)
    assert (home / ".rented" / "provision.log").read_text().endswith("rented: a step\n")


UV = """\
#!/bin/sh
{ echo "uv $*"; env | grep -E "^(UV|PIP|ANSIBLE)_" | sort; } >>"$HOME/calls"
for word; do
    case $word in */env) mkdir -p "$word/bin" && for name in galaxy playbook; do cp "$HOME/ansible" "$word/bin/ansible-$name"; done ;; esac
done
"""
ANSIBLE = """\
#!/bin/sh
[ "$1" = --version ] && exit
{ echo "${0##*/} $*"; env | grep ^ANSIBLE_ | sort; } >>"$HOME/calls"
to=${ANSIBLE_COLLECTIONS_PATH%/}/ansible_collections/rented/gpu/playbooks/files/provision
[ "$1" = collection ] && mkdir -p "$to" && cp "$HOME/apply.sh" "$to"
exit 0
"""


@pytest.fixture
def equipped(home):
    """A home in which uv lies already; it and Ansible's commands write down in `calls` how they were called."""
    uv = home / ".rented" / "uv" / "0.13.9" / "uv"
    uv.parent.mkdir(parents=True)
    for path, text in ((uv, UV), (home / "ansible", ANSIBLE)):
        path.write_text(text)
        path.chmod(0o755)
    shutil.copy(FILES / "apply.sh", home)
    return home


def whole(home, shell="dash", **more):
    """The script as a place starts it; ``(the finished process, its state)``. Variables of the environment are in capitals."""
    environment = {name: more.pop(name) for name in list(more) if name.isupper()}
    text = _script.build(wish(**more), "vast_provisioning_script").text.replace("exec sh ", "exec %s " % shlex.join(SHELLS[shell]))
    done = run(shell, text, home, **environment)
    return done, json.loads((home / ".rented" / "provision.json").read_text())


def picture(folder) -> dict:
    """All that lies in a folder, with rights, times and contents."""
    files = [folder, *sorted(folder.rglob("*"))]
    return {str(path): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in files}


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("there", ["env/mine.txt", "ansible.cfg", ".hidden", "run.sh"])
def test_a_folder_with_other_files_is_refused(shell, there, equipped, tmp_path):
    place = tmp_path / "work space"
    (place / there).parent.mkdir(parents=True)
    (place / there).write_text("mine")
    before = picture(place)
    done, state = whole(equipped, shell, place=str(place))
    assert (done.returncode, state["state"], state["exit_code"]) == (1, "failed", 1), done.stderr
    assert state["error"] == (f"provision_place {place} is not empty: name a folder of its own, e.g. {place}/.rented-provision")
    assert picture(place) == before and not (equipped / "calls").exists()


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("place", ["new/deep", "empty", "~/.rented/provision", "~/.rented/provision/", "~/other"])
def test_a_new_an_empty_and_our_own_folder_are_places(shell, place, equipped, tmp_path):
    (tmp_path / "empty").mkdir()
    place = place if place.startswith("~") else str(tmp_path / place)
    folder = pathlib.Path(place.replace("~", str(equipped)))
    for _time in range(2):
        done, state = whole(equipped, shell, place=place)
        assert (done.returncode, state["state"]) == (0, "ready"), (done.stdout, state)
        assert (folder / _tools.PRIVATE).exists() and (folder / "env").is_dir()
    calls = (equipped / "calls").read_text()
    assert (calls.count("uv --no-cache venv"), calls.count("ansible-playbook -i")) == (1, 2)


@pytest.mark.parametrize("shell", list(SHELLS))
def test_a_place_that_cannot_be_is_said(shell, equipped, tmp_path):
    (tmp_path / "file").write_text("mine")
    place = str(tmp_path / "file" / "x")
    done, state = whole(equipped, shell, place=place)
    assert (done.returncode, state["error"]) == (1, place + " cannot be written"), done.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("shell", list(SHELLS))
def test_a_log_that_cannot_be_written_is_said(shell, equipped, tmp_path):
    (tmp_path / "file").write_text("mine")
    for log in (tmp_path, tmp_path / "file" / "x.log"):
        done, state = whole(equipped, shell, log=str(log))
        assert (done.returncode, state["state"], state["error"]) == (1, "failed", "%s cannot be written" % log), done.stderr
    assert not (equipped / "calls").exists() and (tmp_path / "file").read_text() == "mine"


INDEXES = {
    "https://ours.example/simple": {},
    "https://pip.example/simple": {"PIP_INDEX_URL": "https://pip.example/simple/"},
    "https://old.example/simple": {"PIP_INDEX_URL": "https://pip.example/simple/", "UV_INDEX_URL": "https://old.example/simple"},
    "https://a=b@new.example/simple": {
        "PIP_INDEX_URL": "https://pip.example/simple/",
        "UV_INDEX_URL": "https://old.example/simple",
        "UV_DEFAULT_INDEX": "mirror-1=https://a=b@new.example/simple/",
    },
}


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("wanted", list(INDEXES))
def test_ansible_core_comes_from_the_index_that_uv_comes_from(shell, wanted, equipped):
    whole(equipped, shell, index="https://ours.example/simple/", **INDEXES[wanted])
    installs = (equipped / "calls").read_text().partition("uv --no-cache pip install")[2].partition("ansible-galaxy")[0]
    assert "UV_DEFAULT_INDEX=%s\n" % wanted in installs


@pytest.mark.parametrize("shell", list(SHELLS))
def test_ansible_sees_no_settings_of_the_environment(shell, equipped):
    ours = {"ANSIBLE_CONFIG", "ANSIBLE_HOME", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_NOCOLOR"}
    theirs = {
        "ANSIBLE_STRATEGY": "x",
        "ANSIBLE_VAULT_PASSWORD_FILE": "/x",
        "ANSIBLE_INVENTORY": "a\nb",
        "ANSIBLE_HOME": "/x",
        "ANSIBLE_X": "",
    }
    done, state = whole(equipped, shell, **theirs)
    assert state["state"] == "ready", done.stderr
    seen = re.findall(r"^(ANSIBLE_\w+)=(.*)", (equipped / "calls").read_text().partition("ansible-galaxy")[2], re.M)
    assert {name for name, _value in seen} == ours and ("ANSIBLE_HOME", str(equipped / ".rented/provision/ansible")) in seen


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            [{"src": "https://git.example.org/x.git", "version": datetime.date(2026, 1, 1)}],
            "2026-01-01, which YAML reads as a date: quote it",
        ),
        ({"a": datetime.datetime(2026, 1, 1, 10)}, "2026-01-01 10:00:00, which YAML reads as a date: quote it"),
        ({datetime.date(2026, 1, 1): "a"}, "2026-01-01, which YAML reads as a date: quote it"),
        ([float("-inf")], "-inf, which is not a number in JSON: quote it"),
        (float("nan"), "nan, which is not a number in JSON: quote it"),
        (["x\ud800"], r"'x\ud800', which is not Unicode text: write it otherwise"),
        (b"bytes", "(binary data), which is neither text, number nor list: quote it"),
        ({"a"}, "{'a'}, which is neither text, number nor list: quote it"),
    ],
)
def test_a_value_that_cannot_be_written_is_named(value, words):
    with pytest.raises(RentedError) as caught:
        _script.build(wish(settings={"git_keys_name": "Ada", "repos_list": value}), "vast")
    assert caught.value.message == "repos_list holds %s." % words


def test_the_words_of_the_script_are_text():
    with pytest.raises(RentedError, match=r"^provision_log holds '/x\\ud800', which is not Unicode text"):
        _script.build(wish(log="/x\ud800"), "vast")


@pytest.mark.parametrize("shell", list(SHELLS))
def test_one_run_at_a_time(shell, home):
    place = home / ".rented" / "provision"
    place.mkdir()
    (place / _tools.PRIVATE).touch()
    with open(place / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run(shell, inner(), home)
    assert (done.returncode, done.stdout) == (0, "rented: another run is at work\n"), done.stderr
    assert not (home / ".rented" / "provision.json").exists()


@pytest.mark.parametrize("shell", list(SHELLS))
def test_whether_a_killed_run_is_at_work_its_lock_tells(shell, equipped):
    """With the command that docs/places_without_ssh.md gives."""
    page = (ROOT / "docs" / "places_without_ssh.md").read_text()
    asked = re.search(r"^flock -n .*/lock true && echo .*$", page, re.M).group(0)
    uv = equipped / ".rented" / "uv" / "0.13.9" / "uv"
    uv.write_text("#!/bin/sh\n: >~/begun\nsleep 30\n")
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(equipped)}
    with subprocess.Popen([*SHELLS[shell], "-c", inner()], env=surroundings, start_new_session=True, stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while not (equipped / "begun").exists() and time.monotonic() < end:
                time.sleep(0.05)
            ask = functools.partial(subprocess.run, ["sh", "-c", asked], env=surroundings, capture_output=True, text=True, check=False)
            assert ask().stdout == ""
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            end = time.monotonic() + 10  # its children, orphans now, may need a moment
            while not (said := ask().stdout) and time.monotonic() < end:
                time.sleep(0.05)
            assert said == "not running\n"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert json.loads((equipped / ".rented" / "provision.json").read_text())["state"] == "running"


@pytest.mark.parametrize("shell", list(SHELLS))
def test_it_tries_again_with_growing_pauses_and_says_the_last_word(shell, home):
    script = inner().replace(
        "main </dev/null", 'sleep() { echo "pause $1"; }\nmkdir -p "$place"\nagain "it could not be had" ls /nothing/of/this'
    )
    done = run(shell, script, home)
    assert re.findall(r"^pause (\d+)", done.stdout, re.M) == ["1", "2", "4", "8", "16", "32", "64"]
    assert done.returncode == 1
    assert re.match(r"it could not be had: .*/nothing/of/this", json.loads((home / ".rented" / "provision.json").read_text())["error"])


class Index(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused):
        pass


@pytest.fixture
def index(tmp_path):
    """A package index that has a wheel of uv with a program of ours in it; its address."""
    folder = tmp_path / "index"
    (folder / "simple" / "uv").mkdir(parents=True)
    (folder / "files").mkdir()
    links = []
    for version, machine in (("0.13.9", "s390x"), ("0.13.8", platform.machine()), ("0.13.9", platform.machine())):
        name = "uv-%s-py3-none-manylinux_2_17_%s.manylinux2014_%s.whl" % (version, machine, machine)
        with zipfile.ZipFile(folder / "files" / name, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr("uv/__init__.py", "")
            wheel.writestr("uv-%s.data/scripts/uv" % version, "#!/bin/sh\necho uv %s for %s\n" % (version, machine))
        digest = hashlib.sha256((folder / "files" / name).read_bytes()).hexdigest()
        links.append('<a href="/files/%s#sha256=%s" data-requires-python="&gt;=3.8">%s</a><br />' % (name, digest, name))
    (folder / "simple" / "uv" / "index.html").write_text("<!DOCTYPE html>\n<html><body>\n%s\n</body></html>" % "\n".join(links))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Index, directory=str(folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
    yield "http://127.0.0.1:%d/simple/" % server.server_address[1], folder
    server.shutdown()


def tools(folder, *more) -> str:
    """A PATH with what every system has, and these."""
    folder.mkdir()
    usual = "sh cat cut date dirname chmod grep head id ls mkdir mv printf rm sed sha256sum sleep tail tee tr uname flock env"
    for name in (*usual.split(), *more):
        found = shutil.which("busybox" if name.startswith("busybox-") else name)
        # The one in PATH may be a script that chooses among several.
        found = os.path.realpath(sys.executable) if name == "python3" else found
        (folder / name.replace("busybox-", "")).symlink_to(found)
    return str(folder)


WAYS = [("python3",), ("curl", "unzip"), ("wget", "unzip"), ("busybox-wget", "busybox-unzip"), ("curl", "python3")]
GET = 'mkdir -p "$place"\nindex=${v_index%/}\nuv=$HOME/uv\nget_uv && "$uv"'


@pytest.mark.parametrize("shell", list(SHELLS))
@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_uv_comes_by_whatever_is_there(shell, way, home, index, tmp_path):
    script = inner(index=index[0]).replace("main </dev/null", GET).replace("PATH=$PATH:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", "")
    busybox = shutil.which("busybox")
    command = {"dash": [shutil.which("dash")], "bash": [shutil.which("bash"), "--posix"], "busybox": [busybox, "sh"]}[shell]
    done = subprocess.run(
        [*command, "-s"], input=script, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": tools(tmp_path / "bin", *way), "HOME": str(home)},
    )  # fmt: skip
    assert done.stdout.strip().splitlines()[-1:] == ["uv 0.13.9 for %s" % platform.machine()], done.stdout + done.stderr


def test_a_uv_that_is_not_what_the_index_says_is_not_kept(home, index):
    address, folder = index
    for wheel in (folder / "files").glob("uv-0.13.9*%s.whl" % platform.machine()):
        wheel.write_bytes(wheel.read_bytes() + b"x")
    done = run("dash", inner(index=address).replace("main </dev/null", GET), home)
    assert done.returncode == 1 and "the SHA-256 of uv is not what the index says" in done.stdout
    assert not (home / "uv").exists()


def test_a_release_that_the_index_lacks_is_named(home, index):
    done = run("dash", inner(index=index[0], uv="9.9.9").replace("main </dev/null", GET), home)
    assert "the index has no uv 9.9.9 for %s" % platform.machine() in done.stdout


def test_the_python_of_the_script_is_for_the_script_only(tmp_path):
    (tmp_path / "provision" / "python" / "bin").mkdir(parents=True)
    inside = tmp_path / "provision" / "python" / "bin" / "python3"
    inside.symlink_to("/bin/sh")
    assert not _tools.private(str(inside))  # it is the system's
    inside.unlink()
    inside.write_text("")
    assert not _tools.private(str(inside))
    (tmp_path / "provision" / _tools.PRIVATE).write_text("")
    assert _tools.private(str(inside))
    assert _tools.PRIVATE in (FILES / "run.sh").read_text()


def test_the_ansible_core_is_the_one_that_is_tested():
    pinned = re.findall(r"^ansible-core==(\S+)", (ROOT / "requirements" / "runtime.txt").read_text(), re.M)
    assert _script.ANSIBLE_CORE in pinned
