# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site. `make docs` builds it; nothing is downloaded while it does."""

from __future__ import annotations

project = "rented.gpu"
copyright = "the rented.gpu contributors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "rented.gpu"
html_theme_options = {"source_repository": "https://github.com/rented-gpu/rented.gpu", "source_branch": "main", "source_directory": "docs/"}
html_show_sphinx = False
myst_heading_anchors = 4
# Labels of Ansible's own documentation, which would need its index from the network.
suppress_warnings = ["ref.ref", "ref.any", "myst.header", "toc.not_included", "ref.envvar"]
nitpicky = False
exclude_patterns = ["docsite"]
