"""Where a painted clip is written. What can be refused is refused here, before the clip is opened. Without torch."""

from collections.abc import Sequence
from os.path import lexists, realpath  # pathlib's resolve() fails for a link that leads to itself
from pathlib import Path

from brushnet.errors import UserError
from brushnet.inference.video.formats import VIDEO_SUFFIXES, allowed, format_of, name_for
from brushnet.inference.writable import check_writable

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")


def target(clip: Path, out: Path, *, force: bool = False) -> Path:
    """The file: `out` itself, where its suffix is a video's, or one in the folder that it names.

    UserError where that would overwrite the clip, or without `force` anything else, or cannot be written.
    """
    if out.suffix.lower() in (*VIDEO_SUFFIXES, *_PICTURES) and not out.is_dir():
        format_of(out)
        path = out
    else:
        if out.exists() and not out.is_dir():
            raise UserError(f"-o {out}: a file; give a folder, or a video with one of {allowed()}")
        path = out / name_for(clip)
    if realpath(path) == realpath(clip):
        raise UserError(f"-o {out} would overwrite the input {clip}; choose another")
    if lexists(path) and (path.is_dir() or not force):
        hint = "choose another -o" if path.is_dir() else "pass --force to allow it, or choose another -o"
        raise UserError(f"{path} would be overwritten; {hint}")
    check_writable(path.parent)
    return path


def targets(clips: Sequence[Path], out: Path, *, force: bool = False) -> list[Path]:
    """One for each clip; of clips of one name the later ones get a number. UserError as for `target`."""
    if len(clips) > 1 and out.suffix.lower() in (*VIDEO_SUFFIXES, *_PICTURES) and not out.is_dir():
        raise UserError(f"-o {out} is one video, but there are {len(clips)} inputs; give -o a folder")
    paths: list[Path] = []
    for clip in clips:
        path, number = target(clip, out, force=force), 1
        while path in paths:
            number += 1
            path = target(clip.with_stem(f"{clip.stem}-{number}"), out, force=force)
        paths.append(path)
    return paths
