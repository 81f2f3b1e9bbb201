"""Scaling in words: what more processes, more pixels and more workers bring."""

from collections.abc import Iterator, Sequence
from typing import Any


def process_lines(found: dict[str, Any]) -> Iterator[str]:
    count = found["processes"]
    rates, cpu = found["images_s"], found["cpu_ms_per_image"]
    yield f"SCALING  training on the CPU by {count} processes of one thread each, gloo, beside one"
    yield (
        f"{rates[str(count)]:.2f} images/s beside {rates['1']:.2f}: {found['efficiency']:.0%} of {count} times as "
        f"many; processor time of an image {cpu[str(count)]:.0f} ms beside {cpu['1']:.0f} ms"
    )
    sent = found["sent_bytes_per_step"]
    told = ", ".join(f"{number} processes {int(value) / 1e6:.1f} MB" for number, value in sent.items())
    yield (
        f"a step exchanges {found['gradient_bytes_per_step'] / 1e6:.2f} MB of gradients "
        f"({found['gradient_bytes_from']}); in a ring, each of {told} (computed)"
    )


def pixel_rows(rows: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    table: list[tuple[str, ...]] = [("SIZE", "MS/MEGAPIXEL", "OF 512 PX", "")]
    for row in rows:
        table.append(
            (
                f"{row['width']} x {row['height']}",
                f"{row['ms_per_megapixel']:.0f}",
                f"{row['cost']:.2f}",
                "in bands" if row["in_bands"] else "",
            )
        )
    return table
