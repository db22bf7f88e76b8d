"""Matte files of other programs: what one holds, and its mattes image by image.

A file is a still, a numbered run of images or a video. Its mattes lie in its alpha, in its brightness, in numbers that
stand for objects (indexed PNGs in the manner of DAVIS), or in the named layers of an OpenEXR file. Which of these is
found out from a sample of images: alpha when it varies, numbers when a palette has colours, else brightness.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from av.error import FFmpegError

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.media import stills
from gen2studio.media.decoder import Decoder, open_decoder
from gen2studio.media.decoder_colour import PlanarPicture
from gen2studio.media.exr import ExrInfo, exr_info, read_exr
from gen2studio.media.matte_kinds import ALPHA, IDS, LAYERS, LUMA, MatteFile, MatteLayer
from gen2studio.media.matte_planes import MattePlanes, from_channels, planes_of_frame, planes_of_still
from gen2studio.raster.tiles import Mask

_SAMPLES = 8
"""Images that are looked at to find out what carries the matte."""
_MOST_OBJECTS = 64
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".exr"})
_NUMBERED = re.compile(r"^(.*?)(\d+)(\.[A-Za-z0-9]+)$")


def find_matte(path: Path, *, single: bool = False, abandon: Callable[[], bool] | None = None) -> MatteFile:
    """Look into a matte file, or a folder of numbered images. Raises MediaError and Abandoned.

    An image with numbered siblings stands for the whole run unless ``single``.
    """
    if not path.exists():
        raise MediaError(f"“{path.name}” is not there.", "Check the path.")
    files = _run(path, single)
    if files:
        return _of_images(files, path)
    if path.is_dir():
        raise MediaError(f"“{path.name}” holds no images.", "Choose a folder with name_0001.png, name_0002.png, …")
    if path.stat().st_size == 0:
        raise MediaError(f"“{path.name}” is empty.", "Copy it again from its source.")
    return _of_video(path, abandon)


def _run(path: Path, single: bool) -> list[tuple[int, Path]]:
    """(number, file) of the images that ``path`` stands for; a lone image without a number has −1."""
    if path.is_dir():
        runs: dict[tuple[str, str], list[tuple[int, Path]]] = {}
        for entry in path.iterdir():
            named = _NUMBERED.match(entry.name)
            if named and named[3].lower() in _SUFFIXES and not entry.name.startswith("."):
                runs.setdefault((named[1], named[3].lower()), []).append((int(named[2]), entry))
        found = sorted(max(runs.values(), key=len, default=[]))
        if not found:
            images = [e for e in path.iterdir() if e.suffix.lower() in _SUFFIXES and not e.name.startswith(".")]
            return [(-1, images[0])] if len(images) == 1 else []
        return _unique(found)
    if not stills.is_still(path):
        return []
    named = _NUMBERED.match(path.name)
    if named is None:
        return [(-1, path)]
    if single:
        return [(int(named[2]), path)]
    siblings: list[tuple[int, Path]] = []
    for entry in path.parent.iterdir():
        other = _NUMBERED.match(entry.name)
        if other and other[1] == named[1] and other[3].lower() == named[3].lower():
            siblings.append((int(other[2]), entry))
    return _unique(sorted(siblings))


def _unique(files: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """One file a number: ``1.png`` and ``01.png`` can't both be image 1."""
    return list(dict(reversed(files)).items())[::-1]


def _sample(count: int) -> list[int]:
    return sorted({round(k * (count - 1) / max(1, _SAMPLES - 1)) for k in range(_SAMPLES)})


# -- images ----------------------------------------------------------------------------------------------------------


def _of_images(numbered: list[tuple[int, Path]], path: Path) -> MatteFile:
    files = tuple(file for _, file in numbered)
    kind = MediaKind.SEQUENCE if len(files) > 1 else MediaKind.STILL
    first = numbered[0][1]
    with open(first, "rb") as handle:
        format_name = stills.image_kind(handle.read(12))
    numbers = tuple(number for number, _ in numbered)
    if format_name == "exr":
        return _of_exr(path, kind, files, numbers)
    seen = _Seen()
    extent: Extent | None = None
    for index in _sample(len(files)):
        planes = planes_of_still(files[index])
        here = Extent(planes.luma.shape[1], planes.luma.shape[0])
        if extent is not None and here != extent:
            raise MediaError(
                f"The images differ in size: “{first.name}” is {extent} and “{files[index].name}” {here}.",
                "Write all mattes at one size.",
            )
        extent = here
        seen.add(planes)
    assert extent is not None
    carriers, carrier, layers = seen.verdict()
    names = {"png": "PNG", "jpeg": "JPEG", "tiff": "TIFF", "webp": "WebP", "bmp": "BMP"}
    return MatteFile(
        path=path, kind=kind, format=names.get(format_name, format_name), extent=extent, numbers=numbers, files=files,
        carriers=carriers, carrier=carrier, layers=layers,
    )  # fmt: skip


