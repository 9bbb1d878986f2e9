"""Style files: safetensors whose metadata names architecture and style, and the layouts of other projects."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vidstyle.errors import CheckpointMismatchError
from vidstyle.imaging.opencv import to_channels_last
from vidstyle.imaging.padding import pad_to_multiple
from vidstyle.part_file import write_whole
from vidstyle.stylizers.cyclegan import ResnetGenerator, generator_for, is_resnet_generator, used_tensors
from vidstyle.stylizers.feedforward import BlurPoolNet, JohnsonNet
from vidstyle.weights.files import load_tensors, packed, save_tensors, to_float
from vidstyle.weights.registry import Style, find_style, new_style_path, one_line

FORMAT = "vidstyle-1"
_MIN_WIDTH, _MAX_WIDTH = 4, 1024
#: Residual blocks of the deepest network that is built for a file.
MAX_BLOCKS = 64

FeedforwardNet = BlurPoolNet | JohnsonNet | ResnetGenerator


@dataclass(frozen=True, slots=True)
class StyleCard:
    """What a style file says about itself; ``?`` stands for what is no text, such as odd bytes of a file's name.

    Attributes:
        name: what a user calls the style.
        title: one line for lists.
        source: the picture it was trained on, with its licence.
    """

    name: str
    title: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for name, text in asdict(self).items():
            object.__setattr__(self, name, text.encode("utf-8", "replace").decode())


class FeedforwardStylizer:
    """A feedforward network as a ``Stylizer``: pads pictures to what the network needs, and nothing else.

    Args:
        name: what a user calls the style.
        net: a network with ``multiple_of``, ``minimum_size`` and ``margin_px``.
    """

    def __init__(self, name: str, net: FeedforwardNet) -> None:
        self.name = name
        self.net = net.eval().requires_grad_(False)
        self._dtype = torch.float32

    def __call__(self, content: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to the same, painted."""
        padded, crop = pad_to_multiple(content, self.net.multiple_of, self.net.minimum_size, self.net.margin_px)
        with torch.inference_mode():
            return crop(self.net(to_channels_last(padded, self._dtype)))

    def to(self, device: str, dtype: torch.dtype) -> FeedforwardStylizer:
        """Move and cast the network; returns itself."""
        self._dtype = dtype
        self.net.to(device, dtype).to(memory_format=torch.channels_last)
        return self


class IdentityStylizer:
    """Paints nothing: ``--style identity``, to check what the rest of the pipeline does to a clip."""

    name = "identity"

    def __call__(self, content: Tensor) -> Tensor:
        """The content itself, in float32."""
        return content.float()

    def to(self, device: str, dtype: torch.dtype) -> IdentityStylizer:  # noqa: ARG002  # the protocol's signature
        """Nothing to move; returns itself."""
        return self


def save_feedforward(path: Path, net: BlurPoolNet, card: StyleCard) -> None:
    """Write a style file, whole or not at all; an existing one is replaced."""
    write_whole(path, packed_feedforward(net, card), overwrite=True)


def packed_feedforward(net: BlurPoolNet, card: StyleCard) -> bytes:
    """A style file's content: fp16 tensors, architecture and style in the metadata."""
    metadata = {
        "format": FORMAT,
        "architecture": "blurpool",
        "num_channels": str(net.widen.out_channels),
        "num_blocks": str(len(net.trunk)),
        **{key: str(value) for key, value in asdict(card).items()},
    }
    return packed({key: value.half() for key, value in net.state_dict().items()}, metadata)


def load_feedforward(path: Path) -> FeedforwardStylizer:
    """Load a feedforward style.

    Besides vidstyle's own files this takes, as they are, the fast_neural_style checkpoints of pytorch/examples and the
    ResNet generators of CycleGAN and pix2pix.

    Args:
        path: ``.safetensors``, ``.pth``, ``.pt`` or ``.model``.

    Raises:
        WeightsNotFoundError: no such file.
        UnsupportedCheckpointError: not a safe, readable weight file.
        CheckpointMismatchError: tensors of another architecture.
    """
    return _stylizer_of(*load_tensors(path), path)


