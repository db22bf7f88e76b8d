"""Full-size denoisers on an NVIDIA GPU: our run beside diffusers' own call, and beside what the arithmetic alone takes.

    python -m tests.bench.bench_gpu [--only wan-1.3b ti2v-5b animatediff] [--steps 3] [--compiled] [--tiny]

wan-1.3b     Wan 2.1 T2V 1.3B, 832×480, 81 frames, guidance 5
ti2v-5b      Wan 2.2 TI2V-5B, 1280×704, 121 frames, guidance 5
animatediff  Stable Diffusion 1.5 with motion modules, 512×512, 16 frames, guidance 7.5

Weights are random numbers made on the device in the published shapes, so nothing is downloaded: time and memory are
those of the real models, pictures are not. Each case has a process of its own. There, after one step of each, ours and
diffusers' run in the order ours, theirs, theirs, ours on the same weights and prompts; told is the median of the steps
after the first. The floor is the same matrices multiplied, attended and convolved as in one step, and nothing else:
every call of one step is noted and made again by itself. Decoding is the whole clip, frames in main memory.

``--tiny`` runs the same code on small models, on the processor where there is no GPU: it tells that it works, no speed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from gen2studio.diffusion.families.contract import FrameRule, LatentGeometry, PipelineInputs
from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch

_LIMIT = 560
"""Seconds that one case may take."""
_WAN = LatentGeometry(spatial=8, multiple=16, channels=16, frames=FrameRule(4, 4), temporal=4)
_WAN_5B = replace(_WAN, spatial=16, multiple=32, channels=48)
_STABLE = LatentGeometry(spatial=8, multiple=8, channels=4, frames=FrameRule(1, 1), temporal=1)


@dataclass(frozen=True, slots=True)
class Case:
    """A model in numbers, and the clip that it makes."""

    build: Callable[[Any, bool], Any]
    """(device, tiny) → the pipeline."""
    driver: Callable[[], Any]
    geometry: LatentGeometry
    width: int
    height: int
    frames: int
    guidance: float
    words: tuple[int, int]
    """Tokens of a prompt, and numbers for each."""

    def small(self) -> Case:
        """The same on the tiny model: two latent frames or more of a few cells."""
        side = 2 * self.geometry.multiple
        frames = self.geometry.frames.padded(5)
        return replace(self, width=side, height=side, frames=frames, words=(8, 32))


# -- models ------------------------------------------------------------------------------------------------------------


def filled(kind: Any, config: dict[str, Any], device: Any, dtype: Any, part: str = "from_config") -> Any:
    """A module of ``kind`` whose weights were never in main memory: small random numbers, norms that change nothing."""
    torch: Any = load_torch()
    from accelerate import init_empty_weights
    from accelerate.utils import set_module_tensor_to_device

    with init_empty_weights(include_buffers=False):
        made = getattr(kind, part)(config)
    kept = tuple(kind._keep_in_fp32_modules or ())
    drawn = torch.Generator(device).manual_seed(1)
    for name, empty in list(made.named_parameters()):
        wide = torch.float32 if any(each in name.split(".") for each in kept) else dtype
        weight = torch.empty(empty.shape, dtype=wide, device=device)
        if len(empty.shape) == 1 and name.endswith("weight"):
            weight.fill_(1.0)
        else:
            weight.normal_(0, 0.02, generator=drawn)
        set_module_tensor_to_device(made, name, device, value=weight, dtype=wide)
    stored = made.state_dict()
    for name, buffer in list(made.named_buffers()):
        if name in stored and buffer.is_floating_point():
            set_module_tensor_to_device(made, name, device, value=buffer, dtype=dtype)
    return made.to(device).eval().requires_grad_(False)


def wan(device: Any, tiny: bool, *, big: bool) -> Any:
    torch: Any = load_torch()
    library: Any = load_diffusers()
    channels = 48 if big else 16
    shape: dict[str, Any] = (
        {"num_attention_heads": 2, "attention_head_dim": 16, "text_dim": 32, "ffn_dim": 64, "num_layers": 2}
        if tiny
        else {"num_attention_heads": 24 if big else 12, "ffn_dim": 14336 if big else 8960, "num_layers": 30}
    )
    vae: dict[str, Any] = {"z_dim": channels, "latents_mean": [0.0] * channels, "latents_std": [1.0] * channels}
    vae |= {"base_dim": 8, "num_res_blocks": 0, "dim_mult": [1, 1, 1, 1]} if tiny else {"base_dim": 160 if big else 96}
    if big:
        vae |= {
            "is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_spatial": 16,
            "scale_factor_temporal": 4, "temperal_downsample": [False, True, True],
            "decoder_base_dim": 8 if tiny else 256,
        }  # fmt: skip
    denoiser = {**shape, "in_channels": channels, "out_channels": channels}
    pipe = library.WanPipeline(
        tokenizer=None,
        text_encoder=None,
        vae=filled(library.AutoencoderKLWan, vae, device, torch.float32),
        scheduler=library.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0 if big else 3.0
        ),
        transformer=filled(library.WanTransformer3DModel, denoiser, device, torch.bfloat16),
        expand_timesteps=big,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def animatediff(device: Any, tiny: bool) -> Any:
    from gen2studio.diffusion.families.animatediff_driver import Beside
    from gen2studio.diffusion.runtime.motion_unet import with_motion
    from gen2studio.diffusion.sampling.jobs import stand_in

    torch: Any = load_torch()
    library: Any = load_diffusers()
    widths = (32, 64, 64, 64) if tiny else (320, 640, 1280, 1280)
    unet = {"sample_size": 64, "cross_attention_dim": 32 if tiny else 768, "block_out_channels": widths}
    motion = {"block_out_channels": widths, "use_motion_mid_block": False}
    vae = {
        "block_out_channels": (32,) * 4 if tiny else (128, 256, 512, 512), "layers_per_block": 1 if tiny else 2,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    }  # fmt: skip
    pipe = library.AnimateDiffVideoToVideoPipeline(
        vae=filled(library.AutoencoderKL, vae, device, torch.float32),
        text_encoder=None,
        tokenizer=None,
        unet=with_motion(
            filled(library.UNet2DConditionModel, unet, device, torch.bfloat16),
            filled(library.MotionAdapter, motion, device, torch.bfloat16),
        ),
        motion_adapter=None,
        scheduler=library.DDIMScheduler(beta_schedule="linear", clip_sample=False, steps_offset=1),
    )
    pipe.set_progress_bar_config(disable=True)
    stand_in(pipe, "beside", Beside({}, None, None))
    return pipe


def _wan_driver() -> Any:
    from gen2studio.diffusion.families.wan_driver import WanDriver

    return WanDriver()


def _animatediff_driver() -> Any:
    from gen2studio.diffusion.families.animatediff_driver import AnimateDiffDriver

    return AnimateDiffDriver()


CASES = {
    "wan-1.3b": Case(
        lambda device, tiny: wan(device, tiny, big=False), _wan_driver, _WAN, 832, 480, 81, 5.0, (512, 4096)
    ),
    "ti2v-5b": Case(
        lambda device, tiny: wan(device, tiny, big=True), _wan_driver, _WAN_5B, 1280, 704, 121, 5.0, (512, 4096)
    ),
    "animatediff": Case(animatediff, _animatediff_driver, _STABLE, 512, 512, 16, 7.5, (77, 768)),
}


# -- running -----------------------------------------------------------------------------------------------------------


class Meter:
    """Seconds and peak bytes on one device: a GPU's by its allocator, a processor's by the process (Linux)."""

    def __init__(self, device: Any) -> None:
        self._torch: Any = load_torch()
        self.cuda = device.type == "cuda"
        if not self.cuda:
            from tests.bench.bench_ladder import HighWater

            self._memory = HighWater()

    def now(self) -> float:
        if self.cuda:
            self._torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def peak(self, found: list[int]) -> Iterator[None]:
        """Adds the most bytes that were taken inside, weights included on a GPU."""
        if self.cuda:
            self._torch.cuda.empty_cache()
            self._torch.cuda.reset_peak_memory_stats()
        else:
            self._memory.reset()
        yield
        found.append(self._torch.cuda.max_memory_allocated() if self.cuda else self._memory.bytes)


class Steps:
    """Watches a run of ours, and is told the steps of theirs."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.times: list[float] = []

    def check(self) -> None:
        return

    def stepped(self, step: int, steps: int, clean: Any) -> None:
        self.times.append(self._meter.now())

    def told(self, pipe: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
        self.times.append(self._meter.now())
        return values

    @property
    def seconds(self) -> list[float]:
        """Of each step after the first."""
        return [b - a for a, b in zip(self.times, self.times[1:], strict=False)]


class Bench:
    """One model on the device; ``ours`` and ``theirs`` make latents of the same prompts and seed."""

    def __init__(self, case: Case, device: Any, tiny: bool) -> None:
        torch: Any = load_torch()
        self.case, self.meter = case, Meter(device)
        self.pipe, self.driver = case.build(device, tiny), case.driver()
        length, width = case.words
        drawn = torch.Generator().manual_seed(2)
        self.words, self.none = (
            torch.randn((1, length, width), generator=drawn).to(device, torch.bfloat16) for _ in range(2)
        )
        self.inputs = PipelineInputs(task="text", width=case.width, height=case.height, frames=case.frames)

    def ours(self, steps: int, watch: Steps) -> Any:
        from gen2studio.diffusion.families.driving import Denoising, PromptEmbeds, Sampling

        embeds = PromptEmbeds({"prompt_embeds": self.words}, {"prompt_embeds": self.none})
        sampling = Sampling(steps=steps, guidance=self.case.guidance, seed=3)
        return self.driver.denoise(self.pipe, Denoising(self.inputs, embeds, sampling, watch, self.case.geometry))

    def theirs(self, steps: int, watch: Steps) -> Any:
        torch: Any = load_torch()
        library: Any = load_diffusers()
        parts = self.pipe.components
        more: dict[str, Any] = {"max_sequence_length": self.case.words[0]}
        if "unet" in parts:
            from gen2studio.diffusion.families.animatediff_driver import scheduler_for

            pipe = library.AnimateDiffPipeline(**{**parts, "scheduler": scheduler_for(None, parts["scheduler"])})
            more = {}
        else:
            kind = library.WanPipeline
            scheduler = type(parts["scheduler"]).from_config(parts["scheduler"].config)
            pipe = kind(**{**parts, "scheduler": scheduler}, expand_timesteps=bool(self.pipe.config.expand_timesteps))
        pipe.set_progress_bar_config(disable=True)
        return pipe(
            prompt_embeds=self.words, negative_prompt_embeds=self.none, width=self.case.width, height=self.case.height,
            num_frames=self.case.frames, num_inference_steps=steps, guidance_scale=self.case.guidance,
            generator=torch.Generator().manual_seed(3), output_type="latent", callback_on_step_end=watch.told, **more,
        ).frames.float()  # fmt: skip

    def frames(self, latents: Any) -> int:
        from gen2studio.diffusion.families.driving import Decoding

        return sum(1 for _ in self.driver.decode(self.pipe, latents, Decoding()))

    def their_frames(self, latents: Any) -> int:
        """As the pipelines decode: the whole clip at once, or sixteen pictures at a time."""
        torch: Any = load_torch()
        vae = self.pipe.vae
        with torch.no_grad():
            if "unet" in self.pipe.components:
                video = self.pipe.decode_latents(latents.to(vae.dtype), 16)
            else:
                # Mean 0 and deviation 1.
                video = vae.decode(latents.to(vae.dtype), return_dict=False)[0]
            return len(self.pipe.video_processor.postprocess_video(video=video, output_type="np")[0])

    def floor(self) -> float:
        """Seconds of one step's multiplications, attentions and convolutions by themselves."""
        with _noted() as calls:
            self.theirs(1, Steps(self.meter))
        total = 0.0
        for call, count in calls.items():
            total += count * self._alone(call)
        return total

    def _alone(self, call: _Call) -> float:
        torch: Any = load_torch()
        device = self.words.device
        given = [
            torch.randn(value.shape, device=device, dtype=getattr(torch, value.dtype)) if isinstance(value, _Shape)
            else value for value in call.given
        ]  # fmt: skip
        named = {
            name: torch.randn(value.shape, device=device, dtype=getattr(torch, value.dtype))
            if isinstance(value, _Shape) else value for name, value in call.named
        }  # fmt: skip
        with torch.no_grad():
            call.function(*given, **named)
            times: list[float] = []
            for _ in range(3):
                begun = self.meter.now()
                call.function(*given, **named)
                times.append(self.meter.now() - begun)
        return median(times)


@dataclass(frozen=True, slots=True)
class _Shape:
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class _Call:
    function: Any
    given: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]


