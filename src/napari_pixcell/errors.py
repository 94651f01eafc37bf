"""The one exception whose message is meant for the user."""

from __future__ import annotations


class PixCellError(Exception):
    """Something the user can mend.

    The message is one plain sentence that says what to do; the dock shows it in the section
    it belongs to and the command line prints it, both without a traceback.
    """
