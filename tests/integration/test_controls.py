"""The artist's controls: what each does to a frame, and that a preview shows what a render makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import media_factory as factory
import numpy as np
import pytest
from deep_factory import codes, make_deep_clip
from PIL import Image

import vidstyle as package
from vidstyle.config import RenderConfig, make_config

SIZE = (64, 48)
#: The filter then remembers a few frames, of which a preview paints only those that matter.
CONSISTENCY = 0.5
NUM_FRAMES = 30
INVERTING = "LUT_3D_SIZE 2\n" + "\n".join(f"{1 - r} {1 - g} {1 - b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A textured, grainy pan of 30 frames, lossless and in RGB."""
    path = tmp_path_factory.mktemp("clips") / "pan.mkv"
    random = np.random.default_rng(2)
    coarse = random.normal(0, 40, (30, 40, 1)) + random.normal(0, 12, (30, 40, 3)) + np.array((150, 115, 80))
    small = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    ground = np.asarray(small.resize((240, 180), Image.Resampling.BICUBIC)).astype(np.float64)
    frames = [ground[20 : 20 + SIZE[1], 2 * i : 2 * i + SIZE[0]] for i in range(NUM_FRAMES)]
    return write_clip(path, [(frame + random.normal(0, 3, frame.shape)) for frame in frames])


@pytest.fixture(scope="module")
def mattes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a matte as a picture, as numbered pictures and as a clip: white right of an edge that moves."""
    folder = tmp_path_factory.mktemp("mattes")
    pictures = []
    for index in range(NUM_FRAMES):
        grey = np.where(np.arange(SIZE[0]) >= 10 + index, 255, 0).astype(np.uint8)
        pictures.append(np.repeat(np.repeat(grey[None, :, None], SIZE[1], 0), 3, 2))
        Image.fromarray(pictures[-1]).save(folder / f"matte.{index + 1001}.png")
    Image.fromarray(pictures[22]).save(folder / "still.png")
    write_clip(folder / "matte.mkv", pictures)
    (folder / "invert.cube").write_text(INVERTING + "\n")
    return folder


def write_clip(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "bgr0"
        for picture in pictures:
            data = np.ascontiguousarray(picture.round().clip(0, 255).astype(np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(data)))
        container.mux(stream.encode(None))
    return path


def rgb_frames(path: Path) -> np.ndarray:
    """(N, 3, H, W) uint8."""
    return factory.rgb_frames(path).transpose(0, 3, 1, 2)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.square(a.astype(np.float64) - b).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


@pytest.fixture(scope="module")
def plain(clip: Path, painted_style: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The clip painted without any control."""
    return painted(clip, tmp_path_factory.mktemp("plain") / "out.mkv", style=str(painted_style))


def painted(clip: Path, output: Path, **settings: Any) -> np.ndarray:
    lossless = {"codec": "ffv1", "pixel_format": "bgr0", "flow": "dis", "consistency": CONSISTENCY}
    package.stylize(clip, output, overwrite=True, **(lossless | settings))
    return rgb_frames(output)


@pytest.fixture
def paint(clip: Path, painted_style: Path, tmp_path: Path) -> Callable[..., np.ndarray]:
    """Render the clip without loss; (N, 3, H, W) uint8."""

    def run(**settings: Any) -> np.ndarray:
        return painted(clip, tmp_path / "out.mkv", **({"style": str(painted_style)} | settings))

    return run


def stored_planes(path: Path) -> list[list[bytes]]:
    """Every sample of every frame, as the decoder gives it."""
    with av.open(str(path)) as container:
        return [
            [np.ascontiguousarray(plane_rows(plane)).tobytes() for plane in frame.planes]
            for frame in container.decode(video=0)
        ]


