"""The GPU half of the speed table, in one call of at most nine minutes: `python scripts/bench/gpu.py -o DIR`.

    training   Johnson net, VGG-16 to relu4_3 (random weights), 256 px, bf16, compiled: images/s against the reference
               trainer at our batch and at the port's own of 4, and against the roofline
    defaults   trainer=gpu with the default net and the embedded loss network: how long the device waits for data
    painting   1080p in float32 and bf16, compiled or not, and 256 to 2048 px, against the Johnson net in float32
    loading    photos a second by number of workers

Each is a `brushnet bench` of its own: one that fails or takes too long loses no other. DIR/gpu.json is written anew
after each of them and holds all figures, DIR/log.txt what they said. `--smoke` does the same on a CPU with tiny nets.
"""

import argparse
import json
import os
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
FEWEST_SECONDS = 20  # with less left nothing is begun: libraries alone take that on a cold machine

JOHNSON = ["experiment=johnson", "trainer=gpu", "trainer.batch_size=16", "trainer.crop_px=256"]
JOHNSON += ["trainer.precision=bf16-mixed"]
SMOKE = ["net.width=4", "net.blocks=1", "trainer.accelerator=cpu", "trainer.batch_size=2", "trainer.crop_px=64"]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", default=os.environ.get("OUT"),
                        required="OUT" not in os.environ, help="folder for gpu.json and log.txt ($OUT)")  # fmt: skip
    parser.add_argument("--smoke", action="store_true", help="on a CPU, with tiny networks and for moments")
    args = parser.parse_args(argv)
    if not args.smoke and not torch.cuda.is_available():
        parser.error("torch sees no GPU here; --smoke tries the script itself on a CPU")
    out = Path(args.output)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        vgg = Path(folder) / "vgg16_random.pth"
        torch.save(Vgg().state_dict(), vgg)
        found = measure_all(commands(vgg, smoke=args.smoke), out)
    for line in summary(found):
        print(line)
    return 0 if all("failed" not in each for each in found.values()) else 1


def commands(vgg: Path, *, smoke: bool) -> dict[str, list[str]]:
    """Arguments of `brushnet bench` by name, the most wanted first."""
    flags = ["--device=cpu", "--seconds=0.1"] if smoke else ["--device=cuda", "--seconds=6"]
    johnson = [*(["experiment=johnson", *SMOKE] if smoke else JOHNSON), f"lossnet.weights={vgg}"]
    default = [*(SMOKE if smoke else ["trainer=gpu"]), "lossnet=compact"]
    compiled = [] if smoke else ["trainer.compile=true"]
    plain = "trainer.compile=false"
    large, small = ("--sizes=48x32", "--sizes=32") if smoke else ("--sizes=1920x1080", "--sizes=256,512,1024,2048")
    return {
        "training": ["train", *johnson, *compiled, *flags],
        "training, not compiled": ["train", *johnson, plain, *flags],
        "painting": ["stylize", large, *([] if smoke else ["--compile"]), *flags],
        "defaults": ["train", *default, *compiled, *flags],
        "training, reference at batch 4": ["train", *johnson, *compiled, "--reference-batch=4", *flags],
        "painting, by size": ["stylize", small, *flags[:1], f"--seconds={0.1 if smoke else 1}"],
        "loading": ["data", *default, *flags],
    }


def measure_all(wanted: dict[str, list[str]], out: Path) -> dict[str, Any]:
    """Figures by name, or {"failed": why}; written after each."""
    begun = time.monotonic()
    found: dict[str, Any] = {}
    with (out / "log.txt").open("w") as log:
        for name, arguments in wanted.items():
            left = WHOLE_SECONDS - (time.monotonic() - begun)
            found[name] = (
                bench(arguments, min(left, MOST_SECONDS), log) if left > FEWEST_SECONDS else {"failed": "no time left"}
            )
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
    for name in ("training", "training, reference at batch 4", "training, not compiled"):
        if (each := found[name].get("training")) is not None:
            lines.append(f"{name}: {each['images_s']:.0f} images/s")
            lines.append(f"  {each['ratio']:.1f} times the reference (4 wanted)")
            lines.append(f"  {each['roofline_share']:.2f} of the roofline (0.30 wanted)")
    if (each := found["defaults"].get("training")) is not None:
        lines.append(f"defaults: {each['data_share']:.1%} of a step waits for data (at most 2 % wanted)")
    for row in found["painting"].get("inference", []):
        if row["network"] != "reference":
            stroke = "" if row["stroke"] is None else f" s={row['stroke']:g}"
            way = f"{row['arithmetic']}{', compiled' if row['compiled'] else ''}"
            lines.append(
                f"{row['width']} x {row['height']} {row['network']}{stroke} {way}: {1000 / row['ms']:.0f} frames/s, "
                f"{row['ratio']:.1f} times the reference (1080p: 300 frames/s and 10 times wanted)"
            )
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
