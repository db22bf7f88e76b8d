"""AdamW in 8 bits: learns as the whole one does, takes a quarter, and goes on bit for bit where it was."""

from __future__ import annotations

import torch
from torch import nn

from gen2studio.diffusion.training.adamw8bit import BLOCK, SMALLEST, AdamW8bit, dynamic_map, narrowed, widened
from gen2studio.diffusion.training.lora_checkpoint import optimiser_tensors, restore_optimiser
from gen2studio.engine.optimisers import ADAMW, ADAMW_8BIT, state_bytes


def test_the_map_is_dense_towards_zero_and_keeps_what_it_is_given() -> None:
    for signed in (True, False):
        values = dynamic_map(signed=signed)
        assert len(values) == 256 == len(values.unique()) and values[-1] == 1 and (values.diff() > 0).all()
    draw = torch.Generator().manual_seed(1)
    blocks = torch.randn(40, BLOCK, generator=draw) * torch.logspace(-12, 3, 40)[:, None]
    back = widened(*narrowed(blocks, signed=True), signed=True)
    assert float(((back - blocks).norm(dim=1) / blocks.norm(dim=1)).max()) < 0.02
    # Six decades beside each other in one block are still told apart, and none of them becomes nothing.
    wide = torch.logspace(0, -6, BLOCK).repeat(2, 1)
    kept = widened(*narrowed(wide, signed=False), signed=False)
    assert float((kept[0, :160] / wide[0, :160] - 1).abs().max()) < 0.2 and (kept > 0).all()
    tiny = torch.tensor([[1.0] + [1e-30] * (BLOCK - 1)])
    assert (widened(*narrowed(tiny, signed=False), signed=False) > 0).all()
    codes, scales = narrowed(torch.zeros(1, BLOCK), signed=True)
    assert widened(codes, scales, signed=True).eq(0).all()


def _net() -> nn.Sequential:
    torch.manual_seed(3)
    # The first matrix is not a whole number of blocks, the biases stay in float32.
    return nn.Sequential(nn.Linear(37, 150), nn.Tanh(), nn.Linear(150, 64), nn.Tanh(), nn.Linear(64, 4))


def _batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(32, 37, generator=draw)
    return x, torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin(), x[:, 3:9].sum(1), x[:, 4].abs()], 1)


def _train(net: nn.Module, optimiser: torch.optim.Optimizer, first: int, last: int) -> list[float]:
    losses: list[float] = []
    for step in range(first, last):
        x, wanted = _batch(step)
        loss = (net(x) - wanted).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def test_it_learns_as_the_whole_one_does() -> None:
    whole, narrow = _net(), _net()
    curve = torch.tensor(_train(whole, torch.optim.AdamW(whole.parameters(), lr=3e-3), 0, 300))
    other = torch.tensor(_train(narrow, AdamW8bit(narrow.parameters(), lr=3e-3), 0, 300))
    assert torch.allclose(curve[:1], other[:1])
    smooth, smoother = (values.unfold(0, 30, 30).mean(1) for values in (curve, other))
    assert float(curve[-30:].mean()) < 0.4 * float(curve[:30].mean()), "there is something to follow"
    assert float((smoother / smooth - 1).abs().max()) < 0.05, "the curves lie on each other"


def test_its_state_takes_a_quarter() -> None:
    matrix, small = nn.Parameter(torch.randn(256, 64)), nn.Parameter(torch.randn(SMALLEST - 1))
    optimiser = AdamW8bit([matrix, small])
    for parameter in (matrix, small):
        parameter.grad = torch.randn_like(parameter)
    optimiser.step()

    def held(parameter: nn.Parameter) -> int:
        return sum(t.numel() * t.element_size() for name, t in optimiser.state[parameter].items() if name != "step")

    assert held(matrix) == state_bytes(matrix.numel(), ADAMW_8BIT)
    assert held(small) == state_bytes(small.numel(), ADAMW)
    assert 0.25 < state_bytes(1 << 20, ADAMW_8BIT) / state_bytes(1 << 20, ADAMW) < 0.26


def test_a_saved_state_goes_on_bit_for_bit() -> None:
    whole = _net()
    straight = _train(whole, AdamW8bit(whole.parameters(), lr=3e-3), 0, 24)
    net = _net()
    first = AdamW8bit(net.parameters(), lr=3e-3)
    _train(net, first, 0, 12)
    kept = optimiser_tensors(first)
    assert {t.dtype for name, t in kept.items() if name.endswith("codes")} == {torch.uint8}
    resumed = AdamW8bit(net.parameters(), lr=3e-3)
    restore_optimiser(resumed, kept)
    assert _train(net, resumed, 12, 24) == straight[12:]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), whole.parameters(), strict=True))


def test_what_has_no_gradient_is_left_alone() -> None:
    moved, still = (nn.Parameter(torch.ones(80, 80)) for _ in range(2))
    optimiser = AdamW8bit([moved, still], lr=1e-2)
    moved.grad = torch.ones_like(moved)
    optimiser.step()
    assert still.eq(1).all() and still not in optimiser.state and not moved.eq(1).any()
