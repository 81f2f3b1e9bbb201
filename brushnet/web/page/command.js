// What is shown, as a command line.

const quoted = (text) => (/^[\w.,=/+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function command({ model, weights, photo, shape, shown, stroke, map, strength, suffix }) {
  const words = ["brushnet stylize", quoted(model.name), quoted(photo), `-o painting${suffix}`];
  if (map) words.push("--stroke-map stroke-map.png");
  else if (model.min === model.max) words.push();
  else if (shape[0] === shown[0]) words.push(`--stroke ${stroke}`);
  else words.push(`--stroke-per-side ${((stroke * model.reference) / Math.min(...shown)).toPrecision(4)}`);
  if (strength !== 1) words.push(`--strength ${strength}`);
  words.push(...styleWords(model, weights));
  return words.join(" ");
}

function styleWords(model, weights) {
  if (model.styles.length < 2) return [];
  const used = model.styles.map((style, at) => [style.name, weights[at]]).filter(([, weight]) => weight > 0);
  if (used.length === 1) return ["--style", quoted(used[0][0])];
  return ["--mix", quoted(used.map(([name, weight]) => `${name}=${weight.toFixed(3)}`).join(","))];
}
