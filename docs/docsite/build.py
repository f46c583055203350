# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation site: the guides, the role READMEs and the option docs of all plugins, with search.

build.py FOLDER   writes FOLDER/html, and fails if a link inside the site is broken
"""

from __future__ import annotations

import html.parser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
# Pages beside docs/ that the site has too, and what they are called there.
BESIDE = {"CONTRIBUTING.md": "CONTRIBUTING.md", "SECURITY.md": "SECURITY.md", "CODE_OF_CONDUCT.md": "CODE_OF_CONDUCT.md"}
SOURCE = "https://github.com/rented-gpu/rented.gpu/blob/main/"
CONTENTS = """
```{{toctree}}
:hidden:
:caption: {caption}

{pages}
```
"""
CHAPTERS = {
    "Guides": ["getting_started", "use_roles", "inventory", "offers", "places_without_ssh", "ownership", "troubleshooting", "glossary"],
    "Providers": ["providers/*"],
    "Roles": ["roles/*"],
    "Reference": ["plugins/index", "ready_json", "surroundings", "surroundings_python", "surroundings_tmux", "performance", "agents"],
    "Contribute": ["CONTRIBUTING", "add_a_provider", "add_a_role", "layout", "STYLE", "releasing", "SECURITY", "CODE_OF_CONDUCT"],
}


def collect(source: pathlib.Path) -> None:
    """All pages, in one tree."""
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("docsite"))
    (source / "README.md").rename(source / "index.md")
    for name, there in BESIDE.items():
        shutil.copy(ROOT / name, source / there)
    (source / "roles").mkdir()
    for readme in sorted((ROOT / "roles").glob("*/README.md")):
        shutil.copy(readme, source / "roles" / (readme.parent.name + ".md"))
    for page in sorted(source.rglob("*.md")):
        depth = len(page.relative_to(source).parts) - 1
        page.write_text(relinked(page.read_text(encoding="utf-8"), "../" * depth), encoding="utf-8")
    index = source / "index.md"
    chapters = "".join(CONTENTS.format(caption=caption, pages="\n".join(expanded(source, names))) for caption, names in CHAPTERS.items())
    index.write_text(index.read_text(encoding="utf-8").replace("# Documentation", "# rented.gpu", 1) + chapters, encoding="utf-8")


def expanded(source: pathlib.Path, names: list[str]) -> list[str]:
    """The names of pages, with ``folder/*`` as all pages of a folder."""
    found = []
    for name in names:
        pages = sorted(source.glob(name + ".md")) if "*" in name else []
        found += [page.relative_to(source).with_suffix("").as_posix() for page in pages] or [name]
    return found


def relinked(text: str, up: str) -> str:
    """The text of a page with its links to files of the repository as links inside the site."""
    for pattern, there in (
        (r"\]\((?:\.\./)+plugins/modules/(\w+)\.py\)", r"](%splugins/\1_module.rst)" % up),
        (r"\]\((?:\.\./)*roles/(\w+)/README\.md(#[\w-]+)?\)", r"](%sroles/\1.md\2)" % up),
        (r"\]\((?:\.\./)+docs/([\w/]+\.md(?:#[\w-]+)?)\)", r"](%s\1)" % up),
        (r"\]\(docs/([\w/]+\.md(?:#[\w-]+)?)\)", r"](%s\1)" % up),
        (r"\]\((?:\.\./)+(%s)\)" % "|".join(map(re.escape, BESIDE)), r"](%s\1)" % up),
        (r"\]\((?:\.\./)*((?:inventory|tests|docs)/[\w./]+|CHANGELOG\.rst|LICENSE)\)", r"](%s\1)" % SOURCE),
        (r"\]\(((?:[\w.]+/)*)README\.md\)", r"](\1index.md)"),
    ):
        text = re.sub(pattern, there, text)
    return text


class Links(html.parser.HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        values = dict(attrs)
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        self.links += [values[name] for name in ("href", "src") if values.get(name)]


def broken_links(site: pathlib.Path) -> list[str]:
    """``page: link`` for each link inside the site that leads nowhere."""
    pages = {}
    for path in site.rglob("*.html"):
        pages[path] = Links()
        pages[path].feed(path.read_text(encoding="utf-8"))
    found = []
    for path, page in sorted(pages.items()):
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.exists() or (parts.fragment and known and urllib.parse.unquote(parts.fragment) not in known.anchors):
                found.append("%s: %s" % (path.relative_to(site), link))
    return found


def main(folder: str) -> int:
    work = pathlib.Path(folder).resolve()
    shutil.rmtree(work, ignore_errors=True)
    source, site = work / "source", work / "html"
    collect(source)
    environment = dict(os.environ, ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".collections"), PATH="%s:%s" % (BIN, os.environ["PATH"]))
    command = [str(BIN / "antsibull-docs"), "collection", "--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--fail-on-error"]
    (source / "plugins").mkdir()
    subprocess.run([*command, "--dest-dir", str(source / "plugins"), "rented.gpu"], check=True, env=environment)
    for page in (source / "plugins").glob("*.rst"):
        # The theme shows the contents of each page beside it.
        page.write_text(re.sub(r"^\.\. contents::\n(?: .*\n)*", "", page.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    subprocess.run(
        [str(BIN / "sphinx-build"), "-q", "-b", "html", "-c", str(pathlib.Path(__file__).parent), str(source), str(site)], check=True
    )
    broken = broken_links(site)
    for line in broken:
        print("broken link: " + line, file=sys.stderr)
    print("%d pages in %s, %d broken links" % (len(list(site.rglob("*.html"))), site, len(broken)))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
