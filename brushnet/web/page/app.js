// The page: puts its parts together, shows what is painted, says what happens.
import { BrushView } from "./brush_view.js";
import { Compare } from "./compare.js";
import { listenTo, showControls, showEngine } from "./controls.js";
import { byId, element, seconds, size } from "./elements.js";
import { canShare, encoded, greyRgba, save, share } from "./files_out.js";
import { Painter } from "./painter.js";
import { Paintings } from "./paintings.js";
import { BadPhoto, decoded, offerSamples, takePhotos } from "./photo_input.js";
import { Studio } from "./studio.js";

const MOST_ENLARGED = 1.5; // on the screen: more shows pixels and no strokes
const TYPES = { ".png": "image/png", ".jpg": "image/jpeg" };
const index = await (await fetch("models.json")).json();

const compare = new Compare(byId("frame"), byId("divider"));
const brushes = new BrushView(byId("map-view"));
const paintings = new Paintings(index.models, {
  list: byId("paintings"), mixing: byId("mixing"), weights: byId("weights"),
});
const provider = new URLSearchParams(location.search).get("provider");
const painter = new Painter({ sizes: index.sizes, provider, model: paintings.model });
const studio = new Studio(painter, paintings);
studio.stroke = paintings.model.stroke;

// ---- what is said ----

const say = (text) => (byId("status").textContent = text);
const busy = (isBusy) => byId("stage").setAttribute("aria-busy", isBusy); // what is seen is not what is chosen

function problem(text) {
  byId("problem").textContent = text ?? "";
  byId("problem").hidden = !text;
  if (text) busy(false);
}

function progress(share, text) {
  byId("progress").hidden = share === null;
  if (share) byId("progress").value = share;
  else byId("progress").removeAttribute("value"); // how long it takes is not known
  if (text) say(text);
}

// ---- the picture ----

function draw(canvas, { rgba, height, width }) {
  [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(rgba), width, height), 0, 0);
}

function showPainting(result) {
  draw(byId("painting-view"), result);
  byId("painting-view").classList.remove("blank");
  compare.show(brushes.brush === "off");
  problem(null);
}

let turns = 0; // of photos that are being loaded, the one that was chosen last counts, whichever comes first

async function usePhoto(blob, name, sample = null) {
  const turn = ++turns;
  try {
    problem(null);
    busy(true);
    const bitmap = await decoded(blob, name);
    if (turn !== turns) return;
    byId("painting-view").classList.add("blank");
    compare.show(false);
    for (const each of index.photos) each.button.setAttribute("aria-pressed", each === sample);
    byId("credit").textContent = sample?.credit ? `Photo: ${sample.credit}` : "";
    await studio.setPhoto(bitmap, name);
    brushes.show(studio.map);
  } catch (error) {
    if (turn !== turns) return;
    problem(error instanceof BadPhoto ? error.message : `${name} could not be used: ${error.message}.`);
  }
}

async function useSample(sample) {
  const turn = ++turns;
  try {
    const blob = await (await fetch(sample.file)).blob();
    if (turn === turns) await usePhoto(blob, sample.file.split("/").pop(), sample);
  } catch (error) {
    if (turn === turns) problem(`${sample.name} could not be loaded: ${error.message}.`);
  }
}

function showSizes({ name, whole, shape, shown }) {
  byId("frame").style.setProperty("--shape", shown[1] / shown[0]);
  byId("frame").style.setProperty("--most", `${MOST_ENLARGED * shown[1]}px`);
  const options = [element("option", { value: "shown" }, size(shown))];
  if (shape[0] > shown[0]) options.unshift(element("option", { value: "whole" }, size(shape)));
  byId("size").replaceChildren(...options);
  byId("remark").textContent = shape[0] === whole[0] ? ""
    : `${name} has ${size(whole)}: it is reduced to ${size(shape)}, the most that is painted here.`;
}

// ---- brushes ----

function chooseBrush(brush) {
  document.querySelector(`input[name='brush'][value='${brush}']`).checked = true;
  byId("brush-more").hidden = brush === "off";
  brushes.choose(brush);
  compare.show(brush === "off" && !byId("painting-view").classList.contains("blank"));
}

function setBrushSize(percent) {
  byId("brush-size").value = percent; // which keeps it inside its range
  brushes.size = byId("brush-size").value / 100;
  showControls(studio, brushes);
  brushes.draw();
}

async function saveMap() {
  const levels = studio.map.levels(studio.stroke, paintings.model);
  save(await encoded(greyRgba(levels), studio.map.shape, "image/png"), "stroke-map.png");
}

// ---- the result ----

let handingOut = false;

async function handOut(how) {
  if (handingOut) return painter.cancel();
  handingOut = true;
  byId("download").textContent = "Cancel";
  byId("share").disabled = true;
  try {
    const { name, shape, shown } = studio.photo;
    const suffix = byId("format").value;
    const made = await studio.result(byId("size").value === "whole" ? shape : shown);
    const file = `${name.replace(/\.[^.]*$/, "")}-${paintings.model.name}${suffix}`;
    if (made) await how(await encoded(made.rgba, [made.height, made.width], TYPES[suffix]), file);
    say(made ? `${file} is ready.` : "Cancelled.");
  } catch (error) {
    problem(`The picture could not be made: ${error.message}. A smaller size takes less memory.`);
    await painter.cancel(); // an engine that has run out of memory is in no state to go on
  } finally {
    handingOut = false;
    byId("download").textContent = "Download";
    byId("share").disabled = false;
  }
}

// ---- start ----

studio.addEventListener("change", () => showControls(studio, brushes));
studio.addEventListener("busy", ({ detail }) => busy(detail));
studio.addEventListener("picture", ({ detail }) => showPainting(detail));
studio.addEventListener("problem", ({ detail }) => problem(detail));
studio.addEventListener("done", ({ detail }) => {
  const map = studio.mapInUse ? " and a map" : "";
  say(`Painted like ${paintings.title}, strokes ${studio.stroke.toFixed(2)}${map}` +
    `${detail.ms ? `, in ${seconds(detail.ms)}` : ""}.`);
  byId("downloads").disabled = false;
});
painter.addEventListener("photo", ({ detail }) => {
  draw(byId("photo-view"), detail);
  showSizes(studio.photo);
  showControls(studio, brushes); // the command line names the size
});
painter.addEventListener("loading", ({ detail }) => {
  progress(detail.share, detail.what === "engine" ? "Loading the painter." : "Loading the painting's model.");
});
painter.addEventListener("ready", ({ detail }) => {
  progress(null);
  showEngine(detail, paintings.model);
});
painter.addEventListener("started", ({ detail }) => {
  if (detail.of === "download") progress(0, "Painting at full size.");
  else if (detail.of === "final") progress(0);
});
painter.addEventListener("idle", () => progress(null));
painter.addEventListener("broken", ({ detail }) => problem(`The painter could not be started: ${detail.what}.`));

byId("starting").hidden = true;
byId("share").hidden = !canShare();
byId("download").addEventListener("click", () => handOut(save));
byId("share").addEventListener("click", () => handOut(share));
byId("map-save").addEventListener("click", saveMap);
offerSamples(byId("samples"), index.photos, useSample);
takePhotos({
  input: byId("file"), target: document.body, onFile: (file) => usePhoto(file, file.name || "the picture"),
});
listenTo(studio, brushes, { chooseBrush, setBrushSize, say });
showControls(studio, brushes);
if (index.photos.length) useSample(index.photos[0]);
