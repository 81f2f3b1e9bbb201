"""`brushnet export`: a model as a file for other programs."""

import argparse
import json
import sys

from brushnet.commands.parser import Parser
from brushnet.commands.terminal import printable
from brushnet.export import export
from brushnet.export.write import LIMITS


def add_arguments(parser: Parser) -> None:
    parser.set_defaults(run=run)
    parser.epilog = "The file is run and compared with the network before it is written."
    parser.add_argument("model", metavar="MODEL", help="a .safetensors, a .ckpt, a run folder, or an embedded name")
    parser.add_argument("-o", "--output", required=True, metavar="FILE",
                        help="its suffix is the format: .onnx (ONNX Runtime, browsers), .pt2 (torch.export), "
                        ".safetensors (brushnet's own)")  # fmt: skip
    parser.add_argument("--precision", default="float32", metavar="KIND",
                        help=f"of an .onnx: {' or '.join(LIMITS)}, which halves the file and is computed with in "
                        "float32")  # fmt: skip
    parser.add_argument("--licence", "--license", metavar="TEXT", help="note on terms that is put into the file")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print what was written and how far off it paints")


def run(args: argparse.Namespace) -> int:
    options = {"precision": args.precision, "licence": args.licence, "force": args.force}
    done = export(args.model, args.output, **options)
    if args.json:
        print(json.dumps(done.to_dict(), indent=2))
    else:
        print(printable(done.line()), file=sys.stderr)
    return 0
