"""The page's server: what it asks for, by address. Listens on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from vidstyle.compose import choose_compute
from vidstyle.config import RenderConfig
from vidstyle.errors import ConfigError, OpenError, VidstyleError
from vidstyle.media.in_memory import encode_jpeg, encode_png
from vidstyle.media.names import is_clip
from vidstyle.media.probe import probe_video
from vidstyle.outputs import claim_output, unwritable
from vidstyle.part_file import write_whole
from vidstyle.ui.controls import changed_settings, combined, command_line, described_controls, preset_text
from vidstyle.ui.guard import Guard
from vidstyle.ui.jobs import Jobs
from vidstyle.ui.previews import Kind, Previewer, SupersededError
from vidstyle.ui.session import MAX_UPLOAD_BYTES, NO_PICTURE_MODEL, RefusedError, Session, too_large
from vidstyle.ui.thumbnails import clip_thumbnail

STATIC = Path(__file__).parent / "static"
_WINS = "What the preset's keyframes and shots say of it wins over this."
_EVENT_SECONDS = 0.2
_STATUS: dict[type[Exception], int] = {RefusedError: 403, SupersededError: 409}


class Settings(BaseModel):
    """A clip and what the page's controls stand at."""

    clip: str
    settings: dict[str, Any] = Field(default_factory=dict)


class FrameRequest(Settings):
    """A frame to show."""

    at: float = Field(ge=0)
    kind: Kind
    tab: str = Field("", max_length=40)
    view: int = 0


class OutputRequest(Settings):
    """A file to render to, or to write a preset to."""

    output: str = Field(max_length=400)
    overwrite: bool = False


