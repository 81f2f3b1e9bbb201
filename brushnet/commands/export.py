"""`brushnet export`: a model as a file for other programs."""

import argparse
import json
import sys

from brushnet.commands.parser import Parser
from brushnet.commands.terminal import printable


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="a .safetensors, a .ckpt, a run folder, or an embedded name")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="its suffix is the format: .onnx")
    parser.add_argument("--licence", "--license", metavar="TEXT", help="note that is put into the file")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print what was written and how far it is off")


def run(args: argparse.Namespace) -> int:
    from brushnet.export import export

    done = export(args.model, args.output, licence=args.licence, force=args.force)
    if args.json:
        print(json.dumps(done.to_dict(), indent=2))
    else:
        print(printable(done.line()), file=sys.stderr)
    return 0
