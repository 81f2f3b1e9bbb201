// At which size the photo is painted, and with which stroke: strokes keep their size beside the picture.
import { round } from "./strength.js";

// Of any painting: the network's features of so many take a gigabyte and a half, and a phone has less for one page.
export function mostPixels() {
  const isSmall = navigator.deviceMemory ? navigator.deviceMemory <= 4 : matchMedia("(pointer: coarse)").matches;
  return isSmall ? 1_500_000 : 4_000_000;
}

export const SHOWN_PX = 768; // long side of what is shown, by which strokes are told
const SMALLEST_PREVIEW_PX = 256;

export const fitted = ([height, width], zoom) => [Math.max(1, round(height * zoom)), Math.max(1, round(width * zoom))];

export const within = (shape, pixels) => fitted(shape, Math.min(1, Math.sqrt(pixels / (shape[0] * shape[1]))));

export const withLongSide = (shape, px) => fitted(shape, Math.min(1, px / Math.max(...shape)));

// While a slider moves: as large as can be painted in time, but no smaller than the finest stroke asks for.
export function previewShape(shown, finest, model, pixelsInTime) {
  const fast = withLongSide(shown, Math.max(SMALLEST_PREVIEW_PX, Math.sqrt(pixelsInTime * 1.33)));
  const needed = Math.min(1, model.min / finest);
  return fast[0] / shown[0] >= needed ? fast : fitted(shown, needed);
}

// Strokes of a picture that is `zoom` times as large as the one shown.
export function strokesAt(zoom, stroke, map, model) {
  const scaled = (scale) => Math.min(model.max, Math.max(model.min, scale * zoom));
  if (model.min === model.max) return { stroke: model.stroke, map: null };
  return { stroke: scaled(stroke), map: map && { ...map, scales: map.scales.map(scaled) } };
}

// As brushnet.inference.resolution.sizing: the size at which the broadest stroke is one that was trained.
export function paintedShape(shape, shown, broadest, model) {
  const perPx = broadest / Math.min(...shown);
  if (perPx * Math.min(...shape) <= model.max * (1 + 1e-4)) return shape;
  return fitted(shape, Math.floor(model.max / perPx + 1e-6) / Math.min(...shape));
}