@contextmanager
def _noted() -> Iterator[Counter[_Call]]:
    """Every multiplication, attention and convolution that runs inside, by its function and shapes."""
    torch: Any = load_torch()
    from torch.overrides import TorchFunctionMode

    functional = torch.nn.functional
    heavy = {
        functional.linear, functional.scaled_dot_product_attention, functional.conv2d, functional.conv3d,
        torch.matmul, torch.bmm, torch.baddbmm,
    }  # fmt: skip
    found: Counter[_Call] = Counter()

    def shape(value: Any) -> Any:
        return _Shape(tuple(value.shape), str(value.dtype).removeprefix("torch.")) if torch.is_tensor(value) else (
            tuple(value) if isinstance(value, list) else value
        )  # fmt: skip

    class Noting(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in heavy:
                named = tuple((name, shape(value)) for name, value in (kwargs or {}).items())
                found[_Call(func, tuple(shape(value) for value in args), named)] += 1
            return func(*args, **(kwargs or {}))

    with Noting():
        yield found


def measure(name: str, steps: int, tiny: bool, compiled: bool) -> dict[str, Any]:
    """Run one case in this process."""
    torch: Any = load_torch()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bench = Bench(CASES[name].small() if tiny else CASES[name], device, tiny)
    runs: dict[str, Callable[[int, Steps], Any]] = {"ours": bench.ours, "theirs": bench.theirs}
    floor = bench.floor()
    seconds: dict[str, list[float]] = {who: [] for who in runs}
    peaks: dict[str, list[int]] = {who: [] for who in runs}
    latents: dict[str, Any] = {who: run(1, Steps(bench.meter)) for who, run in runs.items()}
    for who in ("ours", "theirs", "theirs", "ours"):
        watch = Steps(bench.meter)
        with bench.meter.peak(peaks[who]):
            latents[who] = runs[who](steps, watch)
        seconds[who] += watch.seconds
    row: dict[str, Any] = {
        "name": name, "device": torch.cuda.get_device_name() if device.type == "cuda" else "processor", "floor": floor,
        "same": bool(torch.equal(latents["ours"], latents["theirs"])),
        "finite": bool(torch.isfinite(latents["ours"]).all()),
    }  # fmt: skip
    for who, decode in (("ours", bench.frames), ("theirs", bench.their_frames)):
        decode(latents["ours"][:, :, :1])
        decoding: list[int] = []
        with bench.meter.peak(decoding):
            begun = bench.meter.now()
            decode(latents["ours"])
            spent = bench.meter.now() - begun
        row[who] = {
            "step": median(seconds[who]), "peak": max(peaks[who]), "decode": spent, "decode_peak": decoding[0],
        }  # fmt: skip
    if compiled:
        from gen2studio.diffusion.runtime.ways import Way, apply_way

        denoiser = getattr(bench.pipe, "transformer", None) or bench.pipe.unet
        apply_way([denoiser], Way(id="compiled", title="Compiled", compiled=True))
        begun = bench.meter.now()
        bench.ours(1, Steps(bench.meter))
        watch, row["compiling"] = Steps(bench.meter), bench.meter.now() - begun
        bench.ours(steps, watch)
        row["compiled"] = median(watch.seconds)
    return row


def _line(row: dict[str, Any]) -> str:
    ours, theirs = row["ours"], row["theirs"]
    line = (
        f"{row['name']:<12} {ours['step']:>8.3f} {theirs['step']:>8.3f} {ours['step'] / theirs['step']:>6.2f} "
        f"{row['floor']:>8.3f} {ours['step'] / row['floor']:>6.2f} {ours['peak'] / 2**30:>8.2f} "
        f"{theirs['peak'] / 2**30:>8.2f} {ours['decode']:>8.2f} {theirs['decode']:>8.2f} "
        f"{ours['decode_peak'] / 2**30:>8.2f} {theirs['decode_peak'] / 2**30:>8.2f}  "
        f"{'the same' if row['same'] else 'others'}{'' if row['finite'] else ', not finite'}"
    )
    if "compiled" in row:
        line += f"\n{'  compiled':<12} {row['compiled']:>8.3f}   (the first step, compiling: {row['compiling']:.0f} s)"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), default=list(CASES))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--case", choices=sorted(CASES), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    steps = max(2, asked.steps)
    if asked.case:
        print(json.dumps(measure(asked.case, steps, asked.tiny, asked.compiled)))
        return
    torch: Any = load_torch()
    if not torch.cuda.is_available() and not asked.tiny:
        sys.exit("This bench needs a CUDA device; --tiny runs the same code on the processor.")
    print(
        f"{'':12} {'seconds a step':^24} {'floor':>8} {'':>6} {'peak GiB':^17} {'decoding s':^17} {'its peak GiB':^17}"
        "\n"
        f"{'':12} {'ours':>8} {'theirs':>8} {'ratio':>6} {'s':>8} {'ours/':>6} {'ours':>8} {'theirs':>8} {'ours':>8} "
        f"{'theirs':>8} {'ours':>8} {'theirs':>8}  bits",
        flush=True,
    )
    for name in asked.only:
        order = [sys.executable, "-m", "tests.bench.bench_gpu", "--case", name, "--steps", str(steps)]
        order += [flag for flag, on in (("--tiny", asked.tiny), ("--compiled", asked.compiled)) if on]
        try:
            done = subprocess.run(order, capture_output=True, text=True, timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"{name:<12} took longer than {_LIMIT} s", flush=True)
            continue
        if done.returncode:
            print(f"{name:<12} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}", flush=True)
            continue
        row = json.loads(done.stdout.strip().splitlines()[-1])
        print(_line(row), flush=True)
    print(f"on {'one GPU: ' + torch.cuda.get_device_name() if torch.cuda.is_available() else 'the processor'}")


if __name__ == "__main__":
    main()
