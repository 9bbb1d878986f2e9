"""From settings to objects: device, precision, stylizer, flow, filter, painter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import entry_points
from pathlib import Path

import torch

from vidstyle.config import RenderConfig, output_size
from vidstyle.controls.clip import ClipFacts
from vidstyle.controls.dressing import dress
from vidstyle.errors import CheckpointMismatchError, DeviceError, WeightsNotFoundError
from vidstyle.flow.looking_back import LookingBack
from vidstyle.flow.select import FlowChoice, choose_flow
from vidstyle.heap import keep_freed_memory
from vidstyle.media.stills import is_still, read_style_image
from vidstyle.out_of_memory import is_out_of_memory
from vidstyle.pipeline.painter import Painter
from vidstyle.protocols import Stylizer
from vidstyle.stylizers.adain import AdaInNet, AdaInStylizer, load_adain
from vidstyle.stylizers.checkpoint import IdentityStylizer, load_feedforward
from vidstyle.stylizers.mixture import LightMixture, mixture_name, parse_mixture
from vidstyle.stylizers.pytorch_adain import is_pytorch_adain, load_pytorch_adain, pytorch_adain_files
from vidstyle.temporal.fused import FusedFilter
from vidstyle.temporal.shots import CutDetector
from vidstyle.weights.registry import ANY_STYLE, IDENTITY, find_style

#: Longest side a style picture is encoded at: strokes of a larger one are finer than any frame shows.
STYLE_IMAGE_SIDE_PX = 1024
#: The first torch whose ``grid_sample`` repeats the border on MPS (pytorch/pytorch, issue 125098).
_MPS_SINCE = "2.13"
_DEFAULT_BATCH = {"cpu": 1, "mps": 4, "cuda": 8}


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how precisely networks run.

    Attributes:
        device: torch device.
        dtype: of the stylizer's network.
        reason: one sentence for people.
    """

    device: torch.device
    dtype: torch.dtype
    reason: str


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Pick device and precision.

    Raises:
        DeviceError: the device asked for is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available() and torch.__version__ >= _MPS_SINCE
    chosen = torch.device(("cuda" if cuda else "mps" if mps else "cpu") if device == "auto" else device)
    if chosen.type == "cuda" and (not cuda or (chosen.index or 0) >= torch.cuda.device_count()):
        raise DeviceError(f"There is no device {device} here; use --device cpu, or see 'vidstyle doctor'.")
    if chosen.type == "mps" and not mps:
        raise DeviceError(
            "There is no device mps here, or torch is older than 2.13 and lacks what warping needs on it; "
            "use --device cpu, or see 'vidstyle doctor'."
        )
    names = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if precision != "auto":
        return Compute(chosen, names[precision], f"{chosen}, {precision} as asked")
    if chosen.type == "cuda":
        return Compute(chosen, torch.float16, f"{chosen}, fp16")
    if chosen.type == "cpu" and cpu_has_bf16():
        return Compute(chosen, torch.bfloat16, "cpu, bf16, which this processor computes natively")
    return Compute(chosen, torch.float32, f"{chosen}, fp32")


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 natively; elsewhere bf16 is emulated and slower than fp32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16"))


def frames_a_call(config: RenderConfig, device: torch.device) -> int:
    """How many frames the network is handed at once."""
    return config.batch_size or _DEFAULT_BATCH.get(device.type, 1)


def load_stylizer(config: RenderConfig) -> Stylizer:
    """Find and load the style: ``identity``, a file, a picture (AdaIN), a plugin, a shipped name, or ``A:0.6+B:0.4``.

    A file wins over everything of the same name. A mixture of pictures is mixed in the AdaIN model's features, any
    other as light.

    Raises:
        ConfigError: a mixture that cannot be read.
        WeightsNotFoundError: no such style, file or AdaIN model.
        UnsupportedCheckpointError: a file that is not a safe, readable checkpoint.
        CheckpointMismatchError: a checkpoint of another architecture.
        MediaError: the style picture cannot be read.
    """
    names, shares = zip(*parse_mixture(config.style), strict=True)
    if len(names) == 1:
        return _single(names[0], config)
    paths = [Path(name) for name in names]
    if all(path.is_file() and is_still(path) for path in paths):
        return _from_pictures(paths, shares, config)
    return LightMixture([_single(name, config) for name in names], shares)


def _single(style: str, config: RenderConfig) -> Stylizer:
    path = Path(style)
    if path.is_file():
        return _from_pictures([path], (1.0,), config) if is_still(path) else load_feedforward(path)
    if style == IDENTITY:
        return IdentityStylizer()
    if path.suffix in (".safetensors", ".pth", ".pt") or is_still(path):
        raise WeightsNotFoundError(f"There is no style file {path}; check the path, or see 'vidstyle styles'.")
    for plugin in entry_points(group="vidstyle.stylizers", name=style):
        stylizer = plugin.load()()
        if not isinstance(stylizer, Stylizer):
            raise CheckpointMismatchError(f"Plugin style {style} ({plugin.value}) does not make a Stylizer.")
        return stylizer
    shipped = find_style(style)
    stylizer = load_feedforward(shipped.path)
    stylizer.name = shipped.name
    return stylizer


