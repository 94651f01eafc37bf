"""The exception whose message is written for the user."""

from __future__ import annotations


class PixCellError(Exception):
    """An error that the user can resolve.

    The message says in one or two short sentences what happened and what to do. The dock widget
    shows it in the section it belongs to and the command line prints it, without a traceback.
    """
