"""VP8 and VP9 with opacity: a second picture in each packet's side data, which FFmpeg's own decoders leave out."""

from __future__ import annotations

from av import CodecContext
from av.codec.codec import UnknownCodecError
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def hides_alpha(video: VideoStream) -> bool:
    """Whether a stream has opacity that its decoder does not give, and another would."""
    name = video.codec_context.codec.canonical_name
    marks = {key.lower(): value for key, value in video.metadata.items()}
    return marks.get("alpha_mode") == "1" and name in _DECODERS and _open(name) is not None


def alpha_decoder(video: VideoStream) -> VideoCodecContext | None:
    """A decoder that gives the opacity of such a stream too; None where the stream's own does or there is none."""
    return _open(video.codec_context.codec.canonical_name) if hides_alpha(video) else None


def _open(name: str) -> VideoCodecContext | None:
    try:
        decoder = CodecContext.create(_DECODERS[name], "r")
    except UnknownCodecError:
        return None
    return decoder if isinstance(decoder, VideoCodecContext) else None
