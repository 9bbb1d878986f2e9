from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from network_factory import picture
from torch import Tensor

from vidstyle.errors import ConfigError, OpenError
from vidstyle.imaging.warp import backward_warp
from vidstyle.training import clips
from vidstyle.training.clips import ClipBatch, ClipPairs, clip_stability_loss

SIZE = (96, 128)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def write_clip(
    path: Path, frame: Callable[[int], Tensor], num: int, rate: int = 24, pixel_format: str = "yuv444p"
) -> Path:
    """Frames (3, H, W) in [0, 1] as a nearly lossless clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "4"})
        height, width = frame(0).shape[-2:]
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        for i in range(num):
            pixels = (frame(i) * 255).round().byte().permute(1, 2, 0).numpy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))))
        container.mux(stream.encode())
    return path


def panned(seed: int = 0, size: tuple[int, int] = SIZE) -> Callable[[int], Tensor]:
    """A picture that moves three pixels to the left a frame."""
    scene = picture(size[0], size[1] + 90, seed=seed)[0]
    return lambda i: scene[:, :, 3 * i : 3 * i + size[1]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "a.mp4", panned(), 8)
    write_clip(folder / "b.mkv", panned(1), 5)
    (folder / "notes.txt").write_text("no clip")
    return folder


@pytest.fixture(scope="module")
def pairs(folder: Path) -> ClipPairs:
    return ClipPairs([folder], 64)


def test_pairs_of_all_clips_are_taken(pairs: ClipPairs, folder: Path) -> None:
    assert len(pairs) == 7 + 4
    assert pairs.names == ("a.mp4", "b.mkv")
    assert len(ClipPairs([folder / "b.mkv"], 64)) == 4


def test_crops_are_deterministic_and_in_range(pairs: ClipPairs, folder: Path) -> None:
    batch, again = pairs.batch(6, generator(3)), ClipPairs([folder], 64).batch(6, generator(3))
    assert batch.frames.shape == batch.previous.shape == (6, 3, 64, 64)
    assert batch.flow_backward.shape == (6, 2, 64, 64)
    assert batch.valid.shape == (6, 1, 64, 64)
    for name in ("frames", "previous", "flow_backward", "valid"):
        mine, theirs = getattr(batch, name), getattr(again, name)
        assert mine.dtype == torch.float32
        assert torch.equal(mine, theirs)
        if name != "flow_backward":
            assert mine.min() >= -1e-5
            assert mine.max() <= 1 + 1e-5
    assert not torch.equal(batch.frames, pairs.batch(6, generator(4)).frames)


def test_flow_leads_from_a_crop_to_the_one_before(pairs: ClipPairs) -> None:
    """However the window was scaled and flipped."""
    batch = pairs.batch(24, generator())
    inner = (..., slice(8, -8), slice(8, -8))
    for i in range(24):
        one = (slice(i, i + 1),)
        warped = backward_warp(batch.previous[one], batch.flow_backward[one])
        moved = (batch.frames[one] - warped).abs()[inner].mean()
        still = (batch.frames[one] - batch.previous[one]).abs()[inner].mean()
        assert moved < 0.4 * still
        assert batch.valid[one][inner].mean() > 0.7
    horizontal = batch.flow_backward[:, 0].median(-1).values.median(-1).values
    assert (horizontal > 0).any()
    assert (horizontal < 0).any()  # flipped
    assert horizontal.abs().max() - horizontal.abs().min() > 0.5  # scaled
    assert horizontal.abs().max() < 3.2


def test_what_flows_out_of_the_crop_is_not_trusted(pairs: ClipPairs) -> None:
    batch = pairs.batch(16, generator())
    to_the_right = batch.flow_backward[:, 0].mean((1, 2)) > 0
    assert batch.valid[to_the_right][..., -1].max() == 0
    assert batch.valid[~to_the_right][..., 0].max() == 0
    assert batch.valid[..., 8:-8].mean() > 0.7


def test_no_pair_spans_a_cut(tmp_path: Path) -> None:
    bright, dark = (lambda i: 0.6 + 0.4 * panned(2)(i)), (lambda i: 0.3 * panned(3)(i))
    clip = write_clip(tmp_path / "cut.mp4", lambda i: dark(i) if i < 6 else bright(i), 12)
    pairs = ClipPairs([clip], 64)
    assert len(pairs) == 10
    batch = pairs.batch(60, generator())
    assert (batch.frames.mean((1, 2, 3)) - batch.previous.mean((1, 2, 3))).abs().max() < 0.1


def test_what_cannot_be_followed_is_left_out(tmp_path: Path) -> None:
    noise = torch.rand(9, 3, *SIZE, generator=generator())
    smooth = panned()
    clip = write_clip(tmp_path / "noise.mp4", lambda i: noise[i] if i < 4 else smooth(i), 8)
    assert len(ClipPairs([clip], 64)) < 5
    with pytest.raises(ConfigError, match="can be followed"):
        ClipPairs([write_clip(tmp_path / "only.mp4", lambda i: noise[i], 4)], 64)


def test_many_pairs_are_thinned_evenly(folder: Path, tmp_path: Path) -> None:
    # Brightness tells the time.
    clip = write_clip(tmp_path / "long.mkv", lambda i: (panned()(i % 24) * 0.3 + i * 0.01).clamp(0, 1), 61)
    pairs = ClipPairs([clip], 64, max_pairs=6)
    assert len(pairs) == 6
    levels = torch.stack([pair.frame.float().mean() / 255 for pair in pairs._pairs])
    steps = levels.diff() / 0.01
    assert (steps > 6).all()
    assert (steps < 19).all()
    assert len(ClipPairs([clip, folder], 64, max_pairs=6)) == 2 + 2 + 2
    assert len(ClipPairs([clip, folder], 64, max_pairs=2)) == 2


def test_a_long_clip_is_read_in_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "_NUM_WINDOWS", 3)
    monkeypatch.setattr(clips, "_WINDOW_SECONDS", 4 / 24)
    clip = write_clip(tmp_path / "long.mkv", lambda i: (panned()(i % 24) * 0.3 + i * 0.01).clamp(0, 1), 60)
    found = [float(frame.float().mean()) / 255 for _, frame in clips._consecutive(clip)]
    assert len(found) == 9
    assert found[3] - found[0] == pytest.approx(0.2, abs=0.03)  # 20 frames on
    assert found[6] - found[3] == pytest.approx(0.2, abs=0.03)


def test_frames_are_reduced_but_not_below_a_crop(folder: Path) -> None:
    reduced = ClipPairs([folder / "b.mkv"], 64, max_side_px=96)
    assert {tuple(pair.frame.shape) for pair in reduced._pairs} == {(3, 72, 96)}
    flow = torch.stack([pair.flow_backward for pair in reduced._pairs]).float()
    assert flow[:, 0].median() == pytest.approx(3 * 96 / 128, abs=0.25)
    assert {tuple(pair.frame.shape) for pair in ClipPairs([folder / "b.mkv"], 64, max_side_px=32)._pairs} == {
        (3, 64, 85)
    }


@pytest.mark.parametrize("max_side_px", [640, 96], ids=["as it is", "reduced"])
def test_ten_bits_are_seen_as_eight_are(folder: Path, tmp_path: Path, max_side_px: int) -> None:
    write_clip(tmp_path / "deep.mkv", panned(1), 5, pixel_format="yuv444p10le")
    deep = ClipPairs([tmp_path / "deep.mkv"], 64, max_side_px=max_side_px)._pairs
    plain = ClipPairs([folder / "b.mkv"], 64, max_side_px=max_side_px)._pairs
    assert len(deep) == len(plain) == 4
    for one, other in zip(deep, plain, strict=True):
        assert one.frame.dtype == torch.uint8
        assert (one.frame.float() - other.frame.float()).abs().mean() < 2


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no clip in"):
        ClipPairs([tmp_path], 64)
    with pytest.raises(OpenError, match=r"absent\.mp4"):
        ClipPairs([tmp_path / "absent.mp4"], 64)
    with pytest.raises(ConfigError, match="128x128"):
        ClipPairs([folder], 128)


def test_small_clips_are_left_out_beside_large_ones(folder: Path, tmp_path: Path) -> None:
    large = write_clip(tmp_path / "large.mp4", panned(size=(128, 160)), 4)
    assert ClipPairs([folder, large], 128).names == ("large.mp4",)


def test_stability_is_zero_for_what_moves_along_and_where_nothing_is_trusted(pairs: ClipPairs) -> None:
    batch = pairs.batch(4, generator())
    painted = picture(64, 64, num=4)
    along = backward_warp(painted, batch.flow_backward)
    assert clip_stability_loss(along, painted, batch).item() == 0
    loss = clip_stability_loss(painted, painted, batch)
    assert loss > 0.01
    expected = (batch.valid * (painted - along).abs()).mean()
    torch.testing.assert_close(loss, expected)
    blind = ClipBatch(batch.frames, batch.previous, batch.flow_backward, torch.zeros_like(batch.valid))
    assert clip_stability_loss(painted, painted, blind).item() == 0
