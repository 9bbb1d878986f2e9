"""HDR code values to a picture a stylizer understands, and back: invertible curves, a channel at a time.

PQ and HLG say how many cd/m² a pixel has; networks know pictures whose white is the display's white. The light is
divided by the reference white of ITU-R BT.2408 (203 cd/m²), bent by the extended Reinhard curve, which leaves shadows
and middle tones alone and fits highlights up to a peak below 1, and encoded for a display of gamma 2.4 (BT.1886).
Reference white lands near 75 % of the signal, where HLG has it too. Every step has a closed inverse.

Limits: channels are treated apart, so bright saturated colours shift towards white and back; the primaries stay the
source's; nothing is brighter than the peak.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from vidstyle.frames import ColorInfo

_Floats = np.ndarray[Any, np.dtype[np.float64]]
_Codes = np.ndarray[Any, np.dtype[np.uint16]]

#: cd/m² of diffuse white in an HDR picture (ITU-R BT.2408-7, table 1).
REFERENCE_WHITE = 203.0
#: cd/m² that PQ's highest code stands for.
PQ_PEAK = 10000.0
#: cd/m² of the display an HLG picture is nominally made for (ITU-R BT.2100-2, table 5).
HLG_PEAK = 1000.0
_PEAKS = (1000.0, 4000.0, PQ_PEAK)
_DISPLAY_GAMMA = 2.4
_HLG_SYSTEM_GAMMA = 1.2

# SMPTE ST 2084:2014, equation 4 and its constants.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
# ITU-R BT.2100-2, table 5.
_A = 0.17883277
_B = 1 - 4 * _A
_C = 0.5 - _A * float(np.log(4 * _A))


def pq_to_light(signal: _Floats) -> _Floats:
    """SMPTE ST 2084 (PQ) EOTF: a signal in [0, 1] to cd/m²."""
    power = np.power(signal, 1 / _M2)
    return PQ_PEAK * np.power(np.maximum(power - _C1, 0) / (_C2 - _C3 * power), 1 / _M1)


def light_to_pq(light: _Floats) -> _Floats:
    """Inverse of ``pq_to_light``."""
    power = np.power(light / PQ_PEAK, _M1)
    signal: _Floats = np.power((_C1 + _C2 * power) / (1 + _C3 * power), _M2)
    # Black is 7e-7 by the formula, which is code 0.
    return np.where(light > 0, signal, 0.0)


def hlg_to_light(signal: _Floats) -> _Floats:
    """BT.2100 HLG inverse OETF and, per channel, its OOTF: a signal in [0, 1] to cd/m² on a 1000 cd/m² display."""
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - _C) / _A) + _B) / 12)
    return HLG_PEAK * np.power(scene, _HLG_SYSTEM_GAMMA)


def light_to_hlg(light: _Floats) -> _Floats:
    """Inverse of ``hlg_to_light``."""
    scene = np.power(light / HLG_PEAK, 1 / _HLG_SYSTEM_GAMMA)
    bright = _A * np.log(np.maximum(12 * scene - _B, 1e-12)) + _C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


_CURVES = {"smpte2084": (pq_to_light, light_to_pq), "arib-std-b67": (hlg_to_light, light_to_hlg)}


@dataclass(frozen=True, slots=True)
class DisplayCurve:
    """Takes the signal of an HDR source to a display-referred one and back.

    Attributes:
        transfer: ``smpte2084`` (PQ) or ``arib-std-b67`` (HLG).
        peak: cd/m² that becomes the display's white; brighter pixels are clipped to it.
    """

    transfer: str
    peak: float

    def to_display(self, signal: _Floats) -> _Floats:
        """A signal in [0, 1], in the source's transfer, to a BT.1886 signal in [0, 1]."""
        white = self.peak / REFERENCE_WHITE
        light = _CURVES[self.transfer][0](signal) / REFERENCE_WHITE
        # Reinhard et al. 2002, equation 4.
        shown = light * (1 + light / white**2) / (1 + light)
        return np.power(np.clip(shown, 0.0, 1.0), 1 / _DISPLAY_GAMMA)

    def from_display(self, shown: _Floats) -> _Floats:
        """Inverse of ``to_display``."""
        white = self.peak / REFERENCE_WHITE
        linear = np.power(shown, _DISPLAY_GAMMA)
        # The positive root of light² / white² + light (1 - linear) - linear = 0, in the form that does not cancel.
        light = 2 * linear / ((1 - linear) + np.sqrt((1 - linear) ** 2 + 4 * linear / white**2))
        signal: _Floats = np.clip(_CURVES[self.transfer][1](light * REFERENCE_WHITE), 0.0, 1.0)
        return signal


@cache
def decoding_table(curve: DisplayCurve, white: int) -> _Codes:
    """Display-referred uint16 for each of the 65536 codes of a source whose full signal is ``white``."""
    signal = np.minimum(np.arange(65536) / white, 1.0)
    return np.rint(curve.to_display(signal) * 65535).astype(np.uint16)


@cache
def encoding_table(curve: DisplayCurve, white: int) -> _Codes:
    """The code, ``white`` for a full signal, of each of the 65536 display-referred uint16 values."""
    return np.rint(curve.from_display(np.arange(65536) / 65535) * white).astype(np.uint16)


def display_curve(color: ColorInfo, peak: float | None = None) -> DisplayCurve | None:
    """The curve that suits a source; None where its picture is display-referred already.

    Args:
        color: its tags.
        peak: cd/m² of its brightest pixel, or of the display it was mastered on; None where it does not say. PQ is
            then kept up to its 10,000 cd/m², so that nothing is lost.
    """
    if color.transfer == "arib-std-b67":
        return DisplayCurve(color.transfer, HLG_PEAK)
    if color.transfer == "smpte2084":
        known = next((step for step in _PEAKS if peak is not None and 0 < peak <= step), PQ_PEAK)
        return DisplayCurve(color.transfer, known)
    return None
