// The page: holds what is chosen, and asks the painter for it: a quick preview while something moves, then the picture.
import { BrushView } from "./brush_view.js";
import { command } from "./command.js";
import { Compare } from "./compare.js";
import { byId, element, fill, seconds, size } from "./elements.js";
import { canShare, encoded, greyRgba, save, share } from "./files_out.js";
import { Painter } from "./painter.js";
import { Paintings } from "./paintings.js";
import { BadPhoto, decoded, offerSamples, takePhotos } from "./photo_input.js";
import { MOST_PIXELS, SHOWN_PX, paintedShape, previewShape, strokesAt, withLongSide, within } from "./sizes.js";
import { StrokeMap } from "./stroke_map.js";

const REST_MS = 160; // a slider that has not moved for so long is let go
const PREVIEW_MS = 220;
const MOST_ENLARGED = 1.5; // on the screen: more shows pixels and no strokes
const query = new URLSearchParams(location.search);
const index = await (await fetch("models.json")).json();

const chosen = { photo: null, stroke: 1, strength: 1, map: null };
let speed = 100; // pixels a millisecond, until measured
let rest = 0;

const compare = new Compare(byId("frame"), byId("divider"));
const brushes = new BrushView(byId("map-view"));
const paintings = new Paintings(index.models, {
  list: byId("paintings"), mixing: byId("mixing"), weights: byId("weights"),
});
const painter = new Painter({ sizes: index.sizes, provider: query.get("provider"), model: paintings.model });

// ---- asking for paintings ----

const mapInUse = () => (chosen.map && !chosen.map.empty ? chosen.map : null);
const mapScales = () => {
  const map = mapInUse();
  return map && { scales: map.scales(chosen.stroke, paintings.model), shape: map.shape };
};

function asked(shape) {
  const { model, weights } = paintings;
  const zoom = Math.min(...shape) / Math.min(...chosen.photo.shown);
  const { stroke, map } = strokesAt(zoom, chosen.stroke, mapScales(), model);
  const key = [model.name, weights.join(), stroke, map ? chosen.map.version : "", shape.join("x")].join(" ");
  return { model, weights, stroke, map, key, height: shape[0], width: shape[1], strength: chosen.strength };
}

// While something moves: a preview at once, the picture itself when it rests.
function changed({ moving = false } = {}) {
  showFacts();
  if (!chosen.photo) return;
  busy(true);
  clearTimeout(rest);
  painter.drop("unseen", "final");
  if (moving) preview();
  rest = setTimeout(final, moving ? REST_MS : 0);
}

async function preview() {
  const map = mapScales();
  const finest = map ? Math.min(...map.scales) : chosen.stroke;
  const shape = previewShape(chosen.photo.shown, finest, paintings.model, speed * PREVIEW_MS);
  await paint("preview", shape);
}

async function final() {
  const result = await paint("final", chosen.photo.shown);
  if (!result) return;
  say(`Painted like ${paintings.title}, strokes ${chosen.stroke.toFixed(2)}${mapInUse() ? " and a map" : ""}` +
    `${result.ms ? `, in ${seconds(result.ms)}` : ""}.`);
  byId("downloads").disabled = false;
  busy(false);
}

async function paint(kind, shape) {
  const photo = chosen.photo;
  try {
    const result = await painter.request(kind, asked(shape));
    if (!result || chosen.photo !== photo) return null;
    if (result.ms > 20) speed = (shape[0] * shape[1]) / result.ms;
    draw(byId("painting-view"), result);
    byId("painting-view").classList.remove("blank");
    if (brushes.brush === "off") compare.show(true);
    problem(null);
    return result;
  } catch (error) {
    problem(`This could not be painted: ${error.message}.`);
    return null;
  }
}

function draw(canvas, { rgba, height, width }) {
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(rgba), width, height), 0, 0);
}

// ---- the photo ----

async function usePhoto(blob, name, sample = null) {
  try {
    problem(null);
    busy(true);
    const bitmap = await decoded(blob, name);
    const whole = [bitmap.height, bitmap.width];
    const shape = within(whole, MOST_PIXELS);
    const shown = withLongSide(shape, SHOWN_PX);
    chosen.photo = { source: bitmap, name, whole, shape, shown, height: shape[0], width: shape[1] };
    chosen.map = new StrokeMap(shown);
    brushes.show(chosen.map);
    byId("frame").style.setProperty("--shape", shown[1] / shown[0]);
    byId("frame").style.setProperty("--most", `${MOST_ENLARGED * shown[1]}px`);
    byId("painting-view").classList.add("blank");
    compare.show(false);
    for (const each of index.photos) each.button.setAttribute("aria-pressed", each === sample);
    byId("credit").textContent = sample?.credit ? `Photo: ${sample.credit}` : "";
    offerSizes();
    if (shape[0] < whole[0]) {
      byId("remark").textContent =
        `${name} has ${size(whole)}: it is reduced to ${size(shape)}, the most that is painted here.`;
    } else byId("remark").textContent = "";
    await painter.setPhoto(chosen.photo);
    changed({ moving: true });
  } catch (error) {
    problem(error instanceof BadPhoto ? error.message : `${name} could not be used: ${error.message}.`);
  }
}

