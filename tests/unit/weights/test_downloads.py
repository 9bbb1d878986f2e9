from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vidstyle.errors import WeightsNotFoundError
from vidstyle.weights.downloads import cached_file, download_checked, is_intact


def test_the_cache_is_torchs_and_the_name_holds_the_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path, digest = cached_file("https://example.org/models/vgg19-dcbb9e9d.pth")
    assert path == tmp_path / "hub" / "checkpoints" / "vgg19-dcbb9e9d.pth"
    assert digest == "dcbb9e9d"


def test_a_file_is_fetched_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "published", tmp_path / "cache" / "file"
    source.write_bytes(b"weights" * 1000)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:8]
    for url, wanted in ((source.as_uri(), "00000000"), ((tmp_path / "absent").as_uri(), digest)):
        with pytest.raises(WeightsNotFoundError, match="or wait for better days") as caught:
            download_checked(url, target, wanted, otherwise="wait for better days")
        assert url in str(caught.value)
        assert not list(target.parent.iterdir())
    download_checked(source.as_uri(), target, digest)
    assert target.read_bytes() == source.read_bytes()
    assert is_intact(target, digest)


def test_what_is_not_intact(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"other")
    assert not is_intact(tmp_path / "file", "00000000")
    assert not is_intact(tmp_path / "absent", "")
    assert not is_intact(tmp_path, "")