def plane_rows(plane: Any) -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    bytes_a_pixel = max(plane.line_size // plane.width, 1) if plane.width > 16 else 1
    return rows[: plane.height, : plane.width * min(bytes_a_pixel, 4)]


def test_beside_a_mask_every_sample_stays(painted_style: Path, tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "in.mkv", "yuv420p", size=(64, 48), noisy=True)
    half = np.zeros((48, 64), np.uint8)
    half[:, 40:] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    settings = {"codec": "ffv1", "pixel_format": "yuv420p", "mask": tmp_path / "half.png"}
    package.stylize(source, tmp_path / "out.mkv", style=str(painted_style), **settings)
    for before, after in zip(codes(source), codes(tmp_path / "out.mkv"), strict=True):
        for old, new, edge in zip(before, after, (40, 19, 19), strict=True):
            assert np.array_equal(old[:, :edge], new[:, :edge])
            assert np.abs(old[:, edge + 2 :] - new[:, edge + 2 :]).mean() > 5


@pytest.mark.parametrize(
    ("codec", "pixel_format", "size"),
    [
        ("ffv1", "yuv420p", (64, 48)),
        ("ffv1", "yuv422p10le", (50, 34)),
        ("ffv1", "yuv444p", (37, 23)),
        ("ffv1", "bgr0", (40, 30)),
        ("libx264", "yuv420p", (48, 34)),
    ],
)
def test_no_strength_leaves_every_sample(
    painted_style: Path, tmp_path: Path, codec: str, pixel_format: str, size: tuple[int, int]
) -> None:
    source = factory.make_clip(tmp_path / "in.mkv", codec=codec, pixel_format=pixel_format, size=size, num_frames=6)
    output = tmp_path / "out.mkv"
    package.stylize(source, output, style=str(painted_style), strength=0.0, codec="ffv1")
    assert stored_planes(output) == stored_planes(source)
    keys = [{"at": 0, "style": "identity", "ease": "hold"}, {"at": 4 / 24, "style": str(painted_style)}]
    package.stylize(source, output, keyframes=keys, codec="ffv1", overwrite=True)
    assert stored_planes(output)[:4] == stored_planes(source)[:4]
    assert stored_planes(output)[4] != stored_planes(source)[4]
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


CONTROLS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "strength": lambda mattes, style: {"strength": 0.4},
    "luma": lambda mattes, style: {"preserve_color": "luma"},
    "transfer": lambda mattes, style: {"preserve_color": "transfer"},
    "mask picture": lambda mattes, style: {"mask": mattes / "still.png", "feather": 6.0},
    "mask sequence": lambda mattes, style: {"mask": mattes / "matte.%04d.png", "invert_mask": True},
    "mask clip": lambda mattes, style: {"mask": mattes / "matte.mkv"},
    "regions": lambda mattes, style: {
        "regions": [{"mask": mattes / "matte.mkv", "style": "identity"}],
        "mask": mattes / "still.png",
    },
    "mixture": lambda mattes, style: {"style": f"{style}:0.7+identity:0.3"},
    "keyframes": lambda mattes, style: {
        "keyframes": [
            {"at": 0.2, "strength": 0.1, "consistency": 0.2, "ease": "smooth"},
            {"at": 0.9, "strength": 1.0, "consistency": 1.0, "detail": 0.5},
        ]
    },
    "lut before": lambda mattes, style: {"lut": mattes / "invert.cube", "lut_at": "before"},
    "lut after": lambda mattes, style: {"lut": mattes / "invert.cube"},
    "style scale": lambda mattes, style: {"style_scale": 2.0},
    "detail": lambda mattes, style: {"detail": 0.8},
    "grain keep": lambda mattes, style: {"grain": "keep"},
    "grain remove": lambda mattes, style: {"grain": "remove"},
    "consistency": lambda mattes, style: {"consistency": 0.95},
    "style weight": lambda mattes, style: of_pictures(style, style_weight=0.6),
    "style weight over time": lambda mattes, style: of_pictures(
        style, keyframes=[{"at": 0.5, "style_weight": 0.0}, {"at": 1.0, "style_weight": 1.0}]
    ),
    "colours over time": lambda mattes, style: over_time("preserve_color", 0.6, "none", "transfer"),
    "grain over time": lambda mattes, style: over_time("grain", 0.6, "off", "remove"),
    "lut over time": lambda mattes, style: over_time("lut", 0.6, "none", mattes / "invert.cube"),
    "lut before over time": lambda mattes, style: {
        "lut_at": "before",
        **over_time("lut", 0.8, mattes / "invert.cube", "none"),
        "preserve_color": "transfer",
    },
    "lut_at over time": lambda mattes, style: {
        "lut": mattes / "invert.cube",
        **over_time("lut_at", 0.8, "after", "before"),
        "grain": "keep",
    },
    "style scale over time": lambda mattes, style: over_time("style_scale", 1.2, 0.7, 2.0),
    "mask over time": lambda mattes, style: over_time("mask", 0.8, "none", mattes / "matte.%04d.png"),
    "inverted over time": lambda mattes, style: {
        "mask": mattes / "matte.mkv",
        **over_time("invert_mask", 0.8, False, True),
    },
    "feather over time": lambda mattes, style: {"mask": mattes / "still.png", **over_time("feather", 1.2, 0.0, 30.0)},
    "style over time": lambda mattes, style: over_time("style", 1.2, str(style), "identity"),
    "pictures over time": lambda mattes, style: of_pictures(
        style, **over_time("style", 1.2, str(style.parent / "waves.png"), str(mattes / "still.png"))
    ),
    "regions over time": lambda mattes, style: {
        "regions": [
            {
                "mask": mattes / "matte.mkv",
                "style": "identity",
                "keyframes": [
                    {"at": 0, "strength": 0},
                    {"at": 1, "strength": 1, "feather": 9},
                    {"at": 2, "feather": 0},
                ],
            }
        ]
    },
    "mixture of pictures": lambda mattes, style: of_pictures(style, f"{style.parent / 'waves.png'}:2+identity"),
}


