"""Evaluation of finished clips: what is found, how frames are matched, and that memory stays flat."""

from __future__ import annotations

import gc
import json
import math
import os
import re
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from clip_factory import SIZE, inverted, sliding, write_frames
from fakes import StillFlow
from network_factory import squeeze_encoder

from vidstyle.errors import ConfigError, OpenError, UnsupportedMediaError
from vidstyle.evaluation.clip_report import ClipReport
from vidstyle.evaluation.clips import Judge, evaluate
from vidstyle.evaluation.pairing import MatchedClips, MatchedFrames
from vidstyle.evaluation.report_files import ResultFiles
from vidstyle.evaluation.report_page import report_page
from vidstyle.flow.judge import choose_judge
from vidstyle.flow.select import FlowChoice
from vidstyle.media.stills import write_still

NUM = 18


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("clips") / "source.mkv", sliding(NUM))


@pytest.fixture(scope="module")
def steady(source: Path) -> Path:
    return write_frames(source.with_name("steady.mkv"), inverted(sliding(NUM)))


@pytest.fixture(scope="module")
def alone(source: Path) -> Path:
    return write_frames(source.with_name("alone.mkv"), inverted(sliding(NUM), flicker=0.05))


@pytest.fixture(scope="module")
def style(source: Path) -> Path:
    path = source.with_name("style.png")
    write_still(path, next(inverted(sliding(1))))
    return path


@pytest.fixture(scope="module")
def report(source: Path, steady: Path, alone: Path, style: Path) -> ClipReport:
    judging = Judge(choose_judge("farneback"), squeeze_encoder(), "random SqueezeNet")
    return evaluate(source, steady, alone, style=style, judging=judging)


def test_flicker_is_told_from_steadiness(report: ClipReport) -> None:
    tracks = report.tracks
    for gap in (1, 5):
        # The negative moves exactly as its source does; the other has noise of variance 0.05² in both frames.
        assert tracks["stylized"].warping_error[gap] == pytest.approx(tracks["source"].warping_error[gap], rel=0.05)
        assert tracks["per_frame"].warping_error[gap] == pytest.approx(2 * 0.05**2, rel=0.25)
        assert tracks["stylized"].normalized_error[gap] < tracks["per_frame"].normalized_error[gap]
        assert report.judged_share[gap] > 0.5
    assert report.num_frames == NUM
    assert report.size == SIZE
    assert report.flow == "farneback"
    assert report.cut_seconds == ()


def test_cost_and_style_are_measured_against_the_frames_painted_alone(report: ClipReport) -> None:
    assert report.comparison is not None
    assert report.comparison.band_energy_ratios[0] < 0.9  # noise is texture, too, and the steady clip has none
    assert 30 < report.comparison.low_pass_psnr_min < 60
    figures = report.styles["stylized"], report.styles["per_frame"]
    for kind in ("gram_distance", "feature_pair_distance"):
        assert getattr(figures[0], kind) < getattr(figures[1], kind)
    assert figures[0].patch_swd == pytest.approx(figures[1].patch_swd, rel=0.05)
    assert {gate.name: gate.passed for gate in report.gates} == {"bands": False, "style": True, "drift": True}
    assert report.passed is False


def test_without_per_frame_render_and_style_what_is_left_is_measured(source: Path, steady: Path) -> None:
    found = evaluate(source, steady)
    assert found.comparison is None
    assert found.passed is None
    assert found.styles["stylized"].patch_swd is None
    assert set(found.tracks) == {"source", "stylized"}
    assert found.tracks["stylized"].warping_error[1] < 1e-3


