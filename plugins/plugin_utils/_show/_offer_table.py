# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""What `offer_info` answered, for people (a table as wide as their terminal), as JSON and as CSV. Pure: nothing is asked or written."""

from __future__ import annotations

import csv
import io
import json
import textwrap

from ansible_collections.rented.gpu.plugins.module_utils import _plain
from ansible_collections.rented.gpu.plugins.module_utils._errors import RentedError
from ansible_collections.rented.gpu.plugins.module_utils._renting import _gpu_names, _offers
from ansible_collections.rented.gpu.plugins.plugin_utils._show import _table

COLUMNS = ["#", "provider", "offer", "GPU", "$/hour", "hours", "total $", "place", "trust", "reliable", "spot"]
NUMBERS = ("#", "$/hour", "hours", "total $", "reliable")
# What a narrow terminal does without, first things first.
DISPENSABLE = ("reliable", "trust", "offer", "hours", "place")
# Characters of an offer and of its place: where there is room, and where there is less.
LENGTHS = ((28, 28), (16, 28), (13, 28), (13, 20), (13, 13))
# In what offers agree that differ by their place only.
SAME: tuple = (
    "provider",
    "account",
    "kind",
    "instance_type",
    "machine_id",
    "gpu_name_raw",
    "gpu_model",
    "gpu_variant",
    "gpu_count",
    "gpu_vram_mb",
)
SAME += ("price_per_hour", "billed_hours", "total_usd", "not_counted", "trust", "reliability", "interruptible")
NARROWEST = 40  # columns; below it lines are broken by the terminal


# --- for people --------------------------------------------------------------------------------------------------------


def fold(answer: dict, limit: int) -> dict:
    """The answer with one row for offers that differ by their place only, and at most ``limit`` rows (0: all).

    A provider with a price for all of its regions would else fill the table with one offer. ``more_places`` counts the others.
    """
    rows: dict = {}
    for offer in answer["offers"]:
        row = rows.setdefault(repr([offer.get(name) for name in SAME]), dict(offer, more_places=-1))
        row["more_places"] += 1
    return dict(answer, offers=list(rows.values())[: limit or None])


def text(answer: dict, width: int) -> list:
    """The lines of the table and of what has to be known about it. ``answer`` is that of `offer_info`."""
    chosen = rows_of(answer)
    if not _is_table(chosen):
        return [*json.dumps(chosen, indent=2, ensure_ascii=False).splitlines(), "", *below(answer, width)]
    if not chosen:
        table = ["No offer fits. Ask for less, pay more, or look in more places."]
    elif _are_offers(chosen):
        table = offers_table(chosen, width)
    else:
        table = _table.lines([{name: _cell(value) for name, value in row.items()} for row in chosen], _names(chosen))
    return [*table, "", *below(answer, width)]


def offers_table(rows: list, width: int) -> list:
    """The ranked offers, without the columns that do not fit in."""
    columns = list(COLUMNS)
    for name in (None, *DISPENSABLE):
        columns = [column for column in columns if column != name]
        for lengths in LENGTHS:
            table = _table.lines([_shown(row, *lengths) for row in rows], columns, NUMBERS)
            if max(map(len, table)) <= width:
                return table
    return table


def _shown(row: dict, offer_length: int, place_length: int) -> dict:
    total = row.get("total_usd")
    more = f" +{row['more_places']}" if row.get("more_places") else ""
    place = _short(row.get("region"), place_length - len(more), keep_end=True)
    return {
        "#": row.get("rank"),
        "provider": row.get("provider"),
        "offer": _short(row.get("instance_type") or row.get("id"), offer_length),
        "GPU": gpu(row),
        "$/hour": _money(row.get("price_per_hour"), 3),
        "hours": _money(row.get("billed_hours"), 1),
        "total $": "unknown" if total is None else f"{_money(total, 2)}{'+' if row.get('not_counted') else ' '}",
        "place": (place or "?") + more if place or more else None,
        "trust": row.get("trust"),
        "reliable": _money(row.get("reliability"), 3),
        "spot": "yes" if row.get("interruptible") else None,
    }


def gpu(row: dict) -> str:
    """The GPUs of an offer in a few words; a stand-in says that it is one."""
    words = [row.get("gpu_model") or row.get("gpu_name_raw") or "?"]
    if row.get("gpu_variant"):
        words.append(row["gpu_variant"])
    size = sold_gb(row)
    if size and "MIG" not in words[-1]:
        words.append(f"{size:.0f} GB")
    if (row.get("gpu_count") or 1) > 1:
        words.insert(0, f"{row['gpu_count']:.0f} x")
    if "(simulated)" in (row.get("gpu_name_raw") or ""):
        words.append("(simulated)")
    return " ".join(words)