def over_time(name: str, until: float, first: Any, second: Any) -> dict[str, Any]:
    """Settings of two keyframes, the first in the middle of the temporal filter's warm-up."""
    return {"keyframes": [{"at": 0.4, name: first}, {"at": until, name: second}]}


def of_pictures(style: Path, name: str = "", **settings: Any) -> dict[str, Any]:
    """Settings of a picture as style."""
    model = style.parent / "adain.safetensors"
    return {"style": name or str(style.parent / "waves.png"), "adain_model": model, **settings}


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.usefixtures("adain_model", "style_picture")
def test_a_preview_shows_what_a_render_makes(
    name: str, paint: Callable[..., np.ndarray], plain: np.ndarray, clip: Path, mattes: Path, painted_style: Path
) -> None:
    settings = {"style": str(painted_style), "consistency": CONSISTENCY} | CONTROLS[name](mattes, painted_style)
    whole = paint(end_seconds=23 / 24, **settings)
    (cell,) = package.preview(clip, at=22.5 / 24, flow="dis", **settings).cells
    assert psnr(cell.stylized.numpy(), whole[22]) > 45
    assert psnr(plain[22], whole[22]) < 40, "the control changes nothing"


def test_everything_changes_at_once_where_it_is_held(
    paint: Callable[..., np.ndarray], plain: np.ndarray, clip: Path, mattes: Path
) -> None:
    """Up to the keyframe nothing is changed, and nothing of it is left behind."""
    changed = {"style_scale": 2.0, "preserve_color": "transfer", "grain": "remove", "lut": mattes / "invert.cube"}
    changed |= {"lut_at": "before", "mask": mattes / "still.png", "feather": 4.0, "invert_mask": True, "detail": 0.5}
    before = {"style_scale": 1.0, "preserve_color": "none", "grain": "off", "lut": "none", "lut_at": "after"}
    before |= {"mask": "none", "feather": 0.0, "invert_mask": False, "detail": 0.0, "ease": "hold"}
    moving = paint(keyframes=[{"at": 0, **before}, {"at": 0.5, **changed}])
    assert np.array_equal(moving[:12], plain[:12])
    begun_there = paint(**changed, shots=[{"start": 0.5}])
    assert np.array_equal(moving[12:], begun_there[12:])


