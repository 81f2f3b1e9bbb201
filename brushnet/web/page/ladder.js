// Paintings made in idle moments, one for every quarter of an octave: then the stroke slider is followed at once.

const STEP_OCTAVES = 0.25;

export class Ladder {
  #made = new Map(); // request by its stroke

  clear() {
    this.#made.clear();
  }

  add(request) {
    this.#made.set(request.wanted, request);
  }

  // The nearest to this stroke, where one is as near as the eye needs while the slider moves.
  at(stroke) {
    const off = (each) => Math.abs(Math.log2(each / stroke));
    const best = [...this.#made.keys()].sort((a, b) => off(a) - off(b))[0];
    return best && off(best) <= STEP_OCTAVES / 2 + 1e-6 ? this.#made.get(best) : null;
  }

  // The nearest that is still to be made, or null.
  next(stroke, { min, max }) {
    const count = Math.ceil(Math.log2(max / min) / STEP_OCTAVES);
    const rungs = Array.from({ length: count + 1 }, (_, at) => Number((min * (max / min) ** (at / count)).toPrecision(4)));
    const off = (each) => Math.abs(Math.log2(each / stroke));
    return rungs.filter((each) => !this.#made.has(each)).sort((a, b) => off(a) - off(b))[0] ?? null;
  }
}
