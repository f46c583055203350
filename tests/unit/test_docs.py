# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation: links lead somewhere, quoted messages exist, and every page is in the index."""

from __future__ import annotations

import ast
import functools
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md"), ROOT / "tests" / "README.md"])
LINK = re.compile(r"(?<!`)\[[^\]\[]*\]\(([^()\s]+)\)")


@functools.lru_cache(maxsize=None)
def anchors(page: pathlib.Path) -> set:
    """The anchors of the headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    broken = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _hash, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert not broken, "%s: broken: %s" % (page.relative_to(ROOT), ", ".join(broken))


def test_every_page_is_in_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(index.read_text(encoding="utf-8"))}
    missing = [page.relative_to(ROOT).as_posix() for page in PAGES if ROOT / "docs" in page.parents and page not in (linked | {index})]
    assert not missing, "docs/README.md: missing: %s" % ", ".join(missing)


def messages() -> str:
    """Every text in the plugins, with parts of one literal joined."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "plugins").rglob("*.py")]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(" ".join(text.split()) for text in texts)


WORDS_OF_UV = ("was not found in the package registry",)


def test_the_messages_that_troubleshooting_quotes_exist():
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]*) \|", page, re.M)
    quoted = [part.strip() for cell in cells for quote in re.findall(r"`([^`]+)`", cell) for part in quote.split("…") if part.strip()]
    assert len(quoted) > 15
    known = messages()
    unknown = [part for part in quoted if part not in known and part not in WORDS_OF_UV]
    assert not unknown, "docs/troubleshooting.md quotes messages that do not exist: %s" % unknown


# Words that docs/STYLE.md advises against, in all pages, option docs, messages and comments.
DIALECT = re.compile(
    r"(?<!there )(?<!there\n)\b(nobody|somebody|whoever|of ours|left out,|(is|are) no (?!longer|more|other|such|way|need)[a-z]+)\b",
    re.IGNORECASE,
)
TEXTS = [
    *PAGES,
    *sorted(path for pattern in ("meta/*.yml", "defaults/*.yml", "tasks/*.yml") for path in (ROOT / "roles").glob("*/" + pattern)),
    *sorted((ROOT / "playbooks").rglob("*.yml")),
    *sorted((ROOT / "plugins").rglob("*.py")),
]
# One shows the words on purpose; the other has them as names in a script.
EXCEPT = ("docs/STYLE.md", "plugins/module_utils/_providers/_rehearsal/tools.py")


def test_plain_english():
    found = []
    for path in TEXTS:
        name = path.relative_to(ROOT).as_posix()
        if name not in EXCEPT:
            text = path.read_text(encoding="utf-8")
            found += ["%s:%d: %s" % (name, text[: match.start()].count("\n") + 1, match.group()) for match in DIALECT.finditer(text)]
    assert not found, "write it as docs/STYLE.md says:\n" + "\n".join(found)
