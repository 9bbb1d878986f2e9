"""What cannot be done is said in one sentence, with the right exit code, and leaves everything as it was."""

from __future__ import annotations

import os
import pickle
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import media_factory as factory
import pytest
import torch
from safetensors.torch import save_file

USAGE, FAILURE = 2, 1


@dataclass(frozen=True)
class World:
    """Everything a bad command line may name."""

    folder: Path
    clip: Path
    style: Path

    def file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def shortened(self, share: float, suffix: str = ".mp4") -> Path:
        """The clip, broken off; its index comes first, so that it can be opened."""
        whole = self.folder / f"whole{suffix}"
        options = {"movflags": "faststart"} if suffix == ".mp4" else {}
        factory.make_clip(whole, num_frames=48, audio="aac", container_options=options)
        data = whole.read_bytes()
        whole.unlink()
        return self.file(f"short{suffix}", data[: int(len(data) * share)])


@pytest.fixture
def world(tmp_path: Path, clip_mp4: Path, painted_style: Path) -> World:
    folder = tmp_path / "in"
    folder.mkdir()
    clip = folder / "clip.mp4"
    clip.write_bytes(clip_mp4.read_bytes())
    return World(folder, clip, painted_style)


def assert_refused(done, code: int, *expected: str) -> None:  # the fixtures' CommandResult
    """One sentence that says ``expected`` and nothing of Python."""
    assert done.exit_code == code, done.stderr
    message = done.stderr.strip().splitlines()[-1]
    for text in expected:
        assert text in message, message
    for text in ("Traceback", "Errno", "Error("):
        assert text not in done.stderr
    if code == FAILURE:
        said = [line for line in done.stderr.splitlines() if line.strip() and "frames/s]" not in line]
        assert said == [message]
        assert message.startswith("vidstyle: ")
        assert message.endswith((".", "?"))


#: Name, source and what the sentence must say.
BAD_SOURCES: dict[str, tuple[Callable[[World], Path], tuple[str, ...]]] = {
    "missing": (lambda w: w.folder / "nowhere.mp4", ("nowhere.mp4", "check")),
    "missing picture": (lambda w: w.folder / "nowhere.png", ("nowhere.png", "check")),
    "name too long": (lambda w: w.folder / f"{'n' * 300}.mp4", ("nnn.mp4", "too long", "check the name")),
    "empty": (lambda w: w.file("empty.mp4", b""), ("empty.mp4", "empty")),
    "empty picture": (lambda w: w.file("empty.png", b""), ("empty.png", "empty")),
    "truncated mp4": (lambda w: w.shortened(0.6), ("short.mp4", "copy")),
    "truncated mkv": (lambda w: w.shortened(0.6, ".mkv"), ("short.mkv", "copy")),
    "mp4 without its index": (lambda w: w.file("cut.mp4", w.clip.read_bytes()[:2000]), ("cut.mp4", "copy")),
    "noise": (lambda w: w.file("noise.mp4", bytes(range(7, 250)) * 40), ("noise.mp4", "not a video")),
    "text": (lambda w: w.file("text.mkv", b"once upon a time " * 99), ("text.mkv", "not a video")),
    "no picture": (lambda w: factory.make_audio_only(w.folder / "sound.mp4"), ("sound.mp4", "no video stream")),
    "no frames": (lambda w: factory.make_without_frames(w.folder / "none.mkv"), ("none.mkv", "frame")),
    "truncated picture": (
        lambda w: w.file("cut.png", (w.style.parent / "waves.png").read_bytes()[:700]),
        ("cut.png", "truncated"),
    ),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_a_source_that_cannot_be_read(vidstyle, world: World, style_picture: Path, tmp_path: Path, name: str) -> None:
    make, expected = BAD_SOURCES[name]
    source = make(world)
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    output = out_dir / ("out.png" if source.suffix == ".png" else "out.mp4")
    assert_refused(vidstyle("stylize", source, output, "--style", world.style), FAILURE, *expected)
    assert not list(out_dir.iterdir())
    assert_refused(
        vidstyle("preview", source, out_dir / "p.png", "--at", 1.9, "--style", world.style), FAILURE, *expected
    )
    assert not list(out_dir.iterdir())
    # What was there before stays.
    output.write_bytes(b"precious")
    assert_refused(vidstyle("stylize", source, output, "--style", world.style, "--overwrite"), FAILURE, *expected)
    assert output.read_bytes() == b"precious"
    assert [path.name for path in out_dir.iterdir()] == [output.name]


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.target),)


def other_network(world: World) -> Path:
    save_file({"layer.weight": torch.zeros(3, 3)}, world.folder / "other.safetensors")
    return world.folder / "other.safetensors"


