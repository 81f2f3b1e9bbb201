// The worker: holds photo, engine and models, paints what it is asked for, and remembers what it has painted.
import { Engine, chosenProvider } from "./engine.js";
import { enlarge } from "./enlarge.js";
import { Unreachable, fetched } from "./fetched.js";
import { Paintings } from "./paintings_cache.js";
import { PhotoSizes } from "./photo_sizes.js";
import { blockMeans, pattern, toRgba } from "./pixels.js";
import { atStrength } from "./strength.js";

const CHECK_PX = 64;
const CHECK_CELLS = 4;
const MOST_OFF = 0.03; // of a block's mean: float16 on a GPU is off by 0.002, a broken driver by a picture
const MOST_SESSIONS = 3;

let sizes = {};
let engine = null;
let photo = null;
const sessions = new Map(); // by the model's name, the newest last
const paintings = new Paintings();

const say = (kind, content = {}, transfer = []) => self.postMessage({ kind, ...content }, transfer);

async function start(provider) {
  const onProgress = (share) => say("loading", { what: "engine", share });
  engine = await Engine.start(provider, sizes, onProgress);
  sessions.clear();
}

async function sessionOf(model) {
  const known = sessions.get(model.name);
  if (known) return known;
  let session = await checked(model);
  if (!session) {
    await start("wasm");
    session = await checked(model);
  }
  sessions.set(model.name, session);
  while (sessions.size > MOST_SESSIONS) {
    const [oldest, unused] = sessions.entries().next().value;
    sessions.delete(oldest);
    await unused.release();
  }
  say("ready", { provider: engine.provider, threads: engine.threads });
  return session;
}

// A session that paints what the network paints. Null where this GPU or its driver does not; WebAssembly must.
async function checked(model) {
  const onProgress = (share) => say("loading", { what: "model", share });
  const file = await fetched(model.files[engine.provider], { bytes: model.bytes, onProgress });
  try {
    const session = await engine.open(file);
    const weights = Float32Array.from(model.styles, (_, index) => (index === 0 ? 1 : 0));
    const shape = [CHECK_PX, CHECK_PX];
    const out = await engine.paint(session, pattern(CHECK_PX), shape, [model.stroke], [1, 1], weights);
    const means = blockMeans(out, CHECK_PX, CHECK_CELLS);
    if (model.check.every((value, at) => Math.abs(value - means[at]) <= MOST_OFF)) return session;
    if (engine.provider === "wasm") throw new Error("this browser computes something else than the network");
  } catch (error) {
    if (engine.provider === "wasm") throw error;
    console.info(`WebGPU is left out: ${error.message}`);
  }
  return null;
}

// Planar RGB of a picture as painted, by WebAssembly from now on where the GPU gives up (too large for it, or lost).
async function painted(request, picture, shape) {
  const session = await sessionOf(request.model);
  const [scales, points] = request.map ? [request.map.scales, request.map.shape] : [[request.stroke], [1, 1]];
  try {
    return await engine.paint(session, picture, shape, scales, points, request.weights);
  } catch (error) {
    if (engine.provider === "wasm") throw error;
    console.info(`WebGPU is left: ${error.message}`);
    await start("wasm");
    return painted(request, picture, shape);
  }
}

// The painting at full strength and at its own size, and the milliseconds that the network took.
async function paintingOf(request) {
  const known = paintings.get(request.key);
  if (known) return { picture: known, ms: 0 };
  const shape = [request.height, request.width];
  await sessionOf(request.model); // loading is no painting
  const started = performance.now();
  const picture = await painted(request, photo.at(...shape), shape);
  const ms = performance.now() - started;
  paintings.add(request.key, picture);
  return { picture, ms };
}

async function paint(request) {
  const { id, strength } = request;
  let shape = [request.height, request.width];
  let { picture, ms } = await paintingOf(request);
  if (request.unseen) return say("painted", { id, ms });
  if (request.enlargedTo) {
    picture = await enlarge(picture, shape, request.enlargedTo, (blurred, size) => painted(request, blurred, size));
    shape = request.enlargedTo;
  }
  const [height, width] = shape;
  const rgba = toRgba(atStrength(photo.at(height, width), picture, shape, strength), height * width);
  say("painted", { id, ms, height, width, rgba: rgba.buffer, provider: engine.provider }, [rgba.buffer]);
}

async function answer(message) {
  if (message.kind === "start") {
    sizes = message.sizes;
    await start(await chosenProvider(message.provider));
    await sessionOf(message.model);
  } else if (message.kind === "photo") {
    photo = new PhotoSizes(message.bitmap, message.shape);
    paintings.clear();
    const { buffer } = photo.rgba(message.shown);
    say("photo", { id: message.id, height: message.shown[0], width: message.shown[1], rgba: buffer }, [buffer]);
  } else {
    await paint(message);
  }
}

// One after the other: a session must not be run twice at once.
let last = Promise.resolve();
self.onmessage = ({ data }) => {
  last = last.then(() => answer(data)).catch((error) => {
    const known = error instanceof Unreachable;
    say("failed", { id: data.id, what: known ? error.message : String(error?.message ?? error), fetching: known });
  });
};
