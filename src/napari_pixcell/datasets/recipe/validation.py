"""Limits of the values in a recipe, and sentences about the values that do not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import GetCoreSchemaHandler, ValidationError
from pydantic_core import PydanticCustomError, core_schema

from napari_pixcell.errors import PixCellError

MOST_SENTENCES = 4
LONGEST_SHOWN, LONGEST_WORDS = 40, 300
DEEPEST_SHOWN = 4  # names on the way to a value
DEEP = "It is nested too deeply. Use fewer levels."
WORDS = {  # by the kind of error that pydantic reports
    "string_type": "Use text.",
    "bool_type": "Use true or false.",
    "int_type": "Use a whole number.",
    "float_type": "Use a number.",
    "finite_number": "Use a finite number.",
    "list_type": "Use a list.",
    "tuple_type": "Use a list.",
    "too_short": "Add at least one.",
    "too_long": "Use fewer.",
    "recursion_loop": DEEP,
    "recursion_depth_exceeded": DEEP,
}
OBJECTS = {"model_attributes_type", "dict_type", "dataclass_type"}
UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument", "unexpected_positional_argument"}


@dataclass(frozen=True)
class Hint:
    """Annotation of a value: what to use where the value does not fit its type."""

    sentence: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema: Any = handler(source)
        schema.update(self.limits())
        return core_schema.no_info_wrap_validator_function(self._validated, schema)

    def limits(self) -> dict[str, Any]:
        """Return constraints, as a schema of pydantic has them."""
        return {}

    def _validated(self, value: Any, check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ValidationError:
            raise PydanticCustomError("hint", "{hint}", {"hint": self.sentence}) from None


@dataclass(frozen=True)
class Between(Hint):
    """Annotation of a number from ``low`` to ``high``, both included."""

    low: float
    high: float
    sentence: str = field(init=False)
    noun: str = "number"

    def __post_init__(self) -> None:
        words = f"Use a {self.noun} from {self.low:,.10g} to {self.high:,.10g}."
        object.__setattr__(self, "sentence", words)

    def limits(self) -> dict[str, Any]:
        """Return both limits."""
        return {"ge": self.low, "le": self.high}


def whole(low: int, high: int) -> Between:
    """Return the annotation of a whole number from ``low`` to ``high``."""
    return Between(low, high, noun="whole number")


@dataclass(frozen=True)
class OneOf:
    """Annotation of text that is one of ``choices``."""

    choices: tuple[str, ...]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        hint = Hint(f"Choose one of: {', '.join(self.choices)}.")
        return core_schema.no_info_wrap_validator_function(
            hint._validated, core_schema.literal_schema(list(self.choices))
        )


@dataclass(frozen=True)
class Line(Hint):
    """Annotation of text without control characters, which is not blank."""

    longest: int = 1000
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        words = f"Use text of 1 to {self.longest:,} characters, without line breaks."
        object.__setattr__(self, "sentence", words)

    def limits(self) -> dict[str, Any]:
        """Return the limit of the length, and a pattern."""
        inside, visible = r"[^\x00-\x1f\x7f]", r"[^\x00-\x20\x7f]"
        pattern = f"^{inside}*{visible}{inside}*$"
        return {"max_length": self.longest, "pattern": pattern}


@dataclass(frozen=True)
class BestOf(Hint):
    """Annotation of the text “best of 3”, with a number from 2 to ``most``."""

    most: int
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        words = f"Use “best of 3”, with a number from 2 to {self.most}, or null."
        object.__setattr__(self, "sentence", words)

    def limits(self) -> dict[str, Any]:
        """Return a pattern."""
        return {"pattern": f"^best of ({'|'.join(map(str, range(2, self.most + 1)))})$"}


@dataclass(frozen=True)
class As:
    """Annotation of a value that is validated as another type than its annotation says."""

    type: Any

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return handler.generate_schema(self.type)


@dataclass(frozen=True)
class FromObject:
    """Annotation of a dataclass that may also be given as a JSON object.

    Strict types would only accept instances of the dataclass.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema: Any = handler.resolve_ref_schema(handler(source))
        schema["strict"] = False
        for one in schema["schema"]["fields"]:
            inner: Any = one["schema"]
            while inner["type"] == "default":
                inner = inner["schema"]
            if inner["type"] in ("definition-ref", "dataclass"):
                inner = handler.resolve_ref_schema(inner)
                inner["strict"] = False
        return core_schema.no_info_wrap_validator_function(_in_own_words, schema)


