// The stroke map over the picture: what is drawn on it, by pointer and by keyboard.

const TINTS = { fine: [0, 205, 255], broad: [255, 60, 170] }; // as in controls.css; few paintings have them
const OPAQUE = { drawing: 150, drawn: 75 }; // what is painted shows through
const TOWARDS = { fine: -1, broad: 1, erase: 0 };
const STEP = 0.04; // of the long side, by an arrow key

export class BrushView extends EventTarget {
  brush = "off";
  size = 0.22; // diameter, of the long side
  #map = null;
  #at = [0.5, 0.35];
  #last = null;
  #near = false;

  constructor(canvas) {
    super();
    this.canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => this.#lift());
    canvas.addEventListener("pointerleave", () => this.#hover(false));
    canvas.addEventListener("focus", () => this.#hover(true));
    canvas.addEventListener("blur", () => this.#hover(false));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  show(map) {
    this.#map = map;
    this.draw();
  }

  choose(brush) {
    this.brush = brush;
    this.canvas.hidden = brush === "off";
    this.draw();
  }

  // Tints where strokes differ from the slider's, and a ring where the brush is.
  draw() {
    if (this.canvas.hidden || !this.#map) return;
    const { width, height } = this.canvas.getBoundingClientRect();
    const dense = window.devicePixelRatio || 1;
    [this.canvas.width, this.canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
    const context = this.canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#tinted(), 0, 0, this.canvas.width, this.canvas.height);
    if (this.#near) this.#ring(context, Math.max(this.canvas.width, this.canvas.height));
  }

  #tinted() {
    const [rows, columns] = this.#map.shape;
    const small = new OffscreenCanvas(columns, rows);
    const tints = new ImageData(columns, rows);
    const opaque = this.#last ? OPAQUE.drawing : OPAQUE.drawn;
    this.#map.values.forEach((value, at) => {
      tints.data.set(value < 0 ? TINTS.fine : TINTS.broad, 4 * at);
      tints.data[4 * at + 3] = opaque * Math.abs(value);
    });
    small.getContext("2d").putImageData(tints, 0, 0);
    return small;
  }

  #ring(context, long) {
    const [x, y] = this.#at.map((share) => share * long);
    for (const [style, wide] of [["rgb(0 0 0 / .6)", 4], ["#fff", 2]]) {
      context.beginPath();
      context.arc(x, y, Math.max(3, (this.size / 2) * long), 0, 2 * Math.PI);
      context.strokeStyle = style;
      context.lineWidth = wide;
      context.stroke();
    }
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    const long = Math.max(box.width, box.height);
    return [(event.clientX - box.left) / long, (event.clientY - box.top) / long];
  }

  #press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#last = this.#at = this.#place(event);
    this.#dab(this.#at);
  }

  #move(event) {
    this.#near = true;
    this.#at = this.#place(event);
    if (this.#last) {
      this.#map.stroke(this.#last, this.#at, this.size / 2, TOWARDS[this.brush]);
      this.#last = this.#at;
      this.#changed("drawing");
    }
    this.draw();
  }

  #lift() {
    if (!this.#last) return;
    this.#last = null;
    this.draw();
    this.#changed("drawn");
  }

  #hover(near) {
    this.#near = near || document.activeElement === this.canvas;
    this.draw();
  }

  #dab(at) {
    this.#map.dab(...at, this.size / 2, TOWARDS[this.brush]);
    this.#changed("drawing");
    this.draw();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [rows, columns] = this.#map.shape;
    const ends = [columns, rows].map((side) => side / Math.max(rows, columns));
    const step = event.shiftKey ? STEP / 4 : STEP;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const brushes = { f: "fine", b: "broad", e: "erase" };
    if (moves[event.key]) {
      this.#at = this.#at.map((share, axis) => Math.min(ends[axis], Math.max(0, share + step * moves[event.key][axis])));
      const [across, down] = this.#at.map((share, axis) => Math.round((100 * share) / ends[axis]));
      this.#say(`${across} % across, ${down} % down`);
    } else if (event.key === " " || event.key === "Enter") {
      this.#dab(this.#at);
      this.#changed("drawn");
      this.#say(`${this.brush} dab`);
    } else if (brushes[event.key.toLowerCase()]) {
      this.dispatchEvent(new CustomEvent("brush", { detail: brushes[event.key.toLowerCase()] }));
    } else if (event.key === "[" || event.key === "]") {
      this.dispatchEvent(new CustomEvent("size", { detail: event.key === "]" ? 4 : -4 }));
    } else return;
    event.preventDefault();
    this.#near = true;
    this.draw();
  }

  #say(text) {
    this.dispatchEvent(new CustomEvent("say", { detail: text }));
  }

  #changed(kind) {
    this.dispatchEvent(new CustomEvent(kind));
  }
}
