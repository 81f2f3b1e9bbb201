"""Which device computes: the best there is, or the one that was asked for; and what is sent to it."""

from typing import TYPE_CHECKING

from brushnet.errors import UserError

if TYPE_CHECKING:  # torch takes seconds
    import torch


def pick_device(name: str) -> "torch.device":
    """`auto`: the first of cuda, mps and cpu that is here. UserError lists what is."""
    import torch

    usable = ["cpu"]
    if torch.backends.mps.is_available():
        usable.insert(0, "mps")
    if torch.cuda.is_available():
        usable[:0] = ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if name != "auto" and name not in usable:
        raise UserError(f"--device {name} is not on this machine; allowed are auto, {', '.join(usable)}")
    return torch.device(usable[0] if name == "auto" else name)


def pick_precision(name: str, accelerator: str) -> str:
    """`auto`: bf16-mixed where the arithmetic units of the chosen kind of device have it, else 32-true.

    `accelerator` is auto, cpu, gpu or mps. Without such units bfloat16 is slower than float32.
    """
    import torch

    if name != "auto":
        return name
    if accelerator in ("auto", "gpu") and torch.cuda.is_available():
        has_it = torch.cuda.is_bf16_supported(including_emulation=False)
    elif accelerator == "mps" or (accelerator == "auto" and torch.backends.mps.is_available()):
        has_it = False  # not measured
    else:
        found = torch.cpu.get_capabilities()
        has_it = any(found.get(unit) for unit in ("avx512_bf16", "amx_bf16"))
    return "bf16-mixed" if has_it else "32-true"


def sent(values: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
    """Small values of the host on the device. The host does not wait for what a GPU is at: a plain copy would."""
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
