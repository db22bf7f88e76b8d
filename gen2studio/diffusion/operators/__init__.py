"""Operators on finished clips: frame interpolation and upscaling.

``entries.operator_entries(folders=()) -> dict[str, Callable[[], Operator]]`` is what the
composition root registers:
``interpolate:built-in``, ``upscale:built-in`` and, where its weights are there, ``upscale:realesr-animevideov3``.
"""
