"""What the hub, the network and the disk say no to, in sentences for the user.

A token is in none of them: they are made from the kind of error and the name of the repository.
"""

from __future__ import annotations

from napari_pixcell.models.catalogue import Part
from napari_pixcell.models.manifest import FULL

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
BRING = "or bring the files from another machine with “napari-pixcell models import”"


def explain(error: Exception, part: Part) -> str:
    """Turn an error of the hub's client, or of the disk, into one sentence.

    Raises
    ------
    Exception
        The error itself, if it is of another kind: then it is a mistake of ours.
    """
    from huggingface_hub import errors, get_token

    hub_id = part.hub_id
    if isinstance(error, errors.OfflineModeIsEnabled):
        return offline_sentence(part)
    if isinstance(error, errors.HfHubHTTPError):
        return _refused(error, part, logged_in=get_token() is not None)
    if isinstance(error, errors.HTTPError):
        return (
            f"The hub cannot be reached, so {hub_id} was not fetched; check the network and its "
            f"proxy, {BRING}."
        )
    if isinstance(error, OSError):
        if error.errno in FULL:
            return (
                f"The disk is full, so {hub_id} was not fetched whole; free some space or choose "
                "another folder of weights, and get it again: it goes on from here."
            )
        return (
            f"The files of {hub_id} cannot be written ({error.strerror or 'no reason given'}); "
            "choose another folder of weights."
        )
    raise error


def offline_sentence(part: Part) -> str:
    """Say that ``HF_HUB_OFFLINE`` keeps a part from being fetched."""
    return f"HF_HUB_OFFLINE is set, so {part.hub_id} was not fetched; unset it, {BRING}."


def _refused(error: Exception, part: Part, logged_in: bool) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    assert isinstance(error, HfHubHTTPError)
    hub_id, status = part.hub_id, error.response.status_code
    said = str(error).lower()
    if "fine-grained" in said or "public gated repos" in said:
        return (
            f"Your token may not read gated repositories such as {hub_id}; at {TOKENS_PAGE} allow "
            "it “Read access to contents of all public gated repos you can access”."
        )
    if status == 401 and logged_in:
        return (
            f"The hub does not accept your token, so {hub_id} was not fetched; it may have "
            "expired: log in again with “hf auth login”."
        )
    if isinstance(error, GatedRepoError) or (status == 401 and part.gated):
        if not logged_in:
            return (
                f"{hub_id} is gated and you are not logged in; ask for access at "
                f"https://huggingface.co/{hub_id}, then log in with “hf auth login”."
            )
        if "awaiting" in said:
            return (
                f"The authors of {hub_id} have not answered your request for access yet; try "
                "again when they have."
            )
        return (
            f"You have no access to {hub_id} yet; ask for it at https://huggingface.co/{hub_id}, "
            "and try again when the authors have granted it."
        )
    if isinstance(error, (EntryNotFoundError, RevisionNotFoundError)):
        return f"{hub_id} no longer has the files that this version expects; update napari-pixcell."
    if isinstance(error, RepositoryNotFoundError):
        return (
            f"The hub has no repository {hub_id}, or hides it from you; check its name, or log in "
            "with “hf auth login” if it is private."
        )
    if status == 403:
        return f"The hub refuses {hub_id} to you; see https://huggingface.co/{hub_id} for why."
    return (
        f"The hub answers with an error ({status}), so {hub_id} was not fetched; try again in a "
        f"few minutes, {BRING}."
    )
