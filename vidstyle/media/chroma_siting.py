"""Where chroma samples lie between those of luma: to the left, on the way in and on the way out."""

from __future__ import annotations

import av
from av import VideoFrame as AVFrame


class ChromaSiting:
    """Marks frames as having their chroma in line with every other luma column, as H.264, HEVC, AV1 and MPEG-2 imply.

    swscale takes unmarked frames for centred ones. Decoders mark theirs and PyAV can neither read nor set the mark, so
    that chroma would move by a quarter of its distance in every pass.
    """

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: AVFrame) -> AVFrame:
        """The same picture, marked; its memory is shared."""
        key = (frame.format.name, frame.width, frame.height, frame.colorspace, frame.color_range)
        if self._graph is None or key != self._key:
            self._graph, self._key = _graph_for(frame), key
        self._graph.vpush(frame)
        return self._graph.vpull()


def _graph_for(frame: AVFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1"
        f":colorspace={frame.colorspace}:range={frame.color_range}",
    )
    mark = graph.add("setparams", "chroma_location=left")
    sink = graph.add("buffersink")
    source.link_to(mark)
    mark.link_to(sink)
    graph.configure()
    return graph
