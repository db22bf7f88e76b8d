"""The refine stack beside its peers, in one run: hair over real footage, chatter, and the CPU of a 1080p frame.

    python -m tests.bench.bench_mattes

Peers: the best of five Gaussian feathers, and one pass of the colour guided filter (He, Sun, Tang 2010) of the same
width. Errors are mean squared differences to the true coverage, × 1000, where there is something to decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.raster import matte_refine, matting, morphology
from gen2studio.raster.matte_steady import FlowBook
from gen2studio.segmentation.refine import ColourGuide
from tests.conftest import _MEDIA
from tests.raster.hair import Hairy, hairy, real_frame
from tests.raster.test_matte_refine import moving, off

CLIPS = ("sam2_juggle_person_10s.mp4", "two_people_walking_720p_2.4s.mp4", "drone_coast_gopro_karma_12s.mp4",
         "cc0_flower_opening_960x540_5s.mp4")  # fmt: skip


def error(case: Hairy, coverage: NDArray[np.floating]) -> float:
    return 1000 * float(((coverage - case.alpha)[case.band] ** 2).mean())


def hair() -> None:
    print(f"{'hair':<34}{'feather':>9}{'guided':>9}{'stack':>9}{'of feather':>12}{'of guided':>11}")
    for clip in CLIPS:
        for fair in (False, True):
            case = hairy(real_frame(_MEDIA / "clips" / clip), fair=fair)
            hard = case.coarse.astype(np.float32) / 255
            feather = min(error(case, morphology.blur(case.coarse, s) / 255.0) for s in (1, 2, 4, 8, 12))
            guided = error(case, ColourGuide(case.picture, 24, 1e-5).filter(hard))
            stack = error(case, matting.follow_edges(case.coarse, case.picture, 24.0) / 255.0)
            name = f"{clip.split('_')[0]} {'fair' if fair else 'dark'}"
            print(f"{name:<34}{feather:9.1f}{guided:9.1f}{stack:9.1f}{stack / feather:12.2f}{stack / guided:11.2f}")


def chatter() -> None:
    print(f"\n{'chatter, jitter of 1.5 px':<34}{'edge off':>9}{'steadied':>9}{'ratio':>9}{'clean moved by, px':>21}")
    for speed in (0.0, 5.0):
        pictures, true, noisy = moving(speed, 1.5)
        for reach in (2, 4):
            stack = Refinement(chatter=reach)
            refiner = matte_refine.MatteRefiner(noisy.get, pictures.get, stack)
            made = {f: m for f in range(4, 9) if (m := refiner(f)) is not None}
            was, now = (np.mean([off(m[f], true[f]) for f in range(4, 9)]) for m in (noisy, made))
            clean = matte_refine.refine_matte(6, true.get, pictures.get, stack)
            assert clean is not None
            name = f"{speed:g} px a frame, {reach} frames each way"
            print(f"{name:<34}{was:9.2f}{now:9.2f}{now / was:9.2f}{off(clean, true[6]):21.3f}")


def cost() -> None:
    picture = real_frame(_MEDIA / "clips" / "night_person_1080p_19s.mp4", 1920, 1080)
    matte = np.zeros((1080, 1920), np.uint8)
    cv2.ellipse(matte, (960, 600), (230, 420), 0, 0, 360, 255, -1)

    def spent(work: Callable[[], object]) -> float:
        times: list[float] = []
        for _ in range(3):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
        return 1000 * min(times)

    peer = spent(lambda: ColourGuide(picture, 24, 1e-5).filter(matte.astype(np.float32) / 255))
    book = FlowBook(lambda _frame: picture)
    print(f"\n{'CPU of a 1080p frame':<34}{'ms':>9}{'of a guided filter':>21}")
    print(f"{'guided filter, full size':<34}{peer:9.0f}{1:21.2f}")
    for name, stack in (
        ("despeckle and fill holes", Refinement(despeckle=60, fill_holes=60)),
        ("edge 8 px", Refinement(edge=8.0)), ("edge 24 px", Refinement(edge=24.0)),
        ("chatter 2, flow known", Refinement(chatter=2)), ("grow 12", Refinement(grow=Keyed(12.0))),
        ("feather 4", Refinement(feather=Keyed(4.0))), ("feather 40", Refinement(feather=Keyed(40.0))),
    ):  # fmt: skip

        def work(stack: Refinement = stack) -> None:
            matte_refine.MatteRefiner(lambda _frame: matte, lambda _frame: picture, stack, book)(4)

        work()
        took = spent(work)
        print(f"{name:<34}{took:9.0f}{took / peer:21.2f}")


if __name__ == "__main__":
    hair()
    chatter()
    cost()
