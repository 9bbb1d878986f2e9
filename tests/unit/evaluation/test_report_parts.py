"""What a report is made of: bounded series, gates, plots, moments and slices."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidstyle.evaluation.gates import judge
from vidstyle.evaluation.highlights import TimeSlices, WorstMoments
from vidstyle.evaluation.meters import ComparisonMeter, ComparisonSummary, TrackMeter, as_float
from vidstyle.evaluation.pair_motion import PairMotion
from vidstyle.evaluation.report_plots import Chart, Line, chart_html
from vidstyle.evaluation.series import TimeSeries
from vidstyle.imaging.opencv import load_opencv


@settings(max_examples=30, deadline=None)
@given(num=st.integers(0, 400), limit=st.sampled_from([2, 8, 50]))
def test_a_series_keeps_means_and_worst_values_in_a_bounded_number_of_points(num: int, limit: int) -> None:
    series = TimeSeries(limit)
    values = [math.sin(7.0 * index) for index in range(num)]
    for index, value in enumerate(values):
        series.add(index / 10, {"error": value, "drift": value, "rare": value if index == 3 else math.nan})
    assert len(series.seconds) <= limit
    per_point = series.frames_per_point
    expected = [values[first : first + per_point] for first in range(0, num, per_point)]
    assert series.seconds == pytest.approx([first / 10 for first in range(0, num, per_point)])
    if num:
        assert series.values("error") == pytest.approx([sum(part) / len(part) for part in expected])
        assert series.values("drift") == pytest.approx([min(part) for part in expected])
    if num > 3:
        known = [value for value in series.values("rare") if not math.isnan(value)]
        assert known == [pytest.approx(values[3])]


def compared(bands: tuple[float, ...], drift: float) -> ComparisonSummary:
    return ComparisonSummary(1.0, bands, drift, drift, 30.0)


def test_gates_are_judged_and_what_is_not_measured_is_open() -> None:
    def verdicts(*args: object) -> list[bool | None]:
        return [gate.passed for gate in judge(*args)]  # type: ignore[arg-type]

    assert verdicts(None) == [None, None, None]
    assert verdicts(compared((0.9, 1.1, 1.0, 1.0), 30.0), 1.05, 1.0) == [True, True, True]
    assert verdicts(compared((0.9, 1.11, 1.0, 1.0), 29.9), 1.06, 1.0) == [False, False, False]
    assert verdicts(compared((1.0,), math.inf), 1.0, None) == [True, None, True]


def test_a_chart_stays_inside_and_breaks_its_line_where_nothing_is_known() -> None:
    values = [1.0, 3.0, math.nan, 2.0, 0.5]
    chart = Chart(
        "<Flicker>",
        "lower is steadier",
        [0.0, 1.0, 2.0, 3.0, 4.0],
        [Line("A & B", "steady", values)],
        marks=[(1.0, "1")],
        cuts=[2.0],
    )
    html = chart_html(chart)
    assert "&lt;Flicker&gt;" in html
    assert "A &amp; B" in html
    path = re.search(r'<path class="curve steady" d="([^"]+)"', html)
    assert path is not None
    assert path[1].count("M") == 2  # before and after the gap
    assert path[1].count("L") == 2
    numbers = [float(number) for number in re.findall(r"[\d.]+", path[1])]
    assert len(numbers) == 8
    assert all(0 <= number <= 1000 for number in numbers)
    assert '<line class="cut" x1="500.0"' in html
    assert 'class="mark" style="left:25.00%"' in html


@pytest.mark.parametrize("values", [[], [0.0], [math.nan, math.nan], [1e-9, 2e-9], [5e6, 5e6]])
def test_a_chart_of_hardly_anything_is_still_a_chart(values: list[float]) -> None:
    html = chart_html(Chart("t", "n", [float(i) for i in range(len(values))], [Line("a", "b0", values)]))
    assert "nan" not in html
    assert "inf" not in html


def test_moments_are_the_worst_and_no_two_are_one() -> None:
    moments = WorstMoments(3)
    picture, nothing = torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8)
    for index in range(200):
        error = {20: 0.5, 22: 0.9, 60: 0.7, 120: 0.8, 160: 0.6}.get(index, 0.01)
        moments.push((index, index / 24), error, 0.005, (picture, picture), nothing)
    assert [moment.index for moment in moments.result()] == [22, 120, 60]


def decoded(png: bytes) -> np.ndarray:
    picture: np.ndarray = load_opencv().imdecode(np.frombuffer(png, np.uint8), 1)
    return picture


def test_a_slice_shows_the_restless_piece_of_the_restless_row() -> None:
    slices = TimeSlices(num_frames=10, width_px=16)
    for index in range(30):
        clip = torch.zeros(3, 52, 64)
        clip[0] = index / 100
        restless = torch.zeros(1, 1, 52, 64)
        if 10 <= index < 20:
            restless[..., 38:44, 40:50] = 1.0
        slices.push(index / 10, {"source": clip, "stylized": 1 - clip}, restless if index else None)
    found = slices.result()
    assert found is not None
    assert (found.start_seconds, found.num_frames) == (1.0, 10)
    assert found.row_share == pytest.approx(41 / 52, abs=0.08)
    picture = decoded(found.pictures["source"])
    assert picture.shape == (10, 16, 3)
    # Time runs downwards: red rises from frame 10 to 19.
    assert picture[:, 8, 2].tolist() == [round(255 * index / 100) for index in range(10, 20)]
    assert TimeSlices().result() is None


def test_wide_and_deep_frames_are_measured_as_what_they_show() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(3, 32, 32, generator=generator)
    motion = {1: PairMotion(torch.zeros(1, 2, 32, 32), torch.ones(1, 1, 32, 32, dtype=torch.bool))}
    summaries = []
    for scale, dtype in ((255, torch.uint8), (65535, torch.uint16), (1, torch.float32)):
        meter, comparison = TrackMeter((32, 32)), ComparisonMeter()
        frames = [(image * gain * scale).round() if scale > 1 else image * gain for gain in (1.0, 0.8)]
        for index, frame in enumerate(frames):
            deep = frame.to(dtype)
            meter.push(deep, motion if index else {})
            assert as_float(deep).max() <= 1
            assert comparison.push(deep, deep, None).low_pass_psnr == math.inf
        summaries.append(meter.summary())
    for summary in summaries:
        assert summary.warping_error[1] == pytest.approx(float((0.2 * image).square().mean()), rel=0.02)
        assert math.isnan(summary.warping_error[5])
        energy = summary.warping_error[1] / summary.normalized_error[1]
        assert energy < summary.gradient_energy  # of the second, darker frame alone
