// The panel's controls: what they show of what is chosen, and what they change of it.
import { command } from "./command.js";
import { byId, element, fill } from "./elements.js";

const TWELFTH = 2 ** (1 / 12); // of an octave: a step by key, just seen
const KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 6, PageDown: -6 };
const digits = (value) => Number(value.toPrecision(3)); // as it is shown, so that a command line can say it

export function listenTo(studio, brushes, { chooseBrush, setBrushSize, say }) {
  const on = (id, kind, does) => byId(id).addEventListener(kind, does);
  on("stroke", "input", (event) => {
    studio.stroke = digits(2 ** event.target.value);
    studio.changed({ moving: true });
  });
  on("stroke", "keydown", (event) => {
    if (!(event.key in KEYS)) return;
    event.preventDefault();
    studio.stroke = digits(studio.stroke * TWELFTH ** KEYS[event.key]);
    studio.changed({ moving: true });
  });
  on("strength", "input", (event) => {
    studio.strength = Number(event.target.value);
    studio.changed({ moving: true });
  });
  for (const id of ["size", "format"]) on(id, "change", () => showControls(studio, brushes));
  on("panel", "submit", (event) => event.preventDefault());
  on("map-clear", "click", () => {
    studio.map.clear();
    brushes.draw();
    studio.changed();
  });
  on("brush-size", "input", (event) => setBrushSize(Number(event.target.value)));
  for (const input of document.querySelectorAll("input[name='brush']")) {
    input.addEventListener("change", () => chooseBrush(input.value));
  }
  studio.paintings.addEventListener("change", () => studio.somethingElse());
  brushes.addEventListener("drawing", () => studio.changed({ moving: true }));
  brushes.addEventListener("drawn", () => studio.changed());
  brushes.addEventListener("brush", ({ detail }) => chooseBrush(detail));
  brushes.addEventListener("size", ({ detail }) => setBrushSize(100 * brushes.size + detail));
  brushes.addEventListener("say", ({ detail }) => say(detail));
  window.addEventListener("resize", () => brushes.draw());
}

export function showControls(studio, brushes) {
  const { model } = studio.paintings;
  const hasOne = model.min === model.max;
  const stroke = byId("stroke");
  [stroke.min, stroke.max] = [Math.log2(model.min), Math.log2(model.max) + hasOne];
  stroke.value = Math.log2(studio.stroke);
  stroke.setAttribute("aria-valuetext", `${studio.stroke.toFixed(2)} times the painting's`);
  byId("stroke-value").textContent = studio.stroke.toFixed(2);
  byId("stroke-note").hidden = !hasOne;
  byId("stroke-note").textContent = `This model paints with strokes of ${model.stroke} only.`;
  byId("strength").value = studio.strength;
  byId("strength-value").textContent = `${Math.round(100 * studio.strength)} %`;
  byId("brush-size").value = Math.round(100 * brushes.size);
  byId("brush-size-value").textContent = `${Math.round(100 * brushes.size)} %`;
  for (const id of ["stroke", "strength", "brush-size"]) fill(byId(id));
  stroke.disabled = byId("brushes").disabled = hasOne || !studio.photo;
  byId("strength").disabled = !studio.photo;
  if (studio.photo) showCommand(studio);
}

function showCommand(studio) {
  const { model, weights } = studio.paintings;
  const { name, shown, shape } = studio.photo;
  byId("command").textContent = command({
    model, weights, photo: name, shape: byId("size").value === "whole" ? shape : shown, shown,
    stroke: studio.stroke, map: studio.mapInUse, strength: studio.strength, suffix: byId("format").value,
  });
}

export function showEngine({ provider, threads }, model) {
  const isGpu = provider === "webgpu";
  const facts = {
    "painted by": isGpu ? "the GPU (WebGPU)" : `the processor (WebAssembly, ${threads} thread${threads === 1 ? "" : "s"})`,
    ...(self.crossOriginIsolated || isGpu ? {} : { note: "this host does not send the headers that allow more threads" }),
    model: `${model.title}, ${(model.bytes / 1e6).toFixed(1)} MB`,
    trained: `strokes ${model.min} to ${model.max}, at ${model.reference} px`,
  };
  const rows = Object.entries(facts).flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]);
  byId("facts").replaceChildren(...rows);
}
