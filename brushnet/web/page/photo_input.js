// Where photos come from: a file that is chosen, dropped or pasted, or a sample. They stay in this browser.

export class BadPhoto extends Error {}

// An upright bitmap in sRGB. What the browser cannot read is told in a sentence.
export async function decoded(blob, name) {
  if (blob.size === 0) throw new BadPhoto(`${name} is empty.`);
  try {
    return await createImageBitmap(blob, { imageOrientation: "from-image", premultiplyAlpha: "none" });
  } catch {
    const isHeic = /\.hei[cf]$/i.test(name);
    const hint = isHeic ? "Safari can read HEIC photos; elsewhere, save it as a JPEG." : "JPEG, PNG and WebP always work.";
    throw new BadPhoto(`${name} is no picture that this browser can read, or too large for it. ${hint}`);
  }
}

export function takePhotos({ input, target, onFile }) {
  input.addEventListener("change", () => {
    if (input.files[0]) onFile(input.files[0]);
    input.value = ""; // the same file can be chosen again
  });
  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let inside = 0;
  const show = () => target.classList.toggle("dragging", inside > 0);
  target.addEventListener("dragenter", (event) => {
    inside += hasFile(event);
    show();
  });
  target.addEventListener("dragleave", () => {
    inside = Math.max(0, inside - 1);
    show();
  });
  target.addEventListener("dragover", (event) => event.preventDefault());
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    show();
    if (event.dataTransfer.files[0]) onFile(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file) onFile(file);
  });
}

export function offerSamples(list, samples, onSample) {
  for (const sample of samples) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.title = sample.name;
    const image = new Image(76, 62);
    Object.assign(image, { src: sample.file, alt: `sample photo: ${sample.name}`, loading: "lazy", decoding: "async" });
    button.append(image);
    button.addEventListener("click", () => onSample(sample));
    list.append(button);
    sample.button = button;
  }
}
