"""The files that mattes are exported to."""

from __future__ import annotations

from dataclasses import replace

from gen2studio.core.errors import ExportError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.records import dataclass
from gen2studio.media.encoder_presets import ExportPreset, preset_of

STRAIGHT, PREMULTIPLIED, MATTE = "straight", "premultiplied", "matte"
CONTENTS = {
    STRAIGHT: "Colour and alpha, straight",
    PREMULTIPLIED: "Colour and alpha, premultiplied",
    MATTE: "Matte only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteFormat:
    id: str
    title: str
    description: str
    suffix: str = ""
    """Of a video file; empty for a folder of numbered images."""
    contents: tuple[str, ...] = ()
    """Which of :data:`CONTENTS` it can hold; empty where there is nothing to choose."""
    preset: str = ""
    """Export preset that encodes it; empty for images and VP9."""

    @property
    def is_sequence(self) -> bool:
        return not self.suffix


_ALL = (STRAIGHT, PREMULTIPLIED, MATTE)
FORMATS: tuple[MatteFormat, ...] = (
    MatteFormat(
        id="png8", title="PNG sequence, 8 bit", description="Grey images, white inside, numbered by media frame."
    ),
    MatteFormat(
        id="png16", title="PNG sequence, 16 bit",
        description="Grey images of 16 bits, white inside, numbered by media frame.",
    ),
    MatteFormat(
        id="prores4444", title="ProRes 4444", suffix=".mov", contents=_ALL, preset="prores_4444",
        description="10-bit 4:4:4 picture with a lossless alpha channel, for compositing.",
    ),
    MatteFormat(
        id="vp9", title="WebM, VP9 with alpha", suffix=".webm", contents=_ALL,
        description="Small files for the web. Picture and alpha are compressed with loss.",
    ),
    MatteFormat(
        id="exr", title="OpenEXR sequence", contents=_ALL,
        description="One named layer per object (name.A), coverage 0…1 as it is, ZIP compressed.",
    ),
    MatteFormat(
        id="greenscreen", title="Green screen, H.264", suffix=".mp4", preset="h264",
        description="The subject over a plain colour, for programs that can't read alpha.",
    ),
    MatteFormat(
        id="greenscreen_prores", title="Green screen, ProRes 422 HQ", suffix=".mov", preset="prores_422_hq",
        description="The subject over a plain colour, 10 bit, for keying elsewhere.",
    ),
)  # fmt: skip
"""In menu order."""

_VP9 = ExportPreset(
    id="vp9_alpha", title="WebM · VP9 with alpha", container="webm", suffix=".webm", codec="libvpx-vp9",
    pixel_format="yuva420p", alpha=True, odd_sizes=True, audio="libopus", audio_bit_rate=160_000,
    copy_audio=("opus", "vorbis"),
    # Alternative reference frames and alpha exclude each other in libvpx.
    options=frozen_map({
        "crf": "12", "b": "0", "auto-alt-ref": "0", "row-mt": "1", "deadline": "good", "cpu-used": "3", "g": "60",
    }),
)  # fmt: skip


def format_of(format_id: str) -> MatteFormat:
    """The format with this id. Raises ExportError listing what there is."""
    found = next((f for f in FORMATS if f.id == format_id), None)
    if found is None:
        raise ExportError(
            f"There is no matte format “{format_id}”.", f"Choose one of {', '.join(f.id for f in FORMATS)}."
        )
    return found


def preset_for(chosen: MatteFormat, content: str) -> ExportPreset:
    """How a video of ``chosen`` is encoded; a matte alone needs no alpha."""
    preset = preset_of(chosen.preset) if chosen.preset else _VP9
    if preset.alpha and content == MATTE:
        return replace(preset, alpha=False, pixel_format=preset.pixel_format.replace("yuva", "yuv"))
    return preset