def misshapen_network(world: World) -> Path:
    from safetensors.torch import load_file

    tensors = load_file(world.style)
    tensors["to_rgb.weight"] = torch.zeros(3, 99, 5, 5)
    save_file(tensors, world.folder / "misshapen.safetensors")
    return world.folder / "misshapen.safetensors"


def hostile_pickle(world: World, modern: bool = True) -> Path:
    path = world.folder / "hostile.pth"
    if modern:
        torch.save({"weight": Bomb(world.folder / "owned")}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(world.folder / "owned")))
    return path


def truncated_checkpoint(world: World) -> Path:
    torch.save({"a": torch.zeros(100, 100)}, world.folder / "whole.pth")
    return world.file("cut.pth", (world.folder / "whole.pth").read_bytes()[:5000])


BAD_STYLES: dict[str, tuple[Callable[[World], object], tuple[str, ...]]] = {
    "unknown": (lambda w: "picasso-blue", ("picasso-blue", "identity")),
    "nearly right": (lambda w: "identitty", ("did you mean identity",)),
    "missing file": (lambda w: w.folder / "nowhere.safetensors", ("nowhere.safetensors", "check the path")),
    "another network": (other_network, ("other.safetensors", "not a feedforward style")),
    "another size": (misshapen_network, ("misshapen.safetensors", "does not fit")),
    "hostile pickle": (hostile_pickle, ("hostile.pth", "run code")),
    "hostile bare pickle": (lambda w: hostile_pickle(w, modern=False), ("hostile.pth", "run code")),
    "truncated": (truncated_checkpoint, ("cut.pth",)),
    "truncated safetensors": (
        lambda w: w.file("cut.safetensors", w.style.read_bytes()[:3000]),
        ("cut.safetensors", "get it again"),
    ),
    "text": (lambda w: w.file("text.pth", b"hello"), ("text.pth",)),
    "empty": (lambda w: w.file("empty.pt", b""), ("empty.pt",)),
    "picture that is none": (lambda w: w.file("waves.png", b"no picture"), ("waves.png",)),
    "clip as style": (lambda w: w.clip, ("clip.mp4",)),
    "folder": (lambda w: w.folder, ("no style or file",)),
}


@pytest.mark.parametrize("name", BAD_STYLES)
def test_a_style_that_cannot_be_used(vidstyle, world: World, style_picture: Path, tmp_path: Path, name: str) -> None:
    make, expected = BAD_STYLES[name]
    style = make(world)
    assert_refused(vidstyle("stylize", world.clip, tmp_path / "out.mp4", "--style", style), FAILURE, *expected)
    assert_refused(vidstyle("preview", world.clip, tmp_path / "out.png", "--style", style), FAILURE, *expected)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert not (world.folder / "owned").exists()


def test_a_feedforward_style_as_adain_model(vidstyle, world: World, style_picture: Path, tmp_path: Path) -> None:
    arguments = ("--style", style_picture, "--adain-model", world.style)
    done = vidstyle("stylize", world.clip, tmp_path / "out.mp4", *arguments)
    assert_refused(done, FAILURE, "not an AdaIN model")


#: Output (relative to an empty folder, unless absolute), further arguments, exit code, and what must be said.
BAD_OUTPUTS = {
    "unknown container": ("out.xyz", (), FAILURE, (".xyz", ".mp4")),
    "no suffix": ("out", (), FAILURE, ("suffix", ".mp4")),
    "a picture for a clip": ("out.png", (), FAILURE, ("preview",)),
    "no such folder": ("missing/out.mp4", (), FAILURE, ("folder", "missing")),
    "unwritable": ("/proc/out.mp4", (), FAILURE, ("/proc/out.mp4",)),
    "unwritable gif": ("/proc/out.gif", (), FAILURE, ("/proc/out.gif",)),
    "a codec that is none": ("out.mp4", ("--codec", "h265x"), USAGE, ("h265x",)),
    "a codec the container refuses": ("out.webm", ("--codec", "prores_ks"), USAGE, ("webm",)),
    "a pixel format the codec refuses": ("out.mp4", ("--pix-fmt", "rgb48le"), USAGE, ("rgb48le",)),
    "no such device": ("out.mp4", ("--device", "cuda:99"), FAILURE, ("cuda:99", "--device cpu")),
    "a device that is none": ("out.mp4", ("--device", "gpu"), USAGE, ("gpu", "cpu")),
    "a size that is none": ("out.mp4", ("--size", "large"), USAGE, ("large", "1280x720")),
    "an absurd size": ("out.mp4", ("--size", "99999w"), USAGE, ("99999w",)),
    "a start past the end": ("out.mp4", ("--start", "99"), FAILURE, ("99 s",)),
    "an end before the start": ("out.mp4", ("--start", "1.5", "--end", "1"), USAGE, ("end",)),
    "nothing between start and end": ("out.mp4", ("--start", "0.51", "--end", "0.52"), FAILURE, ("0.51",)),
    "an unknown preset": ("out.mp4", ("--config", "flim"), USAGE, ("flim", "film")),
    "no RAFT weights": ("out.mp4", ("--flow", "raft", "--flow-weights", "nowhere.pth"), FAILURE, ("nowhere.pth",)),
    "crf out of range": ("out.mp4", ("--crf", "70"), USAGE, ("crf", "63")),
    "consistency out of range": ("out.mp4", ("--consistency", "1.5"), USAGE, ("1.5",)),
    "an unknown flow": ("out.mp4", ("--flow", "farneback"), USAGE, ("farneback", "dis")),
    "a time that is none": ("out.mp4", ("--start", "soon"), USAGE, ("soon",)),
    "an unknown option": ("out.mp4", ("--styel", "x"), USAGE, ("--styel", "--style")),
    "two outputs": ("out.mp4", ("more.mp4",), USAGE, ("--out-dir",)),
}


