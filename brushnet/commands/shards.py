"""`brushnet shards pack`: photos -> WebDataset shards with an index."""

import argparse
import sys
from pathlib import Path

from brushnet.commands.parser import Parser, positive_float, positive_int, quality
from brushnet.commands.progress import Progress
from brushnet.commands.terminal import printable


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.add_argument("action", choices=("pack",), help="pack: write shards of a folder's photos")
    parser.add_argument("folder", metavar="DIR", help="folder of photos, looked through to its depth")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="folder for the shards and index.json")
    parser.add_argument("--short-side", type=positive_int, default=320, metavar="PX",
                        help="largest short side of a packed photo; smaller ones stay (320)")  # fmt: skip
    parser.add_argument("--shard-mb", type=positive_float, default=64.0, metavar="MB", help="size of a shard (64)")
    parser.add_argument("--quality", type=quality, default=92, metavar="Q", help="of the JPEGs, 1 to 100 (92)")
    parser.add_argument("--force", action="store_true", help="replace the shards in OUT")


def run(args: argparse.Namespace) -> int:
    from brushnet.data.pack import pack  # torch, seconds

    with Progress("photos") as progress:
        report = pack(
            args.folder,
            Path(args.output),
            short_side_px=args.short_side,
            shard_mb=args.shard_mb,
            quality=args.quality,
            force=args.force,
            progress=progress.show,
        )
    skipped = f", {len(report.skipped)} skipped:" if report.skipped else ""
    print(f"{report.written} photos in {report.shards} shards in {args.output}{skipped}", file=sys.stderr)
    for path, cause in report.skipped:
        print(printable(f"  {path}: {cause}"), file=sys.stderr)
    return 0
