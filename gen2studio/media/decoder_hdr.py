"""HDR to SDR: PQ and HLG BT.2020 pictures as BT.709 display code values.

Steps, per pixel: the electro-optical transfer of ITU-R BT.2100 (PQ: SMPTE ST 2084; HLG: inverse OETF and the
OOTF with gamma 1.2 for a 1000 cd/m² display) to absolute light; the tone curve of ITU-R BT.2390 (EETF, Hermite
roll-off in PQ space) from 1000 cd/m² to the 203 cd/m² reference white of BT.2408, applied to the largest of R, G
and B so that hue stays; BT.2020 to BT.709 primaries, clipped; the inverse of the BT.1886 display curve (gamma 2.4).
All of it is one function of three code values, so it is tabulated once as a 65³ lattice and applied by FFmpeg's
``lut3d`` filter with tetrahedral interpolation: about 10 ms for a 1080p frame.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from av.filter.graph import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gen2studio.core import paths
from gen2studio.core.geometry import Extent

PQ, HLG = 16, 18
HDR_TRANSFERS = frozenset({PQ, HLG})

_PEAK = 1000.0
_WHITE = 203.0
_SIZE = 65
_TO_709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
)


def to_sdr(frame: VideoFrame, size: Extent, reformat: Callable[[VideoFrame, int, int, str], VideoFrame]) -> VideoFrame:
    """A full-range planar RGB frame of ``size``, tone-mapped. ``reformat`` converts and scales (swscale)."""
    planar = reformat(frame, size.width, size.height, "gbrp16le")
    return _per_thread.apply(planar, frame.color_trc)


class _PerThread(threading.local):
    """Filter graphs are not shared between threads; each keeps one per transfer, size and format."""

    def __init__(self) -> None:
        self.key: tuple[int, int, int] | None = None
        self.graph: Any = None

    def apply(self, frame: VideoFrame, transfer: int) -> VideoFrame:
        key = (transfer, frame.width, frame.height)
        if key != self.key:
            self.graph, self.key = _graph(frame, transfer), key
        frame.pts = 0
        self.graph.vpush(frame)
        return self.graph.vpull()


_per_thread = _PerThread()
_lock = threading.Lock()


def _graph(frame: VideoFrame, transfer: int) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1000:pixel_aspect=1/1"
        f":colorspace=gbr:range=pc",
    )
    cube = _cube_file(transfer)
    table = graph.add("lut3d", file=cube, interp="tetrahedral")
    sink = graph.add("buffersink")
    source.link_to(table)
    table.link_to(sink)
    graph.configure()
    return graph


def _cube_file(transfer: int) -> str:
    """The table as a .cube file in the cache folder (written once)."""
    path = paths.cache_dir("luts") / f"sdr_{transfer}_{_SIZE}_v1.cube"
    with _lock:
        if not path.exists():
            lattice = sdr_lattice(transfer).reshape(-1, 3)
            lines = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in lattice.tolist())
            paths.write_atomic(path, f"LUT_3D_SIZE {_SIZE}\n{lines}\n".encode())
    return path.as_posix()


def sdr_lattice(transfer: int, size: int = _SIZE) -> NDArray[np.float64]:
    """(B, G, R, 3) BT.709 code values 0…1 on a regular lattice of HDR code values (red fastest, as .cube wants)."""
    axis = np.linspace(0, 1, size)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    return hdr_to_sdr(np.stack([red, green, blue], axis=-1), transfer)


def hdr_to_sdr(code: NDArray[np.float64], transfer: int) -> NDArray[np.float64]:
    """(…, 3) HDR R′G′B′ code values 0…1 to BT.709 display code values 0…1."""
    light = pq_to_light(code) if transfer == PQ else hlg_to_light(code)
    brightest = light.max(axis=-1, keepdims=True)
    mapped = pq_to_light(_roll_off(light_to_pq(brightest)))
    light = light * np.divide(mapped, brightest, out=np.ones_like(brightest), where=brightest > 1e-9)
    display = np.clip(light @ _TO_709.T / _WHITE, 0, 1)
    return display ** (1 / 2.4)


def pq_to_light(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084 EOTF: code value 0…1 to cd/m²."""
    power = np.clip(code, 0, 1) ** (1 / 78.84375)
    return 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)


def light_to_pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084 inverse EOTF: cd/m² to code value 0…1."""
    power = (np.clip(light, 0, 10000) / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg_to_light(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """ITU-R BT.2100 HLG: inverse OETF, then the OOTF of a 1000 cd/m² display; cd/m²."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    luma = scene @ np.array([0.2627, 0.6780, 0.0593])
    return _PEAK * np.maximum(luma, 1e-12)[..., None] ** 0.2 * scene


def _roll_off(code: NDArray[np.float64]) -> NDArray[np.float64]:
    """ITU-R BT.2390 EETF without black lift: PQ code values of a 1000 cd/m² master to 203 cd/m²."""
    top = float(light_to_pq(np.array(_PEAK)))
    ceiling = float(light_to_pq(np.array(_WHITE))) / top
    knee = 1.5 * ceiling - 0.5
    value = np.clip(code / top, 0, 1)
    t = np.clip((value - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * ceiling
    return np.where(value < knee, value, spline) * top
