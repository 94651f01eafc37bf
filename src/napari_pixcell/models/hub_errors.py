"""Messages for what goes wrong with the hub, the network or the disk.

They are made from the kind of error and the name of the repository, so they never hold a token.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from napari_pixcell.files import is_disk_full
from napari_pixcell.models.catalogue import Part

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

log = logging.getLogger(__name__)

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
IMPORT_INSTEAD = "or import the files from another machine with “napari-pixcell models import”"
FOLDER_INSTEAD = "or copy them from another machine, and name their folder with --folder"


def hub_error_message(error: Exception, part: Part) -> str:
    """Return the message for an error of the hub's client or of the disk."""
    from huggingface_hub import errors, get_token

    hub_id = part.hub_id
    if isinstance(error, errors.OfflineModeIsEnabled):
        return offline_message(part)
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(error, part, logged_in=get_token() is not None)
    if isinstance(error, errors.HTTPError):
        return (
            f"The hub cannot be reached to download {hub_id}. Check the network and its proxy, "
            f"{_instead(part)}."
        )
    if isinstance(error, OSError):
        if is_disk_full(error):
            return (
                f"The disk is full, so {hub_id} is incomplete. Free some space or choose another "
                "folder of weights, then download it again to resume."
            )
        return (
            f"The files of {hub_id} cannot be written ({error.strerror or 'no reason given'}). "
            "Choose another folder of weights."
        )
    # Whatever the client raises at an answer that it does not understand.
    log.error("unexpected error of the hub's client", exc_info=error)
    return (
        f"The answer to the download of {hub_id} is not that of a hub ({type(error).__name__}). "
        f"Check HF_ENDPOINT and the proxy, {_instead(part)}."
    )


def offline_message(part: Part) -> str:
    """Return the message for a download while ``HF_HUB_OFFLINE`` is set."""
    return (
        f"HF_HUB_OFFLINE is set, so {part.hub_id} was not downloaded. Unset it, {_instead(part)}."
    )


def _instead(part: Part) -> str:
    """Return the way without the hub."""
    return FOLDER_INSTEAD if part.dataset else IMPORT_INSTEAD


def _refusal(error: HfHubHTTPError, part: Part, logged_in: bool) -> str:
    from huggingface_hub import errors

    hub_id, status = part.hub_id, error.response.status_code
    reason = str(error).lower()
    if "fine-grained" in reason or "public gated repos" in reason:
        return (
            f"Your token may not read gated repositories such as {hub_id}. Enable “Read access to "
            f"contents of all public gated repos you can access” at {TOKENS_PAGE}."
        )
    if status == 401 and logged_in:
        return (
            f"The hub rejects your token, so {hub_id} was not downloaded. If it has expired, log "
            "in again with “hf auth login”."
        )
    if isinstance(error, errors.GatedRepoError) or (status == 401 and part.gated):
        if not logged_in:
            return (
                f"{hub_id} is gated and you are not logged in. Request access at "
                f"https://huggingface.co/{hub_id}, then log in with “hf auth login”."
            )
        if "awaiting" in reason:
            return (
                f"The authors of {hub_id} have not yet answered your request for access. Retry "
                "when they have."
            )
        return (
            f"You have no access to {hub_id} yet. Request it at https://huggingface.co/{hub_id}, "
            "and retry when the authors have granted it."
        )
    if isinstance(error, errors.EntryNotFoundError | errors.RevisionNotFoundError):
        return f"{hub_id} no longer has the files that this version expects. Update napari-pixcell."
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"The hub has no repository {hub_id}, or it is private. Check its name, or log in "
            "with “hf auth login”."
        )
    if status == 403:
        return f"The hub denies you {hub_id}. See https://huggingface.co/{hub_id} for the reason."
    return (
        f"The hub answered with an error ({status}), so {hub_id} was not downloaded. Retry in a "
        f"few minutes, {_instead(part)}."
    )
