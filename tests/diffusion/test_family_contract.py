"""What every family of models promises: each control it declares changes the frames, and each it lacks says why.

A family joins by a row in :data:`FAMILIES`: a small checkpoint of its own classes, built once, and an adapter for it.
Two requests that differ in one control only must give different frames; a request given twice the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import controls_of_mode, family_of
from gen2studio.engine.events import Event, JobState, Picture, StateChanged, StepPreview
from gen2studio.engine.generators import ModeAbility
from gen2studio.engine.requests import (
    AdapterRef,
    CameraMove,
    DepthPassRef,
    GenerateRequest,
    KeyRef,
    LeadRef,
    Levels,
    MaskTrackRef,
    MotionRegionRef,
)
from tests.diffusion import (
    tiny,
    tiny_animatediff,
    tiny_cogvideox,
    tiny_flux2,
    tiny_hunyuan,
    tiny_ltx,
    tiny_qwen_edit,
    tiny_svd,
    tiny_wan,
    tiny_z_image,
)
from tests.diffusion.studio import Stage, footage, source_ref


def transformer_lora(
    path: Path, names: tuple[str, ...] = ("transformer.blocks.0.attn1.to_q",), width: int = 32
) -> Path:
    """A LoRA of rank 4 on square matrices of a denoiser."""
    made = torch.Generator().manual_seed(1)
    tensors: dict[str, torch.Tensor] = {}
    for name in names:
        tensors[f"{name}.lora_A.weight"] = torch.randn((4, width), generator=made)
        tensors[f"{name}.lora_B.weight"] = torch.randn((width, 4), generator=made)
    save_file(tensors, path, metadata={"format": "pt"})
    return path


def in_small(folder: Path, side: int = 32) -> Path:
    """The checkpoint in ``folder``, made for pictures of ``side`` pixels: what a test looks at is quick to draw."""
    path = folder / "gen2studio.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sizes": [[side, side]]}))
    return folder


@dataclass(frozen=True, slots=True)
class Family:
    """A row: how a small checkpoint of the family is built, and an adapter file for it."""

    id: str
    """The family's, or with the kind of checkpoint behind a slash."""
    build: Callable[[Path], Path]
    """Writes a checkpoint into a folder and returns it."""
    adapter: Callable[[Path], Path] | None = transformer_lora
    """Writes a LoRA file; None for families that take none."""
    frames: int = 5
    """Frames of a take: as few as show everything."""
    controls: dict[str, float] = field(default_factory=dict[str, float])
    """Values all requests have, where the family's small checkpoint needs others than the usual."""


FAMILIES = (
    Family("wan-vace", lambda folder: in_small(tiny.build(folder, "patch"))),
    *(
        Family(f"{family}/{kind}", lambda folder, kind=kind: tiny_wan.build(folder, kind), frames=frames)
        # Three latent frames where the first is the given picture: of two, one alone would be the whole clip. What
        # “wan-i2v” declares is a part of what “wan-flf” does, on the same classes.
        for family, kind, frames in (
            ("wan-t2v", "t2v_a14b", 5),
            ("wan-ti2v", "ti2v", 5),
            ("wan-i2v-ends", "i2v_a14b", 9),
            ("wan-flf", "flf", 9),
        )
    ),
    Family(
        "flux2-klein",
        lambda folder: tiny_flux2.build(folder, "base"),
        lambda path: transformer_lora(path, ("transformer.transformer_blocks.0.attn.to_q",)),
        frames=2,
    ),
    Family(
        "qwen-image-edit",
        tiny_qwen_edit.build,
        lambda path: transformer_lora(path, ("transformer.transformer_blocks.0.attn.to_q",)),
        frames=2,
    ),
    Family(
        "z-image",
        lambda folder: tiny_z_image.build(folder, "base"),
        lambda path: transformer_lora(path, ("transformer.layers.0.attention.to_q",)),
        frames=2,
    ),
    Family(
        "ltx",
        lambda folder: tiny_ltx.build(folder, "timed"),
        lambda path: transformer_lora(path, ("transformer.transformer_blocks.0.attn1.to_q",)),
        frames=9,
        controls={"steps": 4},
    ),
    Family(
        "animatediff",
        lambda folder: in_small(tiny_animatediff.build(folder, without=("few_step_lora.safetensors",))),
        tiny_animatediff.few_step_lora,
        frames=4,
    ),
    Family("svd", tiny_svd.build, None, frames=5),
    *(
        Family(
            f"{family}/{kind}",
            lambda folder, kind=kind: tiny_cogvideox.build(folder, kind),
            lambda path: transformer_lora(path, ("transformer.transformer_blocks.0.attn1.to_q",)),
            frames=9,
            controls={"steps": 4},
        )
        for family, kind in (("cogvideox", "text"), ("cogvideox-image", "image15"))
    ),
    *(
        Family(f"{family}/{kind}", lambda folder, kind=kind: tiny_hunyuan.build(folder, kind), None, frames=5)
        for family, kind in (("hunyuan", "text"), ("hunyuan-image", "image"))
    ),
)


