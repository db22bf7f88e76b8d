"""A style or subject image beside the words: IP-Adapter (Ye et al., arXiv 2308.06721) on a UNet, for one job.

The adapter's own key and value matrices stand in every cross-attention; they are put there for the length of a forward
pass and taken out again, so that the shared model is never without its own processors between two calls.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gen2studio.engine.events import Picture

Tensor = torch.Tensor


class ImagePrompt:
    """IP-Adapter weights made ready for one UNet, and what its image encoder made of the images.

    ``embeds`` has one (B, 1, D) for each image, or (B, 1, tokens, D) for the “plus” adapters; B = 2 with guidance, the
    empty image first.
    """

    def __init__(self, processors: Mapping[str, Any], projection: Any, embeds: Sequence[Tensor]) -> None:
        self._processors = dict(processors)
        self._projection = projection
        self._embeds = tuple(embeds)

    def embeddings(self, rows: slice) -> list[Tensor]:
        """For ``added_cond_kwargs``: one of each image, for some rows of the batch."""
        return [each[rows] for each in self._embeds]

    @contextmanager
    def installed(self, unet: Any) -> Generator[None]:
        """The UNet reads image embeddings inside, and is as it was afterwards."""
        before, kind = unet.attn_processors, unet.config.encoder_hid_dim_type
        projection = unet.encoder_hid_proj
        try:
            unet.set_attn_processor(dict(self._processors))
            unet.encoder_hid_proj = self._projection
            unet.config.encoder_hid_dim_type = "ip_image_proj"
            yield
        finally:
            unet.config.encoder_hid_dim_type = kind
            unet.encoder_hid_proj = projection
            unet.set_attn_processor(before)


def image_prompt(
    unet: Any,
    weights: Mapping[str, Tensor],
    encoder: Any,
    images: Sequence[Picture],
    *,
    scale: float,
    shares: Sequence[float] = (),
    style_only: bool,
    guided: bool,
    device: Any,
) -> ImagePrompt:
    """IP-Adapter for ``unet`` with ``images`` (H, W, 3) uint8 as the prompt.

    ``weights`` are the adapter file's tensors, ``scale`` how much they count beside the words: 0 not at all, 1 alike.
    ``shares`` say how much of that each image has (empty = all alike): every image is attended to by itself, as if each
    had an adapter of its own, so that none outshouts another.
    ``style_only`` leaves out the layers at the lowest resolution, which carry the layout (after InstantStyle, Wang et
    al., arXiv 2404.02733): the footage says what is where.
    """
    tables: dict[str, dict[str, Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, tensor in weights.items():
        part, _, rest = name.partition(".")
        tables[part][rest] = tensor
    from diffusers.models.embeddings import MultiIPAdapterImageProjection

    # The converters of ``load_ip_adapter``, without its end: that casts and moves the whole shared model.
    processors = unet._convert_ip_adapter_attn_to_diffusers([tables], low_cpu_mem_usage=False)
    projection = unet._convert_ip_adapter_image_proj_to_diffusers(tables["image_proj"], low_cpu_mem_usage=False)
    shares = [share / sum(shares) for share in shares] if sum(shares) > 0 else [1 / len(images)] * len(images)
    made = MultiIPAdapterImageProjection([projection] * len(images))
    made.to(device, unet.dtype).requires_grad_(False)
    layout = _layout_blocks(unet) if style_only else ()
    reading = {name: processor for name, processor in processors.items() if hasattr(processor, "to_k_ip")}
    for name, processor in reading.items():
        processor.to(device, unet.dtype).requires_grad_(False)
        # The same matrices for each image: what diffusers keeps of several adapters.
        for part in ("to_k_ip", "to_v_ip"):
            setattr(processor, part, torch.nn.ModuleList([*getattr(processor, part)] * len(images)))
        processor.num_tokens = [*processor.num_tokens] * len(images)
        processor.scale = [0.0 if name.startswith(layout) else scale * share for share in shares]
    plus = not hasattr(projection, "image_embeds")
    embeds = embed_images(encoder, images, hidden=plus, guided=guided).to(device, unet.dtype)
    return ImagePrompt({**unet.attn_processors, **reading}, made, embeds.split(1, dim=1))


def _layout_blocks(unet: Any) -> tuple[str, ...]:
    """The blocks with words at the lowest resolution, on the way down and up: there the layout is made."""
    down = [i for i, block in enumerate(unet.down_blocks) if getattr(block, "has_cross_attention", False)]
    up = [i for i, block in enumerate(unet.up_blocks) if getattr(block, "has_cross_attention", False)]
    # With one such block on a side there is no layer left that could carry the style.
    lowest = [f"down_blocks.{down[-1]}."] if len(down) > 1 else []
    lowest += [f"up_blocks.{up[0]}."] if len(up) > 1 else []
    return tuple(lowest)


@torch.no_grad()
def embed_images(encoder: Any, images: Sequence[Picture], *, hidden: bool, guided: bool) -> Tensor:
    """What CLIP makes of images: (B, images, D), with ``hidden`` its last but one layer (B, images, tokens, D).

    With ``guided`` B = 2 and the first is of no image, as diffusers' pipelines compute it.
    """
    pixels = torch.stack([_looked_at(picture, encoder.config.image_size) for picture in images])
    pixels = pixels.to(encoder.device, encoder.dtype)
    if hidden:
        found = encoder(pixels, output_hidden_states=True).hidden_states[-2]
        empty = encoder(torch.zeros_like(pixels), output_hidden_states=True).hidden_states[-2] if guided else found
    else:
        found = encoder(pixels).image_embeds
        empty = torch.zeros_like(found)
    return torch.stack([empty, found]) if guided else found[None]


def _looked_at(picture: Picture, side: int) -> Tensor:
    """(3, side, side): the picture's middle square as CLIP's own preparation cuts, scales and normalises it."""
    from PIL import Image
    from transformers import CLIPImageProcessor

    prepare: Any = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return prepare(images=Image.fromarray(picture), return_tensors="pt").pixel_values[0]
