# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Data on rented hosts: sent by rsync or fetched from a URL, on from where a cut off run stopped, and verified."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import pathlib
import re
import signal
import subprocess
import tarfile
import threading
import time
import zipfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def steps() -> list:
    roles = [{"ansible.builtin.import_role": {"name": "rented.gpu." + role}} for role in ("ready", "data_sync")]
    return [{"hosts": "all", "gather_facts": False, "tasks": roles}]


@pytest.fixture(scope="module")
def box(boxes):
    found = boxes.rent("container", name="box", image="debian-12-tools")
    found.wait_for_ssh()
    return found


@pytest.fixture(scope="module")
def small(boxes):
    """A host with hardly any disk."""
    return boxes.rent("container", name="small", image="debian-12-tools", small_disk_mb=20)


@pytest.fixture(scope="module")
def run(box, play):
    def run(*items, limit="box", check=False, **more):
        packages = ["rsync", "zstd"] if limit == "box" else ["rsync"]
        return play(steps(), limit=limit, check=check, data_sync_items=list(items), ready_packages=packages, **more)

    return run


@pytest.fixture
def start(boxes, tmp_path):
    """Starts ansible-playbook itself and does not wait for it."""
    begun = []

    def start(items, **options):
        (tmp_path / "play.yml").write_text(yaml.safe_dump(steps()))
        (tmp_path / "settings.yml").write_text(yaml.safe_dump({"data_sync_items": items, "ready_packages": ["rsync", "zstd"]}))
        command = [
            "ansible-playbook",
            "-i",
            str(boxes.inventory),
            "-l",
            "box",
            str(tmp_path / "play.yml"),
            "-e",
            "@%s" % (tmp_path / "settings.yml"),
        ]
        begun.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def data(tmp_path):
    """A folder with names that are hard on tools."""
    path = tmp_path / "data"
    (path / "train" / "deep").mkdir(parents=True)
    (path / "train" / "a b 'c' $x.txt").write_text("odd\n")
    (path / "train" / "deep" / "täxt.txt").write_text("umlaut\n")
    (path / "labels.csv").write_text("a,1\n")
    (path / "cache.tmp").write_text("no\n")
    (path / ".git").mkdir()
    (path / ".git" / "config").write_text("no\n")
    return path


def found(box, dest) -> list:
    return sorted(box.ssh("cd %s && find . -type f | sort" % dest).split("\n"))[1:]


def outcome(result) -> dict:
    """What the task itself answered."""
    return next(res for _host, task, res in reversed(result.results()) if task == "Feed data to the host")


# --- rsync -------------------------------------------------------------------------------------------------------------


def test_a_folder_is_sent_and_a_second_run_needs_no_execution(run, box, data):
    item = {"src": str(data), "dest": "data/odd place", "exclude": ["*.tmp"]}
    predicted = run(item, check=True).ok()
    assert outcome(predicted)["changed"] and outcome(predicted)["items"][0]["files"] == 3
    assert box.ssh("test -e '/workspace/data' || echo nothing").strip() == "nothing"
    first = run(item).ok()
    assert found(box, "'/workspace/data/odd place'") == ["./labels.csv", "./train/a b 'c' $x.txt", "./train/deep/täxt.txt"]
    told = outcome(first)["items"][0]
    assert told["files"] == 3 and told["bytes"] == sum(path.stat().st_size for path in data.rglob("*") if path.suffix in (".txt", ".csv"))
    assert told["seconds"] > 0
    assert first.run_facts("box")["data_sync"]["executions"] == 2
    again = run(item).ok()
    assert again.changed("box") == 0 and again.run_facts("box")["data_sync"]["executions"] == 0
    # What the host makes of it there is no reason to send again; a file that is gone is.
    box.ssh("touch '/workspace/data/odd place/result'")
    assert run(item).ok().run_facts("box")["data_sync"]["executions"] == 0
    box.ssh("rm '/workspace/data/odd place/labels.csv'")
    assert run(item, check=True).ok().changed("box") == 1
    mended = run(item).ok()
    assert mended.changed("box") == 1 and outcome(mended)["items"][0]["files"] == 1