def own_words(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Return a validator that reports the PixCellError of a check as the error of its value."""

    def validated(value: Any) -> Any:
        _in_own_words(value, check)
        return value

    return validated


def _in_own_words(value: Any, check: Callable[[Any], Any]) -> Any:
    try:
        return check(value)
    except PixCellError as error:
        words = str(error).encode("utf-8", "replace").decode()  # it may repeat half characters
        raise PydanticCustomError("own words", "{words}", {"words": words}) from error


def without_null(value: Any) -> Any:
    """Return an object without the keys whose value is null: they count as not given."""
    if isinstance(value, dict):
        return {key: part for key, part in value.items() if part is not None}
    return value


Keys = Callable[[tuple[str, ...]], Iterable[str]]


def sentences(error: ValidationError, keys: Keys) -> str:
    """Return one sentence for each wrong value of a recipe, of the first few.

    Parameters
    ----------
    error : ValidationError
        Of a recipe.
    keys : callable
        Returns the known keys of an object in the recipe from the names on the way to it: keys,
        and kinds of styles and layouts.
    """
    details = error.errors(include_url=False)
    lines = list(dict.fromkeys(_sentence(one, keys) for one in details))
    more = len(lines) - MOST_SENTENCES
    if more > 0:
        lines[MOST_SENTENCES:] = [f"Correct these first. {more:,} more of its values do not fit."]
    return "\n".join(lines)


def _sentence(error: Any, keys: Keys) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    steps = _steps(error["loc"])
    place, holder = _place(steps), _place(steps[:-1])
    name = steps[-1][0] if steps else ""
    if kind in UNKNOWN:
        known = sorted(keys(tuple(str(part) for part in error["loc"][:-1])))
        close = get_close_matches(str(name), known, 1)
        words = f"Did you mean “{close[0]}”?" if close else f"Choose from: {', '.join(known)}."
        return f"{_capital(holder)} has no “{_short(name)}”. {words}"
    if kind in ("missing", "missing_argument"):
        return f"{_capital(holder)} lacks “{name}”. Add it."
    if kind == "union_tag_not_found":
        return f"{_capital(place)} lacks “from”. Add it."
    if kind == "union_tag_invalid":
        choices = context["expected_tags"].replace("'", "")
        return f"{_capital(place)} cannot be from {shown(value['from'])}. Choose one of: {choices}."
    if kind == "own words":
        words = _cut(str(context["words"]))
        return words if len(steps) == 1 else f"{_capital(place)} does not fit. {words}"
    if kind in OBJECTS:
        return f"{_capital(place)} is {shown(value)}. Write it as an object, {{…}}."
    words = context.get("hint") or WORDS.get(kind, "Use another value.")
    return f"{_capital(place)} is {shown(value)}. {words}"


Step = tuple[str | int, str]  # a key or index, and the list that an index counts in


def _steps(location: tuple[str | int, ...]) -> list[Step]:
    """Return the keys and indices on the way to a value, without the kinds that pydantic adds."""
    steps: list[Step] = []
    kind_follows, within = False, ""
    for part in location:
        if kind_follows:
            kind_follows = False
            continue
        steps.append((part, within))
        kind_follows = part == "layout" or (isinstance(part, int) and within in NOUNS)
        within = str(part)
    return steps


NOUNS = {"styles": "style", "layouts": "layout"}


def _place(steps: list[Step]) -> str:
    """Return where a value is, in words, such as “most” of style 2."""
    words: list[str] = []
    for part, within in steps:
        if isinstance(part, int) and within in NOUNS:
            words = [f"{NOUNS[within]} {part + 1}", *words[1:]]  # instead of the list
        elif isinstance(part, int):
            words = [f"number {part + 1}", *words]
        else:
            words = [f"“{_short(part)}”", *words]
    if len(words) > DEEPEST_SHOWN:
        words[DEEPEST_SHOWN:] = ["…"]
    return " of ".join(words) or "the recipe"


def _cut(words: str) -> str:
    """Shorten a sentence that repeats a long value."""
    if len(words) <= LONGEST_WORDS:
        return words
    return f"{words[: LONGEST_WORDS // 2]}…{words[-LONGEST_WORDS // 2 :]}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def shown(value: Any) -> str:
    """Return a value of a recipe as a sentence shows it, shortened."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return f"[{_short(value)}]"
        case None:
            return "null"
        case "":
            return "empty text"
        case str():
            number = value[:LONGEST_SHOWN].lstrip("+-").replace(".", "", 1).isdecimal()
            return f"{'the text ' if number else ''}“{_short(value)}”"
    return _short(value)


def _short(value: Any) -> str:
    if isinstance(value, list | tuple):
        text = ", ".join(shown(part) for part in value[:8])
    else:
        text = _plain(value)
    text = "".join(letter if letter.isprintable() else "�" for letter in text[: LONGEST_SHOWN + 1])
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(value)
    except ValueError:  # Python refuses to print numbers of thousands of digits
        return "too large a number"
