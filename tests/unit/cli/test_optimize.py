"""``vidstyle optimize`` and ``vidstyle.optimize``: from files to a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from network_factory import picture, vgg_tensors
from PIL import Image
from safetensors.torch import save_file

import vidstyle
from vidstyle.cli.main import cli, main
from vidstyle.errors import ConfigError, VidstyleError
from vidstyle.media.stills import read_still, read_style_image, write_still
from vidstyle.stylizers.encoder import load_encoder
from vidstyle.training.losses import STYLE_LAYERS, gram_loss, gram_matrix
from vidstyle.training.optimize import ScaleStep


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_still(tmp_path / "photo.png", (picture(72, 96)[0] * 255).byte())
    write_still(tmp_path / "painting.png", (picture(80, 64, seed=9)[0] * 255).byte())
    save_file(vgg_tensors(), tmp_path / "encoder.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, pictures: tuple[str, ...] = ("photo.png", "painting.png", "out.png")) -> Result:
    given = ("optimize", *pictures, "--encoder", "encoder.safetensors", "--device", "cpu", "--iterations", "4")
    return CliRunner().invoke(cli, [*given, *words])


def style_distance(path: Path) -> float:
    encoder = load_encoder(Path("encoder.safetensors"))
    wanted = encoder(read_style_image("painting.png")[None], STYLE_LAYERS)
    found = encoder(read_style_image(path)[None], STYLE_LAYERS)
    return gram_loss(found, {k: gram_matrix(v) for k, v in wanted.items()}).item()


def test_a_picture_comes_out_and_its_losses_are_said(folder: Path) -> None:
    before = {path.name for path in folder.iterdir()}
    result = run("--iterations", "30")
    assert result.exit_code == 0, result.output
    assert {path.name for path in folder.iterdir()} - before == {"out.png"}
    assert read_still("out.png").data.shape == (3, 72, 96)
    for expected in ("30 at 48x36, then 15 at 96x72", "wrote out.png", "content ", "style ", "45 iterations"):
        assert expected in result.output
    assert style_distance(folder / "out.png") < style_distance(folder / "photo.png") / 2


@pytest.mark.parametrize(
    "options",
    [
        ("--optimizer", "adam"),
        ("--statistics", "moments"),
        ("--pooling", "average"),
        ("--init", "noise"),
        ("--init", "painting.png"),
        ("--scales", "1"),
        ("--scales", "8"),
        ("--style-size", "120"),
        ("--style-weight", "5"),
        ("--content-weight", "9"),
        ("--tv-weight", "20"),
    ],
)
def test_every_option_changes_the_picture(options: tuple[str, ...], folder: Path) -> None:
    assert run(pictures=("photo.png", "painting.png", "usual.png")).exit_code == 0
    assert run(*options).exit_code == 0
    same = torch.equal(read_still("out.png").data, read_still("usual.png").data)
    assert same == (options == ("--scales", "8"))  # scales below 32 pixels are left out, here all but two


def test_the_same_command_makes_the_same_picture_and_another_seed_another(folder: Path) -> None:
    found = []
    for seed in ("1", "1", "2"):
        assert run("--init", "noise", "--seed", seed, "--overwrite").exit_code == 0
        found.append(read_still("out.png").data)
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_size_is_the_long_side_and_never_enlarges(folder: Path) -> None:
    assert run("--size", "64").exit_code == 0
    assert read_still("out.png").data.shape == (3, 48, 64)
    assert run("--size", "2000", "--overwrite").exit_code == 0
    assert read_still("out.png").data.shape == (3, 72, 96)


def test_texture_needs_no_content(folder: Path) -> None:
    result = run(
        "--content-weight", "0", "--size", "80", "--iterations", "40", pictures=("none", "painting.png", "out.png")
    )
    assert result.exit_code == 0, result.exception
    assert "a texture is made" in result.output
    assert read_still("out.png").data.shape == (3, 80, 64)  # the style's shape
    assert style_distance(folder / "out.png") < 0.1


def test_inversion_needs_no_style(folder: Path) -> None:
    result = run("--style-weight", "0", pictures=("photo.png", "none", "out.png"))
    assert result.exit_code == 0, result.exception
    assert "features of the content at conv42 are inverted" in result.output
    started_from = read_style_image("out.png") - read_style_image("photo.png")
    assert started_from.std() > 0.1  # from noise: from the content there would be nothing left to do


def test_an_encoder_that_is_not_deep_is_used_as_far_as_it_goes(folder: Path) -> None:
    save_file(vgg_tensors(last="conv31"), "encoder.safetensors")
    result = run()
    assert result.exit_code == 0
    assert "lacks conv41, conv51: style is compared at conv11, conv21, conv31" in result.output
    assert "lacks conv42: content is compared at conv31" in result.output


def test_what_travels_with_a_picture_is_kept(folder: Path) -> None:
    image = Image.open("photo.png")
    image.putalpha(Image.new("L", image.size, 77))
    exif = Image.Exif()
    exif[0x010E] = "a description"
    image.save("photo.png", exif=exif, dpi=(300, 300))
    assert run("--size", "48").exit_code == 0
    kept = read_still("out.png")
    assert kept.alpha is not None
    assert (kept.alpha == 77).all()
    assert kept.alpha.shape[1:] == kept.data.shape[1:] == (36, 48)
    assert kept.dpi == pytest.approx((300, 300), rel=0.01)
    assert b"a description" in (kept.exif or b"")
    # A texture has the shape alone of the content.
    assert run("--content-weight", "0", "--overwrite").exit_code == 0
    texture = read_still("out.png")
    assert (texture.alpha, texture.exif, texture.data.shape) == (None, None, (3, 72, 96))
    assert run("--content-weight", "0", "--init", "content", "--overwrite").exit_code == 0
    assert read_still("out.png").alpha is not None  # it starts from the content itself


@pytest.mark.parametrize(
    ("options", "pictures", "message"),
    [
        (("--content-weight", "0", "--style-weight", "0"), {}, "both zero"),
        ((), {0: "none"}, "There is no content picture"),
        ((), {1: "none"}, "There is no style picture"),
        (("--content-weight", "0", "--init", "content"), {0: "none"}, "There is no content picture"),
        ((), {0: "absent.png"}, "absent.png cannot be opened"),
        ((), {1: "absent.png"}, "absent.png cannot be opened"),
        ((), {0: "encoder.safetensors"}, "not a"),
        ((), {2: "out.mp4"}, "write to .png"),
        ((), {2: "absent/out.png"}, "create it first"),
        ((), {2: "photo.png"}, "the input itself"),
        (("--overwrite",), {2: "painting.png"}, "the input itself"),
        (("--init", "absent.png"), {}, "absent.png cannot be opened"),
        (("--encoder", "nonsense"), {}, "nonsense"),
        (("--encoder", "photo.png"), {}, "photo.png"),
        (("--size", "32"), {}, "32x24"),
        (("--device", "cuda:99"), {}, "There is no device cuda:99"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    options: tuple[str, ...], pictures: dict[int, str], message: str, folder: Path
) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    names = [pictures.get(i, name) for i, name in enumerate(("photo.png", "painting.png", "out.png"))]
    result = run(*options, pictures=tuple(names))
    assert isinstance(result.exception, VidstyleError), result.exception
    assert message in str(result.exception)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_an_existing_output_is_kept_unless_told(folder: Path) -> None:
    Path("out.png").write_text("precious")
    assert "exists already" in str(run().exception)
    assert Path("out.png").read_text() == "precious"
    assert run("--overwrite").exit_code == 0
    assert read_still("out.png").data.shape == (3, 72, 96)


def test_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = ["photo.png", "painting.png", "out.png", "--encoder", "encoder.safetensors"]
    for words, code in (
        ([*pictures, "--content-weight", "0", "--style-weight", "0"], 2),
        ([*pictures, "--optimizer", "sgd"], 2),
        (pictures[:2], 2),
        (["absent.png", *pictures[1:]], 1),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main(["optimize", *words])
        assert exit_info.value.code == code
        assert "Traceback" not in capsys.readouterr().err


def test_an_interruption_leaves_nothing(folder: Path) -> None:
    Path("out.png").write_text("precious")
    before = sorted(folder.iterdir())

    def stop(at: ScaleStep) -> None:
        if at.scale == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vidstyle.optimize(
            "photo.png",
            "painting.png",
            "out.png",
            encoder="encoder.safetensors",
            overwrite=True,
            on_step=stop,
            iterations=3,
        )
    assert sorted(folder.iterdir()) == before
    assert Path("out.png").read_text() == "precious"


def test_python_takes_settings_or_options(folder: Path) -> None:
    from vidstyle.training.optimize_settings import OptimizationSettings

    settings = OptimizationSettings(iterations=8, scales=1)
    steps: list[ScaleStep] = []
    report = vidstyle.optimize(
        "photo.png", "painting.png", "out.png", settings=settings, encoder="encoder.safetensors", on_step=steps.append
    )
    assert (report.size, report.num_iterations) == ((96, 72), 8)
    assert len(steps) == report.num_evaluations
    assert steps[0].step.loss > report.loss > 0
    with pytest.raises(ConfigError, match="not both"):
        vidstyle.optimize("photo.png", "painting.png", "new.png", settings=settings, iterations=3)
