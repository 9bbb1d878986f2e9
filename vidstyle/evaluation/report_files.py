"""Where the results of an evaluation are written: claimed before the work, whole or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vidstyle.errors import OpenError
from vidstyle.evaluation.clip_report import ClipReport
from vidstyle.evaluation.report_page import report_page
from vidstyle.outputs import claim_output, unwritable
from vidstyle.part_file import write_whole


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """Files that were asked for.

    Attributes:
        json_file: every figure, or None.
        page: the page, or None.
        overwrite: existing files may be replaced.
    """

    json_file: Path | None
    page: Path | None
    overwrite: bool

    @classmethod
    def claim(
        cls,
        json_file: Path | None,
        report_folder: Path | None,
        inputs: Iterable[Path | None] = (),
        *,
        overwrite: bool = False,
    ) -> Self:
        """Check that the files may come to be, and make the report's folder.

        Raises:
            OpenError: one exists and ``overwrite`` is off, one is an input, or a folder is missing or cannot be made.
        """
        page = None
        if report_folder is not None:
            try:
                report_folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise OpenError(f"{report_folder} is a file; name a folder for the report.", report_folder) from error
            except OSError as error:
                raise unwritable(report_folder, error) from error
            page = report_folder / "index.html"
        known = [path for path in inputs if path is not None]
        for target in (json_file, page):
            if target is not None:
                for path in (*known, None):
                    claim_output(target, source=path, overwrite=overwrite)
        return cls(json_file, page, overwrite)

    def write(self, report: ClipReport) -> Iterator[Path]:
        """Write what was asked for; gives each file as it is done.

        Raises:
            OpenError: the system refuses.
        """
        if self.json_file is not None:
            document = json.dumps(report.to_json(), indent=2, allow_nan=False)
            yield self._write(self.json_file, document + "\n")
        if self.page is not None:
            yield self._write(self.page, report_page(report))

    def _write(self, path: Path, text: str) -> Path:
        try:
            # Names of files may be no valid text, of which Python keeps the bytes as surrogates.
            write_whole(path, text.encode("utf-8", "backslashreplace"), overwrite=self.overwrite)
        except OSError as error:
            raise unwritable(path, error) from error
        return path
