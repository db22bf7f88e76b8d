"""Clips with exact truth that no part of the tracker was designed on: real subjects in other real footage.

Subjects are cut out of clips with known mattes and laid over other clips along made paths, so that what real footage
does (deforming bodies, hair, legs, noise, compression) meets what is hard for a tracker, one thing at a time: full
occlusion, leaving and coming back, look-alikes, fast motion, change of size and light, camera shake. A second set are
the real clips themselves, made harder: frames left out, run backwards, posts put in front. All are 428×240.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.media.decoder import open_decoder
from tests.bench.davis import MEDIA, Clip, Mask, davis_clip
from tests.segmentation.clip import Disk, noise_texture, world

WIDTH, HEIGHT = 428, 240
LENGTH = 32

Sprite = NDArray[np.float32]
"""(h, w, 4) premultiplied RGBA, colours 0…255 and coverage 0…1."""

Place = tuple[float, float, float]
"""x and y of the sprite's middle and its scale."""


@dataclass(frozen=True)
class Layer:
    """A cut-out with one sprite and one place per frame; ``name`` is None for what only stands in the way."""

    sprites: Sequence[Sprite]
    path: Callable[[int], Place]
    name: str | None = "subject"
    blur: int = 1
    """How many places of the shutter's half frame are averaged."""
    gain: Callable[[int], float] = lambda _: 1.0


def _fitted(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture at the clips' shape."""
    height, width = picture.shape[:2]
    across = min(width, round(height * WIDTH / HEIGHT))
    down = min(height, round(width * HEIGHT / WIDTH))
    x, y = (width - across) // 2, (height - down) // 2
    part = np.ascontiguousarray(picture[y : y + down, x : x + across])
    return np.asarray(cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def footage(name: str, start: int = 0, step: int = 1, count: int = LENGTH) -> list[NDArray[np.uint8]]:
    """``count`` frames of a shared clip."""
    decoder = open_decoder(MEDIA / "clips" / name)
    try:
        return [_fitted(decoder.rgb(start + step * t)) for t in range(count)]
    finally:
        decoder.close()


def _sprite(rgb: NDArray[np.uint8], cover: NDArray[np.float32], height: float) -> Sprite:
    """Cut to what is covered, and reduced to ``height`` pixels."""
    rows, columns = np.flatnonzero((cover > 0.02).any(1)), np.flatnonzero((cover > 0.02).any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole = np.dstack([rgb[window] * cover[window][..., None], cover[window]]).astype(np.float32)
    scale = height / whole.shape[0]
    size = (max(2, round(whole.shape[1] * scale)), max(2, round(height)))
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.float32)


def cut(name: str, height: float, start: int = 0, step: int = 1, count: int = LENGTH) -> list[Sprite]:
    """A DAVIS subject on its own; ``height`` is that of its first frame."""
    clip = davis_clip(name)
    kernel = np.ones((3, 3), np.uint8)
    sprites: list[Sprite] = []
    scale = 0.0
    for t in range(count):
        frame = (start + step * t) % (2 * len(clip.frames) - 2)
        # There and back again where the clip is too short.
        frame = min(frame, 2 * len(clip.frames) - 2 - frame)
        mask = cv2.erode(clip.truth["subject"][frame], kernel)
        cover = np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), 0.8), np.float32)
        tall = float(np.ptp(np.flatnonzero((cover > 0.02).any(1))) + 1)
        scale = scale or height / tall
        sprites.append(_sprite(clip.frames[frame], cover, tall * scale))
    return sprites


def keyed(name: str, height: float, start: int = 0, step: int = 1, count: int = LENGTH) -> list[Sprite]:
    """The subject of a clip with an alpha channel."""
    decoder = open_decoder(MEDIA / "clips" / name)
    try:
        frames = [decoder.rgba(start + step * t) for t in range(count)]
    finally:
        decoder.close()
    return [_sprite(f[..., :3], f[..., 3].astype(np.float32) / 255, height) for f in frames]


def post(width: int, seed: int, tint: tuple[int, int, int] = (110, 105, 100)) -> list[Sprite]:
    """A textured post from top to bottom."""
    rgb = noise_texture(HEIGHT, width, seed, tint, 30).astype(np.float32)
    return [np.dstack([rgb, np.ones((HEIGHT, width), np.float32)])] * LENGTH


def mirrored(sprites: Sequence[Sprite]) -> list[Sprite]:
    return [np.ascontiguousarray(s[:, ::-1]) for s in sprites]


def moving(x: float, y: float, vx: float = 0, vy: float = 0, scale: float = 1, growth: float = 1) -> Callable:
    """A straight path; ``growth`` multiplies the scale each frame."""
    return lambda t: (x + vx * t, y + vy * t, scale * growth**t)


def swinging(x: float, y: float, reach: float, period: float, rise: float = 0) -> Callable:
    """To and fro."""
    return lambda t: (
        x + reach * np.sin(2 * np.pi * t / period),
        y + rise * np.sin(4 * np.pi * t / period),
        1.0,
    )


