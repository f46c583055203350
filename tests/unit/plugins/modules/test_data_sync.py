# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads that were interrupted, in a home of their own, from a real server; the rest is in tests/integration/test_data_sync.py."""

from __future__ import annotations

import functools
import http.server
import io
import tarfile
import threading

import pytest

from ansible_collections.rented.gpu.plugins.module_utils._host import _downloads, _stamps
from ansible_collections.rented.gpu.plugins.modules import data_sync


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """``(folder, address)`` of what is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    yield folder, "http://127.0.0.1:%d/" % running.server_port
    running.shutdown()
    running.server_close()
    thread.join()


def cut_off(*arguments):
    raise _downloads.Abandoned("The connection was cut.")


def test_an_interrupted_replacement_is_mended_by_the_next_run(tmp_path, server, monkeypatch):
    folder, address = server
    dest, home = tmp_path / "weights", str(tmp_path)
    (folder / "v1").write_text("one")
    (folder / "v2").write_text("two")
    item = {"url": address + "v1", "dest": str(dest), "checksum": None, "unpack": None, "keep": False, "stamp": "d", "stamp_wanted": "1"}
    assert data_sync.download(item, home, False)["changed"]
    item.update(url=address + "v2", stamp_wanted="2")
    with monkeypatch.context() as patch:
        patch.setattr(data_sync, "verified", cut_off)
        with pytest.raises(_downloads.Abandoned):
            data_sync.download(item, home, False)
    assert _stamps.read(home, "d")["wanted"] not in ("1", "2")
    assert data_sync.download(item, home, False)["changed"]
    assert dest.read_text() == "two"


def test_an_unpacking_that_was_cut_off_is_mended_by_the_next_run(tmp_path, server, monkeypatch):
    folder, address = server
    with tarfile.open(str(folder / "a.tar"), "w") as archive:
        member = tarfile.TarInfo("x")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    home = str(tmp_path)
    item = {
        "url": address + "a.tar", "dest": str(tmp_path / "a.tar"), "checksum": None, "unpack": str(tmp_path / "out"), "keep": True,
        "stamp": "d", "stamp_wanted": "1",
    }  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(data_sync, "unpack", cut_off)
        with pytest.raises(_downloads.Abandoned):
            data_sync.download(item, home, False)
    assert data_sync.download(item, home, False)["changed"]
    assert (tmp_path / "out" / "x").read_text() == "abc"


def test_a_file_of_others_is_never_replaced(tmp_path, server):
    folder, address = server
    (folder / "v1").write_text("one")
    (tmp_path / "weights").write_text("mine")
    item = {
        "url": address + "v1", "dest": str(tmp_path / "weights"), "checksum": None, "unpack": None, "keep": False, "stamp": "d",
        "stamp_wanted": "1",
    }  # fmt: skip
    for _run in range(2):
        with pytest.raises(_downloads.Trouble, match="another file is there already"):
            data_sync.download(item, str(tmp_path), False)
    assert (tmp_path / "weights").read_text() == "mine"
