// A painting enlarged, with the detail that enlarging leaves out: brushnet.inference.resolution.enlarge.
import { resize, smooth } from "./resize.js";
import { round } from "./strength.js";

const DETAIL = 0.5;
const NEAR_PX = 8;
const SOME = 1e-4;

// `repaint(picture, [height, width])` is the network.
export async function enlarge(painting, [h, w], [height, width], repaint) {
  const steps = Math.ceil(Math.log2(height / h) - 1e-6);
  let [picture, shape] = [painting, [h, w]];
  for (let step = 1; step <= steps; step++) {
    const size = [round(h * (height / h) ** (step / steps)), round(w * (width / w) ** (step / steps))];
    picture = await withDetail(picture, shape, size, repaint);
    shape = size;
  }
  return picture;
}

async function withDetail(coarse, shape, size, repaint) {
  const out = clamped(smooth(coarse, [3, ...shape], size));
  const detail = finer(await repaint(out, size), size, shape);
  const octaves = Math.log2(size[0] / shape[0]);
  const half = [Math.ceil(shape[0] / 2), Math.ceil(shape[1] / 2)];
  const fitting = contrast(finer(coarse, shape, half), shape, shape);
  const gain = contrast(detail, size, shape);
  for (let at = 0; at < gain.length; at++) {
    gain[at] = Math.min(1, (DETAIL * Math.sqrt(octaves) * fitting[at]) / (gain[at] + SOME));
  }
  const gains = resize(gain, [1, ...shape], size);
  for (let at = 0; at < out.length; at++) out[at] += detail[at] * gains[at % gains.length];
  return clamped(out);
}

// What is lost when the picture, of `shape`, is reduced to `size`.
function finer(picture, shape, size) {
  const left = smooth(resize(picture, [3, ...shape], size), [3, ...size], shape);
  for (let at = 0; at < left.length; at++) left[at] = picture[at] - left[at];
  return left;
}

// Root mean square around each point of a picture of `size`.
function contrast(detail, shape, size) {
  const count = shape[0] * shape[1];
  const energy = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    energy[at] = (detail[at] ** 2 + detail[count + at] ** 2 + detail[2 * count + at] ** 2) / 3;
  }
  return near(resize(energy, [1, ...shape], size), size).map(Math.sqrt);
}

// Means of the points around each; beyond the border the last goes on.
function near(values, [height, width]) {
  const across = new Float32Array(values.length);
  const out = new Float32Array(values.length);
  const inside = (place, count) => Math.min(count - 1, Math.max(0, place));
  const share = 1 / (2 * NEAR_PX + 1);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let by = -NEAR_PX; by <= NEAR_PX; by++) sum += values[row * width + inside(column + by, width)];
      across[row * width + column] = sum * share;
    }
  }
  for (let row = 0; row < height; row++) {
    for (let by = -NEAR_PX; by <= NEAR_PX; by++) {
      const source = inside(row + by, height) * width;
      for (let column = 0; column < width; column++) out[row * width + column] += across[source + column] * share;
    }
  }
  return out;
}

function clamped(picture) {
  for (let at = 0; at < picture.length; at++) picture[at] = Math.min(1, Math.max(0, picture[at]));
  return picture;
}
