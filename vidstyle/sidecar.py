"""``OUT.json``: how an output came to be, complete enough to make it again and to tell whether anything changed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from vidstyle import __version__
from vidstyle.config import RenderConfig
from vidstyle.errors import EncodeError, OpenError
from vidstyle.file_settings import absolute
from vidstyle.media.probe import media_versions
from vidstyle.media.sequence_names import is_sequence, parse_pattern
from vidstyle.outputs import claim_output
from vidstyle.part_file import write_whole
from vidstyle.report import RenderPlan, RenderReport
from vidstyle.used_files import model_files, read_files

#: Raised when a field changes its meaning; new fields do not raise it.
VERSION = 1
# Which frames are rendered, where and how fast says nothing about the look of one.
_NOT_OF_A_FRAME = frozenset(
    {"start_seconds", "end_seconds", "frames", "handles", "on_error", "continue_", "sidecar", "allow_download"}
    | {"device", "batch_size", "audio", "sound"}
)
_LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python", "scenedetect")


class FileRecord(BaseModel):
    """A file, or the numbered files of a sequence.

    Attributes:
        path: absolute name; of a sequence the pattern.
        num_files: 1, or the length of the sequence.
        size_bytes: of all files.
        sha256: of the file; of a sequence: of the list of its files' hexadecimal hashes, in order, one a line.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    num_files: int
    size_bytes: int
    sha256: str


class Measured(BaseModel):
    """What the render took and found.

    Attributes:
        num_frames: frames painted.
        size: (width, height) of the output in pixels.
        wall_seconds: duration of the whole render.
        frames_per_second: end to end.
        stage_seconds: busy seconds by stage; stages overlap.
        compute: device and precision.
        flow: flow estimator and why it was chosen.
        cut_seconds: times at which a new shot starts.
        notes: fallbacks and everything that could not be kept, a sentence each.
    """

    model_config = ConfigDict(frozen=True)

    num_frames: int
    size: tuple[int, int]
    wall_seconds: float
    frames_per_second: float
    stage_seconds: dict[str, float]
    compute: str
    flow: str
    cut_seconds: tuple[float, ...]
    notes: tuple[str, ...]


class Sidecar(BaseModel):
    """The content of ``OUT.json``.

    Attributes:
        sidecar_version: of this layout.
        created: when the render was finished, UTC, ISO 8601.
        command: the command line, one word an item; empty when rendered from Python.
        versions: of vidstyle, Python, the libraries and the platform.
        input: what was painted.
        output: what was written.
        models: weight files by role: ``style``, ``adain``, ``flow``.
        files: what else was read, by setting: ``mask``, ``regions.0.mask``, ``lut``, ``shots_from``, ``color_config``,
            ``sound``.
        settings: every setting, defaults included, files with their whole path; ``RenderConfig(**settings)`` gives them
            back.
        settings_sha256: of ``settings`` as JSON with sorted keys and no spaces.
        plan: what was to become of every stream.
        report: what the render took and found.
    """

    model_config = ConfigDict(frozen=True)

    sidecar_version: int = VERSION
    created: str
    command: tuple[str, ...]
    versions: dict[str, str]
    input: FileRecord
    output: FileRecord
    models: dict[str, FileRecord]
    files: dict[str, FileRecord] = {}
    settings: dict[str, Any]
    settings_sha256: str
    plan: RenderPlan | None
    report: Measured


def sidecar_path(output: Path) -> Path:
    """``clip.mp4.json`` for clip.mp4, ``shot.exr.json`` for shot.%04d.exr: never that of another container."""
    if is_sequence(output):
        pattern = parse_pattern(output)
        return output.with_name(f"{pattern.sound_stem or 'sequence'}{pattern.suffix}.json")
    return output.with_name(f"{output.name}.json")


def claim_sidecar(output: Path, *, overwrite: bool = False) -> Path:
    """Where the sidecar of ``output`` goes, before anything is rendered.

    Raises:
        OpenError: one is there and ``overwrite`` is off, or its folder is missing.
    """
    path = sidecar_path(output)
    claim_output(path, overwrite=overwrite)
    return path


