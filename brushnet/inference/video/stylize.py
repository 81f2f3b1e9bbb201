"""`brushnet stylize MODEL clip.mp4 -o OUT`: a video painted frame by frame, in the same memory however long it is."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from brushnet import images
from brushnet.devices import pick_device
from brushnet.errors import BrushnetError, Stopped
from brushnet.inference.finish import check_colour, check_strength, finish
from brushnet.inference.video.clip import Clip, Frame, measured_duration_s, open_clip
from brushnet.inference.video.formats import checked_crf, format_of
from brushnet.inference.video.opening import require_av
from brushnet.inference.video.painted_clip import PaintedClip, open_painted
from brushnet.inference.video.steady import HOLD_S, SteadyPainter
from brushnet.inference.video.strokes import Strokes, open_strokes
from brushnet.inference.video.target import target
from brushnet.inference.video.watcher import Look, Watcher
from brushnet.models import StyleModel, load
from brushnet.style_mix import Style, style_weights

log = logging.getLogger(__name__)

BATCH_PIXELS = 4_000_000  # of the frames that a GPU paints at once
MOST_FRAMES = 16

Progress = Callable[[int, int, Path], None]  # frames painted, frames in all (an estimate), the clip


@dataclass
class VideoReport:
    """`problems`: what of the clip could not be read. What could is in the painted clip all the same."""

    clip: Path
    written: Path
    frames: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return BrushnetError.exit_code if self.problems else 0

    def lines(self) -> list[str]:
        """For people, one a line."""
        done = f"{self.frames} frame{'' if self.frames == 1 else 's'} painted ({self.written})"
        return [*(f"{self.clip}: {problem}" for problem in self.problems), done]


def stylize_video(
    model: StyleModel | str | Path,
    clip: str | Path,
    out: str | Path,
    *,
    stroke: float | None = None,
    stroke_from: float | None = None,
    stroke_to: float | None = None,
    stroke_map: str | Path | None = None,
    map_range: tuple[float, float] | None = None,
    strength: float = 1.0,
    preserve_colour: str | None = None,
    style: Style = None,
    device: str = "auto",
    strict: bool = False,
    force: bool = False,
    crf: int | None = None,
    strip_metadata: bool = False,
    steady: bool = True,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> VideoReport:
    """Paint a video; `out` with a video's suffix is a file, anything else a folder.

    `stroke_from` and `stroke_to` move the brush over the clip's duration, in equal steps of octaves; `crf` is the
    encoder's quality, lower is better; without `steady` each frame is a picture of its own, and flickers; all
    else is as for `stylize_files`.

    Sound, subtitles, times of frames, colour tags and the shape of pixels stay. UserError for a wrong request before
    anything is written; VideoError for a clip without a frame; BrushnetError where the disk fails. Whatever ends it
    early leaves nothing behind; `stop`, once set from elsewhere, does soon (Stopped). A damaged clip is painted as far
    as it can be decoded: see the report's `problems`.
    """
    require_av()
    check_strength(strength)
    check_colour(preserve_colour)
    path, written = Path(clip), target(Path(clip), Path(out), force=force)
    format_ = format_of(written)
    crf = checked_crf(crf, format_.codec)
    model = _on_device(model, device)
    style_weights(style, model.style_names)
    strokes = open_strokes(
        model,
        stroke=stroke,
        stroke_from=stroke_from,
        stroke_to=stroke_to,
        stroke_map=None if stroke_map is None else Path(stroke_map),
        map_range=map_range,
        strict=strict,
    )
    report = VideoReport(path, written)

    def finishing(photo: Tensor, painting: Tensor) -> Tensor:
        return finish(photo, painting, strength=strength, preserve_colour=preserve_colour)

    with torch.inference_mode(), open_clip(path) as opened:
        strokes.check((opened.info.height, opened.info.width), str(path))
        for remark in opened.info.remarks:
            log.info("%s: %s", path, remark)
        painter = SteadyPainter(model, style=style, hold_s=HOLD_S if steady else 0, grid=steady)
        with open_painted(written, opened, format_, crf=crf, metadata=not strip_metadata) as painted:
            _Run(painter, strokes, finishing, opened, painted, report, progress).do(stop)
        report.problems = opened.problems
    return report


class _Run:
    def __init__(
        self,
        painter: SteadyPainter,
        strokes: Strokes,
        finishing: Callable[[Tensor, Tensor], Tensor],
        clip: Clip,
        painted: PaintedClip,
        report: VideoReport,
        progress: Progress | None,
    ):
        self.painter, self.strokes, self.finishing = painter, strokes, finishing
        self.clip, self.painted, self.report, self.progress = clip, painted, report, progress
        self.duration_s = measured_duration_s(clip) if strokes.moves else 0.0
        self.watch = Watcher()
        self.first_pts: int | None = None
        self.batch = _frames_at_once(clip, painter.model.device, moving=strokes.moves)

    def do(self, stop: threading.Event | None) -> None:
        waiting: list[Frame] = []
        for each in self.clip.read():
            if stop is not None and stop.is_set():
                frames = f"{self.report.frames} of {self.clip.info.frames} frames"
                raise Stopped(f"stopped after {frames} of {self.clip.path}; nothing is written")
            if not isinstance(each, Frame):
                self.painted.add_packet(each)
                continue
            waiting.append(each)
            if len(waiting) == self.batch:
                self._paint(waiting)
                waiting.clear()
        if waiting:
            self._paint(waiting)

    def _paint(self, frames: list[Frame]) -> None:
        photos_B3HW = torch.stack([_tensor(frame.rgb) for frame in frames])
        looks = [self.watch(photo, self._time_s(frame)) for photo, frame in zip(photos_B3HW, frames, strict=True)]
        photos = images.to_float(photos_B3HW.to(self.painter.model.device))
        painted = self.finishing(photos, self._painted(photos, looks))
        for frame, picture_3HW in zip(frames, images.to_uint8(painted).cpu(), strict=True):
            self.painted.add_frame(picture_3HW.permute(1, 2, 0).numpy(), frame)
        self.report.frames += len(frames)
        if self.progress:
            more = max(self.clip.info.frames, self.report.frames + 1)  # the file's own number may be too small
            self.progress(self.report.frames, more, self.clip.path)

    def _painted(self, photos: Tensor, looks: list[Look]) -> Tensor:
        stroke = self.strokes.at(self._share(looks[0].time_s))
        try:
            return self.painter(photos, stroke, looks, cell=self.strokes.cell_px(self.painter.model))
        except (MemoryError, RuntimeError) as error:  # on the CPU torch has no error of its own
            if not isinstance(error, (torch.OutOfMemoryError, MemoryError)) and "allocate memory" not in str(error):
                raise
            raise BrushnetError(f"{self.clip.path}: too large for the memory of {photos.device}") from error

    def _time_s(self, frame: Frame) -> float:
        if self.first_pts is None:
            self.first_pts = frame.pts
        return float((frame.pts - self.first_pts) * self.clip.info.time_base)

    def _share(self, time_s: float) -> float:
        """Of the clip's time that has passed: 1 at the last frame, which is shown until the end."""
        last_s = self.duration_s - float(1 / self.clip.info.rate)
        return time_s / last_s if last_s > 0 else 0.0


def _frames_at_once(clip: Clip, device: torch.device, *, moving: bool) -> int:
    """One on a CPU, which is no faster with more, and where each frame has its own brush."""
    if moving or device.type == "cpu":
        return 1
    return max(1, min(MOST_FRAMES, BATCH_PIXELS // (clip.info.width * clip.info.height)))


def _tensor(rgb_HW3: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb_HW3)).permute(2, 0, 1)


def _on_device(model: StyleModel | str | Path, device: str) -> StyleModel:
    return model.to(pick_device(device)) if isinstance(model, StyleModel) else load(model, device=device)