def _from_pictures(paths: Sequence[Path], shares: Sequence[float], config: RenderConfig) -> Stylizer:
    path = paths[0]
    model = config.adain_model or ANY_STYLE
    if model == ANY_STYLE and not model.is_file():
        raise WeightsNotFoundError(
            f"{path} is a picture, and this installation lacks the model that takes any as style ({ANY_STYLE.name}): "
            "install it again or name a model with --adain-model."
        )
    images = [(read_style_image(each, STYLE_IMAGE_SIDE_PX), share) for each, share in zip(paths, shares, strict=True)]
    name = path.stem if len(paths) == 1 else mixture_name([each.stem for each in paths], shares)
    return AdaInStylizer(name, _adain_net(model), images, config.style_weight)


def _adain_net(path: Path) -> AdaInNet:
    if is_pytorch_adain(path):
        return AdaInNet(*load_pytorch_adain(*pytorch_adain_files(path)))
    return load_adain(path)


@dataclass(frozen=True, slots=True)
class Composition:
    """Loaded once a render; makes painters for it.

    Attributes:
        config: the settings.
        compute: device and precision.
        stylizers: those of ``config.styles``, by the style's name, on the device.
    """

    config: RenderConfig
    compute: Compute
    stylizers: dict[str, Stylizer]

    @classmethod
    def load(cls, config: RenderConfig) -> Composition:
        """Choose the device and load the styles.

        Raises:
            VidstyleError: whatever ``choose_compute`` and ``load_stylizer`` raise.
        """
        compute = choose_compute(config.device, config.precision)
        if compute.device.type == "cpu":
            keep_freed_memory()
        try:
            stylizers = {
                style: load_stylizer(config.model_copy(update={"style": style})).to(str(compute.device), compute.dtype)
                for style in config.styles
            }
        except Exception as error:
            if is_out_of_memory(error):
                raise DeviceError(f"{compute.device} has too little free memory for the style; free some.") from error
            raise
        return cls(config, compute, stylizers)

    @property
    def name(self) -> str:
        """What the style is called; all of them, where it changes over time."""
        return ", ".join(self.stylizers[style].name for style in dict.fromkeys(self.config.values("style")))

    @property
    def paints_nothing(self) -> bool:
        """Every style is ``identity``: there is nothing to be made steady."""
        return all(isinstance(stylizer, IdentityStylizer) for stylizer in self.stylizers.values())

    @property
    def leaves_samples(self) -> bool:
        """Whether pixels may come out as they were decoded, so that a writer can keep the source's own samples."""
        config = self.config
        is_partial = any(config.values("mask")) or bool(config.regions) or min(config.values("strength")) == 0.0
        return is_partial or any(isinstance(stylizer, IdentityStylizer) for stylizer in self.stylizers.values())

    def flow(self) -> FlowChoice:
        """A fresh flow estimator; none where consistency is 0 throughout, or nothing is painted."""
        config = self.config
        if max(config.values("consistency")) == 0.0:
            return FlowChoice(None, "none", "No optical flow, because consistency is 0.")
        if self.paints_nothing and config.flow == "auto":
            return FlowChoice(None, "none", "No optical flow, because nothing is painted.")
        return choose_flow(
            config.flow, str(self.compute.device), allow_download=config.allow_download, weights=config.flow_weights
        )

    def painter(
        self,
        size: tuple[int, int],
        rate: Fraction | None = None,
        flow: FlowChoice | None = None,
        clip: ClipFacts | None = None,
    ) -> Painter:
        """A fresh painter.

        Args:
            size: (width, height) of the upright source in pixels.
            rate: frames per second of a clip; None for single pictures.
            flow: from ``flow``; None paints each frame on its own.
            clip: what the controls have to know; only settings without masks, keyframes and the like go without.

        Raises:
            ConfigError: a mask or a look-up table does not fit.
            MediaError: a mask cannot be read.
        """
        config = self.config
        estimator = flow.estimator if flow is not None else None
        wanted = output_size(config.size, size)
        look, stylizers = dress(config, self.stylizers, size, wanted, clip, device=self.compute.device)
        return Painter(
            stylizers=tuple(stylizers),
            look=look,
            temporal=FusedFilter(config.consistency, looks_back=isinstance(estimator, LookingBack))
            if estimator is not None and not self.paints_nothing
            else None,
            flow=estimator,
            cuts=CutDetector(rate) if rate is not None else None,
            device=self.compute.device,
            size=wanted if wanted != size else None,
            batch_size=frames_a_call(config, self.compute.device),
        )