def test_changes_here_are_sent_and_files_of_the_host_are_deleted_only_when_told(run, box, data):
    item = {"src": str(data) + "/", "dest": "data/more/"}
    run(item).ok()
    box.ssh("echo own > /workspace/data/more/own.txt")
    (data / "labels.csv").write_text("a,1\nb,2\n")
    (data / "cache.tmp").unlink()
    run(item).ok()
    assert box.ssh("cat /workspace/data/more/labels.csv") == "a,1\nb,2\n"
    assert {"./own.txt", "./cache.tmp"} <= set(found(box, "/workspace/data/more"))
    deleting = run({**item, "delete": True}).ok()
    assert outcome(deleting)["items"][0]["deleted"] == 2
    assert not {"./own.txt", "./cache.tmp"} & set(found(box, "/workspace/data/more"))
    box.ssh("echo own > /workspace/data/more/own.txt")
    assert run({**item, "delete": True}).ok().changed("box") == 1


def test_exclude_means_what_it_means_in_a_gitignore(run, box, tmp_path):
    source = tmp_path / "tree"
    names = ["keep.log", "drop.log", "build/x", "src/build/x", "raw/a", "deep/data/raw/a", "data/raw/a", ".git/config"]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    run({"src": str(source), "dest": "ignored", "exclude": ["*.log", "!keep.log", "/build/", "data/raw", "!.git"]}).ok()
    assert found(box, "/workspace/ignored") == ["./.git/config", "./deep/data/raw/a", "./keep.log", "./raw/a", "./src/build/x"]
    # The same patterns, asked of git itself.
    subprocess.run(["git", "init", "-q", str(tmp_path / "judge")], check=True)
    (tmp_path / "judge" / ".gitignore").write_text("*.log\n!keep.log\n/build/\ndata/raw\n")
    asked = subprocess.run(
        ["git", "-C", str(tmp_path / "judge"), "check-ignore", "--stdin"],
        input="\n".join(names[:-1]),
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert sorted(set(names[:-1]) - set(asked)) == [name[2:] for name in found(box, "/workspace/ignored") if ".git/" not in name]


def test_a_single_file_and_paths_below_the_folder_of_the_run(run, box, start, data):
    items = [{"src": "labels.csv", "dest": "single/renamed.csv"}, {"src": "labels.csv", "dest": "single/"}, {"src": "train"}]
    process = start(items, cwd=data)
    said = process.communicate()[0]
    assert process.returncode == 0, said
    assert found(box, "/workspace/single") == ["./labels.csv", "./renamed.csv"]
    assert len(found(box, "/workspace/train")) == 2
    wrong = run({"src": str(data / "labels.csv"), "dest": "train"})
    assert wrong.rc != 0 and "is a folder" in wrong.message()


def test_a_transfer_that_was_killed_goes_on_where_it_stopped(run, box, start, tmp_path):
    source = tmp_path / "large"
    source.mkdir()
    (source / "weights.bin").write_bytes(os.urandom(40_000_000))
    run({"src": str(ROOT / "LICENSE"), "dest": "warm/"}).ok()
    # The same play, with an rsync that sends 4 MB/s, killed after it has sent some.
    tools = tmp_path / "bin"
    tools.mkdir()
    real = subprocess.run(["which", "rsync"], capture_output=True, text=True, check=True).stdout.strip()
    (tools / "rsync").write_text('#!/bin/sh\nexec %s --bwlimit=4000 "$@"\n' % real)
    (tools / "rsync").chmod(0o755)
    item = {"src": str(source), "dest": "resumed"}
    process = start([item], env={**os.environ, "PATH": "%s:%s" % (tools, os.environ["PATH"])})
    size = 0
    for _moment in range(400):
        size = int(box.ssh("find /workspace/resumed -name '.weights.bin*' -printf '%s\\n' 2>/dev/null | sort -n | tail -1").strip() or 0)
        if size > 8_000_000:
            break
        time.sleep(0.25)
    for one in processes("--bwlimit=4000", str(source) + "/"):
        os.kill(one, signal.SIGKILL)
    said = process.communicate()[0]
    assert process.returncode != 0
    assert "was cut off" in said and "run again, it goes on where it stopped" in " ".join(said.split())
    assert 8_000_000 < size < 40_000_000
    for _moment in range(80):
        if box.ssh("pgrep rsync || true").strip() == "":
            break
        time.sleep(0.25)
    assert found(box, "/workspace/resumed") == ["./.rsync-partial/weights.bin"]
    result = run(item).ok()
    assert outcome(result)["items"][0]["literal"] < 40_000_000 - size + 3_000_000
    assert (
        box.ssh("sha256sum /workspace/resumed/weights.bin").split()[0] == hashlib.sha256((source / "weights.bin").read_bytes()).hexdigest()
    )
    assert found(box, "/workspace/resumed") == ["./weights.bin"]


def processes(*words) -> list:
    """Ids of this machine's processes that have all these words among their arguments."""
    ids = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except OSError:
            continue
        if set(words) <= set(arguments):
            ids.append(int(folder.name))
    return ids


def test_too_little_room_is_known_before_anything_is_sent(run, small, tmp_path):
    source = tmp_path / "big"
    source.mkdir()
    with open(source / "big.bin", "wb") as handle:
        handle.truncate(60_000_000)
    failed = run({"src": str(source), "dest": "big"}, limit="small")
    assert failed.rc != 0
    assert "needs 60.0 MB" in failed.message() and "nothing was sent" in failed.message()
    assert small.ssh("ls -A /workspace").strip() == ""


def test_a_checksum_finds_other_content_of_the_same_size_and_time(run, box, data):
    item = {"src": str(data), "dest": "sums", "exclude": ["*.tmp"]}
    run(item).ok()
    (data / "labels.csv").write_text("b,2\n")
    os.utime(data / "labels.csv", (1_700_000_000, 1_700_000_000))
    box.ssh(
        "cd /workspace/sums/train && touch -r deep/täxt.txt /tmp/when && echo UMLAUT > deep/täxt.txt && touch -r /tmp/when deep/täxt.txt"
    )
    os.utime(data / "labels.csv", (int(box.ssh("stat -c %Y /workspace/sums/labels.csv")),) * 2)
    blind = run(item).ok()
    assert blind.changed("box") == 0 and blind.run_facts("box")["data_sync"]["executions"] == 0
    seen = run(item, check=True, data_sync_checksum=True).ok()
    assert sorted(outcome(seen)["items"][0]["differs"]) == ["labels.csv", "train/deep/täxt.txt"]
    assert "2 files have another content than here: labels.csv, train/deep/täxt.txt" in seen.stdout
    assert seen.run_facts("box")["data_sync"]["executions"] == 1
    assert box.ssh("cat /workspace/sums/labels.csv") == "a,1\n"
    mended = run(item, data_sync_checksum=True).ok()
    assert "2 files had another content than here and were sent again" in mended.stdout
    assert box.ssh("cat /workspace/sums/labels.csv /workspace/sums/train/deep/täxt.txt") == "b,2\numlaut\n"
    good = run(item, data_sync_checksum=True).ok()
    assert good.changed("box") == 0 and "their contents compared" in outcome(good)["msg"]
    assert run(item).ok().run_facts("box")["data_sync"]["executions"] == 0


def test_links_and_folders_are_inputs_too(run, box, data):
    (data / "empty").mkdir()
    (data / "latest").symlink_to("labels.csv")
    item = {"src": str(data), "dest": "links"}
    run(item).ok()
    assert run(item).ok().run_facts("box")["data_sync"]["executions"] == 0
    (data / "latest").unlink()
    (data / "latest").symlink_to("cache.tmp")
    assert run(item).ok().changed("box") == 1
    box.ssh("cd /workspace/links && ln -sfn labels.csv latest && rmdir empty")
    assert run(item).ok().changed("box") == 1
    assert box.ssh("cd /workspace/links && readlink latest && ls -d empty").split() == ["cache.tmp", "empty"]


def test_names_of_any_bytes_arrive(run, box, tmp_path):
    folder = os.fsencode(tmp_path / "names")
    os.mkdir(folder)
    names = [
        b"line\nfeed",
        b"cr\rx",
        b"tab\tx",
        b" lead",
        b"trail ",
        b"-rf",
        b"\\#012",
        b"%n",
        b"'\"$(x)",
        b"\xff\xfe",
        b"u\xe2\x80\xa8",
        b"n" * 255,
    ]
    for name in names:
        with open(os.path.join(folder, name), "wb") as handle:
            handle.write(name)
    item = {"src": os.fsdecode(folder), "dest": "names"}
    first = run(item).ok()
    assert outcome(first)["items"][0]["files"] == len(names)
    assert run(item).ok().run_facts("box")["data_sync"]["executions"] == 0
    told = subprocess.run([*box.ssh_command(), "cd /workspace/names && find . -type f -print0"], capture_output=True, check=True).stdout
    assert sorted(told.split(b"\0"))[1:] == sorted(b"./" + name for name in names)
    box.ssh("cd /workspace/names && echo other > ./-rf")
    assert run(item).ok().changed("box") == 1


def test_two_spellings_of_one_place_are_one_item(run, box, data):
    run({"src": str(data), "dest": "spelt"}).ok()
    again = run({"src": str(data), "dest": "/workspace/./spelt/"}).ok()
    assert again.run_facts("box")["data_sync"]["executions"] == 0
    assert box.ssh("ls ~/.rented/stamps | grep -c spelt").strip() == "1"


def test_what_changes_while_it_is_sent_is_said_and_not_taken_for_sent(run, box, data, tmp_path):
    """rsync is the real one; before it runs, the file grows, as a log does."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "rsync"
    program.write_text('#!/bin/sh\ncase "$*" in *--stats*) echo more >> %s/labels.csv;; esac\nexec /usr/bin/rsync "$@"\n' % data)
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = "%s:%s" % (program.parent, before)
    try:
        failed = run({"src": str(data), "dest": "growing"})
    finally:
        os.environ["PATH"] = before
    assert "changed here while it was sent (labels.csv)" in failed.message()
    assert run({"src": str(data), "dest": "growing"}).ok().executions("box") > 1


@pytest.mark.parametrize("inner", [{"dest": "whole/sub"}, {"dest": "whole/x.bin", "url": "http://127.0.0.1:9/x.bin"}])
def test_delete_does_not_undo_another_item(run, box, data, inner):
    items = [{"src": str(data), "dest": "whole", "delete": True}, dict({"src": str(data)} if "url" not in inner else {}, **inner)]
    failed = run(*items)
    assert "item 1: delete is true, and it would delete item 2" in failed.message()


def test_delete_does_not_empty_the_workdir(run, box, data):
    for dest in (".", "/workspace", "/"):
        failed = run({"src": str(data), "dest": dest, "delete": True})
        assert "it would delete workdir (/workspace)" in failed.message()


# --- URLs --------------------------------------------------------------------------------------------------------------


class Web(http.server.BaseHTTPRequestHandler):
    """Serves `files`; ranges; `cut` ends an answer after so many bytes, once."""

    files: dict = {}
    cut: dict = {}
    asked: list = []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = self.path.lstrip("/").partition("?")[0]
        asked_range = self.headers.get("Range")
        self.asked.append((name, asked_range))
        if name not in self.files:
            self.send_error(404)
            return
        content, start = self.files[name], 0
        tag = '"%s"' % hashlib.sha256(content).hexdigest()[:16]
        match = re.match(r"bytes=(\d+)-$", asked_range or "")
        if match and self.headers.get("If-Range", tag) == tag:
            start = int(match.group(1))
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(content) - 1, len(content)))
        self.end_headers()
        end = self.cut.pop(name, None)
        try:
            self.wfile.write(content[start:end])
        except OSError:
            pass
        if end:
            self.close_connection = True

    def log_message(self, *unused):
        pass


@pytest.fixture(scope="module")
def web(box):
    """A web server on the controller, reached from the box by its default gateway."""
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 0), Web)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    gateway = box.ssh("ip route show default").split()[2]
    yield "http://%s:%d/" % (gateway, server.server_address[1])
    server.shutdown()


def sha256(content) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_url_is_fetched_verified_and_not_fetched_again(run, box, web):
    Web.files["model.bin"] = os.urandom(3_000_000)
    item = {"url": web + "model.bin", "dest": "models/", "checksum": sha256(Web.files["model.bin"])}
    predicted = run(item, check=True).ok()
    assert predicted.changed("box") == 1 and box.ssh("test -e /workspace/models || echo nothing").strip() == "nothing"
    first = run(item).ok()
    assert first.run_facts("box")["data_sync"]["executions"] == 1
    assert "sha256:" + box.ssh("sha256sum /workspace/models/model.bin").split()[0] == item["checksum"]
    assert box.ssh("ls /workspace/models").split() == ["model.bin"]
    Web.asked.clear()
    again = run(item).ok()
    assert again.changed("box") == 0 and again.run_facts("box")["data_sync"]["executions"] == 0 and not Web.asked
    # Without its stamp the checksum of what is there decides.
    box.ssh("rm ~/.rented/stamps/data_sync.*models*")
    assert run(item).ok().changed("box") == 0
    assert not Web.asked


def test_a_download_that_was_cut_goes_on_where_it_stopped(run, box, web):
    Web.files["cut.bin"] = content = os.urandom(3_000_000)
    Web.cut["cut.bin"] = 1_000_000
    Web.asked.clear()
    run({"url": web + "cut.bin", "dest": "cut.bin", "checksum": sha256(content)}).ok()
    assert Web.asked == [("cut.bin", None), ("cut.bin", "bytes=1000000-")]
    # What an earlier run left is gone on with too, and a file that has changed since is fetched anew.
    box.ssh("rm /workspace/cut.bin; head -c 5 /dev/zero > /workspace/cut.bin.part; echo '\"other\"' > /workspace/cut.bin.part.from")
    Web.asked.clear()
    run({"url": web + "cut.bin", "dest": "cut.bin", "checksum": sha256(content)}).ok()
    assert Web.asked == [("cut.bin", "bytes=5-")]
    assert box.ssh("sha256sum /workspace/cut.bin").split()[0] == hashlib.sha256(content).hexdigest()
    assert box.ssh("ls -A /workspace | grep part || true") == ""


def test_a_wrong_checksum_leaves_nothing(run, box, web):
    Web.files["evil.bin"] = b"evil"
    failed = run({"url": web + "evil.bin?token=hush", "dest": "evil.bin", "checksum": sha256(b"good")})
    assert failed.rc != 0
    assert hashlib.sha256(b"evil").hexdigest() in failed.message() and "was removed" in failed.message()
    assert "hush" not in failed.message()
    assert box.ssh("ls -A /workspace | grep evil || true") == ""


def test_a_list_of_checksums_is_understood(run, box, web):
    Web.files["listed.bin"] = b"listed"
    Web.files["SHA256SUMS"] = b"%s  other.bin\n%s *listed.bin\n" % (b"0" * 64, hashlib.sha256(b"listed").hexdigest().encode())
    run({"url": web + "listed.bin", "dest": "listed.bin", "checksum": "sha256:%sSHA256SUMS" % web}).ok()
    assert box.ssh("cat /workspace/listed.bin") == "listed"


def tarball(mode, entries) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    return stream.getvalue()


GOOD = {"set/a.txt": b"a", "set/deep/b.txt": b"b", "set/link": (tarfile.SYMTYPE, "a.txt")}


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in GOOD.items():
            if isinstance(content, bytes):
                archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz", "tar.bz2", "zip", "tar.zst"])
def test_archives_are_unpacked(run, box, web, kind):
    name = "set." + kind
    if kind == "zip":
        Web.files[name] = zipped()
    elif kind == "tar.zst":
        plain = tarball("w", GOOD)
        Web.files[name] = subprocess.run(box.ssh_command() + ["zstd -qc"], input=plain, capture_output=True, check=True).stdout
    else:
        Web.files[name] = tarball("w:" + kind.partition(".")[2], GOOD)
    item = {"url": web + name, "dest": "unpacked/" + kind, "checksum": sha256(Web.files[name]), "unpack": True}
    run(item).ok()
    assert found(box, "/workspace/unpacked/" + kind) == ["./set/a.txt", "./set/deep/b.txt"]
    assert box.ssh("ls -A /workspace/unpacked | grep -c %s$" % kind).strip() == "1"
    again = run(item).ok()
    assert again.changed("box") == 0 and again.run_facts("box")["data_sync"]["executions"] == 0


def test_an_archive_is_kept_when_a_folder_is_named_and_files_of_others_stay(run, box, web):
    Web.files["kept.tar.gz"] = tarball("w:gz", GOOD)
    item = {"url": web + "kept.tar.gz", "dest": "archives/", "unpack": "kept"}
    box.ssh("mkdir -p /workspace/kept/set; echo mine > /workspace/kept/set/mine.txt")
    run(item).ok()
    assert found(box, "/workspace/archives") == ["./kept.tar.gz"]
    assert found(box, "/workspace/kept") == ["./set/a.txt", "./set/deep/b.txt", "./set/mine.txt"]
    # A new version replaces what the old one brought, and nothing else.
    Web.files["kept2.tar.gz"] = tarball("w:gz", {**GOOD, "set/a.txt": b"new", "set/mine.txt": b"theirs"})
    failed = run({**item, "url": web + "kept2.tar.gz"})
    assert failed.rc != 0 and "set/mine.txt" in failed.message() and "set/a.txt" not in failed.message()
    assert box.ssh("cat /workspace/kept/set/a.txt /workspace/kept/set/mine.txt") == "amine\n"


@pytest.mark.parametrize(
    "entries",
    [
        {"../evil": b"x"},
        {"/tmp/evil": b"x"},
        {"out": (tarfile.SYMTYPE, "/tmp"), "out/evil": b"x"},
        {"out": (tarfile.SYMTYPE, "../.."), "out/evil": b"x"},
        {"pipe": (tarfile.FIFOTYPE, "")},
    ],
)
def test_an_archive_that_leads_out_of_its_place_is_refused(run, box, web, entries):
    Web.files["evil.tar"] = tarball("w", {"first": b"1", **entries})
    failed = run({"url": web + "evil.tar", "dest": "trap/deep", "unpack": True})
    assert failed.rc != 0 and "nothing was put in place" in failed.message()
    assert box.ssh("ls -A /workspace/trap | grep -v complete || true; ls /workspace/evil /tmp/evil 2>/dev/null || true") == ""


def test_what_the_host_cannot_fetch_is_a_clear_error(run, play, boxes, web):
    missing = run({"url": web + "nothing.bin", "dest": "nothing.bin"})
    assert missing.rc != 0 and "answers 404" in missing.message()
    boxes.rent("container", name="island", image="debian-12-tools", no_network=True)
    cut = play(steps(), limit="island", data_sync_items=[{"url": "https://data.invalid/x.bin", "dest": "x.bin"}], ready_packages=[])
    assert cut.rc != 0 and "cannot fetch" in cut.message() and "feed the file from here with src" in cut.message()


def test_a_file_that_is_too_large_is_refused_before_anything_is_written(run, small, web):
    Web.files["huge.bin"] = bytes(60_000_000)
    failed = run({"url": web + "huge.bin", "dest": "sub/huge.bin"}, limit="small")
    assert failed.rc != 0 and "needs 60 MB" in failed.message()
    assert small.ssh("ls -A /workspace").strip() == ""


# --- bad input: all of it in unit/plugins/plugin_utils/test_items.py ----------------------------------------------------


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([{"src": "/nowhere/at/all", "dest": "x"}], "does not exist on this machine"),
        ([{"src": "/etc/hostname", "dest": "x"}, {"src": "/etc/hosts", "dest": "./x"}], "items 1 and 2 have the same dest"),
    ],
)
def test_bad_input_is_refused_before_anything_changes(run, box, items, said):
    before = box.ssh("find /workspace | sort")
    result = run(*items)
    assert result.rc != 0 and said in result.message()
    assert box.ssh("find /workspace | sort") == before


def test_a_login_and_a_signature_in_a_url_are_shown_nowhere(box, boxes, web, tmp_path):
    Web.files.update({"signed.bin": b"signed", "sums.txt": (hashlib.sha256(b"signed").hexdigest() + "  signed.bin\n").encode()})
    host = web.partition("//")[2]
    canary = "CANARYXQJ7"
    good = "http://user:%s@%ssigned.bin?X-Amz-Signature=%s" % (canary, host, canary)
    items = {
        "good": {"url": good, "dest": "signed.bin", "checksum": "sha256:%ssums.txt?sig=%s" % (web, canary)},
        "wrong checksum": {"url": good, "dest": "other.bin", "checksum": "sha256:" + "0" * 64},
        "not there": {"url": "%sno.bin?sig=%s" % (web, canary), "dest": "no.bin"},
        "no server": {"url": "http://u:%s@127.0.0.1:9/x?%s#%s" % (canary, canary, canary), "dest": "x"},
        "blank": {"url": "%sa b?sig=%s" % (web, canary), "dest": "blank"},
        "wrong scheme": {"url": "s3://%s@bucket/x?%s" % (canary, canary), "dest": "x"},
        "as src": {"src": "%sx?%s" % (web, canary), "dest": "x"},
        "no list": {"url": web + "signed.bin", "dest": "y", "checksum": "sha256:%sno.txt?%s" % (web, canary)},
        "malformed list": {"url": web + "signed.bin", "dest": "y", "checksum": "md4:http://%s@x/y?%s" % (canary, canary)},
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump(steps()))
    for number, (name, item) in enumerate(items.items()):
        (tmp_path / "settings.yml").write_text(yaml.safe_dump({"data_sync_items": [item], "ready_packages": ["rsync", "zstd"]}))
        command = ["ansible-playbook", "-vvvv", "--diff", "-i", str(boxes.inventory), "-l", "box", str(tmp_path / "play.yml")]
        log = tmp_path / ("log%d" % number)
        ran = subprocess.run(
            [*command, "-e", "@%s" % (tmp_path / "settings.yml")],
            capture_output=True, text=True, check=False, env=dict(os.environ, ANSIBLE_LOG_PATH=str(log)),
        )  # fmt: skip
        assert (ran.returncode == 0) is (name == "good"), name + ran.stdout[-3000:]
        assert canary not in ran.stdout + ran.stderr + log.read_text(), name
    assert box.ssh("cat /workspace/signed.bin") == "signed"
    assert box.ssh("grep -rl %s ~/.rented /workspace /tmp || true" % canary) == ""