async function useSample(sample) {
  try {
    await usePhoto(await (await fetch(sample.file)).blob(), sample.file.split("/").pop(), sample);
  } catch (error) {
    problem(`${sample.name} could not be loaded: ${error.message}.`);
  }
}

function offerSizes() {
  const { shown, shape } = chosen.photo;
  const options = [element("option", { value: "shown" }, size(shown))];
  if (shape[0] > shown[0]) options.unshift(element("option", { value: "whole" }, size(shape)));
  byId("size").replaceChildren(...options);
}

// ---- the result ----

async function result() {
  const { photo } = chosen;
  const isWhole = byId("size").value === "whole";
  const shape = isWhole ? photo.shape : photo.shown;
  const map = mapScales();
  const broadest = map ? Math.max(...map.scales) : chosen.stroke;
  const small = paintedShape(shape, photo.shown, broadest, paintings.model);
  const request = asked(small);
  if (small[0] !== shape[0]) request.enlargedTo = shape;
  const painted = await painter.request("download", request);
  if (!painted) return null;
  const type = byId("format").value;
  const name = photo.name.replace(/\.[^.]*$/, "");
  const suffix = type === "image/png" ? ".png" : ".jpg";
  const blob = await encoded(painted.rgba, [painted.height, painted.width], type);
  return { blob, name: `${name}-${paintings.model.name}${suffix}` };
}

async function handOut(how) {
  const buttons = [byId("download"), byId("share")];
  if (painter.running === "download") return painter.cancel();
  painter.drop("unseen", "preview", "final");
  byId("download").textContent = "Cancel";
  byId("share").disabled = true;
  try {
    const made = await result();
    if (made) await how(made.blob, made.name);
    say(made ? `${made.name} is ready.` : "Cancelled.");
  } catch (error) {
    problem(`The picture could not be made: ${error.message}. A smaller size takes less memory.`);
    await painter.cancel(); // memory that ran out leaves the engine in no state to go on
  } finally {
    byId("download").textContent = "Download";
    buttons[1].disabled = false;
  }
}

async function saveMap() {
  const { shape } = chosen.map;
  const levels = chosen.map.levels(chosen.stroke, paintings.model);
  save(await encoded(greyRgba(levels), shape, "image/png"), "stroke-map.png");
}

// ---- what is said ----

const say = (text) => (byId("status").textContent = text);

// Whether what is seen is not yet what is chosen.
const busy = (isBusy) => byId("stage").setAttribute("aria-busy", isBusy);

function problem(text) {
  if (text) busy(false);
  byId("problem").textContent = text ?? "";
  byId("problem").hidden = !text;
}

function showProgress(share, text) {
  byId("progress").hidden = share === null;
  if (share) byId("progress").value = share;
  else byId("progress").removeAttribute("value");
  if (text) say(text);
}

function showFacts() {
  const { model, weights } = paintings;
  const stroke = byId("stroke");
  const hasOne = model.min === model.max;
  [stroke.min, stroke.max] = [Math.log2(model.min), Math.log2(model.max) + (hasOne ? 1 : 0)];
  chosen.stroke = Math.min(model.max, Math.max(model.min, chosen.stroke));
  if (hasOne) chosen.stroke = model.stroke;
  stroke.value = Math.log2(chosen.stroke);
  stroke.disabled = hasOne || !chosen.photo;
  stroke.setAttribute("aria-valuetext", `${chosen.stroke.toFixed(2)} times the painting's`);
  byId("stroke-value").textContent = chosen.stroke.toFixed(2);
  byId("stroke-note").hidden = !hasOne;
  byId("stroke-note").textContent = `This model paints with strokes of ${model.stroke} only.`;
  byId("brushes").disabled = hasOne || !chosen.photo;
  byId("strength").disabled = !chosen.photo;
  byId("strength").value = chosen.strength;
  byId("strength-value").textContent = `${Math.round(100 * chosen.strength)} %`;
  for (const input of [stroke, byId("strength"), byId("brush-size")]) fill(input);
  byId("brush-size-value").textContent = `${Math.round(100 * brushes.size)} %`;
  if (!chosen.photo) return;
  const { name, shown, shape } = chosen.photo;
  const isWhole = byId("size").value === "whole";
  byId("command").textContent = command({
    model, weights, photo: name, shape: isWhole ? shape : shown, shown, stroke: chosen.stroke, map: mapInUse(),
    strength: chosen.strength, suffix: byId("format").value === "image/png" ? ".png" : ".jpg",
  });
}

