from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from vidstyle.errors import ConfigError


@pytest.fixture
def settings_given(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Any]]:
    """Puts a function that only keeps its ``settings`` and then fails in the place of the one named."""

    def watch(name: str) -> list[Any]:
        found: list[Any] = []

        def fail(*_: object, settings: object, **__: object) -> None:
            found.append(settings)
            raise ConfigError("enough")

        monkeypatch.setattr(name, fail)
        return found

    return watch
