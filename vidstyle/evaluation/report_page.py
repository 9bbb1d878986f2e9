"""The page of an evaluation: one HTML file with everything in it, nothing fetched from anywhere."""

from __future__ import annotations

import math
from base64 import b64encode
from html import escape

from vidstyle.evaluation.clip_report import PER_FRAME, SOURCE, STYLIZED, ClipReport
from vidstyle.evaluation.gates import BAND_RANGE, MIN_LOW_PASS_PSNR, Gate
from vidstyle.evaluation.report_plots import Chart, Line, chart_html
from vidstyle.evaluation.report_style import CSS

_TITLES = {SOURCE: "Source", PER_FRAME: "Per frame", STYLIZED: "Stylized"}
_KINDS = {SOURCE: "source", PER_FRAME: "alone", STYLIZED: "steady"}
_GATES = {
    "bands": "Texture kept: band energies over per frame",
    "style": "Style kept: patch-SWD over per frame",
    "drift": "Colour kept: low-pass PSNR at worst",
}
_GLOSSARY = (
    (
        "E_warp, k",
        "Mean squared difference between a frame and the one k before, moved along the source's optical flow, over "
        "pixels seen in both; times 1000. What the source has is the floor: its own noise and the flow's mistakes.",
    ),
    (
        "nE, k",
        "E_warp over the picture's mean squared gradient, in squared pixels: a blurred picture gets no credit for "
        "having nothing that could flicker.",
    ),
    ("Band energies", "Energy of the Laplacian bands over that of the frames painted alone. 1 means: no texture lost."),
    ("Drift", "PSNR after a Gaussian of 4 pixels against the frames painted alone: has colour crept?"),
    ("Ghosting", "PSNR against the frames painted alone, within 5 pixels of what has just come into view."),
    ("Patch-SWD", "Sliced Wasserstein distance between 7x7 patches of the frame and of the style picture, 3 scales."),
    ("Gram distance", "Relative distance of the encoder's Gram matrices to the style picture's."),
    (
        "Feature pairs",
        "Distance of a frame to the moved frame before in the encoder's features: the form of LPIPS without its learnt "
        "weights, not LPIPS.",
    ),
)


def report_page(report: ClipReport) -> str:
    """The page as HTML; pictures are inlined, nothing is loaded, and a content security policy says so."""
    title = f"Steadiness of {report.clips[STYLIZED]}"
    body = "".join(
        (
            f"<h1>{escape(title)}</h1>{_lead(report)}{_tiles(report)}",
            "<h2>Figures</h2>" + _table(report),
            "<h2>Over time</h2>" + _charts(report),
            _slices(report),
            _moments(report),
            "<h2>How to read this</h2><dl>",
            "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _GLOSSARY),
            "</dl>",
        )
    )
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>{body}</main></body></html>\n"
    )


def _lead(report: ClipReport) -> str:
    width, height = report.size
    facts = [
        f"{report.num_frames} frames at {width}×{height}, {report.rate:.5g} a second",
        f"source {report.clips[SOURCE]}",
        f"judged with {report.flow}",
    ]
    if report.style:
        facts.append(f"style {report.style}")
    lines = "".join(f"<span>{escape(fact)}</span>" for fact in facts)
    notes = list(report.notes)
    if PER_FRAME not in report.clips:
        notes.append(
            "No per-frame render was given (--per-frame), so that lost texture, drift and ghosts are not measured and "
            "a blurred clip would look good here."
        )
    return f'<p class="lead">{lines}</p>' + "".join(f'<p class="lead">{escape(note)}</p>' for note in notes)


