"""The controls as painters use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gen2studio.engine.requests import GenerateRequest
from gen2studio.example.looks import LookPreset


@dataclass(frozen=True, slots=True, kw_only=True)
class Brushwork:
    """The controls as painters use them."""

    unit: float
    """Pixels of the frame for one pixel at 288 lines."""
    structure: float = 2.0
    style_weight: float = 1.0
    stroke: float = 1.0
    strength: float = 1.0
    protect_skin: float = 0.0
    seed: int = 1
    parameters: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, request: GenerateRequest, look: LookPreset | None, frame: int | None = None) -> Brushwork:
        """The controls of a media frame, or those that hold for the whole clip."""
        values = request.controls if frame is None else request.controls_at(frame)
        return cls(
            unit=request.height / 288,
            structure=values.structure,
            style_weight=values.style_weight,
            stroke=values.stroke_size,
            strength=values.strength,
            protect_skin=values.protect_skin,
            seed=request.seed,
            parameters=look.parameters if look is not None else {},
        )

    def get(self, name: str, default: float) -> float:
        """A parameter of the look file."""
        return self.parameters.get(name, default)