@pytest.mark.parametrize("name", BAD_OUTPUTS)
def test_an_output_or_setting_that_cannot_be(vidstyle, world: World, tmp_path: Path, name: str) -> None:
    output, arguments, code, expected = BAD_OUTPUTS[name]
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    done = vidstyle("stylize", world.clip, out_dir / output, "--style", world.style, *arguments)
    assert_refused(done, code, *expected)
    assert not list(out_dir.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_output_that_is_a_folder(vidstyle, world: World, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    output.mkdir()
    assert_refused(vidstyle("stylize", world.clip, output, "--style", "identity", "-y"), FAILURE, "is a folder")
    assert not list(output.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_existing_output_is_kept_unless_told_otherwise(vidstyle, world: World, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out{suffix}"
    output.write_bytes(b"precious")
    arguments = ("stylize", world.clip, output, "--style", "identity", "--end", "0.2")
    assert_refused(vidstyle(*arguments), FAILURE, output.name, "--overwrite")
    assert output.read_bytes() == b"precious"
    assert vidstyle(*arguments, "--overwrite").exit_code == 0
    assert output.stat().st_size > 100


@pytest.mark.parametrize("way", ["same name", "link", "detour"])
def test_the_input_is_never_the_output(vidstyle, world: World, tmp_path: Path, way: str) -> None:
    before = world.clip.read_bytes()
    output = {
        "same name": world.clip,
        "link": tmp_path / "link.mp4",
        "detour": world.folder / ".." / "in" / "clip.mp4",
    }[way]
    if way == "link":
        output.symlink_to(world.clip)
    done = vidstyle("stylize", world.clip, output, "--style", "identity", "--overwrite")
    assert_refused(done, FAILURE, "input")
    assert world.clip.read_bytes() == before
    assert [path.name for path in world.folder.iterdir()] == ["clip.mp4"]


def test_a_still_is_never_its_own_output(vidstyle, style_picture: Path, world: World) -> None:
    picture = world.file("picture.png", style_picture.read_bytes())
    assert_refused(vidstyle("stylize", picture, picture, "--style", "identity", "-y"), FAILURE, "same file")
    assert picture.read_bytes() == style_picture.read_bytes()


@pytest.mark.parametrize("command", ["stylize", "preview"])
@pytest.mark.parametrize("use", ["--style", "--mask"])
def test_what_a_render_is_made_from_is_never_its_output(
    vidstyle, style_picture: Path, world: World, command: str, use: str
) -> None:
    picture, source = (world.file(name, style_picture.read_bytes()) for name in ("used.png", "source.png"))
    style = () if use == "--style" else ("--style", world.style)
    done = vidstyle(command, source, picture, use, picture, *style, "--overwrite")
    assert_refused(done, FAILURE, "used.png", f"in use as {use[2:]}", "another name")
    assert picture.read_bytes() == style_picture.read_bytes()


@pytest.mark.parametrize(
    ("use", "used", "output"),
    [
        ("--mask", "m.%04d.png", "m.%04d.png"),
        ("--mask", "m.%04d.png", "m.####.png"),
        ("--mask", "m.0001.png", "m.%04d.png"),
        ("--style", "m.0002.png", "m.%04d.png"),
    ],
)
def test_frames_a_render_is_made_from_are_never_its_output(
    vidstyle, style_picture: Path, world: World, use: str, used: str, output: str
) -> None:
    frames = [world.file(f"{kind}.{number:04}.png", style_picture.read_bytes()) for kind in "im" for number in (1, 2)]
    style = () if use == "--style" else ("--style", world.style)
    folder = frames[0].parent
    done = vidstyle("stylize", folder / "i.%04d.png", folder / output, use, folder / used, *style, "--overwrite")
    assert_refused(done, FAILURE, "m.000", f"in use as {use[2:]}", "another name")
    assert all(frame.read_bytes() == style_picture.read_bytes() for frame in frames)


def test_a_still_cannot_become_a_clip(vidstyle, style_picture: Path, tmp_path: Path) -> None:
    done = vidstyle("stylize", style_picture, tmp_path / "out.mp4", "--style", "identity")
    assert_refused(done, FAILURE, "out.mp4", ".png")


def test_a_preview_is_a_picture(vidstyle, world: World, tmp_path: Path) -> None:
    assert_refused(vidstyle("preview", world.clip, tmp_path / "out.mp4"), FAILURE, "out.mp4", ".png")


@contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    """Writing past ``num_bytes`` fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
def test_a_full_disk(vidstyle, painted_style: Path, tmp_path: Path, suffix: str) -> None:
    source = factory.make_clip(tmp_path / "in.mkv", num_frames=40, size=(160, 120), audio="aac")
    output = tmp_path / f"out{suffix}"
    output.write_bytes(b"precious")
    with file_size_limit(30_000):
        done = vidstyle(
            *("stylize", source, output, "--style", painted_style, "--consistency", "0", "--overwrite"),
            *(() if suffix == ".gif" else ("--crf", "1")),
        )
    assert_refused(done, FAILURE, output.name, "free some space")
    assert output.read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.mkv", output.name])


def test_a_full_disk_for_a_still(vidstyle, style_picture: Path, tmp_path: Path) -> None:
    with file_size_limit(1000):
        done = vidstyle("stylize", style_picture, tmp_path / "out.png", "--style", "identity")
    assert_refused(done, FAILURE, "out.png", "free some space")
    assert not list(tmp_path.iterdir())


def test_an_output_folder_that_is_a_file(vidstyle, world: World, tmp_path: Path) -> None:
    taken = world.file("taken", b"")
    assert_refused(vidstyle("stylize", world.clip, "--out-dir", taken, "--style", "identity"), USAGE, "taken")


def test_a_folder_wants_an_output_folder(vidstyle, world: World, tmp_path: Path) -> None:
    assert_refused(vidstyle("stylize", world.folder, tmp_path / "out.mp4"), USAGE, "--out-dir")


def test_a_folder_with_nothing_to_paint(vidstyle, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = vidstyle("stylize", tmp_path / "in", "--out-dir", tmp_path / "out")
    assert_refused(done, USAGE, "no clips or pictures")
    assert not (tmp_path / "out").exists()


def test_a_wrong_setting_makes_no_output_folder(vidstyle, world: World, tmp_path: Path) -> None:
    done = vidstyle("stylize", world.clip, "--out-dir", tmp_path / "out", "--size", "large")
    assert_refused(done, USAGE, "large")
    assert not (tmp_path / "out").exists()


def test_two_inputs_of_one_name(vidstyle, world: World, tmp_path: Path) -> None:
    factory.make_clip(world.folder / "clip.avi", num_frames=2)
    assert_refused(vidstyle("stylize", world.folder, "--out-dir", tmp_path / "out"), USAGE, "clip.avi", "clip.mp4")


def test_damage_in_the_middle_is_no_end(vidstyle, world: World, tmp_path: Path) -> None:
    with av.open(str(world.clip)) as container:
        size = world.clip.stat().st_size
        positions = [p.pos for p in container.demux(video=0) if p.pos]
    data = bytearray(world.clip.read_bytes())
    for position in positions[20:24]:
        data[position : min(position + 400, size)] = b"\xff" * min(400, size - position)
    broken = world.file("broken.mp4", bytes(data))
    assert_refused(
        vidstyle("stylize", broken, tmp_path / "out.mp4", "--style", "identity"), FAILURE, "broken.mp4", "damaged"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_debugging_shows_the_traceback(vidstyle, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from vidstyle.cli.main import main
    from vidstyle.errors import OpenError

    monkeypatch.setenv("VIDSTYLE_DEBUG", "1")
    with pytest.raises(OpenError):
        main(["stylize", "nowhere.mp4", "out.mp4", "--style", "identity"])


@pytest.mark.parametrize("arguments", [(), ("paint",), ("stylize",), ("preview", "only.mp4")], ids=str)
def test_usage_is_exit_code_2(vidstyle, arguments: tuple[str, ...]) -> None:
    done = vidstyle(*arguments)
    assert done.exit_code == USAGE
    assert "Usage:" in done.stderr + done.stdout
