// The page's side of the worker: what is asked for, in order of how much it is waited for.

// Of previews and of finals only the newest request counts; a download is waited for; what nobody sees is last.
const ORDER = ["preview", "final", "download", "unseen"];

// A worker that is loaded by its own address has the policy that its host sends, on most hosts none. One that is made
// here has the page's: it cannot send a photo anywhere either.
function workerAddress() {
  const script = `import ${JSON.stringify(new URL("worker.js", import.meta.url).href)};`;
  return URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
}

export class Painter extends EventTarget {
  #worker = null;
  #waiting = new Map(); // request by its kind
  #running = null;
  #count = 0;
  #start;
  #photo = null;

  constructor(start) {
    super();
    this.#start = start; // {sizes, provider, model}
    this.#open();
  }

  get busy() {
    return this.#running !== null;
  }

  // The bitmap goes to the worker, a copy stays, in case that the worker has to be started anew.
  async setPhoto(photo) {
    this.#photo = photo;
    this.#drop(() => true);
    await this.#sendPhoto();
  }

  // Resolves to {rgba, height, width, ms}, or to null where a newer request has taken its place.
  request(kind, content) {
    this.#waiting.get(kind)?.done(null);
    return new Promise((done, failed) => {
      this.#waiting.set(kind, { kind, content, done, failed });
      this.#next();
    });
  }

  // Nobody waits for these any more.
  drop(...kinds) {
    this.#drop((kind) => kinds.includes(kind));
  }

  // What runs cannot be stopped but by ending the worker: a new one has loaded all again in a second.
  async cancel() {
    this.#worker.terminate();
    this.#running?.done(null);
    this.#running = null;
    this.#drop(() => true);
    this.#open();
    if (this.#photo) await this.#sendPhoto();
  }

  #drop(isMeant) {
    for (const [kind, request] of this.#waiting) {
      if (!isMeant(kind)) continue;
      this.#waiting.delete(kind);
      request.done(null);
    }
  }

  #open() {
    this.#worker = new Worker(workerAddress(), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#hear(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#running?.failed(new Error(event.message || "the painter ended"));
      this.#running = null;
      this.#tell("broken", { what: event.message || "its script could not be loaded" });
    };
    this.#worker.postMessage({ kind: "start", ...this.#start });
  }

  async #sendPhoto() {
    const { source, shape, shown } = this.#photo;
    const bitmap = await createImageBitmap(source);
    this.#worker.postMessage({ kind: "photo", id: ++this.#count, bitmap, shape, shown }, [bitmap]);
  }

  #next() {
    if (this.#running) return;
    const kind = ORDER.find((each) => this.#waiting.has(each));
    if (!kind) return;
    const request = this.#waiting.get(kind);
    this.#waiting.delete(kind);
    this.#running = { ...request, id: ++this.#count };
    this.#worker.postMessage({ kind: "paint", id: this.#running.id, unseen: kind === "unseen", ...request.content });
    this.#tell("started", { of: kind, content: request.content });
  }

  #hear(message) {
    const request = this.#running;
    if (message.kind !== "painted" && message.kind !== "failed") return this.#tell(message.kind, message);
    if (message.id !== undefined && message.id === request?.id) {
      this.#running = null;
      if (message.kind === "painted") request.done(message);
      else request.failed(new Error(message.what));
    } else if (message.kind === "failed") {
      this.#tell("broken", message);
    }
    this.#tell("idle", {});
    this.#next();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
