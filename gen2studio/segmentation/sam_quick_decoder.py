"""The mask decoder of Segment Anything for a preview under the moving pointer: the same numbers in a third of the time.

The decoder's attention lies between a few prompt tokens and thousands of image tokens. The package projects every image
token; matrix products being associative, the projections can be applied to the few tokens instead:

    (x W_k) · q  =  x · (W_k q)          softmax(…) (x W_v)  =  (softmax(…) x) W_v

The biases of the keys are the same for every image token and fall out of the softmax. Transposed convolutions whose
stride is their size are plain matrix products, and everything after them works pixel by pixel, so that pixels are put
in order only at the end, on one number each. Checked against ``MaskDecoder`` itself in the tests; clicks are answered
by the package's own predictor.
"""

from __future__ import annotations

from typing import Any


def quick_decode(
    decoder: Any, features: Any, places: Any, sparse: Any, dense: Any, *, several: bool,
    used: tuple[int, int] | None = None,
) -> tuple[Any, float]:  # fmt: skip
    """(logits [4h, 4w], predicted IoU) of the best mask, as ``MaskDecoder.forward`` would give it.

    ``used`` is the (h, w) part of the grid that is picture, not padding: the mask is drawn out for that part only.
    ``features``, ``places`` and ``dense`` are [1, C, h, w], ``sparse`` [1, N, C]; ``places`` may be flattened before,
    [h w, C]. ``several`` chooses among the three masks for an ambiguous prompt, else the single one is taken. ``used``
    is the (h, w) part of the grid that is picture, not padding: the mask is drawn out for that part only. Call it in
    inference mode.
    """
    import torch

    functional = torch.nn.functional
    tall, wide = features.shape[-2:]
    own = torch.cat((decoder.iou_token.weight, decoder.mask_tokens.weight))
    tokens = torch.cat((own, sparse[0]))
    # New arrays of this size cost as much as the arithmetic in them: they are made once and written over.
    image = torch.empty((tall * wide, features.shape[1]), dtype=features.dtype, device=features.device)
    torch.add(features[0].flatten(1).T, dense[0].flatten(1).T, out=image)
    where = places[0].flatten(1).T.contiguous() if places.dim() == 4 else places
    placed = torch.empty_like(image)
    transformer, asked = decoder.transformer, tokens
    for block in transformer.layers:
        if block.skip_first_layer_pe:
            tokens = block.self_attn(tokens[None], tokens[None], tokens[None])[0]
        else:
            named = (tokens + asked)[None]
            tokens = tokens + block.self_attn(named, named, tokens[None])[0]
        tokens = block.norm1(tokens)
        torch.add(image, where, out=placed)
        tokens = block.norm2(tokens + _look(block.cross_attn_token_to_image, tokens + asked, placed, image))
        tokens = block.norm3(tokens + block.mlp(tokens))
        image = block.norm4(_tell(block.cross_attn_image_to_token, image, placed, tokens + asked, tokens))
    torch.add(image, where, out=placed)
    tokens = tokens + _look(transformer.final_attn_token_to_image, tokens + asked, placed, image)
    tokens = transformer.norm_final_attn(tokens)

    scores = decoder.iou_prediction_head(tokens[None, 0])[0]
    first, last = (1, len(scores)) if several else (0, 1)
    best = first + int(scores[first:last].argmax())
    weights = decoder.output_hypernetworks_mlps[best](tokens[None, 1 + best])[0]
    if used is not None:
        (high, across), channels = used, image.shape[-1]
        image = image.view(tall, wide, channels)[:high, :across].reshape(-1, channels)
        tall, wide = used
    spread, norm, bend, spread_again, bend_again = decoder.output_upscaling
    large = _spread(spread, image)
    large = bend(functional.layer_norm(large, large.shape[-1:], norm.weight, norm.bias, norm.eps))
    large = bend_again(_spread(spread_again, large))
    logits = (large @ weights).view(tall, wide, 2, 2, 2, 2)
    return logits.permute(0, 2, 4, 1, 3, 5).reshape(4 * tall, 4 * wide), float(scores[best])


def _look(attention: Any, tokens: Any, placed: Any, image: Any) -> Any:
    """Tokens [n, C] look at the image [N, C], whose keys are ``placed``; what they see, [n, C]."""
    heads, size = attention.num_heads, attention.internal_dim // attention.num_heads
    asked = attention.q_proj(tokens).view(-1, heads, size)
    folded = (asked.transpose(0, 1) @ attention.k_proj.weight.view(heads, size, -1)).flatten(0, 1)
    shares = ((folded * size**-0.5) @ placed.T).softmax(-1)
    seen = (shares @ image).view(heads, len(tokens), -1)
    values = seen @ attention.v_proj.weight.view(heads, size, -1).transpose(1, 2)
    return attention.out_proj(values.transpose(0, 1).flatten(1) + attention.v_proj.bias)


def _tell(attention: Any, image: Any, placed: Any, named: Any, tokens: Any) -> Any:
    """Add to the image [N, C], in place, what it sees in the tokens [n, C], whose keys are ``named``."""
    import torch

    heads, size = attention.num_heads, attention.internal_dim // attention.num_heads
    keys = attention.k_proj(named).view(-1, heads, size).transpose(0, 1) * size**-0.5
    folded = (keys @ attention.q_proj.weight.view(heads, size, -1)).flatten(0, 1)
    offsets = (keys @ attention.q_proj.bias.view(heads, size, 1)).flatten(0, 1)
    shares = torch.addmm(offsets, folded, placed.T).view(heads, len(tokens), -1).softmax(1)
    values = attention.v_proj(tokens).view(-1, heads, size).transpose(0, 1)
    # Each head's shares sum to one: the bias may be told by the heads in equal parts.
    told = values @ attention.out_proj.weight.T.view(heads, size, -1) + attention.out_proj.bias / heads
    return image.addmm_(shares.flatten(0, 1).T, told.flatten(0, 1))


def _spread(convolution: Any, pixels: Any) -> Any:
    """A transposed 2×2 convolution of stride 2 on [N, C]: [4 N, C′], the four of a pixel in row-major order."""
    import torch

    kernel = convolution.weight.permute(0, 2, 3, 1).flatten(1)
    found = torch.addmm(convolution.bias.repeat(4), pixels, kernel)
    return found.view(4 * len(pixels), -1)
