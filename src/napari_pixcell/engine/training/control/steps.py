"""Training steps of a ControlNet on its frozen base.

It needs only latents and embeddings, no slides or files. An exception raised in a caller's
``on_step`` ends the training, which makes cancelling simple.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from napari_pixcell.engine.training.denoising import Examples, Noising, drop_styles
from napari_pixcell.engine.training.optimisation import Checkpoint, Optimisation

WITHOUT_STYLE = 0.1  # share of the examples trained without their embedding, for guidance
HELD_OUT_SEED = 5
TIMES = 4  # noise levels at which each held-out tile is evaluated


class ControlExamples(NamedTuple):
    """A batch of training examples.

    Parameters
    ----------
    latents : Tensor, (batch, channels, height, width)
        Clean latents.
    embeddings : Tensor, (batch, tokens, dimension)
        Their styles.
    hints : Tensor, like the latents
        Latents of the images of their cells.
    """

    latents: Tensor
    embeddings: Tensor
    hints: Tensor

    def part(self, where: slice) -> ControlExamples:
        """Return some of the examples."""
        return ControlExamples(*(values[where] for values in self))


Draw = Callable[[torch.Generator], ControlExamples]
OnStep = Callable[[int, float], None]
OnEvaluation = Callable[[int, float, float], None]
State = dict[str, Any]


def predict_controlled(
    transformer: Any,
    controlnet: Any,
    noisy: Tensor,
    times: Tensor,
    embeddings: Tensor,
    hints: Tensor,
    run: Callable[..., Any] | None = None,
) -> Tensor:
    """Return the prediction of the transformer, of which the first examples follow hints.

    Parameters
    ----------
    noisy : Tensor, (batch, channels, height, width)
    times : Tensor, (batch,)
    embeddings : Tensor, (batch, tokens, dimension)
    hints : Tensor, (up to batch, channels, height, width)
        Examples without one follow only their embedding.
    run : callable, optional
        A compiled version of the transformer to run instead.
    """
    count, rest = len(hints), len(noisy) - len(hints)
    residuals = controlnet(noisy[:count], hints, embeddings[:count], times[:count])
    if rest:
        residuals = [torch.cat([part, part.new_zeros(rest, *part.shape[1:])]) for part in residuals]
    forward = transformer if run is None else run
    made = forward(noisy, embeddings, times, controlnet_residuals=residuals).sample
    predicted: Tensor = made[:, : noisy.shape[1]]
    return predicted


def train_controlnet(
    transformer: Any,
    controlnet: Any,
    scheduler: Mapping[str, Any],
    draw: Draw,
    held_out: ControlExamples,
    *,
    steps: int,
    rate: float,
    at_once: int,
    precision: torch.dtype | None = None,
    every: int = 50,
    seed: int = 0,
    on_step: OnStep = lambda step, loss: None,
    on_evaluation: OnEvaluation = lambda step, own, other: None,
    on_checkpoint: Callable[[Callable[[], State]], None] = lambda make: None,
    resume: Checkpoint | None = None,
) -> tuple[float, float]:
    """Train a ControlNet with the denoising loss of its base, weighted by Min-SNR (2303.09556).

    Parameters
    ----------
    transformer : PixCellTransformer2DModel
        The base, which stays as it is.
    controlnet : PixCellControlNet
        Changed in place, in float32.
    scheduler : mapping
        The family's configuration of noise and prediction.
    draw : callable
        Returns a random batch, given a random generator.
    held_out : ControlExamples
        Tiles that are not trained on.
    steps, rate, seed : int, float, int
        Total number of steps, peak learning rate, and seed of all random choices.
    at_once : int
        Examples per pass. The gradients of several passes make a step.
    precision : torch.dtype, optional
        Precision of autocast. By default none.
    every : int
        Steps between calls of ``on_evaluation``.
    on_step : callable
        Receives each step and its loss. An exception ends the training after that step.
    on_evaluation : callable
        Receives the step and the losses of :func:`control_error`.
    on_checkpoint : callable
        Receives a function that returns a checkpoint, which can be passed as ``resume``.

    Returns
    -------
    own, other : float
        The last losses of :func:`control_error`.
    """
    transformer.requires_grad_(False)
    controlnet.requires_grad_(True).train()
    # With one token, softmax over one key is 1, so queries and keys get no gradient.
    learning = [weight for weight in controlnet.parameters() if weight.requires_grad]
    if resume is not None:
        controlnet.load_state_dict(resume["controlnet"])
    training = Optimisation(
        learning, rate, steps, seed, resume, betas=(0.9, 0.99), weight_decay=0.0
    )
    noising, generator = Noising(scheduler), training.generator
    found: tuple[float, float] | None = None

    def evaluate(step: int) -> tuple[float, float]:
        errors = control_error(transformer, controlnet, scheduler, held_out, precision, at_once)
        on_evaluation(step, *errors)
        return errors

    def loss_of(examples: ControlExamples, share: float) -> Tensor:
        errors = control_errors(transformer, controlnet, noising, examples, generator, precision)
        return errors.mean() * share

    for step in training.remaining():
        examples = draw(generator)
        count = len(examples.latents)
        styles = drop_styles(transformer, examples.embeddings, WITHOUT_STYLE, generator)
        examples = examples._replace(embeddings=styles)
        parts = [examples.part(slice(n, n + at_once)) for n in range(0, count, at_once)]
        training.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for part in parts[:-1]:
            loss = loss_of(part, len(part.latents) / count)
            loss.backward()
            total += float(loss.detach())
        total += training.take_step(loss_of(parts[-1], len(parts[-1].latents) / count), keep=True)
        reached = training.state()

        def make(reached: State = reached) -> State:
            weights = {n: v.detach().cpu() for n, v in controlnet.state_dict().items()}
            return {"controlnet": weights, **reached}

        on_checkpoint(make)
        if step % every == 0 or step == steps:
            found = evaluate(step)
        on_step(step, total)
    if found is None:  # resumed after the last step
        found = evaluate(training.step)
    controlnet.requires_grad_(False).eval()
    return found


@torch.no_grad()
def control_error(
    transformer: Any,
    controlnet: Any,
    scheduler: Mapping[str, Any],
    held_out: ControlExamples,
    precision: torch.dtype | None,
    at_once: int,
) -> tuple[float, float]:
    """Return the loss on held-out tiles with their own cells, and with those of another tile.

    The noise is always the same.
    """
    noising, losses = Noising(scheduler), []
    for hints in (held_out.hints, others(held_out.hints)):
        generator, found = torch.Generator().manual_seed(HELD_OUT_SEED), []
        examples = held_out._replace(hints=hints)
        # Each tile several times in turn, so that noise levels are spread over each.
        repeated = ControlExamples(*(values.repeat_interleave(TIMES, 0) for values in examples))
        for start in range(0, len(repeated.latents), at_once):
            part = repeated.part(slice(start, start + at_once))
            errors = control_errors(transformer, controlnet, noising, part, generator, precision)
            found += errors.flatten(1).mean(1).tolist()
        losses.append(sum(found) / len(found))
    return losses[0], losses[1]


def control_errors(
    transformer: Any,
    controlnet: Any,
    noising: Noising,
    examples: ControlExamples,
    generator: torch.Generator,
    precision: torch.dtype | None,
) -> Tensor:
    """Return the weighted squared errors of examples, like their latents."""

    def predict(noisy: Tensor, embeddings: Tensor, times: Tensor) -> Tensor:
        return predict_controlled(transformer, controlnet, noisy, times, embeddings, examples.hints)

    plain = Examples(examples.latents, examples.embeddings)
    return noising.errors(predict, plain, generator, precision)


def others(values: Tensor) -> Tensor:
    """Return for each tile the values of another one; of a single tile, turned by half."""
    return values.roll(1, 0) if len(values) > 1 else values.rot90(2, (-2, -1))
