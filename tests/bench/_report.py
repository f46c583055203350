# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's results as Markdown: seconds, ratios, and how they stand to the goals. No goal is asserted: a busy machine is no defect."""

from __future__ import annotations

import statistics

BEGIN = "<!-- bench: begin; written by make bench -->"
END = "<!-- bench: end -->"
PHASES = ("fresh", "repeat")


class Results:
    """``rows``: one dict per rival, delay, number of hosts and phase ("fresh" or "repeat"), with ``seconds`` (a list, empty when
    it failed), ``executions`` (per host, or None), ``memory_mib`` (or None) and ``problems`` (what is missing on the host)."""

    def __init__(self, rows: list, titles: dict, startup: list, login: dict) -> None:
        self.rows, self.titles = rows, titles
        self.startup = statistics.median(startup) if startup else None
        self.login = {rtt: statistics.median(seconds) for rtt, seconds in login.items() if seconds}

    def row(self, rival: str, rtt: float, phase: str, hosts: int = 1) -> dict | None:
        for row in self.rows:
            if (row["rival"], row["rtt"], row["phase"], row["hosts"]) == (rival, rtt, phase, hosts):
                return row
        return None

    def seconds(self, rival: str, rtt: float, phase: str, hosts: int = 1) -> float | None:
        """The median, or None when there is none or when the host was not as it should be."""
        row = self.row(rival, rtt, phase, hosts)
        return statistics.median(row["seconds"]) if row and row["seconds"] and not row["problems"] else None

    def value(self, field: str, rival: str, rtt: float, phase: str, hosts: int = 1):
        row = self.row(rival, rtt, phase, hosts)
        return row[field] if row and not row["problems"] else None

    @property
    def rtts(self) -> list:
        return sorted({row["rtt"] for row in self.rows if row["hosts"] == 1})

    # --- tables ----------------------------------------------------------------------------------------------------

    def one_host(self) -> list:
        """Seconds of every rival, and how often it went to the host."""
        runs = self._runs()
        body = []
        for rival, title in self.titles.items():
            cells = [number(self.seconds(rival, rtt, phase)) for phase, rtt in runs]
            counts = [number(self.value("executions", rival, self.rtts[0], phase)) for phase in PHASES]
            body.append([title, *cells, *counts])
        unknown = ["–"] * len(self.rtts)
        startup = [number(self.startup)] * len(self.rtts)
        login = [number(self.login.get(rtt)) for rtt in self.rtts]
        body.append(["an empty play: Ansible's own start-up", *unknown, *startup, "–", "0"])
        body.append(["one login: `ssh host true`", *unknown, *login, "–", "1"])
        return table(["one host, seconds", *map("{0[0]}, {0[1]:g} ms".format, runs), "executions: fresh", "repeat"], body)

    def ratios(self) -> list:
        """Our seconds divided by those of each rival."""
        runs = self._runs()
        body = []
        for rival in self.titles:
            if rival != "ours":
                cells = [ratio(self.seconds("ours", rtt, phase), self.seconds(rival, rtt, phase)) for phase, rtt in runs]
                body.append([self.titles[rival], *cells])
        return table(["ours ÷ theirs", *map("{0[0]}, {0[1]:g} ms".format, runs)], body)

    def fleet(self) -> list:
        """Seconds and memory with several hosts; no lines when that was not measured."""
        body = []
        for row in self.rows:
            if row["memory_mib"] is not None:
                seconds = self.seconds(row["rival"], row["rtt"], row["phase"], row["hosts"])
                memory = "%.0f" % row["memory_mib"]
                body.append([self.titles[row["rival"]], row["phase"], str(row["hosts"]), number(seconds), memory])
        return table(["several hosts, 0 ms", "run", "hosts", "seconds", "controller's memory, MiB"], body) if body else []

    def goals(self) -> list:
        """What the project wants to reach, and whether it does."""
        near, far = 0, 300
        script = {phase: self.seconds("bash", near, phase) for phase in PHASES}
        half = script["fresh"] and 0.5 * script["fresh"]
        plain = self.seconds("plain", far, "repeat")
        ours = self.seconds("ours", far, "repeat")
        allowed = 1.5 * script["repeat"] + self.startup if script["repeat"] and self.startup else None
        memory = [row["memory_mib"] for row in self.rows if row["rival"] == "ours" and row["hosts"] == 10 and row["memory_mib"]]
        goals = [
            ("repeated: remote executions", self.value("executions", "ours", self.rtts[0], "repeat"), 3, ""),
            ("repeated, %g ms: 1.5 × bash + Ansible's start-up" % near, self.seconds("ours", near, "repeat"), allowed, " s"),
            ("repeated, %g ms: 0.25 × plain playbook" % far, ours, plain and 0.25 * plain, " s"),
            ("repeated, %g ms: no slower than pyinfra" % far, ours, self.seconds("pyinfra", far, "repeat"), " s"),
            ("fresh, %g ms: 0.5 × bash with pip" % near, self.seconds("ours", near, "fresh"), half, " s"),
            ("10 hosts: memory of the controller", max(memory, default=None), 300, " MiB"),
        ]
        body = [[what, number(most, unit), number(got, unit), verdict(got, most)] for what, got, most, unit in goals]
        return table(["goal", "at most", "ours", "verdict"], body)

    def problems(self) -> list:
        """What went wrong, one line each."""
        lines = []
        for row in self.rows:
            where = "%s, %s, %g ms, %d host(s)" % (self.titles[row["rival"]], row["phase"], row["rtt"], row["hosts"])
            lines += ["- %s: %s" % (where, problem) for problem in row["problems"]]
        return lines

    def _runs(self) -> list:
        return [(phase, rtt) for phase in PHASES for rtt in self.rtts]


def verdict(got, most) -> str:
    if got is None or most is None:
        return "not measured"
    return "reached" if got <= most else "falls short: %.2f ×" % (got / most)


def number(value, unit: str = "") -> str:
    if value is None:
        return "–"
    return ("%d" % value if isinstance(value, int) else "%.1f" % value) + unit


def ratio(ours, theirs) -> str:
    return "–" if ours is None or not theirs else "%.2f" % (ours / theirs)


def table(head: list, body: list) -> list:
    """Lines of a Markdown table; all columns but the first are aligned right."""
    widths = [max(2, *(len(line[column]) for line in [head, *body])) for column in range(len(head))]

    def written(line):
        cells = [cell.rjust(width) for cell, width in zip(line, widths)]
        cells[0] = line[0].ljust(widths[0])
        return "| " + " | ".join(cells) + " |"

    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    return [written(head), written(rule), *map(written, body)]


def replace_part(text: str, lines: list, begin: str = BEGIN, end: str = END) -> str:
    """The page with what lies between the two marks replaced; raises ValueError when it has not both marks."""
    before, first, rest = text.partition(begin)
    _old, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError("The page needs the two lines '%s' and '%s'." % (begin, end))
    return before + begin + "\n" + "\n".join(lines).strip("\n") + "\n" + end + after