def _tiles(report: ClipReport) -> str:
    tiles = []
    gap = max(report.judged_share)
    steady, source = report.tracks[STYLIZED], report.tracks[SOURCE]
    value = steady.normalized_error[gap]
    if PER_FRAME in report.tracks:
        alone = report.tracks[PER_FRAME].normalized_error[gap]
        times = alone / value if value else math.inf
        tiles.append(
            _tile(f"{_figure(times, '.1f')}×", f"lower nE, k={gap}, than painted frame by frame", "steadiness")
        )
    floor = source.normalized_error[gap]
    tiles.append(
        _tile(_figure(value, ".4f"), f"nE, k={gap}; the source's own floor is {_figure(floor, '.4f')}", "flicker")
    )
    tiles += [_gate_tile(gate) for gate in report.gates]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(value: str, text: str, verdict: str, kind: str = "open") -> str:
    return (
        f'<div class="tile"><span class="verdict {kind}">{escape(verdict)}</span><b>{escape(value)}</b>'
        f"<small>{escape(text)}</small></div>"
    )


def _gate_tile(gate: Gate) -> str:
    kind, verdict = {None: ("open", "not measured"), True: ("pass", "passed"), False: ("fail", "failed")}[gate.passed]
    values = gate.found.split()
    found = f"{min(values, key=float)}–{max(values, key=float)}" if gate.name == "bands" and values else gate.found
    return _tile(found or "–", f"{_GATES[gate.name]}; {gate.limit}", verdict, kind)


def _table(report: ClipReport) -> str:
    names = [name for name in (SOURCE, PER_FRAME, STYLIZED) if name in report.tracks]
    rows: list[tuple[str, dict[str, str]]] = []
    for gap in sorted(report.judged_share):
        tracks = {name: report.tracks[name] for name in names}
        errors = {name: _figure(1000 * track.warping_error[gap], ".3f") for name, track in tracks.items()}
        normalized = {name: _figure(track.normalized_error[gap], ".4f") for name, track in tracks.items()}
        rows += [(f"E_warp ×1000, k={gap}", errors), (f"nE, k={gap} (px²)", normalized)]
    found = report.comparison
    if found is not None:
        bands = " ".join(_figure(value, ".3f") for value in found.band_energy_ratios)
        rows.append(("Gradient energy over per frame", {STYLIZED: _figure(found.gradient_ratio, ".3f")}))
        rows.append(("Band energies over per frame, finest first", {STYLIZED: bands}))
        rows.append(
            ("Drift at worst / mean (dB)", {STYLIZED: _decibels(found.low_pass_psnr_min, found.low_pass_psnr_mean)})
        )
        rows.append(("Ghosting (dB)", {STYLIZED: _decibels(found.ghosting_psnr)}))
    for title, key in (
        ("Patch-SWD to the style", "patch_swd"),
        ("Gram distance to the style", "gram_distance"),
        ("Feature distance of pairs", "feature_pair_distance"),
    ):
        values = {name: getattr(figures, key) for name, figures in report.styles.items()}
        if any(value is not None for value in values.values()):
            rows.append((title, {name: f"{value:.4f}" for name, value in values.items() if value is not None}))
    shares = ", ".join(f"{100 * share:.0f} % at k={gap}" for gap, share in sorted(report.judged_share.items()))
    head = "".join(f"<th>{_TITLES[name]}</th>" for name in names)
    cells = "".join(
        f"<tr><td>{escape(title)}</td>"
        + "".join(
            f"<td{' class=main' if name == STYLIZED else ''}>{escape(values.get(name, ''))}</td>" for name in names
        )
        + "</tr>"
        for title, values in rows
    )
    features = f" Deep features: {report.encoder}." if report.encoder else ""
    note = f"{report.flow_reason} Pixels that could be judged: {shares}.{features}"
    return f'<p class="note">{escape(note)}</p><div class="scroll"><table><tr><th></th>{head}</tr>{cells}</table></div>'


