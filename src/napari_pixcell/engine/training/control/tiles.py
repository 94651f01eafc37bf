"""What a ControlNet learns from: latents of tiles and of their cells, kept in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pixcell.engine.training.control.pairs import Place
from napari_pixcell.engine.training.control.steps import ControlExamples
from napari_pixcell.engine.training.folder import TrainingFolder


@dataclass(frozen=True, eq=False)
class TileLatents:
    """The tiles of one pair.

    Parameters
    ----------
    latents, hints : array, float16, (tiles, views, channels, height, width)
        Latents of each tile and of the image of its cells, in several of its symmetries.
    embeddings : array, float32, (tiles, tokens, dimension)
    """

    latents: NDArray[np.float16]
    hints: NDArray[np.float16]
    embeddings: NDArray[np.float32]


class ControlTiles:
    """The tiles of all pairs of a training.

    Parameters
    ----------
    files : TrainingFolder
        Their folder.
    places : list of Place
        All tiles, see :func:`~.pairs.places`.
    keys : list of str
        Identity of each pair.
    """

    def __init__(self, files: TrainingFolder, places: list[Place], keys: list[str]) -> None:
        self._files, self.keys = files, keys
        self.of_pair = [
            [place for place in places if place.pair == number] for number in range(len(keys))
        ]
        self.training: list[tuple[int, int]] = []  # pair, and number of the tile in it
        self.held_out: list[tuple[int, int]] = []
        for pair, own in enumerate(self.of_pair):
            for number, place in enumerate(own):
                (self.held_out if place.held_out else self.training).append((pair, number))
        self._read: dict[int, TileLatents] = {}

    def has(self, pair: int) -> bool:
        """Whether the latents of a pair are stored."""
        return (self._files.work / f"{self.keys[pair]}.npz").is_file()

    def keep(self, pair: int, tiles: TileLatents) -> None:
        """Store the latents of a pair."""
        self._files.save(f"{self.keys[pair]}.npz", lambda file: np.savez(file, **vars(tiles)))

    def tiles(self, pair: int) -> TileLatents:
        """Return the latents of a pair."""
        if pair not in self._read:
            path = self._files.work / f"{self.keys[pair]}.npz"
            with np.load(path, allow_pickle=False) as file:
                self._read[pair] = TileLatents(**{name: file[name] for name in file.files})
        return self._read[pair]

    def draw(self, batch: int, device: torch.device, generator: torch.Generator) -> ControlExamples:
        """Draw random training tiles, each in one of its symmetries."""
        chosen = torch.randint(len(self.training), (batch,), generator=generator).tolist()
        turns = torch.rand(batch, generator=generator).tolist()
        return self._examples([self.training[n] for n in chosen], turns, device)

    def held(self, most: int, device: torch.device) -> ControlExamples:
        """Return up to ``most`` held-out tiles, spread over the pairs."""
        chosen = self.chosen(most)
        return self._examples(chosen, [0.0] * len(chosen), device)

    def chosen(self, most: int) -> list[tuple[int, int]]:
        """Return pair and number of up to ``most`` held-out tiles, spread over the pairs."""
        count = len(self.held_out)
        return [self.held_out[n * count // min(most, count)] for n in range(min(most, count))]

    def _examples(
        self, which: list[tuple[int, int]], turns: list[float], device: torch.device
    ) -> ControlExamples:
        parts: list[list[Any]] = [[], [], []]
        for (pair, number), turn in zip(which, turns, strict=True):
            tiles = self.tiles(pair)
            view = int(turn * tiles.latents.shape[1])
            parts[0].append(tiles.latents[number, view])
            parts[1].append(tiles.embeddings[number])
            parts[2].append(tiles.hints[number, view])
        return ControlExamples(
            *(torch.from_numpy(np.stack(one)).float().to(device) for one in parts)
        )


def symmetry(image: NDArray[Any], which: int) -> NDArray[Any]:
    """Apply one of the eight symmetries of a square; 0 is the identity."""
    turned = np.rot90(image, which % 4)
    return np.ascontiguousarray(turned[:, ::-1] if which >= 4 else turned)
