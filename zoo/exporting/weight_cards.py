"""The card of a set of weights, as people read it."""

from __future__ import annotations

CARD = """# {name}

{model} with a codeword of {codeword_dim} real values (ratio {ratio:g}) for
`{dataset}/{dataset_config}`, trained by this project (no weights of others).

| | |
|---|---|
| NMSE, {num_test:,} test examples | **{nmse_db:.2f} dB** |
| the same in float32, as trained | {nmse_float32_db:.3f} dB ({cost_db:+.4f} dB as \
stored) |
{grid_lines}\
| linear KLT of the same length | {nmse_pca_db:.2f} dB |
| rho, SGCS | {rho:.4f}, {sgcs:.4f} |
| training | {epochs} epochs of {num_train:,}, batch {batch_size}, `--init={init}`, \
{hours:.2f} hours on {train_device} |
| seeds | {seeds} |
| commit of the training | {train_commit} |
| UE, BS | {ue_params:,}, {bs_params:,} parameters; \
{ue_macs:,}, {bs_macs:,} MACs |
| weights | sha256 {weights_sha256} |
| licence | Apache-2.0, as the project |

Use: `python -m zoo.pretrained export {name} --bits=6 --out=DIR`, or
`python -m zoo.train --weights={name} --model={model} \
--codeword_dim={codeword_dim} ...`.
For simulated channels of this kind and scaling only; others need training of their own.
All figures: `card.json`.
"""
GRID = "| {bits} bits an entry ({feedback_bits:,} a CSI) | {nmse_db:.2f} dB"


def text(name: str, card: dict) -> str:
    """A card in Markdown.

    Args:
        name: of the set.
        card: content of card.json.
    """
    by_seed = card["nmse_db_by_seed"]
    seeds = ", ".join(f"{seed}: {nmse_db:.2f} dB" for seed, nmse_db in by_seed.items())
    if len(by_seed) > 1:
        seeds += f"; taken is seed {card['seed']}, the best by validation"
    return CARD.format(
        **card,
        name=name,
        grid_lines="".join(_grid(bits, found) for bits, found in card["grids"].items()),
        seeds=seeds,
        hours=card["train_seconds"] / 3600,
        cost_db=card["nmse_db"] - card["nmse_float32_db"],
    )


def _grid(bits: int, found: dict) -> str:
    classic = found["classic_db"]
    beside = "" if classic is None else f"; best codec without a network {classic:.2f}"
    return f"{GRID.format(bits=bits, **found)}{beside and beside + ' dB'} |\n"