def test_styles_dissolve_into_each_other_in_time(
    paint: Callable[..., np.ndarray], plain: np.ndarray, clip: Path, painted_style: Path
) -> None:
    """Each is made steady on its own: nothing of the first lags behind, and the source is the source."""
    source = rgb_frames(clip)
    keys = [{"at": 0.25, "style": "identity"}, {"at": 0.75, "style": str(painted_style)}]
    moving = paint(keyframes=keys, consistency=0.9)
    steady = paint(consistency=0.9)
    assert np.array_equal(moving[:7], source[:7])
    assert psnr(moving[12], source[12]) < 40
    assert psnr(moving[12], steady[12]) < 40
    assert min(psnr(a, b) for a, b in zip(moving[18:], steady[18:], strict=True)) > 30
    back = paint(keyframes=[{"at": 0, "style": str(painted_style), "ease": "hold"}, {"at": 0.5, "style": "identity"}])
    assert np.array_equal(back[:12], plain[:12])
    assert np.array_equal(back[12:], source[12:])


def test_a_region_does_not_notice_another_style_beside_it(
    paint: Callable[..., np.ndarray], mattes: Path, painted_style: Path
) -> None:
    region = {"regions": [{"mask": mattes / "still.png", "style": str(painted_style)}]}
    keys = [{"at": 0, "style": "identity", "ease": "hold"}, {"at": 0.5, "style": f"{painted_style}:0.5+identity:0.5"}]
    moving, alone = paint(keyframes=keys, **region), paint(style="identity", **region)
    inside = np.s_[..., 10 + 22 :]
    assert np.array_equal(moving[inside], alone[inside])
    assert psnr(moving[20], alone[20]) < 40


def test_several_moments_of_one_preview_are_each_as_in_the_render(
    paint: Callable[..., np.ndarray], clip: Path, adain_model: Path, style_picture: Path, painted_style: Path
) -> None:
    """Turning a style for one of them leaves no trace, nor does it in colours that are measured anew."""
    settings = {
        "style": f"{style_picture}+{painted_style}",
        "adain_model": adain_model,
        "preserve_color": "transfer",
        "keyframes": [{"at": 0, "style_weight": 0.0}, {"at": 1, "style_weight": 1.0}],
        "consistency": CONSISTENCY,
    }
    whole = paint(**settings)
    moments = [2.5 / 24, 24.5 / 24, 2.5 / 24]
    cells = package.preview(clip, at=moments, flow="dis", **settings).cells
    for cell, moment in zip(cells, moments, strict=True):
        assert psnr(cell.stylized.numpy(), whole[int(moment * 24)]) > 45


def test_colours_are_taken_from_what_is_seen(paint: Callable[..., np.ndarray], mattes: Path) -> None:
    """Also where a table before all else changes what that is."""
    common = {"preserve_color": "transfer", "consistency": 0.0, "lut_at": "before"}
    keys = [{"at": 0, "lut": "none"}, {"at": 0.5, "lut": mattes / "invert.cube"}]
    moving = paint(keyframes=keys, **common)
    assert np.array_equal(moving[:12], paint(**common)[:12])
    assert np.array_equal(moving[12:], paint(lut=mattes / "invert.cube", **common)[12:])


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_brush_that_grows_in_a_batch(paint: Callable[..., np.ndarray], batch_size: int) -> None:
    common = {"consistency": 0.0, "batch_size": batch_size}
    keys = [{"at": 0, "style_scale": 0.5}, {"at": 1, "style_scale": 1.5}]
    moving = paint(keyframes=keys, **common)
    for index, scale in ((0, 0.5), (12, 1.0), (24, 1.5), (28, 1.5)):
        (alone,) = paint(style_scale=scale, frames=f"{index}-{index}", **common)
        assert psnr(moving[index], alone) > 55


def test_a_part_is_turned_as_the_whole(paint: Callable[..., np.ndarray], mattes: Path) -> None:
    """Keyframes and mattes keep their place in the clip, and what is measured on it does not depend on the range."""
    keys = [{"at": 0.5, "strength": 0.2}, {"at": 1.2, "strength": 1.0, "ease": "hold"}]
    settings = {"keyframes": keys, "mask": mattes / "matte.mkv", "preserve_color": "transfer", "grain": "keep"}
    whole, part = paint(**settings), paint(start_seconds=20.5 / 24, **settings)
    assert len(part) == 9
    assert all(psnr(a, b) > 45 for a, b in zip(part, whole[21:], strict=True))


