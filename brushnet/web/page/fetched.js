// Files beside this page, with progress. What lies there gzipped is unpacked here: then it is as small on any host.

export class Unreachable extends Error {}

export async function fetched(address, { bytes = 0, onProgress = () => {} } = {}) {
  let response;
  try {
    // Not relative to the worker, which has no address of its own.
    response = await fetch(new URL(address, import.meta.url), { credentials: "same-origin" });
  } catch {
    throw new Unreachable(`${address} could not be reached`);
  }
  if (!response.ok) throw new Unreachable(`${address} could not be loaded (${response.status})`);
  const parts = [];
  let done = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    done += part.value.length;
    onProgress(bytes ? Math.min(1, done / bytes) : 0);
  }
  const whole = new Blob(parts);
  // Some hosts unpack by themselves what ends in .gz, so the content decides.
  const start = new Uint8Array(await whole.slice(0, 2).arrayBuffer());
  if (!(start[0] === 0x1f && start[1] === 0x8b)) return whole.arrayBuffer();
  return new Response(whole.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