class _Seen:
    """What a sample of images showed."""

    def __init__(self) -> None:
        self._alpha: list[int] = []
        self._has_alpha = False
        self._ids: set[int] | None = set()
        self._numbered = True
        self._any = False

    def add(self, planes: MattePlanes) -> None:
        if planes.alpha is not None:
            self._has_alpha = True
            self._alpha += [int(planes.alpha.min()), int(planes.alpha.max())]
        if planes.ids is None:
            self._ids = None
        elif self._ids is not None:
            self._ids |= {int(i) for i in np.unique(planes.ids)} - {0}
        # An empty picture says neither yes nor no.
        if planes.luma.any():
            self._any = True
            self._numbered &= planes.numbered

    def verdict(self) -> tuple[tuple[str, ...], str, tuple[tuple[str, tuple[MatteLayer, ...]], ...]]:
        """(carriers, the likely one, layers by carrier)."""
        carriers = [LUMA]
        layers: list[tuple[str, tuple[MatteLayer, ...]]] = [(LUMA, (MatteLayer("matte", ""),))]
        likely = LUMA
        if self._ids is not None and 0 < len(self._ids) <= _MOST_OBJECTS:
            carriers.append(IDS)
            layers.append((IDS, tuple(MatteLayer(f"id:{n}", f"Object {n}") for n in sorted(self._ids))))
            likely = IDS if self._numbered and self._any else likely
        if self._has_alpha:
            carriers.insert(0, ALPHA)
            layers.append((ALPHA, (MatteLayer("matte", ""),)))
            likely = ALPHA if min(self._alpha) < max(self._alpha) else likely
        return tuple(carriers), likely, tuple(layers)


# -- OpenEXR ---------------------------------------------------------------------------------------------------------


def _of_exr(path: Path, kind: MediaKind, files: tuple[Path, ...], numbers: tuple[int, ...]) -> MatteFile:
    info = exr_info(next(iter(files)))
    plausible: dict[str, bool] = {layer.name: True for layer in info.layers}
    alpha_varies = False
    for index in _sample(len(files))[:3] if len(files) > 3 else range(len(files)):
        _, planes = read_exr(files[index])
        for layer, channels in planes.items():
            values = np.stack([v for v in channels.values()])
            plausible[layer] = plausible.get(layer, True) and bool(values.min() >= -0.01 and values.max() <= 1.01)
        main = planes.get("", {}).get("A")
        alpha_varies = alpha_varies or (main is not None and float(main.min()) < float(main.max()))
    named = [layer for layer in info.layers if layer.name]
    main = next((layer for layer in info.layers if not layer.name), None)
    if not named:
        letters = {last for last, _, _ in main.channels} if main else set()
        carriers = [c for c, there in ((ALPHA, "A" in letters), (LUMA, bool(letters - {"A"}))) if there]
        likely = ALPHA if ALPHA in carriers and (alpha_varies or LUMA not in carriers) else carriers[-1]
        layers = tuple((c, (MatteLayer("matte", ""),)) for c in carriers)
        return MatteFile(
            path=path, kind=kind, format="OpenEXR", extent=info.extent, numbers=numbers, files=files,
            carriers=tuple(carriers), carrier=likely, layers=layers,
        )  # fmt: skip
    any_named = any(plausible[layer.name] for layer in named)
    offered = tuple(
        MatteLayer(
            f"layer:{layer.name}",
            layer.title or "Main layer",
            plausible[layer.name] and (bool(layer.name) or not any_named),
        )
        for layer in info.layers
    )
    return MatteFile(
        path=path, kind=kind, format="OpenEXR", extent=info.extent, numbers=numbers, files=files, carriers=(LAYERS,),
        carrier=LAYERS, layers=((LAYERS, offered),),
    )  # fmt: skip


def _exr_matte(channels: dict[str, np.ndarray], carrier: str) -> Mask:
    """A layer's matte: its alpha, its one channel, or the brightness of its colours."""
    alpha = channels.get("A")
    rest = {name: plane for name, plane in channels.items() if name != "A"}
    use_alpha = alpha is not None and (
        carrier == ALPHA or not rest or (carrier == LAYERS and float(alpha.min()) < float(alpha.max()))
    )
    if use_alpha:
        assert alpha is not None
        return from_channels(alpha[..., None], "y", 1.0).luma
    if {"R", "G", "B"} <= rest.keys():
        return from_channels(np.dstack([rest["R"], rest["G"], rest["B"]]), "rgb", 1.0).luma
    plane = rest.get("Y", next(iter(rest.values()), alpha))
    assert plane is not None
    return from_channels(plane[..., None], "y", 1.0).luma