@pytest.mark.parametrize(
    ("settings", "shown"), [({}, range(10)), ({"start_seconds": 0.3}, range(5, 10)), ({"frames": "2-6"}, range(2, 7))]
)
def test_a_matte_counts_frames_where_their_times_are_uneven(
    clip_vfr_mkv: Path, painted_style: Path, tmp_path: Path, settings: dict[str, Any], shown: range
) -> None:
    for index in range(len(factory.VFR_PTS_MS)):
        Image.fromarray(np.full((48, 64), 255 * (index % 2), np.uint8)).save(tmp_path / f"m.{index:03d}.png")
    lossless = {"codec": "ffv1", "consistency": 0.0, "style": str(painted_style), **settings}
    package.stylize(clip_vfr_mkv, tmp_path / "masked.mkv", mask=tmp_path / "m.%03d.png", **lossless)
    package.stylize(clip_vfr_mkv, tmp_path / "source.mkv", strength=0.0, **lossless)
    masked, source = rgb_frames(tmp_path / "masked.mkv"), rgb_frames(tmp_path / "source.mkv")
    assert [psnr(a, b) < 30 for a, b in zip(masked, source, strict=True)] == [index % 2 == 1 for index in shown]


def test_a_matte_beside_a_sequence(vidstyle, painted_style: Path, tmp_path: Path) -> None:
    for index in range(8):
        Image.fromarray(factory.picture(index)).save(tmp_path / f"shot.{index + 1001}.png")
        Image.fromarray(np.full((48, 64), 255 * (index % 2), np.uint8)).save(tmp_path / f"m.{index:03d}.png")
    arguments = (
        "--style",
        painted_style,
        "--consistency",
        0,
        "--mask",
        tmp_path / "m.%03d.png",
        "--frames",
        "1003-1006",
    )
    done = vidstyle("stylize", tmp_path / "shot.%04d.png", tmp_path / "out.%04d.png", *arguments)
    assert done.exit_code == 0, done.stderr
    outputs = sorted(tmp_path.glob("out.*.png"))
    assert [int(path.name.split(".")[1]) for path in outputs] == [1003, 1004, 1005, 1006]
    pictures = [np.asarray(Image.open(path)).copy() for path in outputs]
    changed = [not np.array_equal(picture, factory.picture(index)) for index, picture in enumerate(pictures, 2)]
    assert changed == [False, True, False, True]
    look = tmp_path / "look.png"
    assert vidstyle("preview", tmp_path / "shot.%04d.png", look, *arguments[:-2], "--at", 3 / 24).exit_code == 0
    with Image.open(look) as sheet:
        assert np.array_equal(np.asarray(sheet)[-48:, -64:], pictures[1])


def test_pictures_as_styles_mix_their_features(
    clip: Path, adain_model: Path, style_picture: Path, tmp_path: Path
) -> None:
    def paint(style: str) -> np.ndarray:
        (cell,) = package.preview(clip, at=0, style=style, adain_model=adain_model, consistency=0.0).cells
        return cell.stylized.numpy()

    other = tmp_path / "other+one:2.png"  # characters a mixture is written with
    Image.fromarray(np.full((40, 40, 3), (30, 60, 200), np.uint8)).save(other)
    first, second, mixed = paint(str(style_picture)), paint(str(other)), paint(f"{style_picture}:1+{other}:3")
    assert np.array_equal(first, paint(f"{style_picture}+{style_picture}:2"))
    assert psnr(mixed, second) > psnr(first, second)
    light = paint(f"{style_picture}:1+{other}:2.9999+identity:0.0001")
    assert psnr(light, mixed) < 45  # features do not mix as light does


def test_style_weight_over_time(paint: Callable[..., np.ndarray], adain_model: Path, style_picture: Path) -> None:
    settings = {"style": str(style_picture), "adain_model": adain_model, "consistency": 0.0, "batch_size": 4}
    keys = [{"at": 0, "style_weight": 0.0, "ease": "hold"}, {"at": 0.5, "style_weight": 1.0}]
    moving = paint(keyframes=keys, **settings)
    none, full = paint(style_weight=0.0, **settings), paint(style_weight=1.0, **settings)
    assert np.array_equal(moving[:12], none[:12])
    assert np.array_equal(moving[12:], full[12:])


