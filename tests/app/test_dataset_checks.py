"""What is said about the images of a training set before anything is trained."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.app.customization_plan import caption_beside, expanded, plan_training, suggested_caption
from gen2studio.app.dataset_checks import ImageFacts, Learner, check, facts_key, look_at
from gen2studio.app.training_material import look_at_clip, probed, whole_clip
from gen2studio.core.errors import GenerationError
from gen2studio.document.model import TrainingClip, TrainingImage, TrainingSet
from gen2studio.document.training_sets import clip_digest
from gen2studio.engine.generators import Abilities, TrainingDefaults

CAPTION = "a photo of a sks dog"


def kept(path: Path, caption: str = CAPTION, crop: tuple[float, float, float, float] | None = None) -> TrainingImage:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return TrainingImage(digest=digest, name=path.name, caption=caption, crop=crop)


def training_set(images: list[TrainingImage], trigger: str = "sks", **changes: object) -> TrainingSet:
    return TrainingSet(id="set-1", name="Dog", trigger=trigger, images=tuple(images), **changes)  # type: ignore[arg-type]


def facts_of(files: list[Path], images: list[TrainingImage]) -> dict[str, ImageFacts]:
    return {facts_key(image): look_at(path, image) for path, image in zip(files, images, strict=True)}


def dogs(media_root: Path) -> list[Path]:
    return sorted((media_root / "subjects" / "dog").glob("*.jpg"))


def test_good_images_need_no_word(media_root: Path) -> None:
    files = dogs(media_root)
    images = [kept(path) for path in files]
    assert check(training_set(images), facts_of(files, images), Learner(size=(128, 128))) == ()


def test_copies_are_found_though_scaled_and_compressed(media_root: Path, tmp_path: Path) -> None:
    files = dogs(media_root)
    picture = cv2.imread(str(files[1]))
    copy = tmp_path / "copy.jpg"
    cv2.imwrite(str(copy), cv2.resize(picture, None, fx=0.6, fy=0.6) * 0.97, [cv2.IMWRITE_JPEG_QUALITY, 60])
    files = [*files, copy]
    images = [kept(path) for path in files]
    found = check(training_set(images), facts_of(files, images), Learner(size=(128, 128)))
    assert [(f.kind, f.digest) for f in found] == [("duplicate", images[-1].digest)]
    assert files[1].name in found[0].sentence and not found[0].fatal


def test_another_crop_of_one_picture_is_another_view(media_root: Path) -> None:
    path = dogs(media_root)[0]
    left, right = look_at(path, kept(path, crop=(0, 0, 0.5, 1))), look_at(path, kept(path, crop=(0.5, 0, 0.5, 1)))
    assert (left.width, left.height) == (390, 780)
    assert (left.hash ^ right.hash).bit_count() > 6
    assert left.thumbnail is not None and max(left.thumbnail.shape) == 240


def test_each_weakness_is_said_in_one_sentence(media_root: Path, tmp_path: Path) -> None:
    small, wide, broken = tmp_path / "small.png", tmp_path / "wide.png", tmp_path / "broken.png"
    noise = np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8)
    cv2.imwrite(str(small), noise)
    cv2.imwrite(str(wide), cv2.resize(np.random.default_rng(2).integers(0, 255, (9, 30, 3), np.uint8), (900, 300)))
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    files = [small, wide, broken, *dogs(media_root)[:2]]
    captions = [CAPTION, CAPTION, CAPTION, "", "a photo of a dog"]
    images = [kept(path, caption) for path, caption in zip(files, captions, strict=True)]
    found = check(training_set(images), facts_of(files, images), Learner(size=(128, 128)))
    by_image = {f.digest: f for f in found}
    assert [by_image[i.digest].kind for i in images] == ["tiny", "long", "unreadable", "no_caption", "no_trigger"]
    assert [f.kind for f in found if f.fatal] == ["unreadable"]
    assert "50 × 40" in by_image[images[0].digest].sentence
    assert all(f.sentence.endswith(".") for f in found)


def test_the_set_as_a_whole(media_root: Path) -> None:
    images = [kept(path) for path in dogs(media_root)[:2]]
    assert [f.kind for f in check(training_set([]), {})] == ["empty"]
    assert check(training_set([]), {})[0].fatal
    assert [f.kind for f in check(training_set(images), {})] == ["few"]
    assert "no_trigger_word" in [f.kind for f in check(training_set(images, trigger=""), {})]
    many = [TrainingImage(digest=f"{n:064x}", caption=CAPTION) for n in range(40)]
    assert [f.kind for f in check(training_set(many), {})] == ["many"]


def test_folders_are_searched_and_texts_beside_images_are_captions(media_root: Path, tmp_path: Path) -> None:
    for path in dogs(media_root)[:2]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "00.txt").write_text(" a  sks dog\n in spring ", encoding="utf-8")
    (tmp_path / "notes.doc").write_text("not an image")
    found = expanded([(tmp_path, "folder")])
    assert [name for _, name in found] == ["00.jpg", "01.jpg"]
    assert [caption_beside(Path(str(source))) for source, _ in found] == ["a sks dog in spring", ""]


def test_a_plan_settles_what_the_set_leaves_to_the_model(media_root: Path) -> None:
    files = dogs(media_root)
    images = [kept(path, crop=(0, 0, 0.5, 0.5)) for path in files]
    where = {image.digest: path for image, path in zip(images, files, strict=True)}
    model = Abilities(
        id="mini", title="Mini", revision="7", modes=(), trainable=True,
        training=TrainingDefaults(steps=300, rank=4, learning_rate=2e-3),
    )  # fmt: skip
    request = plan_training(training_set(images, rank=8, learning_rate=1e-3), model, where.get)
    assert (request.steps, request.rank, request.learning_rate) == (300, 8, 1e-3)
    assert (request.generator, request.revision, request.trigger) == ("mini", "7", "sks")
    assert [i.crop for i in request.images] == [(0, 0, 0.5, 0.5)] * 5
    with pytest.raises(GenerationError, match="missing"):
        plan_training(training_set(images), model, lambda digest: None)
    assert suggested_caption(training_set([])) == "a sks"
    assert "sks" in suggested_caption(training_set([], kind="style"))


def clip_of(start: int, stop: int, caption: str = CAPTION) -> TrainingImage:
    clip = TrainingClip(media_id="media-1", start=start, stop=stop)
    return TrainingImage(digest=clip_digest("walk", start, stop), name="walk", caption=caption, clip=clip)


def test_clips_are_looked_at_and_held_against_the_model(media_root: Path) -> None:
    path = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    item = probed(path)
    whole = replace(whole_clip(item), caption=CAPTION)
    assert whole.clip is not None and (whole.clip.start, whole.clip.stop) == (0, 32)
    assert whole.digest == clip_digest(item.fingerprint, 0, 32) != clip_digest(item.fingerprint, 0, 31)
    facts, source = look_at_clip(item, whole)
    assert (facts.width, facts.height, facts.frames, facts.rate) == (512, 512, 32, 10) and facts.thumbnail is not None
    assert source is not None and source.frame_count == 32
    wan = Learner(title="Wan", size=(512, 512), rate=Fraction(16), clips="may", clip_frames=33)

    def kinds(image: TrainingImage, facts: ImageFacts, learner: Learner, **changes: object) -> list[str]:
        found = training_set([image], **changes)
        return [f.kind for f in check(found, {facts_key(image): facts}, learner) if f.digest]

    # 32 frames at 10 a second: slower than the model, and a little short of a window.
    assert kinds(whole, facts, wan) == ["short", "slow"]
    assert kinds(whole, facts, replace(wan, clip_frames=29), every_frame=True) == []
    assert kinds(clip_of(0, 4), facts, wan) == ["short", "slow"]
    fatal = check(training_set([clip_of(0, 4)]), {facts_key(clip_of(0, 4)): facts}, wan)
    assert [f.kind for f in fatal if f.fatal] == ["short"]
    # What a model can't learn from is refused before hours go into it.
    assert kinds(whole, facts, replace(wan, clips="")) == ["refused"]
    still = TrainingImage(digest="0" * 64, caption=CAPTION)
    assert kinds(still, ImageFacts(width=512, height=512), replace(wan, clips="must")) == ["refused"]
    lost, nothing = look_at_clip(replace(item, path=str(path) + ".gone"), whole)
    assert "not where it was" in lost.problem and nothing is None


def test_a_set_of_clips_becomes_a_request(media_root: Path) -> None:
    item = probed(media_root / "clips" / "golden_retriever_512_3.2s.mp4")
    whole = replace(whole_clip(item), caption=CAPTION)
    _, source = look_at_clip(item, whole)
    assert source is not None
    training = TrainingDefaults(clips="may", clip_frames=33, most_frames=81)
    abilities = Abilities(id="wan", title="Wan", revision="1", modes=(), trainable=True, training=training)
    found = training_set([whole], clip_windows="chunk", experts="high", prior=0.5)
    request = plan_training(found, abilities, lambda digest: None, "adapter-1", {item.id: source}.__getitem__)
    assert [(c.source, c.start, c.stop, c.caption) for c in request.clips] == [(source, 0, 32, CAPTION)]
    assert (request.images, request.clip_frames, request.clip_windows) == ((), 33, "chunk")
    assert request.experts == "both", "one model has no experts to choose from"
    assert (
        plan_training(replace(found, clip_frames=17), abilities, lambda d: None, "", lambda _: source).clip_frames == 17
    )
    with pytest.raises(GenerationError, match="walk"):
        plan_training(training_set([clip_of(0, 9)]), abilities, lambda digest: None)
