// Files that leave the page, into the user's own hands: the painting, and the stroke map.

export async function encoded(rgba, [height, width], type) {
  const canvas = new OffscreenCanvas(width, height);
  const pixels = new ImageData(new Uint8ClampedArray(rgba), width, height);
  canvas.getContext("2d", { alpha: false }).putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type, quality: 0.95 });
}

export function greyRgba(levels) {
  const out = new Uint8ClampedArray(4 * levels.length);
  levels.forEach((level, at) => out.set([level, level, level, 255], 4 * at));
  return out;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Phones put a shared picture among the photos, a download among the files.
export function canShare() {
  const probe = new File([new Uint8Array(1)], "a.png", { type: "image/png" });
  return Boolean(navigator.canShare?.({ files: [probe] }));
}

export async function share(blob, name) {
  try {
    await navigator.share({ files: [new File([blob], name, { type: blob.type })] });
  } catch (error) {
    if (error.name !== "AbortError") throw error; // the user thought better of it
  }
}