def test_a_mask_that_does_not_fit_is_refused_before_the_first_frame(
    vidstyle, clip: Path, mattes: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.png"
    Image.new("L", (10, 10)).save(small)
    for mask, message in ((small, "is 10x10, and the picture 64x48"), (mattes / "none.png", "There is no mask")):
        done = vidstyle("stylize", clip, tmp_path / "out.mp4", "--style", "identity", "--mask", mask)
        assert done.exit_code == 2
        assert message in done.stderr
        assert not (tmp_path / "out.mp4").exists()


def test_regions_and_keyframes_of_a_preset(
    vidstyle, clip: Path, mattes: Path, painted_style: Path, tmp_path: Path
) -> None:
    preset = tmp_path / "look.toml"
    preset.write_text(
        f"""
style = "identity"
codec = "ffv1"
pixel_format = "bgr0"
flow = "dis"
[[regions]]
mask = "{mattes / "matte.%04d.png"}"
style = "{painted_style}"
[[keyframes]]
at = 0.5
strength = 0.0
ease = "hold"
[[keyframes]]
at = 1.0
strength = 1.0
"""
    )
    assert vidstyle("stylize", clip, tmp_path / "out.mkv", "--config", preset).exit_code == 0
    frames, source = rgb_frames(tmp_path / "out.mkv"), rgb_frames(clip)
    assert np.array_equal(frames[:24], source[:24])
    edge = 10 + 26
    assert np.array_equal(frames[26, :, :, :edge], source[26, :, :, :edge])
    assert psnr(frames[26, :, :, edge:], source[26, :, :, edge:]) < 30


def test_a_still_has_controls_too(
    vidstyle, mattes: Path, style_picture: Path, painted_style: Path, tmp_path: Path
) -> None:
    half = np.zeros((80, 112), np.uint8)
    half[:, 56:] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    arguments = ("--style", painted_style, "--grain", "keep", "--preserve-color", "transfer", "--detail", 0.3)
    output = tmp_path / "out.png"
    assert vidstyle("stylize", style_picture, output, *arguments, "--mask", tmp_path / "half.png").exit_code == 0
    with Image.open(output) as picture, Image.open(style_picture) as source:
        found, given = np.asarray(picture), np.asarray(source)
    assert np.array_equal(found[:, :56], given[:, :56])
    assert psnr(found[:, 56:], given[:, 56:]) < 30
    moving = vidstyle("stylize", style_picture, tmp_path / "no.png", *arguments, "--mask", mattes / "matte.mkv")
    assert moving.exit_code == 2
    assert "single picture" in moving.stderr


@pytest.mark.parametrize(("moments", "exit_code"), [(("00:00:00:24", "00:00:01;02"), 0), (("00:00:01:00", 1.0), 2)])
def test_keyframes_of_a_still_are_told_apart_by_timecode(
    vidstyle, style_picture: Path, tmp_path: Path, moments: tuple[Any, Any], exit_code: int
) -> None:
    first, second = moments
    (tmp_path / "look.toml").write_text(
        f"style='identity'\n[[keyframes]]\nat={first!r}\nstrength=0\n[[keyframes]]\nat={second!r}\nstrength=1\n"
    )
    for command in (
        ("stylize", style_picture, tmp_path / "out.png"),
        ("probe", style_picture, "--output", tmp_path / "b.png"),
    ):
        done = vidstyle(*command, "--config", tmp_path / "look.toml")
        assert done.exit_code == exit_code, done.stderr
        assert ("look.toml, line 7" in done.stderr) == bool(exit_code)


def test_a_mixture_with_a_sidecar(paint: Callable[..., np.ndarray], painted_style: Path, tmp_path: Path) -> None:
    paint(style=f"{painted_style}:2+identity", sidecar=True)
    assert "untrained" in (tmp_path / "out.mkv.json").read_text()


def test_a_preset_with_every_setting(vidstyle, tmp_path: Path) -> None:
    output = tmp_path / "mine.toml"
    assert vidstyle("init-config", output).exit_code == 0
    assert make_config(output) == RenderConfig()
    again = vidstyle("init-config", output)
    assert again.exit_code == 1
    assert "--overwrite" in again.stderr
    assert vidstyle("init-config", output, "-y").exit_code == 0