def sold_gb(row: dict) -> int | None:
    """GB per GPU as the model is sold: an L40S has 48, though its driver says 44.99."""
    found = row.get("gpu_vram_mb")
    usual = _gpu_names.usual_vram_mb(_gpu_names.GpuName(row.get("gpu_model"), row.get("gpu_variant"), None))
    if usual and (not found or _gpu_names.same_size(usual, found)):
        return usual // 1024
    return _gpu_names.sold_gb(found)


def below(answer: dict, width: int) -> list:
    """What stands under the table: what is missing, who failed, and when the prices were asked for."""
    offers = answer["offers"]
    said = []
    shown = sum(1 + row.get("more_places", 0) for row in offers)
    if answer["found"] > shown:
        said.append(f"The best {shown} of {answer['found']} offers that fit.")
    more = next((row["more_places"] for row in offers if row.get("more_places")), None)
    if more:
        said.append(f"+{more} after a place: the same offer at {more} more.")
    if any(row.get("interruptible") for row in offers):
        said.append("Spot: may be taken back at any time.")
    lacking: dict = {}
    for row in offers:
        for term in row.get("not_counted") or []:
            lacking.setdefault(term, set()).add(row["provider"])
    if lacking:
        terms = [f"{term} ({', '.join(sorted(providers))})" for term, providers in sorted(lacking.items())]
        said.append(f"Not known, so not counted (a total with +): {'; '.join(terms)}.")
    said += [f"FAILED: {failure['message']}" for failure in answer["failures"]]
    said += answer["notes"]
    when = answer["asked_at"][:16].replace("T", " ")
    said.append(f"Prices in USD of this minute ({when} UTC), without tax; totals with a disk of {answer['disk_gb']:g} GB.")
    width = max(width, NARROWEST)
    return [line for sentence in said for line in _wrapped(_plain.plain(sentence), width)]


def _wrapped(sentence: str, width: int) -> list:
    return textwrap.wrap(sentence, width, subsequent_indent="  ", break_on_hyphens=False)  # an address stays whole


# --- for programs ------------------------------------------------------------------------------------------------------


def as_json(answer: dict) -> str:
    """Everything that the module answered, one document. What some programs take for the end of a line, or a terminal obeys, is escaped."""
    names = ("asked_at", "disk_gb", "found", "offers", "result", "failures", "notes")
    text = json.dumps({name: answer[name] for name in names if name in answer}, indent=2, ensure_ascii=False) + "\n"
    return _plain.COMMANDS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def as_csv(answer: dict) -> str:
    """The offers, or what the query gave of them, one line each, with a header."""
    chosen = rows_of(answer)
    if not _is_table(chosen):
        raise RentedError("The query gave no list of objects, as CSV needs it. Use the format json, or a query like [].{gpu: gpu_model}.")
    buffer = io.StringIO()
    names = _names(chosen) or list(_offers.ROW_FIELDS)
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_csv_cell(row.get(name)) for name in names] for row in chosen])
    return buffer.getvalue()


def rows_of(answer: dict):
    """What is shown: the result of the query where there is one, else the offers."""
    return answer["result"] if "result" in answer else answer["offers"]


def _is_table(chosen) -> bool:
    return isinstance(chosen, list) and all(isinstance(row, dict) for row in chosen)


def _are_offers(chosen: list) -> bool:
    return all({"rank", "provider", "total_usd"} <= set(row) for row in chosen)


def _names(rows: list) -> list:
    return list(dict.fromkeys(name for row in rows for name in row))


def _csv_cell(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return _harmless("; ".join(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return _harmless(value) if isinstance(value, str) else value


def _harmless(value: str) -> str:
    # A place is a stranger's word; a spreadsheet would compute one that begins like a formula.
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _cell(value):
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list, bool)) else value


def _money(value, digits: int) -> str | None:
    return None if value is None else "%.*f" % (digits, value)


def _short(value, length: int, keep_end: bool = False) -> str | None:
    words = " ".join(str(value).split()) if value is not None else None
    if words is None or len(words) <= length:
        return words
    return "…" + words[1 - length :] if keep_end else words[: length - 1] + "…"  # of a place, the country is at the end
