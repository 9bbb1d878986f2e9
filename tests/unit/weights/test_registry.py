"""The styles that ship: each is whole, named, and loads; and the user's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from fakes import Hostile
from network_factory import lively_johnson, picture
from safetensors.torch import save_file

from vidstyle.compose import load_stylizer
from vidstyle.config import RenderConfig
from vidstyle.errors import (
    CheckpointMismatchError,
    ConfigError,
    OpenError,
    UnsupportedCheckpointError,
    WeightsNotFoundError,
)
from vidstyle.stylizers.checkpoint import StyleCard, add_style, load_feedforward, save_feedforward
from vidstyle.stylizers.feedforward import BlurPoolNet
from vidstyle.training.run import _trained_net
from vidstyle.weights.files import load_tensors
from vidstyle.weights.registry import Style, find_style, remove_style, shipped_styles, user_styles

STYLES = shipped_styles()


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_a_shipped_style_loads_and_says_what_it_is(style) -> None:
    assert style.title
    assert "\n" not in style.title
    assert re.fullmatch(r"[a-z0-9-]+", style.name)
    assert style.path.stat().st_size < 5_000_000
    assert load_feedforward(style.path).name


def test_the_default_style_ships() -> None:
    assert find_style(RenderConfig().style)


def test_a_name_is_found_however_it_is_written() -> None:
    name = STYLES[0].name
    for spelled in (name, name.upper(), name.replace("-", "_"), f" {name.replace('-', ' ')} "):
        assert find_style(spelled).name == name


def test_an_unknown_name_gets_near_ones_or_all() -> None:
    with pytest.raises(WeightsNotFoundError, match="did you mean identity"):
        find_style("idenity")
    with pytest.raises(WeightsNotFoundError, match=r"shipped are .*identity") as caught:
        find_style("zzzzqqqq")
    assert all(style.name in str(caught.value) for style in STYLES)


def test_a_name_that_cannot_be_used_is_not_offered() -> None:
    for name in ("identity", "idenity", "zzzzqqqq"):
        with pytest.raises(WeightsNotFoundError) as caught:
            find_style(name, besides=())
        assert "identity" not in str(caught.value).replace("'identity'", "")  # as it was given


# The user's own styles ------------------------------------------------------------------------------------------------


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "vidstyle" / "styles"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        net = BlurPoolNet(16, 1)
    save_feedforward(tmp_path / "ink_wash.safetensors", net, StyleCard("first", "Grey ink, wet paper"))
    return tmp_path / "ink_wash.safetensors"


def test_an_added_style_is_found_and_paints_the_same(own_folder: Path, trained: Path) -> None:
    style = add_style(trained)
    assert style == Style("ink-wash", "Grey ink, wet paper", own_folder / "ink-wash.safetensors", is_own=True)
    assert user_styles() == [style]
    assert style not in shipped_styles()
    for spelled in ("ink-wash", "Ink_Wash", " ink wash "):
        assert find_style(spelled) == style
    assert load_feedforward(style.path).name == "ink-wash"
    content = picture(32, 32)
    assert torch.equal(load_feedforward(style.path)(content), load_feedforward(trained)(content))
    assert [file.name for file in own_folder.iterdir()] == ["ink-wash.safetensors"]


def test_a_foreign_checkpoint_is_kept_as_safetensors(own_folder: Path, tmp_path: Path) -> None:
    state = lively_johnson().state_dict()
    state["shared"] = state["conv1.conv2d.bias"]
    torch.save(state, tmp_path / "udnie.epoch2.pth")
    with pytest.raises(CheckpointMismatchError):  # one tensor too many
        add_style(tmp_path / "udnie.epoch2.pth")
    assert not own_folder.exists()
    del state["shared"]
    state["in1.bias"] = state["in1.weight"]  # one storage under two names
    torch.save(state, tmp_path / "udnie.epoch2.pth")
    style = add_style(tmp_path / "udnie.epoch2.pth")
    assert style.path == own_folder / "udnie-epoch2.safetensors"
    content = picture(32, 32)
    expected = load_feedforward(tmp_path / "udnie.epoch2.pth")(content)
    assert torch.equal(load_feedforward(style.path)(content), expected)


@pytest.mark.parametrize("name", ["in1.running_mean", "in1.running_\udce9"])
@pytest.mark.parametrize("kind", ["endless", "sparse", "without values"])
def test_what_no_network_is_made_of_is_not_kept(kind: str, name: str, own_folder: Path, tmp_path: Path) -> None:
    """Versions of that time saved statistics that were never used; here they are what could fill the memory."""
    state = lively_johnson().state_dict()
    state[name] = {
        "endless": torch.zeros(1).expand(10**11),
        "sparse": torch.zeros(3).to_sparse(),
        "without values": torch.zeros(3, device="meta"),
    }[kind]
    torch.save(state, tmp_path / "inky.pth")
    kept = add_style(tmp_path / "inky.pth").path
    assert set(load_tensors(kept)[0]) == set(state) - {name}


@pytest.mark.parametrize(("given", "kept"), [("Cafe\u0301", "caf\u00e9"), ("İzmir", "i\u0307zmir"), ("हिन्दी", "हिन्दी")])
def test_letters_with_marks_are_letters(given: str, kept: str, own_folder: Path, trained: Path) -> None:
    assert add_style(trained, given).name == kept
    assert find_style(given).name == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a/b",
        "../up",
        "a\\b",
        "/x",
        ".",
        "..",
        ".x",
        "a.pth",
        "-x",
        "a\nb",
        "a\0b",
        "x" * 65,
        "\U00020000" * 64,
        "\u0301a",
    ],
)
def test_a_name_that_could_not_be_typed_as_style(name: str, own_folder: Path, trained: Path) -> None:
    with pytest.raises(ConfigError, match="cannot name a style"):
        add_style(trained, name)
    assert not own_folder.exists()


@pytest.mark.parametrize("name", ["identity", *(style.name.upper().replace("-", "_") for style in STYLES)])
def test_a_shipped_name_is_not_free_and_cannot_be_removed(name: str, own_folder: Path, trained: Path) -> None:
    with pytest.raises(ConfigError, match="ships with vidstyle"):
        add_style(trained, name, overwrite=True)
    with pytest.raises(WeightsNotFoundError, match="ships with vidstyle"):
        remove_style(name)
    assert not own_folder.exists()


def test_an_own_name_is_taken_only_once_unless_told(own_folder: Path, trained: Path) -> None:
    before = add_style(trained, "Wet Ink").path.read_bytes()
    other = trained.with_name("other.safetensors")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        save_feedforward(other, BlurPoolNet(8, 0), StyleCard("other"))
    with pytest.raises(OpenError, match="--overwrite"):
        add_style(other, "wet_ink")
    assert find_style("wet-ink").path.read_bytes() == before
    add_style(other, "wet_ink", overwrite=True)
    assert [style.title for style in user_styles()] == [""]


@pytest.mark.parametrize("content", [b"", b"not a style", b"PK\x03\x04"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_cannot_be_loaded_is_not_kept(content: bytes, suffix: str, own_folder: Path, tmp_path: Path) -> None:
    (tmp_path / f"bad{suffix}").write_bytes(content)
    with pytest.raises(UnsupportedCheckpointError):
        add_style(tmp_path / f"bad{suffix}")
    with pytest.raises(WeightsNotFoundError):
        add_style(tmp_path / f"absent{suffix}")
    assert not own_folder.exists()


def test_a_hostile_pickle_is_not_run(own_folder: Path, tmp_path: Path) -> None:
    torch.save({"weight": Hostile(tmp_path / "ran")}, tmp_path / "bad.pth")
    with pytest.raises(UnsupportedCheckpointError):
        add_style(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_a_failed_write_leaves_nothing(own_folder: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        add_style(trained)
    assert list(own_folder.iterdir()) == []


def test_removing(own_folder: Path, trained: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match="none yet"):
        remove_style("ink")
    add_style(trained, "ink")
    with pytest.raises(WeightsNotFoundError, match="yours are ink"):
        remove_style("../ink")
    assert remove_style(" INK ").name == "ink"
    assert user_styles() == []
    with pytest.raises(WeightsNotFoundError, match="There is no style"):
        find_style("ink")


def test_damaged_and_foreign_files_in_the_folder_break_nothing(own_folder: Path, trained: Path) -> None:
    add_style(trained, "good")
    whole = (own_folder / "good.safetensors").read_bytes()
    for name, content in (
        ("cut", whole[:-1]),
        ("empty", b""),
        ("noise", b"\xff" * 100),
        ("deep", _header(b"[" * 9999)),
    ):
        (own_folder / f"{name}.safetensors").write_bytes(content)
    (own_folder / "notes.txt").write_text("mine")
    (own_folder / "left.safetensors.part").write_bytes(whole)
    (own_folder / "folder.safetensors").mkdir()
    (own_folder / "no.name.safetensors").write_bytes(whole)  # --style would take it for a file
    found = {style.name: style.is_damaged for style in user_styles()}
    assert found == {"cut": True, "deep": True, "empty": True, "good": False, "noise": True}
    with pytest.raises(UnsupportedCheckpointError):
        load_feedforward(find_style("cut").path)
    assert add_style(trained, "cut", overwrite=True).is_damaged is False
    remove_style("noise")
    assert "noise" not in {style.name for style in user_styles()}


def _header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def test_a_title_is_one_printable_line(own_folder: Path) -> None:
    own_folder.mkdir(parents=True)
    title = "two\nlines \x1b[31mred\u202e" + "x" * 500
    save_file({"a": torch.zeros(1)}, own_folder / "a.safetensors", {"title": title})
    assert find_style("a").title == ("two lines [31mred" + "x" * 500)[:100]


def test_near_names_include_the_users(own_folder: Path, trained: Path) -> None:
    add_style(trained, "charcoal")
    with pytest.raises(WeightsNotFoundError, match="did you mean charcoal"):
        find_style("charcaol")
    with pytest.raises(WeightsNotFoundError, match="yours are charcoal"):
        find_style("zzzzqqqq")


def test_an_own_style_paints_by_name_and_training_starts_from_it(own_folder: Path, trained: Path) -> None:
    add_style(trained, "ink")
    assert load_stylizer(RenderConfig(style="ink")).name == "ink"
    assert _trained_net("Ink").state_dict().keys() == BlurPoolNet(16, 1).state_dict().keys()


def test_training_starts_from_a_style_made_before_there_were_skips(
    own_folder: Path, trained: Path, tmp_path: Path
) -> None:
    tensors, metadata = load_tensors(trained)
    save_file(
        {key: value for key, value in tensors.items() if "skip" not in key}, tmp_path / "old.safetensors", metadata
    )
    add_style(tmp_path / "old.safetensors", "older")
    net = _trained_net("older")
    assert net.state_dict().keys() == BlurPoolNet(16, 1).state_dict().keys()
    assert not net.half_skip.weight.any()