def test_json_has_what_is_documented_and_nothing_json_has_not(report: ClipReport) -> None:
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    documented = (Path(__file__).parents[3] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    for key in document:
        assert f"`{key}`" in documented
    assert document["version"] == 1
    assert document["tracks"]["stylized"]["warping_error"].keys() == {"1", "5"}
    series = document["series"]
    assert len(series["seconds"]) == NUM
    assert series["warping_error_1_source"][0] is None  # no frame before the first
    assert series["warping_error_5_stylized"][5] > 0
    assert {"band_0", "drift"} <= series.keys()
    assert document["worst_moments"][0]["index"] > 0


def test_the_page_holds_everything_itself_and_escapes_names(report: ClipReport) -> None:
    page = report_page(report)
    assert not re.search(r"https?://|src=\"(?!data:)|url\(|<script|@import|<link", page)
    assert "default-src 'none'" in page
    assert page.count('<figure class="chart">') == 4
    assert page.count('<figure class="slice">') == 3
    assert page.count("data:image/jpeg;base64,") == 3 * len(report.moments) > 0
    assert page.count("data:image/png;base64,") == 3
    hostile = report.clips | {"stylized": "<script>alert(1)</script>.mp4"}
    object.__setattr__(report, "clips", hostile)
    try:
        assert "<script>" not in report_page(report)
    finally:
        object.__setattr__(report, "clips", hostile | {"stylized": "steady.mkv"})


def test_worst_moments_are_where_it_flickers(source: Path, tmp_path: Path) -> None:
    frames = list(inverted(sliding(NUM)))
    frames[9] = (frames[9].float() * 0.6).to(torch.uint8)
    found = evaluate(source, write_frames(tmp_path / "flash.mkv", frames))
    assert found.moments[0].index in (9, 10)
    assert found.moments[0].error > 10 * found.moments[0].floor
    assert set(found.moments[0].pictures) == {"source", "stylized", "difference"}


def test_pairs_across_a_cut_do_not_count(tmp_path: Path) -> None:
    def joined() -> list[torch.Tensor]:
        return [*sliding(9), *(255 - frame for frame in sliding(9, seed=5))]

    clip = write_frames(tmp_path / "cut.mkv", joined())
    found = evaluate(clip, write_frames(tmp_path / "cut-painted.mkv", inverted(joined())))
    assert found.cut_seconds == (pytest.approx(9 / 24, abs=1e-3),)
    assert found.tracks["stylized"].warping_error[1] < 1e-3
    assert math.isnan(found.series.values("warping_error_1_source")[9])


def matched(*paths: Path, **settings: float) -> list[MatchedFrames]:
    with MatchedClips(*paths, **settings) as clips:  # type: ignore[arg-type]
        return list(clips)


def test_another_size_is_resampled_and_said(source: Path, tmp_path: Path) -> None:
    half = (F.avg_pool2d(frame[None].float(), 2)[0].round().to(torch.uint8) for frame in inverted(sliding(NUM)))
    small = write_frames(tmp_path / "half.mkv", half)
    found = evaluate(source, small)
    assert found.size == (48, 32)
    assert "source.mkv is 96x64" in found.notes[0]
    assert found.tracks["stylized"].warping_error[1] < 1e-3
    for size, expected in (("100%", (48, 32)), ("200%", SIZE), ("96x64", SIZE)):
        with MatchedClips(source, small, size=size) as clips:
            assert clips.size == expected
            pictures = next(iter(clips))
            assert {tuple(p.shape) for p in (pictures.source, *pictures.others)} == {(3, expected[1], expected[0])}
    with pytest.raises(ConfigError, match="A size is written"):
        MatchedClips(source, small, size="large")


def test_clips_of_other_proportions_are_refused(source: Path, tmp_path: Path) -> None:
    cropped = write_frames(tmp_path / "cropped.mkv", (frame[:, 8:] for frame in inverted(sliding(4))))
    with pytest.raises(UnsupportedMediaError, match=r"other proportions than .*; render it without cropping"):
        MatchedClips(source, cropped)


def test_what_goes_on_after_the_range_is_told_of(source: Path, tmp_path: Path) -> None:
    whole = write_frames(tmp_path / "whole.mkv", inverted(sliding(NUM)))
    assert "whole.mkv goes on after the last frame compared" in evaluate(source, whole, end_seconds=0.3).notes[0]
    part = write_frames(tmp_path / "part.mkv", list(inverted(sliding(NUM)))[:8])
    assert not evaluate(source, part, end_seconds=0.32).notes


@pytest.mark.parametrize("size", ["1x1", "96x1", "7x5"])
def test_pictures_too_small_to_judge_are_refused(source: Path, tmp_path: Path, size: str) -> None:
    painted = write_frames(tmp_path / "painted.mkv", inverted(sliding(3)))
    with pytest.raises(UnsupportedMediaError, match=rf"at {size} pixels.*--size"):
        MatchedClips(source, painted, size=size)


def test_a_shorter_clip_is_refused_unless_the_end_is_named(source: Path, tmp_path: Path) -> None:
    short = write_frames(tmp_path / "short.mkv", inverted(sliding(NUM - 4)))
    with pytest.raises(UnsupportedMediaError, match=r"short.mkv ends after 14 frames .* with --end"):
        matched(source, short)
    with pytest.raises(UnsupportedMediaError, match=r"source.mkv ends after 18 frames"):
        matched(source, write_frames(tmp_path / "long.mkv", inverted(sliding(NUM + 1))))
    assert len(matched(source, short, end_seconds=13.5 / 24)) == 14


def test_another_rate_is_refused(source: Path, tmp_path: Path) -> None:
    faster = write_frames(tmp_path / "faster.mkv", inverted(sliding(NUM)), rate=30)
    with pytest.raises(UnsupportedMediaError, match=r"Frame \d+ of .*faster.mkv is at .* same frame rate"):
        matched(source, faster)


def test_times_count_from_the_first_frame_and_a_start_can_be_named(source: Path, tmp_path: Path) -> None:
    late = write_frames(tmp_path / "late.mkv", inverted(sliding(NUM)), offset=7)
    assert len(matched(source, late)) == NUM
    tail = write_frames(tmp_path / "tail.mkv", islice(inverted(sliding(NUM)), 6, None))
    moments = matched(source, tail, start_seconds=6 / 24)
    assert len(moments) == NUM - 6
    for moment in moments:
        assert (moment.source.float() + moment.others[0].float() == 255).all()


def test_results_appear_whole_or_not_at_all(report: ClipReport, source: Path, tmp_path: Path) -> None:
    files = ResultFiles.claim(tmp_path / "f.json", tmp_path / "a" / "b", (source,))
    assert sorted(path.name for path in files.write(report)) == ["f.json", "index.html"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["f.json", "index.html"]
    with pytest.raises(OpenError, match="exists already"):
        ResultFiles.claim(tmp_path / "f.json", None)
    ResultFiles.claim(tmp_path / "f.json", tmp_path / "a" / "b", overwrite=True)
    with pytest.raises(OpenError, match="is the input itself"):
        ResultFiles.claim(source, None, (source,), overwrite=True)
    with pytest.raises(OpenError, match="is a file"):
        ResultFiles.claim(None, tmp_path / "f.json")


def test_memory_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    def long() -> Iterator[torch.Tensor]:
        there = list(sliding(20))
        return islice(cycle([*there, *there[::-1]]), 240)

    clip = write_frames(tmp_path / "long.mkv", long())
    painted = write_frames(tmp_path / "long-painted.mkv", inverted(long(), flicker=0.02))
    resident: dict[int, float] = {}

    def on_progress(done: int, expected: int | None) -> None:
        if done in (60, 240):
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            resident[done] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    still = FlowChoice(StillFlow(), "still", "a flow that costs nothing")
    found = evaluate(clip, painted, judging=Judge(still), on_progress=on_progress)
    assert found.num_frames == 240
    # 180 frames of two clips as floats would be 26 MB; rows for the slice through time are 1 MB.
    assert resident[240] - resident[60] < 10
