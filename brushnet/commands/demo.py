"""`brushnet demo`: a page that paints photos in the browser, served here or written for any static host."""

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from brushnet import samples
from brushnet.commands.parser import Parser
from brushnet.commands.terminal import printable
from brushnet.errors import UserError
from brushnet.model_location import locate
from brushnet.web import need_packages

if TYPE_CHECKING:  # torch, seconds
    from brushnet.web.site import Site


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = "photos never leave the browser: it paints them itself, on its GPU where it has WebGPU."
    parser.add_argument("models", nargs="*", metavar="MODEL",
                        help="a model file, a run folder or an embedded name; default: all that ship")  # fmt: skip
    parser.add_argument("--export", metavar="DIR", help="write the page into a folder, for a static host, and end")
    parser.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen at (127.0.0.1: this machine alone)")
    parser.add_argument("--port", metavar="PORT", type=_port, help="port to listen at; default: a free one near 8000")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")


def run(args: argparse.Namespace) -> int:
    need_packages()
    files = _files(args.models or list(samples.models()))
    if args.export is not None:
        return _export(files, Path(args.export), args)
    if args.force:
        raise UserError("--force is for --export DIR, which is not given")
    return _serve(files, args)


def _export(files: dict[str, Path], folder: Path, args: argparse.Namespace) -> int:
    for option in ("host", "port"):
        if getattr(args, option) is not None:
            raise UserError(f"--{option} {getattr(args, option)} is for a server, and --export starts none")
    from brushnet.web.static import check_folder, write_site

    check_folder(folder, force=args.force)
    site = _site(files)
    write_site(site, folder)
    _say(f"{folder}: {len(site)} files, {sum(map(len, site.values())) / 1e6:.1f} MB, for any static host")
    _say(f"to try it: python -m http.server -d {folder}")
    return 0


def _serve(files: dict[str, Path], args: argparse.Namespace) -> int:
    from brushnet.web.server import SiteServer

    with SiteServer(host=args.host or "127.0.0.1", port=args.port) as server:  # refused before anything is computed
        site = _site(files)
        print(f"{server.url}  (Ctrl-C ends it)", flush=True)
        if server.elsewhere:
            print(f"{server.elsewhere}  (in the same network)", flush=True)
        if not args.no_browser:
            webbrowser.open(server.url)
        with suppress(KeyboardInterrupt):
            server.serve(site)
    return 0


def _site(files: dict[str, Path]) -> "Site":
    from brushnet.models import load
    from brushnet.web.site import build_site

    return build_site({name: load(path, device="cpu") for name, path in files.items()}, say=_say)


def _files(names: Sequence[str]) -> dict[str, Path]:
    """Model files by the name that the page shows. UserError where two have the same."""
    found: dict[str, Path] = {}
    for given in names:
        path = locate(given)
        name = _name(given, path)
        if name in found:
            raise UserError(f"MODEL {given}: another of the models is called {name} too ({found[name]}); rename one")
        found[name] = path
    return found


def _name(given: str, path: Path) -> str:
    """A run is called like its folder: its files are all called alike."""
    folder = Path(given).expanduser()
    return folder.resolve().name if folder.is_dir() else path.stem


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 65535, got {text}")
    return int(text)


def _say(text: str) -> None:
    print(f"brushnet: {printable(text)}", file=sys.stderr, flush=True)