function showEngine({ provider, threads }) {
  const isGpu = provider === "webgpu";
  const isolated = self.crossOriginIsolated || isGpu;
  const facts = {
    "painted by": isGpu ? "the GPU (WebGPU)" : `the processor (WebAssembly, ${threads} thread${threads === 1 ? "" : "s"})`,
    ...(isolated ? {} : { note: "this host does not send the headers that allow more threads" }),
    model: `${paintings.model.title}, ${(paintings.model.bytes / 1e6).toFixed(1)} MB`,
    trained: `strokes ${paintings.model.min} to ${paintings.model.max}, at ${paintings.model.reference} px`,
  };
  const rows = Object.entries(facts).flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
  byId("facts").replaceChildren(...rows);
}

// ---- controls ----

function listen() {
  const on = (id, kind, does) => byId(id).addEventListener(kind, does);
  on("stroke", "input", (event) => {
    chosen.stroke = Number((2 ** event.target.value).toPrecision(3));
    changed({ moving: true });
  });
  on("stroke", "keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 6, PageDown: -6 };
    if (!(event.key in steps)) return;
    event.preventDefault(); // the slider has no steps of its own: a twelfth of an octave is just seen
    chosen.stroke = Number((chosen.stroke * 2 ** (steps[event.key] / 12)).toPrecision(3));
    changed({ moving: true });
  });
  on("strength", "input", (event) => {
    chosen.strength = Number(event.target.value);
    changed({ moving: true });
  });
  on("size", "change", showFacts);
  on("format", "change", showFacts);
  on("download", "click", () => handOut(save));
  on("share", "click", () => handOut(share));
  on("map-save", "click", saveMap);
  on("map-clear", "click", () => {
    chosen.map.clear();
    brushes.draw();
    changed();
  });
  on("brush-size", "input", (event) => setBrushSize(Number(event.target.value)));
  on("panel", "submit", (event) => event.preventDefault());
  for (const input of document.querySelectorAll("input[name='brush']")) {
    input.addEventListener("change", () => chooseBrush(input.value));
  }
  paintings.addEventListener("change", () => changed({ moving: true }));
  brushes.addEventListener("drawing", () => changed({ moving: true }));
  brushes.addEventListener("drawn", () => changed());
  brushes.addEventListener("brush", ({ detail }) => chooseBrush(detail));
  brushes.addEventListener("size", ({ detail }) => setBrushSize(100 * brushes.size + detail));
  brushes.addEventListener("say", ({ detail }) => say(detail));
  window.addEventListener("resize", () => brushes.draw());
}

function chooseBrush(brush) {
  document.querySelector(`input[name='brush'][value='${brush}']`).checked = true;
  byId("brush-more").hidden = brush === "off";
  brushes.choose(brush);
  compare.show(brush === "off" && !byId("painting-view").classList.contains("blank"));
}

function setBrushSize(percent) {
  byId("brush-size").value = percent;
  brushes.size = byId("brush-size").value / 100;
  showFacts();
  brushes.draw();
}

// ---- start ----

painter.addEventListener("photo", ({ detail }) => draw(byId("photo-view"), detail));
painter.addEventListener("loading", ({ detail }) => {
  showProgress(detail.share, detail.what === "engine" ? "Loading the painter." : "Loading the painting's model.");
});
painter.addEventListener("ready", ({ detail }) => showEngine(detail));
painter.addEventListener("started", ({ detail }) => {
  if (detail.of === "download") showProgress(0, "Painting at full size.");
  else if (detail.of === "final") showProgress(0);
});
painter.addEventListener("idle", () => showProgress(null));
painter.addEventListener("broken", ({ detail }) => problem(`The painter could not be started: ${detail.what}.`));

byId("starting").hidden = true;
byId("share").hidden = !canShare();
offerSamples(byId("samples"), index.photos, useSample);
takePhotos({
  input: byId("file"), target: document.body, onFile: (file) => usePhoto(file, file.name || "the picture"),
});
listen();
showFacts();
if (index.photos.length) useSample(index.photos[0]);
