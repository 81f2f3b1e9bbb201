// What was painted of this photo, so that a slider that comes back to a place shows it at once.

const MOST_BYTES = 128e6;

export class Paintings {
  #all = new Map(); // bytes of planar RGB by key, the longest unused first
  #bytes = 0;

  get(key) {
    const found = this.#all.get(key);
    if (!found) return null;
    this.#all.delete(key);
    this.#all.set(key, found);
    return Float32Array.from(found, (level) => level / 255);
  }

  // As bytes: four times as many fit, and a painting is shown in 256 levels anyway.
  add(key, picture) {
    const levels = new Uint8ClampedArray(picture.length);
    for (let at = 0; at < picture.length; at++) levels[at] = picture[at] * 255;
    this.#all.set(key, levels);
    this.#bytes += levels.length;
    for (const [oldest, unused] of this.#all) {
      if (this.#bytes <= MOST_BYTES || oldest === key) break;
      this.#all.delete(oldest);
      this.#bytes -= unused.length;
    }
  }

  clear() {
    this.#all.clear();
    this.#bytes = 0;
  }
}
