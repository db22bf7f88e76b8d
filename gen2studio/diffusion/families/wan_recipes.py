"""How distilled checkpoints and adapters of Wan are sampled, exactly as their makers distilled them. No torch.

Sources: the schedules of lightx2v (Wan2.1-Distill-Loras, Wan2.2-Distill-Loras: shift 5 over 1, 0.75, 0.5, 0.25), of
Self-Forcing (arXiv 2506.08009: the same times, noised again) and of FastVideo's FastWan (1000, 757, 522).
"""

from __future__ import annotations

from gen2studio.diffusion.families.contract import StepRecipe

LIGHTX2V = StepRecipe(
    "lightx2v, 4 steps",
    4,
    1.0,
    "UniPCMultistepScheduler",
    (("prediction_type", "flow_prediction"), ("use_flow_sigmas", True), ("flow_shift", 5.0)),
    "for checkpoints and LoRAs distilled on the times 999, 937, 833, 625; of two experts each takes two steps",
    (r"lightx2v", r"lightning", r"(?<![0-9])4.?steps?(?![a-z0-9])"),
)
SELF_FORCING = StepRecipe(
    "Self-Forcing, 4 steps",
    4,
    1.0,
    "FlowMatchLCMScheduler",
    (("shift", 1.0), ("times", (1.0, 0.9375, 0.8333333, 0.625))),
    "distribution matching: the clean clip is predicted and noised again at each of four fixed times",
    (r"self.?forcing",),
)
FASTWAN = StepRecipe(
    "FastWan, 3 steps",
    3,
    1.0,
    "FlowMatchLCMScheduler",
    (("shift", 1.0), ("times", (1.0, 0.757, 0.522))),
    "distribution matching at the times 1000, 757, 522",
    (r"fast.?wan",),
)
RECIPES = (FASTWAN, SELF_FORCING, LIGHTX2V)
"""The most particular marks first: a name may bear several."""
