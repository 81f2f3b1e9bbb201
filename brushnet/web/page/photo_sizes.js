// The photo at the sizes it is painted at.
import { fromRgba, toRgba } from "./pixels.js";
import { resize } from "./resize.js";

const KEPT = 3;

export class PhotoSizes {
  #sizes = new Map(); // planar RGB by "height x width"

  // Of a bitmap, reduced to the shape [height, width] where it is larger: more than that is never painted.
  constructor(bitmap, shape) {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: true });
    context.fillStyle = "#fff"; // transparency over white, as brushnet.images reads it
    context.fillRect(0, 0, bitmap.width, bitmap.height);
    context.drawImage(bitmap, 0, 0);
    const whole = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const picture = fromRgba(whole.data, bitmap.width * bitmap.height);
    this.shape = shape;
    this.whole = resize(picture, [3, bitmap.height, bitmap.width], this.shape);
    bitmap.close();
  }

  at(height, width) {
    if (height === this.shape[0] && width === this.shape[1]) return this.whole;
    const key = `${height}x${width}`;
    const found = this.#sizes.get(key) ?? resize(this.whole, [3, ...this.shape], [height, width]);
    this.#sizes.delete(key);
    this.#sizes.set(key, found);
    if (this.#sizes.size > KEPT) this.#sizes.delete(this.#sizes.keys().next().value);
    return found;
  }

  rgba([height, width]) {
    return toRgba(this.at(height, width), height * width);
  }
}
