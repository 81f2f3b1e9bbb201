// Strength: how much of the painting is seen. The same as brushnet/inference/strength.py, which says why so.
import { resize } from "./resize.js";

const LAYOUT_PX = 16;

// To the nearest even where two are as near, as Python rounds.
export function round(value) {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 ? down + 1 : down;
}

// Photo at 0, painting at 1; both are planar RGB of one size. A new picture, or one of the two.
export function atStrength(photo, painting, [height, width], strength) {
  if (strength === 0) return photo;
  if (strength === 1) return painting;
  const small = [Math.max(1, round(height / LAYOUT_PX)), Math.max(1, round(width / LAYOUT_PX))];
  const layout = (picture) => resize(picture, [3, height, width], small);
  const enlarged = (picture) => resize(picture, [3, ...small], [height, width]);
  if (strength > 1) return withContrast(painting, enlarged(layout(painting)), strength - 1);
  const detail = 1 - (1 - strength) ** 3;
  const [ofPhoto, difference] = [layout(photo), layout(painting)];
  for (let at = 0; at < difference.length; at++) difference[at] -= ofPhoto[at];
  const mixed = enlarged(difference);
  for (let at = 0; at < mixed.length; at++) {
    const value = mixed[at] * (strength - detail) + photo[at] * (1 - detail) + painting[at] * detail;
    mixed[at] = Math.min(1, Math.max(0, value));
  }
  return mixed;
}

function withContrast(painting, layout, more) {
  for (let at = 0; at < layout.length; at++) {
    const value = painting[at];
    const step = more * (value - layout[at]);
    const room = step > 0 ? 1 - value : value;
    layout[at] = value + (step * room) / Math.max(Math.abs(step) + room, 1e-6);
  }
  return layout;
}
