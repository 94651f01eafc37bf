"""Asks the user on the terminal to agree to a download."""

from __future__ import annotations

import sys

from napari_pixcell.cli import options as cli
from napari_pixcell.errors import PixCellError


def require_agreement(options: cli.Options, offer: str, question: str, otherwise: str) -> None:
    """Show an offer, and return if ``--yes`` is given or the user agrees on a terminal.

    Parameters
    ----------
    offer, question : str
        What is offered, and the question about it.
    otherwise : str
        What to do if nobody can be asked.

    Raises
    ------
    PixCellError
        If the user does not agree, or cannot be asked.
    """
    if options.yes:
        return
    if options.json or sys.stdin is None or not sys.stdin.isatty():
        raise PixCellError(f"{offer} {otherwise}")
    print(offer)
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise PixCellError("Nothing was downloaded.")