def create_app(session: Session, port: int) -> FastAPI:
    """The page's server, guarded.

    Args:
        session: what it may see.
        port: it will listen on.
    """
    previewer, jobs = Previewer(), Jobs()

    def stop() -> None:
        previewer.stop()
        jobs.stop()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:  # noqa: ARG001  # FastAPI's signature
        yield
        stop()
        await asyncio.to_thread(jobs.join)

    app = FastAPI(title="vidstyle", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.stop = stop
    app.add_middleware(Guard, token=session.token, port=port)
    app.add_exception_handler(VidstyleError, _explained)
    app.add_exception_handler(OSError, _explained)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    _add_pages(app, session, jobs)
    _add_pictures(app, session, previewer)
    _add_settings(app, session)
    _add_renders(app, session, jobs)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


def _explained(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  # Starlette's signature
    return JSONResponse({"error": str(error)}, status_code=_STATUS.get(type(error), 422))


def _misunderstood(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    where = ".".join(str(part) for part in problems[0]["loc"]) if problems else "the request"
    return JSONResponse({"error": f"The request cannot be used: see {where}."}, status_code=422)


def _add_pages(app: FastAPI, session: Session, jobs: Jobs) -> None:
    @app.get("/")
    def index() -> FileResponse:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-store"})

    @app.get("/api/state")
    def state() -> dict[str, Any]:
        latest = jobs.latest()
        return {
            "clip": None if session.clip is None else str(session.clip),
            "clips": session.clips(),
            "styles": session.styles(),
            "style_note": _WINS if session.base.changes("style") else "",
            "pictures": "" if session.picture_model() else NO_PICTURE_MODEL,
            "largest_picture_bytes": MAX_UPLOAD_BYTES,
            "controls": _offered(session),
            "settings": {"style": session.base.style, **changed_settings(session.base)},
            "compute": choose_compute(session.base.device, session.base.precision).reason,
            "render": None if latest is None else latest.state.plain(),
        }

    @app.get("/api/clip")
    def clip(path: str) -> dict[str, Any]:
        found = session.resolve_clip(path)
        info = probe_video(found)
        width, height = info.upright_size
        duration = info.duration_seconds or (info.num_frames_from_header or 1) / float(info.average_rate)
        return {
            "path": str(found),
            "name": found.name,
            "width": width,
            "height": height,
            "rate": float(info.average_rate),
            "seconds": duration,
            "codec": info.codec,
            "depth": info.bit_depth,
            "interlaced": info.is_interlaced,
        }

    @app.get("/media")
    def media(path: str) -> FileResponse:
        return FileResponse(session.resolve_clip(path), headers={"Cache-Control": "no-store"})


def _add_pictures(app: FastAPI, session: Session, previewer: Previewer) -> None:
    def config_of(asked: Settings) -> RenderConfig:
        return _config(session, asked.settings)

    @app.post("/api/frame")
    def frame(asked: FrameRequest) -> Response:
        clip = session.resolve_clip(asked.clip)
        made = previewer.frame(clip, asked.at, config_of(asked), asked.kind, tab=asked.tab, view=asked.view)
        figures = {
            "X-Shown-Seconds": f"{made.shown_seconds:.6f}",
            "X-Warmup-Frames": str(made.num_warmup_frames),
            "X-Took-Seconds": f"{made.seconds:.3f}",
            "Cache-Control": "no-store",
        }
        if asked.kind == "draft":
            return Response(encode_jpeg(made.data, 95), media_type="image/jpeg", headers=figures)
        return Response(encode_png(made.data), media_type="image/png", headers=figures)

    @app.post("/api/prepare")
    def prepare(asked: FrameRequest) -> dict[str, bool]:
        clip = session.resolve_clip(asked.clip)
        previewer.prepare(clip, asked.at, config_of(asked), tab=asked.tab, view=asked.view)
        return {"ready": True}

    @app.get("/api/thumbnail")
    def thumbnail(clip: str, at: float, height: int = 72) -> Response:
        small = clip_thumbnail(session.resolve_clip(clip), max(at, 0.0), min(max(height, 16), 360))
        return Response(encode_jpeg(small, 80), media_type="image/jpeg", headers={"Cache-Control": "private"})

    @app.get("/api/style")
    def style(name: str, clip: str, at: float, height: int = 144) -> Response:
        config = _config(session, {"style": name})
        small = previewer.style_thumbnail(session.resolve_clip(clip), max(at, 0.0), config, min(max(height, 16), 360))
        return Response(encode_jpeg(small, 88), media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @app.post("/api/pictures")
    async def add_picture(request: Request, name: str) -> dict[str, Any]:
        content = bytearray()
        async for chunk in request.stream():  # never more in memory than is allowed, whatever the header says
            content += chunk
            if len(content) > MAX_UPLOAD_BYTES:
                raise ConfigError(too_large(Path(name).name))
        return await asyncio.to_thread(session.add_picture, Path(name).name, bytes(content))


def _add_settings(app: FastAPI, session: Session) -> None:
    @app.post("/api/command")
    def command(asked: OutputRequest) -> dict[str, str]:
        return {"command": _command(session, asked)}

    @app.post("/api/preset")
    def preset(asked: OutputRequest) -> dict[str, str]:
        path = session.resolve(asked.output)
        if path.suffix != ".toml":
            raise ConfigError(f"{path.name} is no name for a preset; let it end in .toml.")
        text = preset_text(_config(session, asked.settings))
        try:
            write_whole(path, text.encode(), overwrite=asked.overwrite)
        except OSError as error:
            raise unwritable(path, error) from error
        return {"path": str(path)}


def _add_renders(app: FastAPI, session: Session, jobs: Jobs) -> None:
    @app.post("/api/render")
    def start(asked: OutputRequest) -> dict[str, Any]:
        source, output = session.resolve_clip(asked.clip), session.resolve(asked.output)
        if not is_clip(output):
            raise OpenError(f"{output.name} is no name for a clip; let it end in .mp4, .mov, .mkv or .webm.", output)
        claim_output(output, source=source, overwrite=asked.overwrite)
        config = _config(session, asked.settings)
        words = () if config.changes_over_time or config.regions else shlex.split(command_line(source, output, config))
        return jobs.start(source, output, config, overwrite=asked.overwrite, command=words).state.plain()

    @app.post("/api/render/{number}/cancel")
    def cancel(number: int) -> dict[str, Any]:
        job = jobs.get(number)
        job.cancel()
        return job.state.plain()

    @app.get("/api/render/{number}/events")
    async def events(number: int) -> StreamingResponse:
        job = jobs.get(number)

        async def stream() -> AsyncIterator[str]:
            told = None
            while True:
                state = job.state
                if state is not told:
                    told = state
                    yield f"data: {json.dumps(state.plain())}\n\n"
                if state.is_final:
                    return
                await asyncio.sleep(_EVENT_SECONDS)

        return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _offered(session: Session) -> list[dict[str, Any]]:
    controls = described_controls()
    for control in controls:
        if control["kind"] == "file":
            control["suggestions"] = session.files(control["suggestions"])
        if session.base.changes(control["field"]):
            control["help"] += f" {_WINS}"
    return controls


def _config(session: Session, values: dict[str, Any]) -> RenderConfig:
    config = combined(session.base, values, session.resolve)
    return config.model_copy(update={"style": session.check_style(config.style)})


def _command(session: Session, asked: OutputRequest) -> str:
    source, output = session.resolve_clip(asked.clip), session.resolve(asked.output)
    return command_line(source, output, _config(session, asked.settings))


class _Server(uvicorn.Server):
    """Breaks work off at Ctrl-C, rather than waiting for it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's own; called by signals."""
        self.config.app.state.stop()  # type: ignore[union-attr]  # it is create_app's
        super().handle_exit(sig, frame)


def serve(session: Session, port: int, on_ready: Callable[[str], None]) -> None:
    """Answer until interrupted.

    Args:
        session: what the page may see.
        port: to listen on; 0 takes a free one.
        on_ready: told the page's address.

    Raises:
        ConfigError: the port is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()  # a browser that is quicker than uvicorn waits, rather than being refused
        except (OSError, OverflowError) as error:
            raise ConfigError(f"Port {port} cannot be used; leave --port out to take a free one.") from error
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(session, port),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
        on_ready(f"http://127.0.0.1:{port}/?token={session.token}")
        _Server(config).run(sockets=[listener])
