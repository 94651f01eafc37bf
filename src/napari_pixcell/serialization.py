"""Dataclasses as plain JSON values, and back: one serializer for requests and records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from napari_pixcell.errors import PixCellError

T = TypeVar("T")
# Metadata of a field that is left out of the JSON value while it has its default. Fields that came
# later than the format use it, so that files without them stay as they were.
OMIT_DEFAULT = {"omit_default": True}


def _converter(forbid_unknown: bool) -> cattrs.Converter:
    converter = cattrs.Converter(
        forbid_extra_keys=forbid_unknown,
        detailed_validation=False,
        unstruct_collection_overrides={tuple: list},
    )

    def unstructure(cls: Any) -> Callable[[Any], dict[str, Any]]:
        names = [f.name for f in fields(cls) if f.metadata.get("omit_default")]
        omitted = {name: override(omit_if_default=True) for name in names}
        write = make_dict_unstructure_fn(cls, converter, **omitted)  # type: ignore[arg-type]
        return lambda value: {key: _listed(part) for key, part in write(value).items()}

    def structure(cls: Any) -> Callable[[Any, Any], Any]:
        return make_dict_structure_fn(
            cls,
            converter,
            _cattrs_forbid_extra_keys=forbid_unknown,
            _cattrs_detailed_validation=False,
        )

    converter.register_unstructure_hook_factory(_is_dataclass, unstructure)
    converter.register_structure_hook_factory(_is_dataclass, structure)
    return converter


def _is_dataclass(cls: Any) -> bool:
    return is_dataclass(getattr(cls, "__origin__", cls))


def _listed(value: Any) -> Any:
    """Return a value with lists for its tuples, as JSON has them."""
    if isinstance(value, tuple | list):
        return [_listed(part) for part in value]
    if isinstance(value, dict):
        return {key: _listed(part) for key, part in value.items()}
    return value


_STRICT, _LENIENT = _converter(True), _converter(False)


def to_json(value: Any) -> dict[str, Any]:
    """Convert a dataclass instance to a JSON value.

    Parameters
    ----------
    value : dataclass instance
        Nested dataclasses become objects, tuples become lists. Fields with
        :data:`OMIT_DEFAULT` metadata are left out while they have their default.
    """
    return dict(_STRICT.unstructure(value))


def from_json(cls: type[T], value: Any, message: str, ignore_unknown: bool = False) -> T:
    """Convert a JSON value back to a dataclass instance.

    Parameters
    ----------
    cls : type
        The dataclass. Its ``__post_init__`` checks ranges.
    value : dict
        As :func:`to_json` returns it, or as a user wrote it.
    message : str
        Sentence for the user if the value does not fit; ``{detail}`` in it is replaced by the
        reason.
    ignore_unknown : bool
        Skip keys that this version does not know, instead of refusing them.

    Raises
    ------
    PixCellError
        If a key is unknown or missing, or a value has the wrong type; and whatever
        ``__post_init__`` raises.
    """
    converter = _LENIENT if ignore_unknown else _STRICT
    try:
        return converter.structure(value, cls)
    except PixCellError:
        raise
    except Exception as error:  # cattrs raises whatever a constructor raises
        raise PixCellError(message.replace("{detail}", str(error))) from error


def use_own_form(
    cls: type[T], write: Callable[[T], dict[str, Any]], read: Callable[[dict[str, Any]], T]
) -> None:
    """Let a class have its own JSON form, wherever it occurs, instead of one key per field."""
    for converter in (_STRICT, _LENIENT):
        converter.register_unstructure_hook(cls, write)
        converter.register_structure_hook(cls, lambda value, _: read(value))


def ignore_unknown_in(cls: type) -> None:
    """Let values of a class skip the keys of later versions, wherever they occur."""
    _STRICT.register_structure_hook(cls, lambda value, _: _LENIENT.structure(value, cls))
