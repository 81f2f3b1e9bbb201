// Between canvas bytes (RGBA, interleaved) and pictures (RGB, planar, float in [0, 1]).

// A pattern that every browser makes alike, and brushnet/web/check.py too: (3, side, side).
export function pattern(side) {
  const out = new Float32Array(3 * side * side);
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        out[(channel * side + row) * side + column] = 0.5 + 0.5 * Math.sin(0.37 * (column + 2 * row) + channel);
      }
    }
  }
  return out;
}

export function fromRgba(bytes, count) {
  const out = new Float32Array(3 * count);
  for (let at = 0; at < count; at++) {
    out[at] = bytes[4 * at] / 255;
    out[count + at] = bytes[4 * at + 1] / 255;
    out[2 * count + at] = bytes[4 * at + 2] / 255;
  }
  return out;
}

// Rounded to the nearest level: a clamped array does both.
export function toRgba(picture, count) {
  const out = new Uint8ClampedArray(4 * count);
  for (let at = 0; at < count; at++) {
    out[4 * at] = picture[at] * 255;
    out[4 * at + 1] = picture[count + at] * 255;
    out[4 * at + 2] = picture[2 * count + at] * 255;
    out[4 * at + 3] = 255;
  }
  return out;
}

// Means of a grid of cells x cells blocks, channel by channel: what a painting of the pattern is compared by.
export function blockMeans(picture, side, cells) {
  const block = side / cells;
  const sums = new Float32Array(3 * cells * cells);
  for (let channel = 0; channel < 3; channel++) {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const cell = (channel * cells + Math.floor(row / block)) * cells + Math.floor(column / block);
        sums[cell] += picture[(channel * side + row) * side + column] / (block * block);
      }
    }
  }
  return sums;
}
