from __future__ import annotations

import numpy as np
import pytest

from vidstyle.frames import ColorInfo
from vidstyle.media.transfer import (
    HLG_PEAK,
    PQ_PEAK,
    DisplayCurve,
    decoding_table,
    display_curve,
    encoding_table,
    hlg_to_light,
    light_to_hlg,
    light_to_pq,
    pq_to_light,
)

CURVES = [
    DisplayCurve("smpte2084", 1000.0),
    DisplayCurve("smpte2084", 4000.0),
    DisplayCurve("smpte2084", PQ_PEAK),
    DisplayCurve("arib-std-b67", HLG_PEAK),
]


@pytest.mark.parametrize(("light", "signal"), [(0.0, 0.0), (100, 0.508), (203, 0.581), (1000, 0.752), (10000, 1.0)])
def test_pq_has_its_published_points(light, signal):
    # ITU-R BT.2408, table 1 and annex 1.
    assert light_to_pq(np.array([light]))[0] == pytest.approx(signal, abs=6e-4)
    assert pq_to_light(np.array([signal]))[0] == pytest.approx(light, rel=7e-3, abs=1e-6)


@pytest.mark.parametrize(("signal", "scene"), [(0.0, 0.0), (0.5, 1 / 12), (0.75, 0.265), (1.0, 1.0)])
def test_hlg_has_its_published_points(signal, scene):
    light = hlg_to_light(np.array([signal]))[0]

    assert (light / 1000) ** (1 / 1.2) == pytest.approx(scene, abs=5e-4)
    assert light_to_hlg(np.array([light]))[0] == pytest.approx(signal, abs=1e-4)


def test_reference_white_of_hlg_is_203_candelas():
    assert hlg_to_light(np.array([0.75]))[0] == pytest.approx(203, abs=1)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("value_range", ["tv", "pc"])
@pytest.mark.parametrize("depth", [10, 12])
def test_every_code_below_the_peak_comes_back(curve, depth, value_range):
    unit, top = 1 << (depth - 8), (1 << depth) - 1
    black, span = (16 * unit, 219 * unit) if value_range == "tv" else (0, top)
    codes = np.arange(black, black + span + 1)
    white = 65280
    raw = np.rint((codes - black) / span * white).astype(int)

    shown = decoding_table(curve, white)[raw]
    back = np.rint(encoding_table(curve, white)[shown] / white * span) + black

    peak = light_to_pq(np.array([curve.peak]))[0] if curve.transfer == "smpte2084" else 1.0
    reached = (codes - black) / span <= peak
    assert reached.sum() > 0.7 * span
    assert (back == codes)[reached].all()


@pytest.mark.parametrize("curve", CURVES)
def test_curves_rise_and_fill_the_display(curve):
    shown = decoding_table(curve, 65535).astype(int)

    assert (np.diff(shown) >= 0).all()
    assert (shown[0], shown[-1]) == (0, 65535)


@pytest.mark.parametrize("curve", CURVES)
def test_reference_white_and_middle_grey_lie_where_sdr_has_them(curve):
    to_signal = light_to_pq if curve.transfer == "smpte2084" else light_to_hlg

    white, grey = curve.to_display(to_signal(np.array([203.0, 26.0])))

    assert white == pytest.approx(0.75, abs=0.02)
    assert grey == pytest.approx(0.41, abs=0.02)  # BT.709 has 18 % grey at 0.409


@pytest.mark.parametrize(
    ("transfer", "peak", "expected"),
    [
        ("bt709", None, None),
        ("bt2020-10", 1000, None),
        ("arib-std-b67", 4000, 1000.0),
        ("smpte2084", None, 10000.0),
        ("smpte2084", 0, 10000.0),
        ("smpte2084", 600, 1000.0),
        ("smpte2084", 1000, 1000.0),
        ("smpte2084", 1001, 4000.0),
        ("smpte2084", 20000, 10000.0),
    ],
)
def test_the_peak_follows_what_is_known(transfer, peak, expected):
    curve = display_curve(ColorInfo("bt2020nc", "bt2020", transfer, "tv"), peak)

    assert (None if curve is None else curve.peak) == expected
