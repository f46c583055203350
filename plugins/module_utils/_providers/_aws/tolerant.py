# Copyright (c) 2026, the rented.gpu contributors
# GNU General Public License v3.0 or later (see LICENSE)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection; it may change without notice.
"""botocore's reading of answers, in which a value that is not of its type is None. By itself, botocore then refuses the whole list."""

from __future__ import annotations

TYPES = ("blob", "boolean", "double", "float", "integer", "long", "timestamp")


def install(session) -> None:
    """Let the clients that a botocore session makes from now on read answers this way."""
    from botocore.parsers import ResponseParserFactory

    class Factory(ResponseParserFactory):
        def create_parser(self, protocol_name):
            parser = super().create_parser(protocol_name)
            for name in TYPES:
                handler = getattr(parser, "_handle_" + name, None)
                if handler is not None:
                    setattr(parser, "_handle_" + name, _or_none(handler))
            return parser

    session.register_component("response_parser_factory", Factory())


def _or_none(handler):
    def read(shape, node):
        try:
            return handler(shape, node)
        except (ValueError, TypeError, OverflowError, RuntimeError, AttributeError):
            return None

    return read