# -- video -----------------------------------------------------------------------------------------------------------


def _of_video(path: Path, abandon: Callable[[], bool] | None) -> MatteFile:
    decoder = open_decoder(path, abandon=abandon)
    try:
        info, count = decoder.info, decoder.clock.frame_count
        if not count:
            raise MediaError(f"“{path.name}” holds no pictures.", "Choose another file.")
        seen = _Seen()
        for index in _sample(count)[:: 1 if decoder.clock.all_intra else 2]:
            seen.add(_without_ids(_video_planes(decoder, index)))
        carriers, carrier, layers = seen.verdict()
    except FFmpegError as error:
        raise MediaError(f"“{path.name}” can't be decoded.", "Convert it to another format.") from error
    finally:
        decoder.close()
    names = {"prores": "ProRes", "h264": "H.264", "hevc": "H.265", "vp8": "VP8", "vp9": "VP9", "png": "PNG",
             "qtrle": "QuickTime Animation", "av1": "AV1", "ffv1": "FFV1", "dnxhd": "DNxHD"}  # fmt: skip
    return MatteFile(
        path=path, kind=MediaKind.VIDEO, format=names.get(info.codec, info.codec), extent=info.extent,
        numbers=tuple(range(count)), rate=decoder.clock.rate, carriers=carriers, carrier=carrier, layers=layers,
        info=info,
    )  # fmt: skip


def _without_ids(planes: MattePlanes) -> MattePlanes:
    return MattePlanes(planes.luma, planes.alpha) if planes.alpha is not None or not planes.numbered else planes


def _video_planes(decoder: Decoder, index: int) -> MattePlanes:
    picture = decoder.picture(index)
    if isinstance(picture, PlanarPicture):
        return planes_of_frame(picture.frame, picture.orientation)
    return from_channels(decoder.rgba(index), "rgba", 255)


# -- reading ---------------------------------------------------------------------------------------------------------


class MatteReader:
    """Reads a found file's mattes. Not thread-safe; :meth:`close` at the end."""

    def __init__(self, file: MatteFile, carrier: str = "") -> None:
        """``carrier`` empty takes the likely one. Raises MediaError when the file has no such carrier."""
        self.file = file
        self.carrier = file.require(carrier)
        self._decoder = None if file.files else open_decoder(file.path, file.info)
        self._exr: ExrInfo | None = None

    @property
    def warnings(self) -> list[str]:
        """Damage that was met, in plain sentences."""
        return list(self._decoder.warnings) if self._decoder is not None else []

    def read(self, position: int) -> dict[str, Mask]:
        """The mattes of image ``position`` (0 = the first) by layer key, (H, W) uint8. Raises MediaError.

        Numbers that the sample did not show come with their own keys; those that are not in this image are left out.
        """
        if not self.file.files:
            assert self._decoder is not None
            return self._mattes(_video_planes(self._decoder, position), self.file.path)
        file = self.file.files[position]
        if self.file.format != "OpenEXR":
            return self._mattes(planes_of_still(file), file)
        info, layers = read_exr(file)
        if info.extent != self.file.extent:
            raise _other_size(file, info.extent, self.file.extent)
        if self.carrier != LAYERS:
            return {"matte": _exr_matte(layers.get("", {}) or next(iter(layers.values())), self.carrier)}
        return {f"layer:{name}": _exr_matte(channels, LAYERS) for name, channels in layers.items()}

    def _mattes(self, planes: MattePlanes, file: Path) -> dict[str, Mask]:
        here = Extent(planes.luma.shape[1], planes.luma.shape[0])
        if self.file.files and here != self.file.extent:
            raise _other_size(file, here, self.file.extent)
        if self.carrier == ALPHA:
            # A picture without alpha in a run that has it is opaque.
            return {"matte": planes.alpha if planes.alpha is not None else np.full_like(planes.luma, 255)}
        if self.carrier == LUMA:
            return {"matte": planes.luma}
        if planes.ids is None:
            raise MediaError(f"“{file.name}” is not an indexed image.", "Read its brightness instead.")
        ids = [int(i) for i in np.unique(planes.ids) if i]
        if len(ids) > _MOST_OBJECTS:
            raise MediaError(
                f"“{file.name}” has {len(ids)} different values, too many for numbers of objects.",
                "Read its brightness instead.",
            )
        return {f"id:{n}": (planes.ids == n).astype(np.uint8) * np.uint8(255) for n in ids}

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None


def _other_size(file: Path, here: Extent, expected: Extent) -> MediaError:
    return MediaError(f"“{file.name}” is {here}, but the images before it {expected}.", "Write all mattes at one size.")
