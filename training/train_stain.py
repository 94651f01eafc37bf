"""Train the demo family's stain: its decoder, its flow and its adapter, stage by stage.

Flow and adapter are trained by ``napari_pixcell.engine.training``, like a user's own stain.
"""

from __future__ import annotations

import argparse
import json

import torch
from common import DEMO, RUNS, load_run, save_run, setup
from diffusion import SCHEDULER, crop_position
from safetensors.torch import save_file
from stain_decoder import decoder_tensors, load_stain_vae, train_decoder
from stain_pairs import Pairs, load_pairs

from napari_pixcell.engine.training.denoising import Examples
from napari_pixcell.engine.training.flow import TrainingProgress, flow_error, train_flow
from napari_pixcell.engine.training.job import new_flow
from napari_pixcell.engine.training.lora import train_lora
from napari_pixcell.engine.training.lora_stage import (
    FROM_START,
    ONE_EMBEDDING_RANK,
    ONE_EMBEDDING_TARGETS,
)
from napari_pixcell.networks.stain_flow import StainFlowMLP
from napari_pixcell.networks.tile_encoder import TileEncoder
from napari_pixcell.networks.transformer import PixCellTransformer2DModel

TRAINING, HELD_OUT = 480, 48
WIDTH = 128  # of the demo's embeddings


def tell(stage: str, progress: TrainingProgress) -> None:
    """Print a line and append it to the log."""
    line = json.dumps({"stage": stage, **vars(progress)})
    print(line, flush=True)
    with (RUNS / f"{stage}.log").open("a") as log:
        log.write(line + "\n")


def fit_flow(pairs: Pairs, held: Pairs, steps: int, rate: float) -> None:
    """Train and save the flow, and report its error."""
    torch.manual_seed(0)
    trained = train_flow(
        new_flow(WIDTH),
        *pairs["embeddings"],
        *held["embeddings"],
        steps=steps,
        rate=rate,
        on_progress=lambda progress: tell("stain_flow", progress),
    )
    source, target = held["embeddings"]
    mean = (pairs["embeddings"][1] - pairs["embeddings"][0]).mean(0)
    shifted = (source + mean - target).square().sum() / (source - target).square().sum()
    print(
        f"held-out error {trained.held_out:.3f} at step {trained.step}; the mean shift alone "
        f"{shifted.sqrt():.3f}; on training pairs "
        f"{flow_error(trained.flow, *pairs['embeddings']):.3f}"
    )
    save_run("stain_flow", flow=trained.flow.state_dict())


def load_flow() -> StainFlowMLP:
    """Load the trained flow."""
    flow = new_flow(WIDTH)
    state = load_run("stain_flow")
    if state is None:
        raise SystemExit("Train the flow first: python train_stain.py flow")
    flow.load_state_dict(state["flow"])
    return flow.eval().requires_grad_(False)


def fit_adapter(pairs: Pairs, steps: int, batch: int, side: int, args: argparse.Namespace) -> None:
    """Train the adapter, resuming from its checkpoint if there is one."""
    transformer = PixCellTransformer2DModel.from_pretrained(
        DEMO / "transformer", torch_dtype=torch.float32
    )
    before, after = pairs["latents"]
    moved = load_flow().translate(pairs["embeddings"][0])
    # At inference the flow's output is read, which carries less than the look's own embedding.
    embeddings = torch.stack([pairs["embeddings"][1], moved])

    def draw(generator: torch.Generator) -> Examples:
        chosen = torch.randint(len(after), (batch,), generator=generator)
        which = torch.randint(2, (batch,), generator=generator)
        top, left = (int(n) for n in torch.randint(33 - side, (2,), generator=generator))
        window = (slice(top, top + side), slice(left, left + side))
        if side < 32:
            crop_position(transformer, side // 2, generator)
        clean, start = (z[chosen][:, :, *window].float() for z in (after, before))
        return Examples(clean, embeddings[which, chosen][:, None], start)

    stage = args.name
    adapter = train_lora(
        transformer,
        SCHEDULER,
        draw,
        rank=args.rank,
        targets=args.targets.split(",") if args.targets else ONE_EMBEDDING_TARGETS,
        steps=steps,
        rate=args.rate,
        from_start=args.from_start,
        precision=torch.bfloat16,
        on_progress=lambda progress: tell(stage, progress),
        on_checkpoint=lambda checkpoint: save_run(stage, **checkpoint),
        resume=load_run(stage),
        run=torch.compile(transformer) if args.compile else None,
    )
    print(f"{sum(t.numel() for t in adapter.values()) / 1e6:.2f} M parameters in the adapter")


def export(stage: str, pairs: Pairs) -> None:
    """Write the files of the stain to the package, in fp16."""
    from export import fit_preview

    folder = DEMO / "stain"
    folder.mkdir(exist_ok=True)
    state = load_run(stage)
    if state is None:
        raise SystemExit("Train the adapter first: python train_stain.py lora")
    vae = load_stain_vae()
    parts = {
        "lora": state["adapter"],
        "flow": load_flow().state_dict(),
        "decoder": decoder_tensors(vae),
    }
    for name, tensors in parts.items():
        halves = {key: value.detach().half().contiguous() for key, value in tensors.items()}
        save_file(halves, folder / f"{name}.safetensors", metadata={"format": "pt"})
    preview = fit_preview(pairs["latents"][1].float(), pairs["pixels"][1].numpy())
    (folder / "preview.json").write_text(json.dumps(preview, indent=1) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Run a stage, resuming from a checkpoint if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", choices=["decoder", "flow", "lora", "export"])
    parser.add_argument("--minutes", type=float, default=5, help="minutes of the decoder")
    parser.add_argument("--steps", type=int, default=2000, help="steps of the flow and the adapter")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--side", type=int, default=16, help="side of a window, in latents (tile: 32)"
    )
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--rank", type=int, default=ONE_EMBEDDING_RANK)
    parser.add_argument("--targets", help="layers to adapt, instead of the demo's")
    parser.add_argument("--from-start", type=float, default=FROM_START)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--name", default="stain_lora", help="name of the adapter's checkpoint")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    setup(args.threads, args.seed)
    encoder = TileEncoder.from_pretrained(DEMO / "encoder", torch_dtype=torch.float32).eval()
    pairs = load_pairs(False, TRAINING, encoder)
    held = load_pairs(True, HELD_OUT, encoder, seed=1)
    if args.stage == "decoder":
        train_decoder(pairs, args.minutes)
    elif args.stage == "flow":
        fit_flow(pairs, held, args.steps, args.rate)
    elif args.stage == "lora":
        fit_adapter(pairs, args.steps, args.batch, args.side, args)
    else:
        export(args.name, pairs)


if __name__ == "__main__":
    main()