def _charts(report: ClipReport) -> str:
    series, seconds = report.series, report.series.seconds
    marks = [(moment.seconds, str(number)) for number, moment in enumerate(report.moments, 1)]
    charts = []
    for gap in sorted(report.judged_share):
        lines = [
            Line(
                _TITLES[name],
                _KINDS[name],
                [1000 * value for value in series.values(f"warping_error_{gap}_{name}")],
            )
            for name in (SOURCE, PER_FRAME, STYLIZED)
            if name in report.tracks
        ]
        frames = "frame" if gap == 1 else f"{gap} frames"
        note = f"E_warp ×1000 to {frames} before; lower is steadier."
        if gap == 1:
            note += " Numbers mark the worst moments."
        charts.append(
            Chart(f"Flicker, k={gap}", note, seconds, lines, marks=marks if gap == 1 else (), cuts=report.cut_seconds)
        )
    if report.comparison is not None:
        names = ("finest", "fine", "middle", "coarse")
        bands = [
            Line(names[level] if level < len(names) else str(level), f"b{level}", series.values(f"band_{level}"))
            for level in range(len(report.comparison.band_energy_ratios))
        ]
        known = [value for line in bands for value in line.values if math.isfinite(value)]
        span = (min([0.6, *known]), max([1.4, *known]))
        note = "Band energies over those of the frames painted alone; the gate is shaded."
        charts.append(Chart("Texture", note, seconds, bands, span, BAND_RANGE, cuts=report.cut_seconds))
        drift = series.values("drift")
        top = max([45.0, *(value for value in drift if math.isfinite(value))])
        low = min([25.0, *(value for value in drift if math.isfinite(value))])
        note = "Low-pass PSNR in dB against the frames painted alone; the gate is shaded."
        allowed = (MIN_LOW_PASS_PSNR, math.inf)
        line = Line(_TITLES[STYLIZED], "steady", drift)
        span = (math.floor(low), min(math.ceil(top), 60.0))
        charts.append(Chart("Drift", note, seconds, [line], span, allowed, cuts=report.cut_seconds))
    merged = report.series.frames_per_point
    joined = f'<p class="note">One point stands for {merged} frames.</p>' if merged > 1 else ""
    return f'{joined}<div class="charts">{"".join(chart_html(chart) for chart in charts)}</div>'


def _slices(report: ClipReport) -> str:
    found = report.time_slice
    if found is None:
        return ""
    note = (
        f"A piece of one row of pixels, {100 * found.row_share:.0f} % down the picture, over {found.num_frames} frames "
        f"from {found.start_seconds:.2f} s on: from left to right it is the picture, from top to bottom time passes. "
        "What is steady draws clean lines; flicker frays them."
    )
    names = [name for name in (SOURCE, PER_FRAME, STYLIZED) if name in found.pictures]
    images = {name: _image(found.pictures[name], "png", name) for name in names}
    figures = "".join(
        f'<figure class="slice"><figcaption>{_TITLES[name]}</figcaption>{images[name]}</figure>' for name in names
    )
    return f'<h2>Slices through time</h2><p class="note">{note}</p><div class="slices">{figures}</div>'


def _moments(report: ClipReport) -> str:
    if not report.moments:
        return ""
    titles = {
        "source": "Source",
        "stylized": "Stylized",
        "difference": "Difference to the frame before, moved along the flow (root, ×4)",
    }
    cards = []
    for number, moment in enumerate(report.moments, 1):
        figures = "".join(
            f"<figure>{_image(moment.pictures[name], 'jpeg', f'{title}, frame {moment.index}')}"
            f"<figcaption>{escape(title)}</figcaption></figure>"
            for name, title in titles.items()
        )
        cards.append(
            f'<article class="moment"><header><span class="mark">{number}</span><h3>{moment.seconds:.3f} s</h3>'
            f"<span>frame {moment.index}: E_warp ×1000 is {1000 * moment.error:.2f}, the source's at this contrast "
            f"{1000 * moment.floor:.2f}</span></header>"
            f'<div class="trio">{figures}</div></article>'
        )
    note = "Where a frame differs most from the one before beyond what its source does; at most one every 12 frames."
    return f'<h2>Worst moments</h2><p class="note">{note}</p>{"".join(cards)}'


def _image(data: bytes, kind: str, text: str) -> str:
    return f'<img alt="{escape(text)}" src="data:image/{kind};base64,{b64encode(data).decode("ascii")}">'


def _figure(value: float, form: str) -> str:
    return "–" if math.isnan(value) else "∞" if math.isinf(value) else format(value, form)


def _decibels(*values: float) -> str:
    return " / ".join(_figure(value, ".1f") for value in values)
