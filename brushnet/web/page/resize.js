// Antialiased bilinear resizing, as brushnet.images.resize does it (torch: align_corners=False, antialias=True).
// Pictures are planar: Float32Array of channels x height x width.

const triangle = { reach: 1, weight: (x) => Math.max(0, 1 - x) };
const cubic = {
  reach: 2,
  weight: (x) => (x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0),
};

// For each point of the result: where its weights start, and the weights, which sum to 1.
function taps(from, to, kernel) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: to }, (_, place) => {
    const centre = scale * (place + 0.5);
    const first = Math.max(Math.trunc(centre - kernel.reach * stretch + 0.5), 0);
    const last = Math.min(Math.trunc(centre + kernel.reach * stretch + 0.5), from);
    const weights = new Float32Array(last - first);
    let sum = 0;
    for (let at = first; at < last; at++) {
      weights[at - first] = kernel.weight(Math.abs((at - centre + 0.5) / stretch));
      sum += weights[at - first];
    }
    for (let at = 0; at < weights.length; at++) weights[at] /= sum;
    return { first, weights };
  });
}

function resizeRows(picture, rows, from, to, kernel) {
  const out = new Float32Array(rows * to);
  const columns = taps(from, to, kernel);
  for (let row = 0; row < rows; row++) {
    const start = row * from;
    for (let column = 0; column < to; column++) {
      const { first, weights } = columns[column];
      let sum = 0;
      for (let at = 0; at < weights.length; at++) sum += weights[at] * picture[start + first + at];
      out[row * to + column] = sum;
    }
  }
  return out;
}

function resizeColumns(picture, channels, from, width, to, kernel) {
  const out = new Float32Array(channels * to * width);
  const rows = taps(from, to, kernel);
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < to; row++) {
      const { first, weights } = rows[row];
      const target = (channel * to + row) * width;
      for (let at = 0; at < weights.length; at++) {
        const source = (channel * from + first + at) * width;
        const weight = weights[at];
        for (let column = 0; column < width; column++) out[target + column] += weight * picture[source + column];
      }
    }
  }
  return out;
}

export function resize(picture, [channels, height, width], [newHeight, newWidth], kernel = triangle) {
  let out = picture;
  if (newWidth !== width) out = resizeRows(out, channels * height, width, newWidth, kernel);
  if (newHeight !== height) out = resizeColumns(out, channels, height, newWidth, newHeight, kernel);
  return out;
}

// Bicubic, and no less antialiased: brushnet.inference.resolution's `_smooth`.
export function smooth(picture, shape, size) {
  return resize(picture, shape, size, cubic);
}
