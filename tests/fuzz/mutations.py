"""Seeded damage to files and folders: bytes, JSON values, XML and text, tags of TIFF, members."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What other tools, other versions and hostile people write where something else belongs.
WRONG: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 65_536, 2**31, 2**63, -(2**63), 10**30, 10**400,
    0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), "", " ", "x", "1", "NaN", "../../x",
    "/etc/hostname", "=1+1", "ä\u0000", "\ud800", "x" * 5000, [], {}, [[]], [{}], [0], ["x"],
    [None] * 5, [1e9, 1e9, 1e9, 1e9], {"x": 1}, [[[[[[0]]]]]], {"kind": "x"}, {"": None},
)  # fmt: skip
NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"0.0000001", b"1.5")
TOKENS = (
    b"<",
    b">",
    b"&",
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"\0",
    b"\n",
    b"\xff",
    b"\xef\xbb\xbf",
)


def mutate(bases: Path, place: Path, seed: str, number: int) -> Path:
    """Write the damaged copy of a valid input that a seed and a number name; return its path."""
    random_ = random.Random(f"{seed} {number}")
    base = random_.choice(sorted(bases.iterdir(), key=lambda path: path.name))
    place.mkdir(parents=True, exist_ok=True)
    path = place / base.name
    if base.is_dir():
        shutil.copytree(base, path)
        damage_folder(path, random_)
    else:
        path.write_bytes(damaged(base.read_bytes(), random_))
    return path


def damaged(data: bytes, random_: random.Random) -> bytes:
    """Return a damaged copy of a file's content."""
    text = data[:1] in (b"{", b"[") or data[:3] == b"\xef\xbb\xbf"
    kinds: list[Callable[[bytes, random.Random], bytes]] = [
        _flip,
        _cut,
        _overwrite,
        _insert,
        _number,
    ]
    if text:
        kinds = [_json] * 8 + kinds
    elif data[:4] in (b"II*\0", b"MM\0*"):
        kinds = [_tag] * 6 + kinds
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        data = random_.choice(kinds)(data, random_)
    return data


def damage_folder(folder: Path, random_: random.Random) -> None:
    """Damage one or two files of a folder, or remove, exchange or replace them."""
    for _ in range(random_.choice((1, 1, 2))):
        files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        if not files:
            return
        path = random_.choice(files)
        kind = random_.random()
        if kind < 0.84:
            path.write_bytes(damaged(path.read_bytes(), random_))
        elif kind < 0.88:
            path.unlink()
        elif kind < 0.92:
            shutil.copyfile(random_.choice(files), path.with_name(path.name + "x"))
            path.with_name(path.name + "x").replace(path)
        elif kind < 0.95:
            path.write_bytes(b"")
        elif kind < 0.98:
            path.unlink()
            path.mkdir()
        else:
            path.unlink()
            path.symlink_to("/etc/hostname")


