// The models: fetched once, verified, kept for the next visit, and run by onnxruntime-web.

import {asRefusal, refusal} from "./wording.js";
import {verdictOf, widened} from "./verdict.js";

const HERE = new URL("./", import.meta.url);
// Several pages may share a host, and so its caches. The service worker deletes what is of an old version.
const CACHE = `catdog-models ${HERE.pathname}`;

// Load every model, the smallest first; `tell` hears {kind: "progress" | "loaded" | "problem", ...}, and loading goes
// on when it has dealt with it. Returns the models so far, in an array that grows, and the promise that all were tried.
export function load(tell) {
  const models = [];
  return {models, all: loadAll(models, tell)};
}

async function loadAll(models, tell) {
  if (!globalThis.WebAssembly) throw refusal("no WebAssembly");
  if (!globalThis.crypto?.subtle) throw refusal("not secure");
  const [ways, list] = await Promise.all([startRuntime(), listed()]);
  const order = list.map(({name}) => name);
  const sorted = [...list].sort((a, b) => a.bytes - b.bytes);
  const files = fetched(sorted, tell);
  for (const [i, entry] of sorted.entries()) {
    try {
      models.push(await opened(entry, ways, await files[i]));
      models.sort((a, b) => order.indexOf(a.spec.name) - order.indexOf(b.spec.name));
      await tell({kind: "loaded", model: entry.name});
    } catch (error) {
      tell({kind: "problem", message: asRefusal(error, "model fails", entry).message});
    }
  }
  if (!models.length) throw refusal("no model");
}

// The smallest file first, as it is on the server: this list changes when models do, and its address does not.
async function listed() {
  const response = await got(new URL("models/models.json", HERE), {cache: "no-cache"});
  return response.json().catch(() => { throw refusal("not fetched"); });
}

// One file after the other, each as a promise.
function fetched(entries, tell) {
  const total = entries.reduce((sum, {bytes}) => sum + bytes, 0);
  let done = 0, before = Promise.resolve();
  return entries.map((entry) => {
    const progress = (bytes) => tell({kind: "progress", loaded: done + bytes, total});
    const file = before.then(() => verified(entry, progress, tell));
    before = file.catch(() => {}).then(() => { done += entry.bytes; });
    return file;
  });
}

async function got(address, options) {
  const response = await fetch(address, options).catch(() => null);
  if (!response?.ok) throw refusal("not fetched");
  return response;
}

// The bytes of a model, from the cache or the server, with the sha256 that the list says.
async function verified(entry, progress, tell) {
  const address = new URL(`models/${entry.file}`, HERE).href;
  const cache = await caches.open(CACHE).catch(() => null);
  const kept = await cache?.match(address);
  if (kept) {
    const bytes = await kept.arrayBuffer();
    if (await sha256(bytes) === entry.sha256) return bytes;
    await cache.delete(address);
  }
  const bytes = await read(await got(address), entry, progress);
  if (await sha256(bytes) !== entry.sha256) throw refusal("changed", entry);
  const notKept = () => tell({kind: "problem", message: refusal("not kept").message});
  await cache?.put(address, new Response(bytes)).catch(notKept);
  return bytes;
}

async function read(response, entry, progress) {
  const bytes = new Uint8Array(entry.bytes), reader = response.body.getReader();
  let received = 0;
  for (;;) {
    const {done, value} = await reader.read().catch(() => { throw refusal("not fetched"); });
    if (done) break;
    if (received + value.length > bytes.length) throw refusal("changed", entry);
    bytes.set(value, received);
    received += value.length;
    progress(received);
  }
  if (received < bytes.length) throw refusal("not fetched");
  return bytes.buffer;
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Ways to run a model, the best first: the builds of onnxruntime-web for WebGPU, where the browser has it, and for
// WebAssembly, with threads where the page is isolated from others. Each has its own memory, so one may fail alone.
async function startRuntime() {
  const adapter = "Suspending" in WebAssembly && await navigator.gpu?.requestAdapter().catch(() => null);
  const isCard = adapter && !(adapter.info ?? adapter).isFallbackAdapter; // one that is only imitated would be slow
  const ways = await Promise.all([
    isCard ? way("webgpu", "jspi").catch(() => null) : null,
    way("wasm", "wasm").catch(() => { throw refusal("worker"); }),
  ]);
  return ways.filter(Boolean);
}

async function way(provider, build) {
  const ort = await import(`./ort/ort.${build}.bundle.min.mjs`);
  ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
  ort.env.logLevel = "error";
  return {provider, ort};
}

const unzipped = (file) =>
  new Response(new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

// The number of bytes of JSON, the JSON, and the network that it describes.
function parts(bytes) {
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  return {...head, network: new Uint8Array(bytes, 4 + length)};
}

async function opened(entry, ways, file) {
  const model = new Model(entry, ways);
  await model.open(file);
  return model;
}

class Model {
  constructor(entry, ways) {
    Object.assign(this, {entry, ways: [...ways]});
  }

  // Get ready in the first way that works. Graphics cards may compute wrongly: there the model must first answer as it
  // did when it was exported.
  async open(file) {
    const {spec, check, network} = parts(await unzipped(file));
    this.spec ??= spec;
    for (;;) {
      try {
        const {provider, ort} = this.ways[0], options = {executionProviders: [provider], logSeverityLevel: 3};
        this.session = await ort.InferenceSession.create(network, options);
        if (provider === "webgpu") await this.check(check);
        return;
      } catch (error) {
        this.giveUp(error);
      }
    }
  }

  // Leave a way to run that failed; without another one, throw what happened.
  giveUp(error) {
    if (this.ways.length === 1) throw error;
    this.ways.shift();
  }

  // pixels: Uint8Array, in the shape of the spec -> the outputs of one photo, as verdict.js takes them.
  async run(pixels) {
    const {shape, scaling: {order, factor, offset}} = this.spec, channels = order.length, [{ort}] = this.ways;
    const values = Float32Array.from(pixels, (_, i) => {
      const channel = i % channels;
      return pixels[i - channel + order[channel]] * factor[channel] + offset[channel];
    });
    const input = new ort.Tensor("float32", values, [1, ...shape]);
    const results = await this.session.run({[this.session.inputNames[0]]: input});
    const {probabilities, maps} = results;
    return {probabilities: probabilities.data, maps: maps?.data, shape: maps?.dims.slice(1)};
  }

  // As `run`; a graphics card that is lost leaves the processor.
  async outputs(pixels) {
    try {
      return await this.run(pixels);
    } catch (error) {
      this.giveUp(error);
      await this.open(await verified(this.entry, () => {}, () => {}));
      return this.run(pixels);
    }
  }

  async verdict(pixels, milliseconds) {
    try {
      const start = performance.now();
      const outputs = await this.outputs(pixels);
      return verdictOf(this.spec, outputs, milliseconds + performance.now() - start);
    } catch (error) {
      throw asRefusal(error, "model fails", this.entry);
    }
  }

  // `expected`: what the exported file says of a ramp of colours, and how far an answer may be from it.
  async check({probabilities, tolerance}) {
    const [height, width, channels] = this.spec.shape;
    const ramp = Uint8Array.from({length: height * width * channels}, (_, i) => (i * 7) % 256);
    const found = widened((await this.run(ramp)).probabilities);
    if (!probabilities.every((value, i) => Math.abs(value - found[i]) <= tolerance)) throw new Error("wrong answers");
  }
}
