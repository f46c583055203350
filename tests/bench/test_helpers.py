# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's own tools measure what they say: ``python -m pytest tests/bench``, a part of ``make units``."""

from __future__ import annotations

import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from _delay import DelayProxy
from _memory import MARK, Peak
from _report import BEGIN, END, Results, replace_part, table, verdict


@pytest.fixture
def echo():
    """The port of a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def ask(connection, data: bytes) -> float:
    """Seconds until all of it has come back."""
    started = time.monotonic()
    connection.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = connection.recv(65536)
        assert piece, "cut after %d bytes" % len(got)
        got += piece
    assert got == data
    return time.monotonic() - started


@pytest.mark.parametrize("rtt", [0, 80, 200])
def test_an_answer_takes_one_round_trip(echo, rtt):
    with DelayProxy(echo, rtt) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        ask(connection, b"open")  # also pays for the opening
        quickest = min(ask(connection, b"x") for _unused in range(5)) * 1000
    assert rtt <= quickest < rtt + 40


def test_what_passes_is_whole_and_pieces_overlap(echo):
    data = os.urandom(200_000)
    with DelayProxy(echo, 100) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connection:
        ask(connection, b"open")
        assert ask(connection, data) < 1, "the delay must be paid once, not for each piece"


def test_drop_cuts_and_the_next_connection_works(echo):
    with DelayProxy(echo) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            ask(connection, b"x")
            proxy.drop()
            connection.settimeout(5)
            assert connection.recv(1) == b""
        with socket.create_connection(("127.0.0.1", proxy.port)) as connection:
            ask(connection, b"x")


def test_memory_counts_a_process_that_left_the_tree():
    # The shell ends at once; its child is nobody's child any more, and takes 64 MiB.
    child = "%s -c 'import time; kept = bytearray(b\"x\" * (64 << 20)); time.sleep(2)'" % sys.executable
    with Peak("test-1") as peak:
        subprocess.run(["sh", "-c", child + " &"], env={**os.environ, MARK: "test-1"}, check=True)
        time.sleep(1.5)
    assert 64 < peak.mib < 128


def row(rival, rtt, phase, seconds, executions=1, problems=()):
    found = {"rival": rival, "rtt": rtt, "hosts": 1, "phase": phase, "seconds": seconds}
    return {**found, "executions": executions, "memory_mib": None, "problems": list(problems)}


def test_goals_are_judged_by_medians():
    rows = [
        row("ours", 0, "repeat", [9, 2, 3], executions=4),
        row("bash", 0, "repeat", [1.0]),
        row("ours", 300, "repeat", [5]),
        row("plain", 300, "repeat", [21]),
        row("pyinfra", 300, "repeat", [4]),
    ]
    results = Results(rows, {"ours": "ours", "bash": "bash", "plain": "plain", "pyinfra": "pyinfra"}, [2.0], {})
    verdicts = [line.rsplit("|", 2)[1].strip() for line in results.goals()[2:]]
    assert verdicts == ["falls short: 1.33 ×", "reached", "reached", "falls short: 1.25 ×", "not measured", "not measured"]


def test_a_rival_that_left_something_out_has_no_number():
    results = Results([row("bash", 0, "fresh", [1.0], problems=["the host lacks: x"])], {"bash": "bash"}, [], {})
    assert results.seconds("bash", 0, "fresh") is None
    assert results.problems() == ["- bash, fresh, 0 ms, 1 host(s): the host lacks: x"]


def test_the_page_keeps_what_people_wrote():
    page = "above\n%s\nold\n%s\nbelow\n" % (BEGIN, END)
    new = replace_part(page, ["new"])
    assert new == page.replace("old", "new")
    assert replace_part(new, ["new"]) == new
    with pytest.raises(ValueError):
        replace_part("no marks", ["new"])


def test_words_of_the_tables():
    assert verdict(None, 1) == "not measured"
    assert verdict(2, 1) == "falls short: 2.00 ×"
    assert table(["a", "b"], [["long", "1"]]) == ["| a    |  b |", "| ---- | -: |", "| long |  1 |"]
