"""Every timeline edit under one name: ``from gen2studio.document import edits``.

Pure functions ``Sequence → Sequence``. They raise :class:`~gen2studio.core.errors.EditRefused` and never half-apply;
tracks an edit does not touch keep their identity, so a view finds what changed with ``is``.

Rules shared by all of them:

* ``media`` is the document's ``media`` mapping; media limits come from it (a still has none).
* An edit acts on linked partners too (``linked=True``). With ``linked=False`` a trim may leave a J or L cut (the link
  stays, both halves remain in sync); a move, slip or speed change takes the clip out of its link.
* A locked track refuses every edit that would change one of its clips.
* Trims refuse at a media or neighbour limit; :func:`trim_limits`, :func:`roll_limits`, :func:`slip_limits` and
  :func:`slide_limits` tell the allowed deltas beforehand so that a drag can clamp and show them.
"""

r"""
INTERFACE (document.edits) - bodies are landing now
Media = Mapping[str, MediaItem]
Collision = enum REFUSE|OVERWRITE|INSERT
Placement(track_id: str, clip: Clip)      frozen
# clips
clips_of(item: MediaItem, rate: Fraction, start: int = 0, *, source: tuple[Fraction, Fraction] | None = None, video=True, audio=True, still_seconds=5) -> tuple[Clip | None, Clip | None]   # linked (video, audio)
# place
place_media(sequence, item, frame, *, collision=Collision.OVERWRITE, video_track="", audio_track="", source=None, video=True, audio=True) -> Placed(sequence, clip_ids)
append_media(sequence, item, *, video_track="", audio_track="", source=None, ...) -> Placed
insert(sequence, placements, *, tracks: Collection[str] | None = None) -> Sequence
overwrite(sequence, placements) -> Sequence
place(sequence, placements) -> Sequence          # refuses on overlap
move(sequence, clip_ids, frames: int, *, track_steps: int = 0, kind=TrackKind.VIDEO, collision=Collision.REFUSE, linked=True) -> Sequence
duplicate(sequence, clip_ids, frames: int, *, collision=…) -> Placed
razor(sequence, frame, *, tracks: Collection[str] | None = None) -> Sequence   # None = all unlocked
razor_clips(sequence, clip_ids, frame, *, linked=True)
lift(sequence, clip_ids, *, linked=True); lift_range(sequence, start, stop, *, tracks=None)
ripple_delete(sequence, clip_ids, *, all_tracks=False, linked=True); extract_range(sequence, start, stop, *, tracks=None)
close_gap(sequence, track_id, frame, *, all_tracks=False)
# trim (delta in sequence frames, + = later)
trim_head(sequence, clip_id, delta, media, *, linked=True); trim_tail(...)
ripple_trim_head(sequence, clip_id, delta, media, *, all_tracks=False, linked=True); ripple_trim_tail(...)
roll(sequence, left_id, right_id, delta, media, *, linked=True); slip(sequence, clip_id, delta, media, *, linked=True); slide(sequence, clip_id, delta, media, *, linked=True)
set_speed(sequence, clip_ids, speed: Fraction, media, *, ripple=False, linked=True)
Limits(low: int, high: int)  with .clamp(delta);  trim_limits(sequence, clip_id, edge: Edge.HEAD|TAIL, media, *, ripple=False, linked=True); roll_limits; slip_limits; slide_limits; move_limits(sequence, clip_ids) (low only: nothing before frame 0)
# clip facts
link(sequence, clip_ids); unlink(sequence, clip_ids); set_enabled(sequence, clip_ids, enabled); set_gain(sequence, clip_ids, gain_db); rename_clip(sequence, clip_id, name)
# tracks, markers, in/out
new_sequence(name, rate, width, height, *, sample_rate=48000, video_tracks=1, audio_tracks=1); add_track(sequence, kind, name="", index=None); remove_track; rename_track; move_track(sequence, track_id, index) (index among its kind); set_locked(sequence, track_id, locked); set_muted; set_height
add_marker(sequence, frame, *, name="", note="", colour="amber"); move_marker(sequence, marker_id, frame); remove_markers(sequence, marker_ids); edit_marker(sequence, marker_id, *, name=None, note=None, colour=None)
set_in_point(sequence, frame|None); set_out_point(sequence, frame|None); clear_in_out(sequence)
# document.sequences: with_sequence(document, sequence) -> Document; add_sequence(document, sequence, activate=True); remove_sequence; rename_sequence; activate(document, sequence_id)
# document.snapping: snap_points(sequence, *, exclude=frozenset(), playhead=None, markers=True) -> np-free sorted list[int]; snap(frame, points, tolerance) -> int | None; snap_span(start, stop, points, tolerance) -> (delta, point) | None
# document.lookup: clip_of(sequence, clip_id) -> Clip (EditRefused), find_clip -> Clip|None, track_of(sequence, clip_id) -> Track, track(sequence, track_id), clip_at(track, frame), clips_in(track, start, stop) -> tuple, neighbours(track, clip_id) -> (prev|None, next|None), linked(sequence, clip_ids) -> frozenset[str], gaps(track) -> tuple[(start, stop)], edit_points(sequence) -> list[int], next_edit/previous_edit(sequence, frame) , problems(sequence, media=None) -> list[str]
# document.masks: add_object(document, media_id, name="", colour=None, object_id="") -> Document; rename_object; recolour; set_visible; set_locked; remove_object; set_frame(document, object_id, frame, raster, *, anchor=True, confidence=1.0); set_frames(document, object_id, Mapping[int, MaskFrame]) (anchors are never replaced by propagated frames); clear_frame; drop_propagated(document, object_id, start=None, stop=None); spans_between_anchors(mask, start, stop) ; next_correction(mask, frame, stop) ; raster_at(mask, frame) -> MaskRaster | None
# document.takes: add_take(document, take, clip_id="") ; apply_take(document, clip_id, take_id); unapply(document, clip_id); discard(document, take_id); rate(document, take_id, rating); rename(document, take_id, name); set_done(document, take_id, runs); measured(document, take_id, flicker, drift)
# document.media_edits: add_media(document, item); remove_media(document, media_ids, *, with_clips=False); relink(document, media_id, path, fingerprint, info=None); rename_media; set_info(document, media_id, info)
# document.looks: set_look(document, clip_ids, look|None); copy_look(document, from_clip, to_clips); set_default_look(document, look); look_of(document, clip) -> Look
# app.project_files: Project (see file). app.importing.Importer(QObject). app.planning functions (see file).
"""
