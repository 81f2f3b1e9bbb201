// What is chosen (photo, painting, strokes, strength, map), and asking the painter for it: a quick preview while
// something moves, the picture itself when it rests, and in idle moments what the slider may ask for next.
import { Ladder } from "./ladder.js";
import { SHOWN_PX, mostPixels, paintedShape, previewShape, strokesAt, withLongSide, within } from "./sizes.js";
import { StrokeMap } from "./stroke_map.js";

const REST_MS = 160; // a slider that has not moved for so long is let go
const PREVIEW_MS = 220;
const MOST_IDLE_MS = 500; // what is painted for later, who moves the slider has to wait for
const MOST_DRAWN = 16_000_000;
const MEASURED_MS = 20; // less says nothing of the speed

// Safari draws no more than 16 megapixels, and says nothing.
function drawable(bitmap, whole) {
  const [height, width] = within(whole, MOST_DRAWN);
  if (height === whole[0]) return bitmap;
  return createImageBitmap(bitmap, { resizeHeight: height, resizeWidth: width, resizeQuality: "high" });
}

// Tells of: busy (true or false), picture (what was painted), done (the last of these is what is chosen), problem.
export class Studio extends EventTarget {
  photo = null;
  stroke = 1;
  strength = 1;
  map = null;
  #speed = 100; // pixels a millisecond, until measured
  #rest = 0;
  #shownKey = "";
  #ladder = new Ladder();

  constructor(painter, paintings) {
    super();
    Object.assign(this, { painter, paintings });
  }

  get mapInUse() {
    return this.map && !this.map.empty ? this.map : null;
  }

  async setPhoto(bitmap, name) {
    const whole = [bitmap.height, bitmap.width];
    const shape = within(whole, mostPixels());
    const shown = withLongSide(shape, SHOWN_PX);
    this.photo = { source: await drawable(bitmap, whole), name, whole, shape, shown };
    this.map = new StrokeMap(shown);
    this.#shownKey = "";
    await this.painter.setPhoto(this.photo);
    this.somethingElse();
  }

  // Another photo or painting: nothing that was made for later is of use.
  somethingElse() {
    this.#ladder.clear();
    this.changed({ moving: true });
  }

  changed({ moving = false } = {}) {
    const { model } = this.paintings;
    this.stroke = Math.min(model.max, Math.max(model.min, this.stroke));
    this.#tell("change");
    if (!this.photo) return;
    this.#tell("busy", true);
    clearTimeout(this.#rest);
    this.painter.drop("unseen", "final");
    if (moving) this.#preview();
    this.#rest = setTimeout(() => this.#final(), moving ? REST_MS : 0);
  }

  // The painting of [height, width], which is the photo's own size or the one shown.
  async result(shape) {
    this.painter.drop("unseen", "preview", "final");
    const map = this.#mapScales();
    const broadest = map ? Math.max(...map.scales) : this.stroke;
    const small = paintedShape(shape, this.photo.shown, broadest, this.paintings.model);
    const request = this.#asked(small);
    if (small[0] !== shape[0]) request.enlargedTo = shape;
    return this.painter.request("download", request);
  }

  #mapScales() {
    const map = this.mapInUse;
    return map && { scales: map.scales(this.stroke, this.paintings.model), shape: map.shape };
  }

  #asked(shape, wanted = this.stroke) {
    const { model, weights } = this.paintings;
    const zoom = Math.min(...shape) / Math.min(...this.photo.shown);
    const { stroke, map } = strokesAt(zoom, wanted, this.#mapScales(), model);
    const key = [model.name, weights.join(), stroke, map ? this.map.version : "", shape.join("x")].join(" ");
    return { model, weights, stroke, map, key, height: shape[0], width: shape[1], strength: this.strength, wanted };
  }

  #previewOf(stroke) {
    const map = this.#mapScales();
    const finest = map ? Math.min(...map.scales) : stroke;
    const shape = previewShape(this.photo.shown, finest, this.paintings.model, this.#speed * PREVIEW_MS);
    return this.#asked(shape, stroke);
  }

  async #preview() {
    const whole = this.#asked(this.photo.shown);
    const made = !this.mapInUse && this.#ladder.at(this.stroke);
    // Where but the strength moves, the picture itself is as quick.
    if (whole.key === this.#shownKey) await this.#paint("preview", whole);
    else if (made) await this.#paint("preview", { ...made, strength: this.strength });
    else await this.#paint("preview", this.#previewOf(this.stroke));
  }

  async #final() {
    const request = this.#asked(this.photo.shown);
    const result = await this.#paint("final", request);
    if (!result) return;
    this.#shownKey = request.key;
    this.#tell("busy", false);
    this.#tell("done", result);
    this.#climb();
  }

  async #climb() {
    const { model } = this.paintings;
    const rung = model.min < model.max && !this.mapInUse ? this.#ladder.next(this.stroke, model) : null;
    if (!rung || this.painter.busy || document.hidden) return;
    const request = this.#previewOf(rung);
    if (request.height * request.width > this.#speed * MOST_IDLE_MS) return;
    const result = await this.painter.request("unseen", request).catch(() => null);
    if (!result) return;
    this.#ladder.add(request);
    this.#climb();
  }

  async #paint(kind, request) {
    const { photo } = this;
    try {
      const result = await this.painter.request(kind, request);
      if (!result || this.photo !== photo) return null;
      if (result.ms > MEASURED_MS && !request.map) this.#speed = (request.height * request.width) / result.ms;
      this.#tell("picture", result);
      return result;
    } catch (error) {
      this.#tell("busy", false);
      this.#tell("problem", `This could not be painted: ${error.message}.`);
      return null;
    }
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