class Room:
    """A family's checkpoint behind the real engine, and what its requests are made of."""

    def __init__(self, row: Family, home: Path) -> None:
        self.row = row
        self.act: Callable[[Event], None] = lambda event: None
        self.stage = Stage(row.build(home / "model"), home, lambda event: self.act(event))
        self.abilities = self.stage.generators.abilities[0]
        self.home = home
        width, height = self.abilities.native_sizes[0]
        self.size = Extent(width, height)
        self._made: dict[GenerateRequest, list[bytes]] = {}

    def picture(self, frame: int) -> Picture:
        return footage(self.source, frame, self.size)

    @property
    def source(self) -> Any:
        return source_ref(12, self.size.width, self.size.height)

    def key(self, frame: int, shows: int) -> KeyRef:
        return KeyRef(frame=frame, blob=self.stage.image(f"shows-{shows}", self.picture(shows)))

    def matte(self, left: int) -> Any:
        """A box three eighths wide, from ``left`` eighths on."""
        mask = np.zeros((self.size.height, self.size.width), np.uint8)
        cell = self.size.width // 8
        mask[2 * cell : 6 * cell, left * cell : (left + 3) * cell] = 255
        return self.stage.tiles.pack(mask)

    def modes(self, control: str = "") -> list[ModeAbility]:
        return [mode for mode in self.abilities.modes if mode.controls and (not control or control in mode.controls)]

    def base(self, mode: ModeAbility) -> GenerateRequest:
        """The plainest request of a mode that the family serves."""
        has = mode.controls
        changes: dict[str, Any] = {}
        if "first_frame" in has or ("keys" in has and mode.mode == "image"):
            changes["keys"] = (self.key(0, 0),)
            if "last_frame" in has:
                changes["keys"] = (self.key(0, 0), self.key(self.row.frames - 1, 8))
        if mode.mode == "storyboard" and "layout" in has:
            changes = {"layout": self.stage.image("layout-1", self.picture(1))}
        if mode.mode == "mask":
            changes |= {"masks": self.track(2), "region": "foreground"}
        if mode.stills_only:
            changes["frames"] = tuple(range(self.row.frames))
        controls = {"steps": 2, "structure": 0.0, **self.row.controls}
        if "strength" in has:
            controls["strength"] = 0.7
        return self.stage.request(
            mode.mode, self.row.frames, source=self.source, width=self.size.width, height=self.size.height,
            controls=controls, **changes,
        )  # fmt: skip

    def track(self, left: int) -> tuple[MaskTrackRef, ...]:
        raster = self.matte(left)
        return (MaskTrackRef(object_id="mask-1", frames=tuple((frame, raster) for frame in range(12))),)

    def made(self, request: GenerateRequest) -> list[bytes]:
        """The frames of a run that must finish."""
        if request not in self._made:
            self._made[request] = [frame.tobytes() for frame in self.stage.made(request)]
        return self._made[request]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda row: row.id)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    row: Family = request.param
    folder = tmp_path_factory.mktemp(row.id.replace("/", "-"))
    made = Room(row, folder)
    with pytest.MonkeyPatch.context() as patch:
        # A fixture of a module comes before a test's own home: the artist's caches are not to be touched.
        patch.setenv("GEN2STUDIO_HOME", str(folder / "home"))
        made.made(made.base(made.modes()[0]))  # starts the thread that writes takes
    yield made
    made.stage.close()


