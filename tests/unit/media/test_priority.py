"""An encoder that makes its thread a real-time one must not make the program one."""

from __future__ import annotations

import os
from pathlib import Path

import deep_factory
import pytest
from media_factory import make_clip

import vidstyle
from vidstyle.media.hardware import unusable, usual_priority

SVT_AV1 = "libsvtav1"

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no scheduling policies here")


def priority() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


def test_what_was_changed_is_put_back() -> None:
    before = priority()
    with usual_priority():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        assert priority() != before
    assert priority() == before


@pytest.mark.skipif(unusable(SVT_AV1) is not None, reason="this FFmpeg has no SVT-AV1")
def test_av1_leaves_the_priority_alone(tmp_path: Path) -> None:
    before = priority()
    deep_factory.make_deep_clip(tmp_path / "in.mp4", "yuv420p10le", codec=SVT_AV1)
    assert priority() == before
    clip = make_clip(tmp_path / "clip.mp4", num_frames=3)
    vidstyle.stylize(clip, tmp_path / "out.mp4", style="identity", codec=SVT_AV1)
    assert priority() == before
