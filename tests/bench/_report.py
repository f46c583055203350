# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench's results as Markdown: seconds, ratios, and how they stand to the goals. No goal is asserted: a busy machine is no defect."""

from __future__ import annotations

import statistics

BEGIN = "<!-- bench: begin; written by make bench -->"
END = "<!-- bench: end -->"


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
        phases = [(phase, rtt) for phase in ("fresh", "repeat") for rtt in self.rtts]
        head = ["one host, seconds"] + ["%s, %g ms" % pair for pair in phases] + ["executions: fresh", "repeat"]
        body = []
        for rival, title in self.titles.items():
            cells = [number(self.seconds(rival, rtt, phase)) for phase, rtt in phases]
            counts = [number(self.value("executions", rival, self.rtts[0], phase)) for phase in ("fresh", "repeat")]
            body.append([title, *cells, *counts])
        body.append(["an empty play: Ansible's own start-up"] + ["–"] * len(self.rtts) + [number(self.startup)] * len(self.rtts) + ["–", "0"])
        body.append(["one login: `ssh host true`"] + ["–"] * len(self.rtts) + [number(self.login.get(rtt)) for rtt in self.rtts] + ["–", "1"])
        return table(head, body)

    def ratios(self) -> list:
        phases = [(phase, rtt) for phase in ("fresh", "repeat") for rtt in self.rtts]
        head = ["ours ÷ theirs"] + ["%s, %g ms" % pair for pair in phases]
        others = [rival for rival in self.titles if rival != "ours"]
        body = []
        for rival in others:
            cells = [ratio(self.seconds("ours", rtt, phase), self.seconds(rival, rtt, phase)) for phase, rtt in phases]
            body.append([self.titles[rival], *cells])
        return table(head, body)

    def fleet(self) -> list:
        body = []
        for row in self.rows:
            if row["memory_mib"] is not None:
                seconds = statistics.median(row["seconds"]) if row["seconds"] and not row["problems"] else None
                body.append([self.titles[row["rival"]], str(row["hosts"]), row["phase"], number(seconds), "%.0f" % row["memory_mib"]])
        return table(["several hosts, 0 ms, at most 10 forks", "hosts", "run", "seconds", "controller's memory, MiB (peak PSS)"], body) if body else []

    def goals(self) -> list:
        near, far = self.rtts[0], self.rtts[-1]
        ours, bash = self.seconds("ours", near, "repeat"), self.seconds("bash", near, "repeat")
        allowed = 1.5 * bash + self.startup if bash is not None and self.startup is not None else None
        ours_far = self.seconds("ours", far, "repeat")
        plain, pyinfra = self.seconds("plain", far, "repeat"), self.seconds("pyinfra", far, "repeat")
        fresh, script = self.seconds("ours", near, "fresh"), self.seconds("bash", near, "fresh")
        # The first session is the login that the connection stays open for; it carries an execution of ours too.
        lines = [
            ("repeated: remote executions after login", self.value("executions", "ours", near, "repeat"), 3, ""),
            ("repeated, %g ms: 1.5 × bash + start-up" % near, ours, allowed, " s"),
            ("repeated, %g ms: 0.25 × plain playbook" % far, ours_far, plain and 0.25 * plain, " s"),
            ("repeated, %g ms: no slower than pyinfra" % far, ours_far, pyinfra, " s"),
            ("fresh, %g ms: 0.5 × bash with pip" % near, fresh, script and 0.5 * script, " s"),
        ]
        memory = [row["memory_mib"] for row in self.rows if row["rival"] == "ours" and row["hosts"] == 10 and row["memory_mib"] is not None]
        lines.append(("10 hosts: memory of the controller", max(memory, default=None), 300, " MiB"))
        return table(["goal", "at most", "ours", ""], [[what, number(most, unit), number(got, unit), verdict(got, most)] for what, got, most, unit in lines])

    def problems(self) -> list:
        found = [(row, problem) for row in self.rows for problem in row["problems"]]
        return ["- %s, %s, %g ms, %d host(s): %s" % (self.titles[row["rival"]], row["phase"], row["rtt"], row["hosts"], problem) for row, problem in found]


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
    lines = [head, *body]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    place = lambda line: "| " + " | ".join(cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in enumerate(zip(line, widths))) + " |"  # noqa: E731
    rule = "| " + " | ".join("-" * width if not column else "-" * (width - 1) + ":" for column, width in enumerate(widths)) + " |"
    return [place(head), rule, *(place(line) for line in body)]


def replace_part(text: str, lines: list) -> str:
    """The page with what lies between the two marks replaced; raises ValueError when it has not both marks."""
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("The page needs the two lines '%s' and '%s'." % (BEGIN, END))
    return before + begin + "\n" + "\n".join(lines).strip("\n") + "\n" + end + after
