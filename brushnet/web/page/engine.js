// ONNX Runtime in this worker: by WebGPU where there is a real one, else by WebAssembly, with threads where allowed.
import { fetched } from "./fetched.js";

export const BUILDS = {
  webgpu: { script: "./vendor/ort.jspi.bundle.min.mjs", wasm: "./vendor/ort-wasm-simd-threaded.jspi.wasm.gz" },
  wasm: { script: "./vendor/ort.wasm.bundle.min.mjs", wasm: "./vendor/ort-wasm-simd-threaded.wasm.gz" },
};
const MOST_THREADS = 4; // more wait for each other longer than they help

// The provider to try first. `wanted` (of the address, for tests and for who knows better) may force one.
export async function chosenProvider(wanted) {
  if (wanted === "wasm") return "wasm";
  // The WebGPU build waits for the GPU by JavaScript promise integration.
  if (!navigator.gpu || !("Suspending" in WebAssembly)) return "wasm";
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    const drawnByCpu = adapter?.info?.isFallbackAdapter ?? adapter?.isFallbackAdapter;
    return adapter && (wanted === "webgpu" || !drawnByCpu) ? "webgpu" : "wasm";
  } catch {
    return "wasm";
  }
}

export class Engine {
  static async start(provider, sizes, onProgress) {
    const { script, wasm } = BUILDS[provider];
    const ort = await import(script);
    const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
    ort.env.wasm.wasmBinary = await fetched(wasm, { bytes: sizes[wasm.slice(2)], onProgress });
    return new Engine(ort, provider, threads);
  }

  constructor(ort, provider, threads) {
    Object.assign(this, { ort, provider, threads });
  }

  async open(file) {
    const options = { executionProviders: [this.provider], graphOptimizationLevel: "all", logSeverityLevel: 3 };
    return this.ort.InferenceSession.create(new Uint8Array(file), options);
  }

  // Painting, planar RGB, of a photo of [height, width]; `stroke` holds scales of [rows, columns].
  async paint(session, photo, [height, width], stroke, [rows, columns], weights) {
    const { Tensor } = this.ort;
    const all = {
      photo: new Tensor("float32", photo, [1, 3, height, width]),
      stroke: new Tensor("float32", stroke, [1, 1, rows, columns]),
      style: new Tensor("float32", weights, [1, weights.length]),
      strength: new Tensor("float32", [1], [1]),
    };
    // A model of one painting has no style, one of a single scale no stroke.
    const feeds = Object.fromEntries(session.inputNames.map((name) => [name, all[name]]));
    const { painting } = await session.run(feeds);
    const data = await painting.getData();
    painting.dispose();
    return data;
  }
}
