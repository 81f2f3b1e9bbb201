// A stroke map: where a soft brush has made strokes finer (down to -1) or broader (up to 1) than the slider says.

const CELLS = 96; // of the long side: brushnet makes no more of a map
const SOFTNESS = 0.5; // of the brush's radius: standard deviation of its Gaussian
const FLOW = 0.55; // of one dab, in its middle

export class StrokeMap {
  constructor([height, width]) {
    const zoom = CELLS / Math.max(height, width);
    this.shape = [Math.max(1, Math.round(height * zoom)), Math.max(1, Math.round(width * zoom))];
    this.values = new Float32Array(this.shape[0] * this.shape[1]);
    this.version = 0;
  }

  get empty() {
    return this.values.every((value) => Math.abs(value) < 0.01);
  }

  clear() {
    this.values.fill(0);
    this.version++;
  }

  // x, y and radius as shares of the long side; `towards` is -1, 0 or 1.
  dab(x, y, radius, towards) {
    const [height, width] = this.shape;
    this.version++;
    const wide = 2 * (SOFTNESS * radius) ** 2;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const distance = ((column + 0.5) / CELLS - x) ** 2 + ((row + 0.5) / CELLS - y) ** 2;
        const share = FLOW * Math.exp(-distance / wide);
        if (share < 0.004) continue;
        const at = row * width + column;
        this.values[at] += (towards - this.values[at]) * share;
      }
    }
  }

  stroke(from, to, radius, towards) {
    const steps = Math.max(1, Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) / (radius / 3)));
    for (let step = 1; step <= steps; step++) {
      const along = step / steps;
      this.dab(from[0] + (to[0] - from[0]) * along, from[1] + (to[1] - from[1]) * along, radius, towards);
    }
  }

  // Grey levels, black the smallest trained stroke and white the largest: octaves are linear in them.
  levels(stroke, model) {
    const octaves = Math.log2(model.max / model.min);
    const base = Math.log2(stroke / model.min) / octaves;
    return Uint8ClampedArray.from(this.values, (value) => 255 * (value > 0 ? base + value * (1 - base) : base * (1 + value)));
  }

  // What those levels stand for: what is painted is what the saved map holds.
  scales(stroke, model) {
    const ratio = model.max / model.min;
    return Float32Array.from(this.levels(stroke, model), (level) => model.min * ratio ** (level / 255));
  }
}
