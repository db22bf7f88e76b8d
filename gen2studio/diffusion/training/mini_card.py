"""The model card: every figure in it is read from ``evaluation.json`` and ``training/``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

GOALS = {"scene": 0.8, "style": 0.8, "time": 0.8, "subject": 0.6, "colour": 0.6}
"""What the finished model is to reach on generated clips."""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _adherence(result: Mapping[str, Any]) -> str:
    rows: list[list[str]] = []
    for name, goal in GOALS.items():
        made, luck = result["text"]["generated"][name], result["text"]["chance"][name]
        still, still_luck = result["stills"]["generated"][name], result["stills"]["chance"][name]
        rows.append(
            [
                name,
                _percent(made),
                _percent(luck),
                _percent(still),
                _percent(still_luck),
                _percent(result["probe"]["renders"][name]),
                f"≥ {_percent(goal)}",
                "reached" if made >= goal else "not reached",
            ]
        )
    head = ["read by the probe", "clips", "chance", "stills", "chance", "true renders", "goal", "clips against goal"]
    return _table(head, rows)


def _checks(result: Mapping[str, Any]) -> str:
    mask, first = result["mask_edit"], result["first_frame"]
    rows = [
        [
            "mask edit: outside against the VAE round trip",
            f"{mask['outside_psnr']:.1f} dB against {mask['round_trip_psnr']:.1f} dB",
            "within 1 dB",
            _met(mask["outside_psnr"] >= mask["round_trip_psnr"] - 1),
        ],
        [
            "mask edit: new colour read inside",
            f"{_percent(mask['new_colour'])} (chance {_percent(mask['new_colour_chance'])})",
            "≥ 60 %",
            _met(mask["new_colour"] >= 0.6),
        ],
        [
            "first frame against the round trip",
            f"{first['frame_0_psnr']:.1f} dB against {first['round_trip_psnr']:.1f} dB",
            "within 1 dB",
            _met(first["frame_0_psnr"] >= first["round_trip_psnr"] - 1),
        ],
    ]
    for kind in ("depth", "edges"):
        part = result[kind]
        ratio = part["edge_correlation"] / max(1e-6, part["shuffled"])
        rows.append(
            [
                f"{kind} control: edge correlation, own against shuffled control",
                f"{part['edge_correlation']:.3f} against {part['shuffled']:.3f} ({ratio:.1f}×)",
                "≥ 3×",
                _met(ratio >= 3),
            ]
        )
        drift = part["warp_error"] / max(1e-6, part["true_warp_error"])
        rows.append(
            [
                f"{kind} control: warp error along the exact flow",
                f"{part['warp_error']:.4f}, true clips {part['true_warp_error']:.4f} ({drift:.2f}×), "
                f"VAE round trip {part['round_trip_warp_error']:.4f}",
                "≤ 1.5× true clips",
                _met(drift <= 1.5),
            ]
        )
    fast = result["speed"]
    rows.append(
        [
            "17 frames at 128×128, 8 steps, guidance",
            f"{fast['seconds']} s by the clock, {fast['processor_seconds']} s of processor time on {fast['threads']} "
            f"threads (load average {fast['load_average']})",
            "≤ 12 s on two free cores",
            _met(fast["processor_seconds"] / fast["threads"] <= 12),
        ]
    )
    rows.append(
        ["first step", f"{fast['first_step_seconds']} s by the clock", "≤ 2 s", _met(fast["first_step_seconds"] <= 2)]
    )
    return _table(["measure", "value", "goal", ""], rows)


def _met(reached: bool) -> str:
    return "reached" if reached else "not reached"


def draw_curve(curve: Path, out: Path) -> None:
    """The training loss (mean of 20 steps, all tasks) over samples as a PNG."""
    rows = [json.loads(line) for line in curve.read_text().splitlines()]
    if len(rows) < 2:
        return
    width, height, margin = 640, 280, 42
    picture = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    most = max(row["samples"] for row in rows)
    top = min(1.2, max(row["loss"] for row in rows))
    low = min(row["loss"] for row in rows) * 0.9

    def place(samples: float, loss: float) -> tuple[float, float]:
        x = margin + (width - 2 * margin) * samples / most
        return x, height - margin - (height - 2 * margin) * (min(loss, top) - low) / max(1e-6, top - low)

    for tick in range(5):
        loss = low + (top - low) * tick / 4
        y = place(0, loss)[1]
        draw.line((margin, y, width - margin, y), fill=(225, 225, 225))
        draw.text((4, y - 6), f"{loss:.2f}", fill=(90, 90, 90))
        draw.text(
            (place(most * tick / 4, low)[0] - 12, height - margin + 6),
            f"{most * tick / 4 / 1000:.1f}k",
            fill=(90, 90, 90),
        )
    draw.line([place(row["samples"], row["loss"]) for row in rows], fill=(30, 90, 200), width=2)
    draw.text((margin, 8), "flow-matching loss, all tasks, against samples seen", fill=(40, 40, 40))
    picture.save(out)


def write_card(folder: Path, result: Mapping[str, Any]) -> None:
    """Write ``MODEL_CARD.md`` (and the curve) into ``folder``."""
    training = result["training"]
    if (folder / "training" / "curve.jsonl").exists():
        draw_curve(folder / "training" / "curve.jsonl", folder / "training" / "curve.png")
    remarks = folder / "training" / "remarks.md"
    steps = _table(
        ["steps", *GOALS], [[count, *(_percent(scores[n]) for n in GOALS)] for count, scores in result["steps"].items()]
    )
    real = result["vae"]["real"]
    sections = [
        "# Model card: Built-in mini (demo world)",
        f"Revision `{result['revision']}`, stage {training['stage']}. All figures are written by the evaluator command "
        "of the README; nothing is typed in.",
        "## What it is",
        "A very small model of exactly the classes that full-size Wan VACE checkpoints use, trained on nothing but a "
        "procedural world of nine places, seven subjects, eight styles, five kinds of light and eight colours. It "
        "shows that every control works, on any machine and without a download. It knows nothing of real things: "
        "faces, animals, rooms or streets of real footage come out as patches of its own world.",
        f"Transformer {training['parameters']['transformer'] / 1e6:.2f} M parameters, text encoder "
        f"{training['parameters']['text_encoder'] / 1e6:.2f} M; {training['steps']} steps, "
        f"{training['samples']} samples, {training['processor_minutes']} minutes of processor time.",
        "## Does it do what the words say?",
        _adherence(result),
        f"Clips have {result['text']['frames']} frames ({result['text']['clips']} of them); stills are one-frame clips "
        f"({result['stills']['clips']}). Chance is the same answers against shuffled captions. Colour and time are not "
        "scored in styles that hide them.",
        f"Movement: neighbouring frames differ by {result['text']['frame_change']:.1f} levels of 255 in made clips and "
        f"by {result['true_frame_change']:.1f} in true ones.",
        "## Does it keep what is given?",
        _checks(result),
        f"The VAE alone: {result['vae']['world_psnr']:.1f} dB on clips of the world"
        + (f", {real['mean_psnr']:.1f} dB on {real['clips']} real clips at 128 lines." if real["clips"] else "."),
        "## Number of steps (stills)",
        steps,
        "## Samples",
        "\n".join(f"![{name}](samples/{name})" for name in result.get("sheets", [])),
        "![loss](training/curve.png)",
    ]
    if remarks.exists():
        sections += ["## What a person sees in the samples", remarks.read_text().strip()]
    (folder / "MODEL_CARD.md").write_text("\n\n".join(part for part in sections if part) + "\n")
