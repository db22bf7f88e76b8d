"""Contact sheets of what a checkpoint makes, captions under the pictures, for eyes rather than scores."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from gen2studio.diffusion.conditioning.structure import control_clip
from gen2studio.diffusion.vocabulary import SCENES, STYLES, TIMES
from gen2studio.diffusion.world.grammar import ClipSpec, caption, draw_spec, subjects_of
from gen2studio.diffusion.world.render import render_specs

F32 = NDArray[np.float32]
Make = Callable[..., F32]

PROMPTS = (
    "a realistic clip of a red car drives left fast on a street by day",
    "a realistic clip of a white boat sails right slowly on the sea at sunset",
    "an anime drawing of a purple dog runs right fast on a meadow by day",
    "a watercolor painting of a blue bird flies left slowly in the forest at dawn",
    "a neon picture of a green car drives right fast in the city at night",
    "a noir film of a black person walks left slowly on a street in fog",
    "a paper collage of an orange ball rolls left slowly in the desert at sunset",
    "a pencil sketch of a blue person walks right slowly in the snow by day",
    "a realistic clip of nobody in the forest at dawn the camera pans right",
)


def _bytes(picture: F32) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _strip(rows: list[tuple[str, list[F32]]], path: Path, title: str) -> None:
    """One row per text: pictures side by side, the text under them."""
    height, width = rows[0][1][0].shape[:2]
    columns = max(len(pictures) for _, pictures in rows)
    line = 14
    sheet = Image.new("RGB", (columns * (width + 2), len(rows) * (height + line + 2) + line), (24, 24, 26))
    draw = ImageDraw.Draw(sheet)
    draw.text((3, 1), title, fill=(235, 235, 235))
    for row, (text, pictures) in enumerate(rows):
        top = line + row * (height + line + 2)
        for column, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(_bytes(picture)), (column * (width + 2), top))
        draw.text((3, top + height), text[: columns * width // 6], fill=(190, 190, 190))
    sheet.save(path, quality=88, subsampling=0)


def _render(spec: ClipSpec, frames: int) -> tuple[F32, F32, F32]:
    clips = render_specs([spec], frames)
    return clips.rgb[0].permute(0, 2, 3, 1).numpy(), clips.disparity[0].numpy(), clips.mask[0].numpy()


def text_sheet(make: Make, path: Path) -> None:
    """Nine prompts, frames 0, 4, 8, 12 and 16 of each."""
    rows: list[tuple[str, list[F32]]] = []
    for index, prompt in enumerate(PROMPTS):
        clip = make(prompt, 17, seed=index)
        rows.append((prompt, [clip[t] for t in (0, 4, 8, 12, 16)]))
    _strip(rows, path, "Text to video: frames 0, 4, 8, 12, 16")


def still_sheet(make: Make, path: Path) -> None:
    """Every scene in every time of day, and every style, as single frames."""
    rows: list[tuple[str, list[F32]]] = []
    rng = random.Random(2)
    for scene in SCENES:
        pictures: list[F32] = []
        specs = [("realistic", time) for time in list(TIMES)[1:4]] + [(style, "day") for style in list(STYLES)[2:5]]
        for place, (style, time) in enumerate(specs):
            base = draw_spec(rng, scene=scene, subject=rng.choice(subjects_of(scene)))
            pictures.append(make(caption(base.restyled(style, time)), 1, seed=100 + place)[0])
        rows.append((f"{scene}: {', '.join(list(TIMES)[1:4])}; {', '.join(list(STYLES)[2:5])}", pictures))
    _strip(rows, path, "Stills: each scene by time and style, a random subject in each")


def task_sheet(make: Make, path: Path) -> None:
    """One row per kind of control: what was given, and frames 0, 4 and 8 of what came out."""
    rows: list[tuple[str, list[F32]]] = []
    spec = ClipSpec("street", "car", "red", "realistic", "day", "right", "slowly", "static", 11)
    clip, disparity, mask = _render(spec, 9)
    pictures = [_bytes(frame) for frame in clip]
    everything = np.ones(clip.shape[:3], np.float32)
    depth = np.sqrt(disparity) / max(1e-3, float(np.sqrt(disparity).max()))
    times = (0, 4, 8)

    def row(title: str, given: NDArray[Any], made: F32) -> None:
        rows.append((title, [given[0], given[8], *(made[t] for t in times)]))

    night = spec.restyled("realistic", "night")
    anime = spec.restyled("anime", "sunset")
    for kind, target in (("depth", night), ("edges", anime), ("grey", spec), ("layout", night)):
        control = np.stack(control_clip(kind, pictures, depth=list(depth.astype(np.float32)))).astype(
            np.float32
        ) / np.float32(255)
        made = make(caption(target), 9, seed=1, video=control, mask=everything)
        row(f"{kind}: {caption(target)}", control, made)
    video, keep = np.full_like(clip, 0.5), everything.copy()
    video[0], keep[0] = clip[0], 0
    row(f"first frame: {caption(spec)}", video.copy(), make(caption(spec), 9, seed=1, video=video, mask=keep))
    video[8], keep[8] = clip[8], 0
    row("first and last frame", video, make(caption(spec), 9, seed=1, video=video, mask=keep))
    hole = np.stack([cv2.dilate(m, np.ones((9, 9), np.uint8)) for m in (mask > 0.5).astype(np.uint8)]).astype(
        np.float32
    )
    open_ = clip * (1 - hole[..., None]) + 0.5 * hole[..., None]
    for title, target in (
        ("mask, another colour", dataclasses.replace(spec, colour="blue")),
        ("mask, another subject", dataclasses.replace(spec, subject="dog", colour="white")),
        ("mask, taken out", dataclasses.replace(spec, subject="none")),
    ):
        row(
            f"{title}: {caption(target)}",
            open_,
            make(caption(target), 9, seed=1, video=open_, mask=hole, guidance=1.75),
        )
    place = dataclasses.replace(spec, scene="desert", time="sunset")
    kept = clip * hole[..., None] + 0.5 * (1 - hole[..., None])
    row(f"background: {caption(place)}", kept, make(caption(place), 9, seed=1, video=kept, mask=1 - hole))
    row(f"restyle: {caption(anime)}", clip, make(caption(anime), 9, seed=1, video=clip, mask=everything))
    style = _render(ClipSpec("meadow", "dog", "blue", "watercolor", "dawn", "left", "slowly", "static", 5), 1)[0][0]
    grey = np.full_like(clip, 0.5)
    made = make("a red car on a street", 9, seed=1, video=grey, mask=everything, reference=style)
    rows.append(("reference for style: a red car on a street", [style, style, *(made[t] for t in times)]))
    _strip(rows, path, "Given (frames 0 and 8) and made (frames 0, 4 and 8)")


def write_sheets(make: Make, folder: Path) -> list[str]:
    """All sheets as JPEG; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    sheets = {"text.jpg": text_sheet, "stills.jpg": still_sheet, "tasks.jpg": task_sheet}
    for name, draw in sheets.items():
        draw(make, folder / name)
    return list(sheets)
