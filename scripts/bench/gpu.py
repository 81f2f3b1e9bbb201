"""The GPU half of the speed table, in one call of at most nine minutes: python scripts/bench/gpu.py -o DIR --vgg FILE

    training      Johnson net, VGG-16 to relu4_3 (random weights), 256 px, bf16: images/s against the reference trainer
                  at our batch and at the port's own of 4, and against the roofline
    defaults      trainer=gpu with the default net and --vgg, without it the embedded loss network: how long the device
                  waits for data
    painting      512 px and 1080p, each of conf/net in float32 and bf16, plain and replayed, against the Johnson net in
                  float32
    time to loss  one scale learnt by the reference's own layers (see RACE_OPTIONS) against the reference trainer at the
                  port's batch of 4, until the held-out losses that the reference has after --reference-steps: 4,000
                  (16,000 images) fit into the nine minutes. With --only 'time to loss' --reference-steps 40000, the
                  table's 160,000 images, all nine are for that. VGG-19 to relu3_4 judges: without --vgg it is left out
    loading       photos a second by number of workers
    compiled      training and painting once more with torch.compile, which takes minutes to begin

Each is a `brushnet bench` of its own: one that fails or takes too long loses no other. DIR/gpu.json is written anew
after each of them and holds all figures, DIR/log.txt what they said. `--smoke` does the same on a CPU with tiny nets.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))

from reference_trainer import Vgg

ROOT = Path(__file__).resolve().parents[2]
WHOLE_SECONDS = 520
MOST_SECONDS = 180  # of one: compiling may take longer than it should
RACE, RACE_SECONDS = "time to loss", 240
RACE_STEPS, WHOLE_IMAGES = 4000, 160_000
REFERENCE_BATCH = 4  # the port's
FEWEST_SECONDS = 20  # with less left nothing is begun: libraries alone take that on a cold machine

JOHNSON = ["experiment=johnson", "trainer=gpu", "trainer.batch_size=16", "trainer.crop_px=256"]
JOHNSON += ["trainer.precision=bf16-mixed"]
# What the reference's style loss (a sum over raw Gram matrices) is mostly made of: its deepest layer.
RACE_OPTIONS = [
    "stroke=fixed",
    "loss=johnson",
    "loss.style_layers=[{name:relu1_2,weight:0.1},{name:relu2_2,weight:0.1},{name:relu3_4,weight:1.0}]",
    "loss.content_layers=[{name:relu2_2,weight:1.0}]",
    "loss.content_weight=0.1",
    "trainer.batch_size=8",
    "trainer.max_steps=1500",
    "trainer.warmup_steps=20",
]
SMOKE = ["net.width=4", "net.blocks=1", "trainer.accelerator=cpu", "trainer.batch_size=2", "trainer.crop_px=64"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", default=os.environ.get("OUT"),
                        required="OUT" not in os.environ, help="folder for gpu.json and log.txt ($OUT)")  # fmt: skip
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-19 to relu3_4, for time to loss and the defaults")
    parser.add_argument("--photos", metavar="DIR", help="to train on (the sample photos)")
    parser.add_argument("--painting", metavar="FILE", help="to learn in time to loss (the sample painting)")
    parser.add_argument("--reference-steps", type=int, metavar="N", default=RACE_STEPS,
                        help=f"of time to loss, {REFERENCE_BATCH} images each ({RACE_STEPS})")  # fmt: skip
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this alone; may be given again")
    parser.add_argument("--smoke", action="store_true", help="on a CPU, with tiny networks and for moments")
    args = parser.parse_args(argv)
    if not args.smoke and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --smoke tries the script itself on a CPU")
    out = Path(args.output)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        wanted = commands(Path(folder), args)
        unknown = set(args.only or wanted) - set(wanted)
        if unknown:
            parser.error(f"--only must be of {', '.join(wanted)}; got {', '.join(sorted(unknown))}")
        found = measure_all({name: each for name, each in wanted.items() if name in (args.only or wanted)}, out)
    if RACE not in wanted:
        print(f"{RACE}: left out, needs --vgg FILE (VGG-19 to relu3_4)")
    for line in summary(found):
        print(line)
    return 0 if all("failed" not in each for each in found.values()) else 1


def commands(folder: Path, args: argparse.Namespace) -> dict[str, list[str]]:
    """Arguments of `brushnet bench` by name, the most wanted first; `folder` holds the random weights they need."""
    smoke = args.smoke
    flags = ["--device=cpu", "--seconds=0.1"] if smoke else ["--device=cuda", "--seconds=6"]
    vgg16 = _random_weights(folder / "vgg16_random.pth", "vgg16")
    photos = [f"data.path='{args.photos}'"] if args.photos else []
    johnson = [*(["experiment=johnson", *SMOKE] if smoke else JOHNSON), f"lossnet.weights='{vgg16}'", *photos]
    judge = args.vgg and args.vgg.absolute()
    if judge is None and smoke:
        judge = _random_weights(folder / "vgg19_random.pth", "vgg19")
    on_device = SMOKE if smoke else ["trainer=gpu"]
    default = [*on_device, f"lossnet.weights='{judge}'" if judge else "lossnet=compact", *photos]
    large, small = ("--sizes=48x32", "--sizes=32") if smoke else ("--sizes=512,1920x1080", "--sizes=256,1024,2048")
    found = {"training": ["train", *johnson, *flags], "defaults": ["train", *default, *flags]}
    for net in networks():
        found[f"painting, {net}"] = ["stylize", f"net={net}", large, *_short(flags)]
    if judge is not None:
        options = [*RACE_OPTIONS, *SMOKE] if smoke else ["trainer=gpu", *RACE_OPTIONS]
        found[RACE] = ["loss", *options, f"lossnet.weights='{judge}'", *photos, *_race(judge, args), flags[0]]
    compiled = [] if smoke else ["trainer.compile=true"]
    return {
        **found,
        "loading": ["data", *default, *_short(flags)],
        "training, reference at batch 4": ["train", *johnson, f"--reference-batch={REFERENCE_BATCH}", *flags],
        "painting, by size": ["stylize", small, *_short(flags)],
        "training, compiled": ["train", *johnson, *compiled, *flags],
        "painting, compiled": [
            "stylize",
            f"net={networks()[0]}",
            large,
            *([] if smoke else ["--compile"]),
            *_short(flags),
        ],
    }


def networks() -> list[str]:
    """Those of conf/net, the default first."""
    default = re.search(r"^  - net: (\w+)", (ROOT / "conf" / "train.yaml").read_text(), re.MULTILINE)
    names = sorted(path.stem for path in (ROOT / "conf" / "net").glob("*.yaml"))
    return sorted(names, key=lambda name: default is None or name != default[1])


def _race(judge: Path, args: argparse.Namespace) -> list[str]:
    steps = 1 if args.smoke else args.reference_steps
    painting = [f"style.files=['{Path(args.painting).absolute()}']"] if args.painting else []
    return [*painting, f"--vgg={judge}", f"--reference-steps={steps}", f"--reference-batch={REFERENCE_BATCH}"]


def _random_weights(path: Path, arch: str) -> Path:
    torch.save(Vgg(arch=arch).state_dict(), path)
    return path


def _short(flags: list[str]) -> list[str]:
    """Of what is measured for many variants."""
    return [flags[0], flags[1] if flags[1] == "--seconds=0.1" else "--seconds=1"]


def measure_all(wanted: dict[str, list[str]], out: Path) -> dict[str, Any]:
    """Figures by name, or {"failed": why}; written after each."""
    begun = time.monotonic()
    found: dict[str, Any] = {}
    with (out / "log.txt").open("w") as log:
        for name, arguments in wanted.items():
            left = WHOLE_SECONDS - (time.monotonic() - begun)
            most = min(left, WHOLE_SECONDS if len(wanted) == 1 else RACE_SECONDS if name == RACE else MOST_SECONDS)
            found[name] = bench(arguments, most, log) if left > FEWEST_SECONDS else {"failed": "no time left"}
            (out / "gpu.json").write_text(json.dumps(found, indent=1) + "\n")
            print(f"{name}: {found[name].get('failed', 'done')}, {time.monotonic() - begun:.0f} s", flush=True)
    return found


def bench(arguments: list[str], seconds: float, log: Any) -> dict[str, Any]:
    print("brushnet bench", *arguments, file=log, flush=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "brushnet", "bench", *arguments, "--json", "--debug"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, timeout=seconds, text=True
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"took more than {seconds:.0f} s"}
    if done.returncode != 0:
        return {"failed": f"exit code {done.returncode}, see log.txt"}
    return json.loads(done.stdout)


def summary(found: dict[str, Any]) -> list[str]:
    """What was to be reached and what was, a line each; what failed is left out."""
    lines = []
    for name, section in found.items():
        if (each := section.get("training")) is not None and name.startswith("training"):
            lines.append(f"{name}: {each['images_s']:.0f} images/s")
            lines.append(f"  {each['ratio']:.1f} times the reference (4 wanted)")
            lines.append(f"  {each['roofline_share']:.2f} of the roofline (0.30 wanted)")
        elif each is not None:
            lines.append(f"{name}: {each['data_share']:.1%} of a step waits for data (at most 2 % wanted)")
        lines += _race_lines(section["loss"]) if "loss" in section else []
        lines += [_painted(row) for row in section.get("inference", []) if row["network"] != "reference"]
    return lines


def _race_lines(found: dict[str, Any]) -> list[str]:
    last = found["reference"][-1]
    short = "" if last["images"] >= WHOLE_IMAGES else f", shortened: {WHOLE_IMAGES} wanted"
    lines = [f"{RACE}: the reference took {last['seconds']:.0f} s for {last['images']} images{short}"]
    for name, key in (("both losses", "both_reached"), ("their sum", "total_reached")):
        each = found[key]
        told = "not reached" if each is None else f"{each['seconds']:.0f} s, {each['ratio']:.1f} times as fast"
        lines.append(f"  {name}: {told} (10 times and 60 s wanted)")
    return lines


def _painted(row: dict[str, Any]) -> str:
    stroke = "" if row["stroke"] is None else f" s={row['stroke']:g}"
    way = row["arithmetic"] + ("" if row["way"] == "plain" else f", {row['way']}")
    return (
        f"{row['width']} x {row['height']} {row['network']}{stroke} {way}: {1000 / row['ms']:.0f} frames/s, "
        f"{row['ratio']:.1f} times the reference (1080p: 300 frames/s and 10 times wanted)"
    )


if __name__ == "__main__":
    raise SystemExit(main())