def _stylizer_of(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> FeedforwardStylizer:
    """The stylizer that a file's content makes; errors as of ``load_feedforward``."""
    tensors = to_float(_used(tensors), path)
    net: FeedforwardNet
    if "deconv3.conv2d.weight" in tensors and "conv1.conv2d.weight" in tensors:
        net = JohnsonNet(width_of(tensors["conv1.conv2d.weight"], path))
    elif "to_rgb.weight" in tensors and "widen.weight" in tensors:
        blocks = {key.split(".")[1] for key in tensors if key.startswith("trunk.")}
        net = BlurPoolNet(width_of(tensors["widen.weight"], path), min(len(blocks), MAX_BLOCKS))
        if not any("_skip." in key for key in tensors):
            # Made before there were skips; those of a new network carry nothing.
            tensors |= {key: value for key, value in net.state_dict().items() if "_skip." in key}
    elif is_resnet_generator(tensors):
        net = generator_for(tensors, width_of(tensors["model.1.weight"], path), MAX_BLOCKS)
    else:
        found = one_line(metadata.get("architecture") or ", ".join(sorted(tensors)[:3]))
        raise CheckpointMismatchError(
            f"{path} is not a feedforward style (found {found}); use a style made by 'vidstyle train feedforward', "
            "a fast_neural_style checkpoint or a ResNet generator of CycleGAN or pix2pix."
        )
    load_into(net, tensors, path)
    return FeedforwardStylizer(one_line(metadata.get("name") or path.stem), net)


def _used(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Those of a checkpoint's tensors that a network is made of."""
    if is_resnet_generator(tensors):
        return used_tensors(tensors)
    # Running statistics of InstanceNorm were saved by old torch versions and were never used.
    return {key: value for key, value in tensors.items() if ".running_" not in key}


def add_style(path: Path, name: str | None = None, *, overwrite: bool = False) -> Style:
    """Keep a style under a name in the user's data folder, as safetensors; whole or not at all.

    Args:
        path: anything ``load_feedforward`` takes; it is loaded before anything is written.
        name: what ``--style`` will take; the file's name without suffix where None.
        overwrite: replace an own style of that name.

    Returns:
        The style as it is kept.

    Raises:
        ConfigError: the name cannot be used.
        ModelError: whatever ``load_feedforward`` raises.
        OpenError: the name is taken, the folder cannot be written, or another process is writing the style.
    """
    target = new_style_path(path.stem.replace(".", "-") if name is None else name, overwrite=overwrite)
    tensors, metadata = load_tensors(path)
    _stylizer_of(tensors, metadata, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Clones, because safetensors refuses tensors that share their storage.
    kept = {key: value.clone() for key, value in _used(tensors).items()}
    save_tensors(target, kept, metadata | {"name": target.stem})
    return find_style(target.stem)


def width_of(weight: Tensor, path: Path) -> int:
    """Output channels of a convolution; a file must not make us build a network that fills the memory.

    Raises:
        CheckpointMismatchError: it is no convolution, or of a width that no style network has.
    """
    width = weight.shape[0] if weight.ndim == 4 else 0
    if not _MIN_WIDTH <= width <= _MAX_WIDTH:
        raise CheckpointMismatchError(
            f"{path} holds a network of an unlikely width; it was made for another architecture."
        )
    return width


def load_into(net: nn.Module, tensors: dict[str, Tensor], source: str | Path) -> None:
    """Fill a network, refusing missing, unexpected and misshapen tensors in one sentence, which ``source`` begins.

    Raises:
        CheckpointMismatchError: the tensors do not fit ``net``.
    """
    own = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in tensors.items()}
    if own != theirs:
        wrong = sorted(key for key in own.keys() | theirs.keys() if own.get(key) != theirs.get(key))
        raise CheckpointMismatchError(
            f"{source} does not fit {type(net).__name__}: {len(wrong)} tensors differ, first {wrong[0]}; "
            "it was made for another architecture or size."
        )
    net.load_state_dict(tensors, assign=True)  # a network on the meta device has nothing to copy into
