"""What a diffusion model is shown beside the words: structure, depth, flow, masks, camera moves, motion strokes.

No torch at import: numpy and OpenCV only; networks (Depth Anything, RAFT) are loaded inside the calls that run them.

======================  ==============================================================================================
``structure.edges``     ``(picture, *, dark_lines=False) -> Picture``: lines of the luminance
``structure.grey``      ``(picture) -> Picture``
``structure.layout``    ``(frames, colours=10) -> list[Picture]``: flat regions of colour, steady over time
``structure``           ``structure_level(control, level) -> Picture`` (0…7, Gen-1's t_s);
                        ``control_clip(kind, frames, *, level=0, depth=None, flows=None, dark_lines=False) ->
                        list[Picture]`` with kind depth, edges, grey, flow or layout
``depth``               ``DepthEstimator`` (``title``, ``weak``, ``revision``, ``estimate(frames, checkpoint=None) ->
                        list[Depth]``); ``WeakDepthCue()``, ``DepthAnythingEstimator(folder)``,
                        ``best_estimator(folder=None)``; ``normalised(depths) -> list[Depth]`` per clip;
                        ``depth_pictures(depths) -> list[Picture]``
``depth_pass``          ``read_depth_pass(path, frames, size, *, near_is_white=True, near=None, far=None,
                        footage_frames=0) -> list[Depth]``
``flow``                ``FlowEstimator``, ``DisFlow()``, ``RaftFlow(weights)``, ``best_flow(weights=None)``;
                        ``clip_flows(frames, estimator=None) -> list[Flow]`` (N − 1);
                        ``flow_pictures(flows, count) -> list[Picture]``
``guide``               ``motion_guide(picture, count, *, camera=CameraMove(), regions=(), depth=None, seed=0, anchor=0,
                        frames=None, margin=2) -> Guide``: ``picture`` is frame ``anchor`` of the shot (0 = first frame;
                        n = go on from frame n); ``Guide.frames`` (mid-grey where nothing is known), ``Guide.masks``
                        (255 = generate), ``Guide.loosened(every)``
``camera``              ``poses(move, count)``, ``turn_homography``, ``parallax_shift``; the units of the six axes
``motion_brush``        ``BrushRegion(matte, horizontal, vertical, proximity, ambient)``, ``region_of(ref, matte)``,
                        ``brush_fields(regions, count, size, seed=0) -> list[Flow]`` (frame 0 → frame t)
``masks``               ``dilate(mask, pixels)``, ``frame_groups(count, group=4)``, ``pool_groups(masks, group=4)``,
                        ``latent_masks(masks, size, group=4)``, ``fit_mask(mask, size)``
======================  ==============================================================================================

``Picture`` is (H, W, 3) uint8 RGB, ``Depth`` (H, W) float32 with 1 = nearest and 0 = farthest, ``Flow`` (H, W, 2)
float32 pixels, ``Matte`` (H, W) uint8. Sizes are (width, height). Masks follow VACE: 255 = generate, 0 = keep.
"""
