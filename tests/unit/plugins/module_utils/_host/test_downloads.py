# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives and checksums on the host. The server's side, ranges and cuts are tested for real in tests/integration."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile
import zipfile

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _downloads, _urls
from ansible_collections.rented.gpu.plugins.module_utils._host._downloads import Trouble


def tar(path, *members):
    with tarfile.open(str(path), "w:gz") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.mtime, member.mode = kind, 1_600_000_000, 0o4777 if name.endswith(".sh") else 0o600
            if kind == tarfile.REGTYPE:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.linkname = content
                archive.addfile(member)
    return str(path)


def test_modes_times_and_links(tmp_path):
    path = tar(
        tmp_path / "a", ("./d", tarfile.DIRTYPE, ""), ("./d/run.sh", tarfile.REGTYPE, b"#!"), ("d/x", tarfile.REGTYPE, b"x"),
        ("d/soft", tarfile.SYMTYPE, "x"), ("hard", tarfile.LNKTYPE, "d/x"), ("d/up", tarfile.SYMTYPE, "../hard"),
    )  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    assert sorted(_downloads.unpack(path, str(out))) == ["d/run.sh", "d/soft", "d/up", "d/x", "hard"]
    # Neither set-user-id nor writable by others, whatever the archive says.
    assert oct(os.stat(out / "d" / "run.sh").st_mode)[-4:] == "0755" and oct(os.stat(out / "d" / "x").st_mode)[-4:] == "0644"
    assert int(os.stat(out / "d" / "x").st_mtime) == 1_600_000_000
    assert (out / "d" / "soft").read_bytes() == (out / "hard").read_bytes() == (out / "d" / "up").read_bytes() == b"x"


@pytest.mark.parametrize(
    "members",
    [
        [("../x", tarfile.REGTYPE, b"x")],
        [("a/../../x", tarfile.REGTYPE, b"x")],
        [("/x", tarfile.REGTYPE, b"x")],
        [("l", tarfile.SYMTYPE, "/etc")],
        [("a/l", tarfile.SYMTYPE, "../../x")],
        [("h", tarfile.LNKTYPE, "../secret")],
        [("s", tarfile.SYMTYPE, "."), ("h", tarfile.LNKTYPE, "s/../../secret")],
        [("p", tarfile.FIFOTYPE, "")],
        [("c", tarfile.CHRTYPE, "")],
    ],
)
def test_what_leads_out_is_refused(tmp_path, members):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "out").mkdir()
    with pytest.raises(Trouble, match="nothing was put in place"):
        _downloads.unpack(tar(tmp_path / "a", *members), str(tmp_path / "out"))
    assert not (tmp_path / "x").exists()


def test_a_link_that_is_replaced_by_a_later_member_does_not_lead_out(tmp_path):
    (tmp_path / "out").mkdir()
    path = tar(tmp_path / "a", ("d/x", tarfile.REGTYPE, b"1"), ("l", tarfile.SYMTYPE, "d/x"), ("l", tarfile.REGTYPE, b"2"))
    _downloads.unpack(path, str(tmp_path / "out"))
    assert (tmp_path / "out" / "d" / "x").read_bytes() == b"1" and (tmp_path / "out" / "l").read_bytes() == b"2"


def test_zip_with_a_way_out_and_a_damaged_one(tmp_path):
    (tmp_path / "out").mkdir()
    with zipfile.ZipFile(str(tmp_path / "z"), "w") as archive:
        archive.writestr("../x", "x")
    with pytest.raises(Trouble, match="leads out of its place"):
        _downloads.unpack(str(tmp_path / "z"), str(tmp_path / "out"))
    (tmp_path / "cut").write_bytes((tmp_path / "z").read_bytes()[:20])
    with pytest.raises(Trouble, match="damaged"):
        _downloads.unpack(str(tmp_path / "cut"), str(tmp_path / "out"))
    whole = tar(tmp_path / "a", ("x", tarfile.REGTYPE, os.urandom(100_000)))
    (tmp_path / "half").write_bytes(pathlib.Path(whole).read_bytes()[:50_000])
    with pytest.raises(Trouble, match="damaged"):
        _downloads.unpack(str(tmp_path / "half"), str(tmp_path / "out"))
    (tmp_path / "text").write_text("text")
    with pytest.raises(Trouble, match="not an archive"):
        _downloads.unpack(str(tmp_path / "text"), str(tmp_path / "out"))


def test_merging_never_replaces_files_of_others(tmp_path):
    for name, content in (("new/a", "1"), ("new/d/b", "2"), ("there/d/b", "other"), ("there/c", "3")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(Trouble, match="d/b"):
        _downloads.merge(str(tmp_path / "new"), str(tmp_path / "there"), set())
    assert (tmp_path / "there" / "d" / "b").read_text() == "other" and not (tmp_path / "there" / "a").exists()
    _downloads.merge(str(tmp_path / "new"), str(tmp_path / "there"), {"d/b"})
    assert [(tmp_path / "there" / name).read_text() for name in ("a", "d/b", "c")] == ["1", "2", "3"]
    assert not (tmp_path / "new").exists()


def test_no_room_is_known_from_the_size(tmp_path):
    _downloads.room(str(tmp_path / "deep" / "x"), 1, "it")
    with pytest.raises(Trouble, match=r"it needs 1000\.0 TB"):
        _downloads.room(str(tmp_path / "deep" / "x"), 10**15, "it")


def test_secrets_of_a_url_are_not_shown():
    assert _urls.without_secrets("https://ada:pw@example.org:444/x.bin?X-Signature=hush#f") == "https://example.org:444/x.bin"


def test_checksums_given_by_hand():
    assert _downloads.expected("sha256:ABC", "x") == ("sha256", "abc")
    with pytest.raises(Trouble, match="is not known"):
        _downloads.expected("sha255:abc", "x")


@pytest.mark.parametrize(
    ("url", "checksum", "secret"),
    [
        ("https://example.org/x.tar", None, False),
        ("https://example.org/x.tar", "sha256:" + "0" * 64, False),
        ("https://example.org/x.tar", "sha256:https://example.org/sums", False),
        ("https://example.org/x.tar?sig=CANARY", None, True),
        ("https://u:CANARY@example.org/x.tar", "md5:" + "0" * 32, True),
        ("https://example.org/x.tar#CANARY", None, True),
        ("https://example.org/x.tar", "sha256:https://CANARY@example.org/sums?CANARY", True),
    ],
)
def test_what_may_be_secret_in_an_address_travels_apart_and_whole(url, checksum, secret):
    hidden = _downloads.hidden(url, checksum)
    assert bool(hidden) is secret and "CANARY" not in str(hidden) + _urls.without_secrets(url)
    assert _downloads.whole({"url": url, "checksum": checksum, "secret": hidden}) == (url, checksum)
    said = _downloads.without_secrets("URL can't contain control characters: %s" % url, url, (checksum or "").partition(":")[2])
    assert "CANARY" not in said
