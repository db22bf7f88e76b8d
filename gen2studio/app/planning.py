"""Document + clip + look → frozen engine requests. (Interface first; bodies follow.)

Blobs = Callable[[str], Path | None]        # Project.find_blob
media_range(document, clip, rate, clock=None) -> tuple[int, int]    # media frames [start, stop) the clip shows
media_frame(document, clip, sequence_frame) -> int
plan_generate(document, clip, look=None, *, blobs, revision="1", frames=None, span=None, seed=None, max_side=None) -> GenerateRequest
plan_stills(document, clip, look=None, *, blobs, count=4, ...) -> GenerateRequest   # four evenly spread times
plan_preview(document, clip, sequence_frame, look=None, *, blobs, max_side=...) -> GenerateRequest
plan_propagate(document, media_id, object_ids, *, from_frame, start, stop, direction="both", moving_subject=False) -> PropagateRequest
plan_segment(document, object_id, frame, *, box=None, include=(), exclude=(), brush_radius=4.0) -> SegmentRequest
is_stale(document, clip, take, *, blobs=None, revision=None) -> bool
look_of_recipe(recipe_json: str) -> Look
All raise GenerationError in one sentence when something is missing.
"""
