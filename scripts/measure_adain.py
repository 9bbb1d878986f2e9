"""Compare arbitrary-style models: MicroAST's published network and vidstyle's AdaIN, in vidstyle's own losses.

    python scripts/measure_adain.py                                 # MicroAST, and the shipped model if there is one
    python scripts/measure_adain.py --model my.safetensors --style-weight 0.9 --sheet out/adain.png

Ten style pictures, five paintings and five painted by program, all kept out of training, times the first ten held-out
photos at 512 pixels square; styles have 512 pixels on their shorter side. Style loss is at conv11 to conv51, content
loss at conv31 and conv41 of the pruned VGG-19; "halved" is the style loss of the output at half its size, for
information. A model passes where its mean style loss is at most MicroAST's and its mean content loss as well. Wants
VIDSTYLE_TEST_DATA, with peers/microast in it; about a second a picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from arguments import count, output_file
from held_out import at_short_side, data_folder, held_out_pictures, held_out_styles, read_square
from microast import MicroAst
from perceptual import PerceptualJudge, pruned_encoder
from torch import Tensor
from train_builtin import WEIGHTS

from vidstyle.errors import VidstyleError
from vidstyle.media.sheets import contact_sheet
from vidstyle.media.stills import write_still
from vidstyle.stylizers.adain import AdaInStylizer, load_adain

SIDE_PX = 512
NUM_CONTENTS = 10
SHOWN_CONTENTS = (0, 9)
SHIPPED = WEIGHTS / "any-style.safetensors"
YARDSTICK = "MicroAST"
MEASURES = ("style", "style_halved", "content")

#: From a (3, H, W) style picture to what paints (1, 3, H, W) contents in it.
Method = Callable[[Tensor], Callable[[Tensor], Tensor]]
#: Mean losses over the contents, by method and style.
Results = dict[str, dict[str, dict[str, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, action="append", help="an AdaIN model; the shipped one by default")
    parser.add_argument("--style-weight", type=float, default=1.0, help="AdaIN's alpha, 0 to 1")
    parser.add_argument("--styles", type=count, default=10, help="how many of the ten styles")
    parser.add_argument("--pictures", type=count, default=NUM_CONTENTS, help="how many of the held-out photos")
    parser.add_argument("--sheet", type=output_file, help="write a picture of the results here")
    parser.add_argument("--json", type=output_file, help="write every figure here")
    parser.add_argument("--threads", type=int, help="CPU threads; all by default")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    data = data_folder()
    try:
        methods = load_methods(data, arguments.model, arguments.style_weight)
        results = measure(data, methods, arguments)
    except (VidstyleError, OSError) as error:
        sys.exit(f"measure_adain: {error}")
    print_means(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def load_methods(data: Path, models: list[Path] | None, style_weight: float) -> dict[str, Method]:
    network = MicroAst(data / "peers" / "microast")

    def microast(style: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda content: network(content, style[None])

    def adain_model(path: Path) -> Method:
        net = load_adain(path)
        return lambda style: AdaInStylizer(path.stem, net, style, style_weight)

    paths = models or [path for path in [SHIPPED] if path.is_file()]
    return {"unpainted": lambda _: torch.clone, YARDSTICK: microast, **{path.stem: adain_model(path) for path in paths}}


@torch.no_grad()
def measure(data: Path, methods: dict[str, Method], arguments: argparse.Namespace) -> Results:
    encoder = pruned_encoder(data)
    contents = [read_square(path, SIDE_PX)[None] for path in held_out_pictures(data)[: arguments.pictures]]
    shown = [index for index in SHOWN_CONTENTS if index < len(contents)]
    results: Results = {name: {} for name in methods}
    cells = {}
    line = "{:<26} {:<18} {:>8} {:>8} {:>8}"
    print(line.format("style picture", "method", "style", "halved", "content"))
    for style_name, picture in islice(held_out_styles(data), arguments.styles):
        style = at_short_side(picture, SIDE_PX)
        judge = PerceptualJudge(encoder, style, SIDE_PX)
        painters = {name: method(style) for name, method in methods.items()}
        sums = {name: dict.fromkeys(MEASURES, 0.0) for name in methods}
        row = [to_bytes(style)]
        for index, content in enumerate(contents):
            target = judge.content_features(content)
            for name, paint in painters.items():
                painted = paint(content)
                losses = judge.losses(painted, target)
                for measure_name in MEASURES:
                    sums[name][measure_name] += float(getattr(losses, measure_name)) / len(contents)
                if index in shown:
                    row.append(to_bytes(painted[0]))
        cells[style_name] = row
        for name, means in sums.items():
            results[name][style_name] = means
            figures = (f"{means[measure_name]:.3f}" for measure_name in MEASURES)
            print(line.format(style_name if name == next(iter(sums)) else "", name, *figures), flush=True)
    if arguments.sheet:
        sheet = contact_sheet(list(cells.values()), tuple(cells), ("style", *(name for _ in shown for name in methods)))
        write_still(arguments.sheet, sheet, overwrite=True)
    return results


def print_means(results: Results) -> None:
    line = "{:<26} {:<18} {:>8} {:>8} {:>8}  {}"
    means = {
        name: [sum(row[key] for row in rows.values()) / len(rows) for key in MEASURES] for name, rows in results.items()
    }
    for name, values in means.items():
        verdict = ""
        if name not in (YARDSTICK, "unpainted"):
            style, _, content = (value / other for value, other in zip(values, means[YARDSTICK], strict=True))
            verdict = f"{'pass' if style <= 1 and content <= 1 else 'FAIL'}: style {style:.2f}x, content {content:.2f}x"
        figures = (f"{value:.3f}" for value in values)
        print(line.format("mean" if name == next(iter(means)) else "", name, *figures, verdict).rstrip())


def to_bytes(picture: Tensor) -> Tensor:
    return picture.mul(255).round().to(torch.uint8)


if __name__ == "__main__":
    main()