def _set(request: GenerateRequest, **values: float) -> GenerateRequest:
    return replace(request, controls=replace(request.controls, **values))


def _depth_pass(room: Room) -> DepthPassRef:
    for frame in range(12):
        plane = np.tile(np.linspace(0, 60000, room.size.width), (room.size.height, 1)).astype(np.uint16)
        cv2.imwrite(str(room.home / f"depth.{frame:03d}.png"), plane)
    return DepthPassRef(fingerprint="depth", path=str(room.home / "depth.000.png"))


def other(room: Room, base: GenerateRequest, control: str) -> tuple[GenerateRequest, GenerateRequest]:
    """Two requests that differ in ``control`` and in nothing else."""
    last = room.row.frames - 1
    keys = tuple(key for key in base.keys if key.frame != 0)
    match control:
        case "prompt":
            return base, replace(base, prompt="blue boat in the sea, night")
        case "negative_prompt":
            return base, replace(base, negative_prompt="noir style")
        case "seed":
            return base, replace(base, seed=base.seed + 1)
        case "guidance":
            return base, _set(base, guidance=5.0)
        case "steps":
            return base, _set(base, steps=3)
        case "reuse":
            slow = _set(base, steps=16)
            return slow, _set(slow, reuse=30.0)
        case "consistency":
            return base, _set(base, consistency=0.3)
        case "motion":
            return base, _set(base, motion=1.0)
        case "strength":
            return base, _set(base, strength=0.3)
        case "control_scale":
            return base, _set(base, control_scale=0.3)
        case "structure":
            return base, _set(base, structure=4.0)
        case "grow" | "feather":
            masked = replace(base, masks=room.track(2), region="foreground")
            return masked, _set(masked, grow=6) if control == "grow" else _set(masked, feather=4.0)
        case "camera":
            return base, replace(base, camera=CameraMove(pan=4.0, zoom=2.0))
        case "motion_brush":
            return base, replace(base, motion_regions=(MotionRegionRef(raster=room.matte(2), horizontal=6.0),))
        case "styles":
            shown = [room.stage.image(f"style-{n}", room.picture(n)) for n in (1, 9)]
            return replace(base, styles=(shown[0],)), replace(base, styles=(shown[1],))
        case "style_weight":
            shown = room.stage.image("style-1", room.picture(1))
            styled = replace(base, styles=(shown,))
            return styled, _set(styled, style_weight=0.3)
        case "keys":
            middle = (0, last // 2)[base.from_nothing]
            own = tuple(key for key in base.keys if key.frame != middle)
            return tuple(
                replace(base, keys=tuple(sorted((*own, room.key(middle, shows)), key=lambda key: key.frame)))
                for shows in (2, 10)
            )  # pyright: ignore[reportReturnType]
        case "first_frame":
            return base, replace(base, keys=(room.key(0, 9), *keys))
        case "last_frame":
            first = room.key(0, 0)
            return replace(base, keys=(first, room.key(last, 8))), replace(base, keys=(first, room.key(last, 1)))
        case "lead":
            one, two = (LeadRef(source=room.source, start=0, stop=stop) for stop in (6, 12))
            return replace(base, keys=keys, lead=one), replace(base, keys=keys, lead=two)
        case "structure_source":
            closed = dict(room.abilities.structure_why_not)
            one, two = [source for source in ("grey", "edges", "layout") if source not in closed][:2]
            return replace(base, structure_source=one), replace(base, structure_source=two)
        case "depth_pass":
            return base, replace(base, structure_source="depth_pass", depth_pass=_depth_pass(room))
        case "region":
            masked = replace(base, masks=room.track(2))
            return replace(masked, region="foreground"), replace(masked, region="background")
        case "fill":
            return replace(base, fill="shape"), replace(base, fill="free")
        case "layout":
            shown = [room.stage.image(f"layout-{n}", room.picture(n)) for n in (1, 9)]
            return replace(base, layout=shown[0]), replace(base, layout=shown[1])
        case "outpaint":
            return replace(base, outpaint=(8, 0, 8, 0)), replace(base, outpaint=(0, 8, 0, 8))
        case "adapters":
            assert room.row.adapter is not None, f"{room.row.id} declares adapters and has none in its row"
            path = room.row.adapter(room.home / "look.safetensors")
            return base, replace(base, adapters=(AdapterRef(digest="look", path=str(path)),))
        case "key_spacing":
            return base, replace(base, key_spacing=2)
        case _:
            raise AssertionError(f"nobody wrote how “{control}” is told apart")


def controls_in(room: Room) -> list[str]:
    return sorted({control for mode in room.modes() for control in mode.controls})


def test_a_declared_control_changes_the_frames(room: Room) -> None:
    silent: list[str] = []
    for control in controls_in(room):
        mode = next(iter(room.modes(control)))
        one, two = other(room, room.base(mode), control)
        assert one != two, control
        if room.made(one) == room.made(two):
            silent.append(f"{control} in {mode.mode}")
    assert not silent, f"{room.row.id} declares what changes nothing: {silent}"


def test_a_slider_with_keys_changes_the_frames(room: Room) -> None:
    for name in sorted({name for mode in room.modes() for name in mode.keyed}):
        mode = next(mode for mode in room.modes() if name in mode.keyed)
        base = room.base(mode)
        base = _set(base, steps=4, strength=0.9) if name == "strength" else base
        values = ((0, float(getattr(base.controls, name))), (1, 2.0 if name == "structure" else 0.2))
        assert room.made(base) != room.made(replace(base, levels=(Levels(name=name, values=values),))), name


def test_every_mode_makes_a_take_that_is_its_own_and_comes_again(room: Room) -> None:
    for mode in room.modes():
        base = room.base(mode)
        frames = room.made(base)
        assert len(frames) == room.row.frames, mode.mode
        assert len(set(frames)) > 1, f"{mode.mode}: a clip moves"
    base = room.base(room.modes()[0])
    again = [frame.tobytes() for frame in room.stage.made(base)]
    assert again == room.made(base), "the same request gives the same frames"


def test_what_a_family_lacks_says_why(room: Room) -> None:
    traits = family_of(room.stage.model).traits
    assert traits.modes and set(mode.mode for mode in room.abilities.modes) == set(traits.modes)
    for mode in room.modes():
        told = dict(mode.why_not)
        lacking = controls_of_mode(mode.mode) - mode.controls
        assert lacking <= set(told), f"{mode.mode}: no word about {sorted(lacking - set(told))}"
        assert not set(told) & mode.controls, "no excuse for what is there"


def test_cancelling_leaves_nothing_behind(room: Room) -> None:
    base = room.base(room.modes()[0])
    before = room.made(base)
    asked = replace(base, seed=base.seed + 5)
    cancelled: list[bool] = []

    def act(event: Event) -> None:
        if isinstance(event, StepPreview) and not cancelled:
            cancelled.append(True)
            room.stage.engine.queue.cancel(event.job_id)

    room.act = act
    try:
        end: StateChanged = room.stage.run(asked)
    finally:
        room.act = lambda event: None
    assert cancelled and end.state is JobState.CANCELLED, end
    assert [frame.tobytes() for frame in room.stage.made(base)] == before