def _placed(sprite: Sprite, place: Place) -> NDArray[np.float32]:
    x, y, scale = place
    height, width = sprite.shape[:2]
    matrix = np.float32([[scale, 0, x - scale * width / 2], [0, scale, y - scale * height / 2]])
    return np.asarray(cv2.warpAffine(sprite, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR), np.float32)


def composed(
    name: str, background: Sequence[NDArray[np.uint8]], layers: Sequence[Layer], shake: float = 0.0, noise: float = 2.0
) -> Clip:
    """``layers`` over ``background``, later ones in front. ``shake`` moves the camera by so many pixels."""
    rng = np.random.default_rng(5)
    frames: list[NDArray[np.uint8]] = []
    names = [layer.name for layer in layers if layer.name is not None]
    truth: dict[str, list[Mask]] = {n: [] for n in names}
    for t, ground in enumerate(background):
        dx, dy = shake * np.sin(t * 1.1), shake * np.cos(t * 0.8)
        sway = np.float32([[1.12, 0, dx - 0.06 * WIDTH], [0, 1.12, dy - 0.06 * HEIGHT]])
        if shake:
            ground = cv2.warpAffine(ground, sway, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        view = np.asarray(ground, np.float32)
        cover: dict[str, NDArray[np.float32]] = {}
        for layer in layers:
            total = np.zeros((HEIGHT, WIDTH, 4), np.float32)
            for part in range(layer.blur):
                moment = t + (part / layer.blur - 0.5) * 0.5 if layer.blur > 1 else t
                x, y, scale = layer.path(moment)
                total += _placed(layer.sprites[t], (x + dx, y + dy, scale))
            total /= layer.blur
            alpha = total[..., 3]
            view = view * (1 - alpha[..., None]) + total[..., :3] * layer.gain(t)
            for other in cover:
                cover[other] = cover[other] * (1 - alpha)
            if layer.name is not None:
                cover[layer.name] = alpha
        view = view + rng.normal(0, noise, view.shape)
        frames.append(np.clip(np.round(view), 0, 255).astype(np.uint8))
        for n in names:
            truth[n].append(np.where(cover[n] > 0.5, 255, 0).astype(np.uint8))
    return Clip(name, frames, truth)


def composed_clips() -> dict[str, Callable[[], Clip]]:
    """Each makes one clip of real subjects in other real footage."""

    def behind_posts() -> Clip:
        subject = Layer(cut("dog", 86), moving(70, 150, 9.5, 0))
        posts = [Layer(post(46, s), moving(x, 120), None) for s, x in ((3, 175), (4, 330))]
        return composed("behind posts", footage("two_people_walking_720p_2.4s.mp4"), [subject, *posts])

    def comes_back() -> Clip:
        subject = Layer(cut("lucia", 130), swinging(300, 135, 190, 34))
        return composed("leaves and comes back", footage("drone_coast_gopro_karma_12s.mp4", 60), [subject])

    def look_alike() -> Clip:
        double = Layer(mirrored(cut("lucia", 140, start=20)), moving(350, 130, -8, 0), None)
        subject = Layer(cut("lucia", 140), moving(90, 130, 7, 0))
        return composed("look-alike behind", footage("sam2_juggle_person_10s.mp4", 30), [double, subject])

    def crossed() -> Clip:
        subject = Layer(cut("lucia", 140, start=30), moving(150, 130, 4, 0))
        double = Layer(cut("dog", 90, start=10), moving(390, 160, -9, 0), None)
        return composed("somebody crosses", footage("cc0_toy_frog_table_720x480_8s.mp4", 20), [subject, double])

    def fast() -> Clip:
        subject = Layer(cut("car-shadow", 60, step=2), moving(40, 150, 17, -2, 0.8, 1.012), blur=5)
        return composed("fast and blurred", footage("handheld_walk_gopro_hero7_12s.mp4", 40, 1, 20), [subject])

    def grows() -> Clip:
        subject = Layer(cut("dog", 60, start=25), moving(120, 130, 5, 0.6, 1, 1.03))
        return composed("grows", footage("people_street_bw_red_960x540_15.7s.mp4", 10), [subject])

    def shaken() -> Clip:
        subject = Layer(cut("blackswan", 90), moving(180, 130, 2, 0))
        return composed("camera shakes", footage("drone_coast_gopro_karma_12s.mp4", 150), [subject], shake=13)

    def lit() -> Clip:
        subject = Layer(cut("lucia", 150, start=10), moving(130, 125, 5, 0), gain=lambda t: 1 - 0.55 * min(1, t / 20))
        return composed("light falls", footage("bottles_table_640x360_40s.mp4", 100), [subject])

    def turning() -> Clip:
        subject = Layer(keyed("hard/vp9_alpha_1280x720_60fps_9s.webm", 150, 60, 4), swinging(210, 120, 60, 30, 8))
        return composed("thing that turns", footage("sam2_blocks_mockup_10s.mp4", 50), [subject])

    def pair() -> Clip:
        one = Layer(cut("dog", 84), moving(80, 150, 8, 0), "first")
        other = Layer(mirrored(cut("dog", 84, start=30)), moving(350, 140, -7, 0), "second")
        return composed("two alike", footage("cc0_toy_rabbit_table_720x480_8s.mp4", 30), [one, other])

    def busy() -> Clip:
        subject = Layer(cut("blackswan", 80, step=2), swinging(210, 140, 90, 40, 20))
        passers = [
            Layer(cut("car-shadow", 70, start=5), moving(-30, 150, 15, 0), None),
            Layer(post(30, 8, (60, 80, 50)), moving(420, 120, -10, 0), None),
        ]
        return composed("things pass in front", footage("sam2_dog_fetch_1280x720_10s.mp4", 10), [subject, *passers])

    return {f.__name__: f for f in (
        behind_posts, comes_back, look_alike, crossed, fast, grows, shaken, lit, turning, pair, busy)}  # fmt: skip


def _harder(name: str, source: str, start: int, step: int, count: int = LENGTH, posts: Sequence[int] = ()) -> Clip:
    """A real clip with ``abs(step)`` − 1 of its frames left out between two, and posts at ``posts``."""
    whole = davis_clip(source)
    order = [t for t in (start + step * i for i in range(count)) if 0 <= t < len(whole.frames)]
    size = (WIDTH, HEIGHT)
    frames = [np.asarray(cv2.resize(whole.frames[t], size, interpolation=cv2.INTER_AREA), np.uint8) for t in order]
    truth = [cv2.resize(whole.truth["subject"][t], size, interpolation=cv2.INTER_AREA) for t in order]
    for seed, x in enumerate(posts):
        rgb = noise_texture(HEIGHT, 26, 20 + seed, (90, 95, 85), 30)
        for frame, mask in zip(frames, truth, strict=True):
            frame[:, x : x + 26], mask[:, x : x + 26] = rgb, 0
    binary = [np.where(np.asarray(m) > 127, 255, 0).astype(np.uint8) for m in truth]
    return Clip(name, frames, {"subject": binary})


def harder_clips() -> dict[str, Callable[[], Clip]]:
    """The real clips again, faster, backwards and behind posts."""
    return {
        "dog thirds": lambda: _harder("dog, every third", "dog", 0, 3),
        "lucia thirds": lambda: _harder("lucia, every third", "lucia", 2, 3),
        "car thirds": lambda: _harder("car, every third", "car-shadow", 0, 3),
        "swan fourths": lambda: _harder("swan, every fourth", "blackswan", 0, 4),
        "dog back": lambda: _harder("dog, backwards", "dog", 58, -2),
        "lucia posts": lambda: _harder("lucia, posts", "lucia", 0, 2, posts=(150, 230, 320)),
        "car back": lambda: _harder("car, backwards, posts", "car-shadow", 34, -1, posts=(120, 260)),
        "swan posts": lambda: _harder("swan, posts", "blackswan", 4, 1, posts=(110, 215)),
    }


def world_clips() -> dict[str, Callable[[], Clip]]:
    """The procedural world: legs, wheels and wings in painted places, exact to the pixel; 284×160."""

    def rendered(scene: str, subject: str, colour: str, camera: str, seed: int) -> Callable[[], Clip]:
        def make() -> Clip:
            from gen2studio.diffusion.world.grammar import ClipSpec
            from gen2studio.diffusion.world.render import render_batch

            spec = ClipSpec(scene, subject, colour, "realistic", "day", "right", "fast", camera, seed)
            clips = render_batch([spec], 17, 160, 284)
            rgb = np.round(clips.rgb[0].permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
            mask = np.where(clips.mask[0].numpy() > 0.5, 255, 0).astype(np.uint8)
            return Clip(f"world: {subject}, {scene}", list(rgb), {"subject": list(mask)})

        return make

    return {
        "world dog": rendered("forest", "dog", "orange", "pan left", 11),
        "world person": rendered("city", "person", "blue", "forward", 12),
        "world bird": rendered("meadow", "bird", "white", "static", 13),
        "world car": rendered("city", "car", "green", "pan right", 14),
    }


def made_clips() -> dict[str, Callable[[], Clip]]:
    """Textured disks: full occlusion, a look-alike, fast motion, camera shake."""
    red = (205, 85, 50)

    def made(name: str, disks: list[Disk], count: int, **options: object) -> Callable[[], Clip]:
        def make() -> Clip:
            frames, truth = world(disks, count, (HEIGHT, WIDTH), **options)
            return Clip(name, frames, {"subject": [np.where(m > 127, 255, 0).astype(np.uint8) for m in truth[0]]})

        return make

    ball = Disk((60, 120), (9, 0), 30, red)
    double = [Disk((60, 110), (8, 0), 30, red), Disk((370, 130), (-8, 0), 30, red, seed=5)]
    return {
        "made post": made("made: post", [ball], 40, wall=(150, 240)),
        "made double": made("made: look-alike", double, 40),
        "made fast": made("made: fast", [Disk((50, 60), (17, 6), 26, red)], 20),
        "made shake": made("made: shake", [Disk((80, 120), (5, 1), 30, red)], 40, shake=14),
    }
