import re

from brushnet.bench.tables import lines

MACHINE = {"device": "some chip", "threads": 2, "versions": {"torch": "2.15.0", "brushnet": "0.1.0"}}
TRAINING = {
    "net": "width 16", "lossnet": "compact", "crop_px": 128, "precision": "bf16-mixed", "compile": True, "workers": 7,
    "images_s": 40.0, "batch_size": 4, "step_ms": 100.0, "flops_per_image": 2_500_000_000, "roofline_share": 0.25,
    "parts_ms": {"data": 1, "network": 19, "loss_network": 20, "backward": 50, "optimiser": 8, "rest": 2},
    "compiled_meanwhile": 2,
    "roofline": {"product_flops_s": {"float32": 4e11}, "copy_bytes_s": 2e10, "arithmetic": "float32",
                 "images_s": 160.0, "images_s_by_layer": 120.0},
}  # fmt: skip
PAINTED = {"width": 1920, "height": 1080, "network": "slim", "stroke": 0.5, "arithmetic": "bfloat16", "way": "compiled",
           "ms": 3.14159, "peak_bytes": None, "ratio": 12.0}  # fmt: skip


def test_training_without_a_reference_has_no_ratio():
    assert list(lines({"machine": MACHINE, "training": TRAINING}))[1:] == [
        "",
        "TRAINING  width 16, compact, 128 px, bf16-mixed, compiled, 7 loader workers",
        "          IMAGES/S  BATCH  STEP      GFLOP/IMAGE  OF THE ROOFLINE",
        "brushnet  40.00     4      100.0 ms  2.50         25%",
        "a step: data 1.0 ms (1%), network 19.0 ms (19%), loss network 20.0 ms (20%), backward 50.0 ms (50%), "
        "optimiser 8.0 ms (8%), rest 2.0 ms (2%)",
        "2 graphs were compiled meanwhile: with more --seconds they do not count",
        "matrix products: float32 400 GFLOP/s; copying: 20 GB/s (read and written)",
        "roofline in float32: 160.0 images/s by operations alone, 120.0 where each layer also reads and writes memory",
    ]


def test_a_peak_that_is_not_known_is_a_dash():
    last = list(lines({"machine": MACHINE, "inference": [PAINTED]}))[-1]
    cells = ["1920 x 1080", "slim", "0.5", "bfloat16, compiled", "3.1 ms", "-", "12.00"]
    assert re.split(r" {2,}", last) == cells