def _flip(data: bytes, random_: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(random_.choice((1, 1, 3, 20))):
        if out:
            out[random_.randrange(len(out))] ^= 1 << random_.randrange(8)
    return bytes(out)


def _cut(data: bytes, random_: random.Random) -> bytes:
    return data[: random_.randrange(len(data) + 1)]


def _overwrite(data: bytes, random_: random.Random) -> bytes:
    """Overwrite a piece, often of the header, with zeros, ones, noise, or another piece."""
    if not data:
        return data
    end = min(len(data), 512) if random_.random() < 0.5 else len(data)
    start, length = random_.randrange(end), random_.choice((1, 2, 4, 8, 64, 1000))
    length = min(length, len(data) - start)
    other = random_.randrange(len(data) - length + 1)
    piece = random_.choice(
        (bytes(length), b"\xff" * length, random_.randbytes(length), data[other : other + length])
    )
    return data[:start] + piece + data[start + length :]


def _insert(data: bytes, random_: random.Random) -> bytes:
    place = random_.randrange(len(data) + 1)
    return data[:place] + random_.choice(TOKENS) * random_.choice((1, 1, 2, 300)) + data[place:]


def _number(data: bytes, random_: random.Random) -> bytes:
    """Replace a run of ASCII digits."""
    places = [i for i in range(len(data)) if 48 <= data[i] <= 57] if len(data) < 200_000 else []
    if not places:
        return _flip(data, random_)
    start = stop = random_.choice(places)
    while stop < len(data) and data[stop : stop + 1] in b"0123456789.":
        stop += 1
    return data[:start] + random_.choice(NUMBERS) + data[stop:]


def _json(data: bytes, random_: random.Random) -> bytes:
    """Replace, remove, rename or repeat one value of a JSON file, or of one line of JSON lines."""
    try:
        lines = [data.decode("utf-8-sig")]
        value = json.loads(lines[0])
        index = 0
    except (ValueError, RecursionError):
        try:
            lines = data.decode().splitlines()
            index = random_.randrange(len(lines))
            value = json.loads(lines[index])
        except (ValueError, RecursionError):
            return _flip(data, random_)
    places = _places(value)
    if not places:
        return json.dumps(random_.choice(WRONG)).encode()
    holder, key = random_.choice(places)
    kind = random_.random()
    if kind < 0.7:
        holder[key] = random_.choice(WRONG)
    elif kind < 0.8:
        del holder[key]
    elif kind < 0.9:
        holder[key] = random_.choice(places)[0]  # a part of itself somewhere else, or in itself
    elif isinstance(holder, list):
        holder.insert(key, random_.choice((holder[key], random_.choice(WRONG))))
    else:
        holder[random_.choice(("x", "", "type", "id", "kind", str(key).upper()))] = holder.pop(key)
    try:
        lines[index] = json.dumps(value)
    except (ValueError, RecursionError):  # contains itself
        lines[index] = "[" * 100_000
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return all (container, key or index) of a JSON value."""
    found, waiting = [], [value]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list):
            for key in holder if isinstance(holder, dict) else range(len(holder)):
                found.append((holder, key))
                waiting.append(holder[key])
    return found


def _tag(data: bytes, random_: random.Random) -> bytes:
    """Change the type, count, value or number of one tag of a classic TIFF."""
    if len(data) < 8:  # an earlier change cut it off
        return data
    order = "<" if data[:2] == b"II" else ">"
    entries, offset, seen = [], struct.unpack(order + "I", data[4:8])[0], set()
    while offset and offset + 2 <= len(data) and offset not in seen:
        seen.add(offset)
        count = struct.unpack_from(order + "H", data, offset)[0]
        entries += [offset + 2 + 12 * i for i in range(count) if offset + 14 + 12 * i <= len(data)]
        after = offset + 2 + 12 * count
        offset = struct.unpack_from(order + "I", data, after)[0] if after + 4 <= len(data) else 0
    if not entries:
        return _flip(data, random_)
    place, out = random_.choice(entries), bytearray(data)
    kind = random_.randrange(5)
    few = (0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 64, 255, 32_803, 33_003, 34_712)
    if kind == 0:
        struct.pack_into(order + "H", out, place + 2, random_.randrange(0, 20))
    elif kind == 1:
        struct.pack_into(
            order + "I", out, place + 4, random_.choice((0, 1, 2, 1000, 2**31, 2**32 - 1))
        )
    elif kind == 2:
        struct.pack_into(order + "I", out, place + 8, random_.choice((*few, len(data), 2**31)))
    elif kind == 3:
        struct.pack_into(order + "H", out, place + 8, random_.choice(few))
    else:
        tags = (
            254,
            256,
            257,
            258,
            259,
            262,
            270,
            273,
            277,
            279,
            282,
            284,
            317,
            322,
            323,
            324,
            338,
            347,
            530,
        )
        struct.pack_into(order + "H", out, place, random_.choice(tags))
    return bytes(out)
