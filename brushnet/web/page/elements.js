// Small means of the page: making elements, filling a slider's track, texts of numbers.

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// The part of a track that is left of the thumb's middle: the thumb, 26 px wide, stays within the track.
export function fill(input) {
  const share = (input.value - input.min) / (input.max - input.min || 1);
  input.parentElement.style.setProperty("--filled", `calc(13px + (100% - 26px) * ${share})`);
}

export const size = ([height, width]) => `${width} × ${height} px`;

export const seconds = (ms) => (ms < 950 ? `${Math.max(10, Math.round(ms / 10) * 10)} ms` : `${(ms / 1000).toFixed(1)} s`);