def record(path: Path) -> FileRecord:
    """Hash a file, or the files on disk that a sequence's pattern means.

    Raises:
        OpenError: one cannot be read.
    """
    members, sequence = [path], is_sequence(path)
    if sequence:
        members = parse_pattern(path).files()
    try:
        hashes = [_hash(member) for member in members]
        size = sum(member.stat().st_size for member in members)
    except OSError as error:
        raise OpenError(f"{path} cannot be read again for the sidecar's hash ({error.strerror}).", path) from error
    whole = hashes[0] if not sequence else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return FileRecord(path=str(path.absolute()), num_files=len(members), size_bytes=size, sha256=whole)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settings_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings as JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def settings_changed(output: Path, config: RenderConfig) -> list[str]:
    """Names of settings that change the picture and differ from those in the sidecar of an output.

    Args:
        output: as rendered before; without a readable sidecar nothing is known to differ.
        config: settings of the render to come.
    """
    try:
        before = read_sidecar(sidecar_path(output)).settings
    except OpenError:
        return []
    now = absolute(config.model_dump(mode="json"))
    return [name for name in now if name in before and name not in _NOT_OF_A_FRAME and now[name] != before[name]]


def library_versions() -> dict[str, str]:
    """What a result may depend on."""
    found = {"vidstyle": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | media_versions()


def add_sidecar(
    report: RenderReport,
    source: Path,
    config: RenderConfig,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
) -> RenderReport:
    """Write ``OUT.json`` beside a finished output.

    Args:
        report: of the render.
        source: its input.
        config: its settings.
        command: the command line.
        overwrite: replace an existing sidecar.

    Returns:
        The report, with the sidecar's name in it.

    Raises:
        MediaError: a file cannot be read again, or the sidecar cannot be written; the output stays.
    """
    path = sidecar_path(report.output)
    settings = absolute(config.model_dump(mode="json"))
    models = model_files(config)
    if report.flow_weights is not None:
        models["flow"] = report.flow_weights
    sidecar = Sidecar(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=tuple(command),
        versions=library_versions(),
        input=record(source),
        output=record(report.output),
        models={role: record(file) for role, file in models.items()},
        files={name: record(file) for name, file in read_files(config).items()},
        settings=settings,
        settings_sha256=settings_hash(settings),
        plan=report.plan,
        report=Measured(
            num_frames=report.num_frames,
            size=report.size,
            wall_seconds=report.wall_seconds,
            frames_per_second=report.frames_per_second,
            stage_seconds=report.stage_seconds,
            compute=report.compute,
            flow=report.flow,
            cut_seconds=report.cut_seconds,
            notes=report.notes,
        ),
    )
    write_sidecar(path, sidecar, overwrite=overwrite)
    return replace(report, sidecar=path)


def write_sidecar(path: Path, sidecar: Sidecar, *, overwrite: bool = False) -> None:
    """Write the file whole or not at all.

    Raises:
        OpenError: one appeared meanwhile and ``overwrite`` is off.
        EncodeError: it cannot be written; the rendered output stays.
    """
    claim_output(path, overwrite=overwrite)
    text = json.dumps(sidecar.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    try:
        # Names of files may be no valid text, of which Python keeps the bytes as surrogates.
        write_whole(path, text.encode("utf-8", "backslashreplace"), overwrite=overwrite)
    except (OpenError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise EncodeError(
            f"The output is whole, but its sidecar {path} cannot be written ({why}); free some space.", path
        ) from error


def read_sidecar(path: str | Path) -> Sidecar:
    """Read ``OUT.json`` back; ``make_config(**read_sidecar(path).settings)`` are the settings it was made with.

    Raises:
        OpenError: there is none, or it is not a sidecar of this version.
    """
    path = Path(path)
    try:
        sidecar = Sidecar.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise OpenError(f"The sidecar {path} cannot be read ({error.strerror}); check the name.", path) from error
    except (ValidationError, ValueError) as error:
        raise OpenError(f"{path} is not a sidecar that vidstyle wrote; name one made by --sidecar.", path) from error
    if sidecar.sidecar_version != VERSION:
        raise OpenError(
            f"{path} is a sidecar of layout {sidecar.sidecar_version}, this vidstyle reads {VERSION}; "
            "use the vidstyle that wrote it.",
            path,
        )
    return sidecar
