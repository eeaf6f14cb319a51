// Decodes photos and runs the models, so that the page stays smooth.
//
// The page sends {id, file, explain, preview, thumbnail}. It gets {kind: "answer", id, comparison, maps, thumbnail} of
// the models that are there, again whenever one more is, or {kind: "refused", id, message}; with `preview`,
// {kind: "seen", id, preview} comes before. It also gets what models.js tells while it loads.

import site from "./site.js";
import {load} from "./models.js";
import {overlay, reduced, scaleOf} from "./overlay.js";
import {decode, resized} from "./pixels.js";
import {compared} from "./verdict.js";
import {asRefusal} from "./wording.js";

let last = null; // what the page asked last
let known = {}; // the id of the question answered last, and what is known of its photo
let turn = Promise.resolve();

const {models, all} = load(async (message) => {
  postMessage(message);
  if (message.kind === "loaded" && last) await reply(last);
});
all.then(() => postMessage({kind: "ready"}), (error) => {
  postMessage({kind: "failed", message: asRefusal(error, "page fails").message});
});

addEventListener("message", ({data}) => {
  last = data;
  reply(data);
});

function reply(question) {
  turn = turn.then(() => answer(question)).catch((error) => {
    if (last === question) last = null; // the next model would change nothing
    postMessage({kind: "refused", id: question.id, message: asRefusal(error, "page fails").message});
  });
  return turn;
}

async function answer({id, file, explain, preview, thumbnail}) {
  if (id !== known.id) {
    known = {...await look(file), id, verdicts: new Map()};
    if (preview) postMessage({kind: "seen", id, preview: await jpeg(known.photo, 0.85)});
  }
  const {inputs, photo, verdicts} = known;
  for (const model of models.filter((one) => !verdicts.has(one))) {
    const {pixels, milliseconds} = inputs[inputOf(model.spec)];
    verdicts.set(model, await model.verdict(pixels, milliseconds));
  }
  const able = models.filter((model) => verdicts.has(model));
  if (!able.length) return;
  const comparison = compared(able.map((model) => verdicts.get(model)), able.map(({spec}) => spec));
  const maps = explain ? await overlays(comparison, photo) : {};
  const small = thumbnail ? await jpeg(reduced(photo, thumbnail), 0.7) : null;
  postMessage({kind: "answer", id, comparison, maps, thumbnail: small});
}

// Models with the same can share pixels.
const inputOf = ({shape, resize}) => `${shape} ${resize}`;

const jpeg = (canvas, quality) => canvas.convertToBlob({type: "image/jpeg", quality});

// The pixels for every model, and a small copy of the photo.
async function look(file) {
  const image = await decode(file);
  const inputs = {};
  for (const spec of site.specs) {
    const start = performance.now();
    const input = () => ({pixels: resized(image, spec.shape, spec.resize), milliseconds: performance.now() - start});
    inputs[inputOf(spec)] ??= input();
  }
  return {inputs, photo: reduced(image.canvas)};
}

// Model -> the photo under its map, all on one scale.
async function overlays({models: verdicts}, photo) {
  const drawn = verdicts.filter(({heatmap}) => heatmap), scale = scaleOf(drawn.map(({heatmap}) => heatmap));
  const specs = Object.fromEntries(site.specs.map((spec) => [spec.name, spec]));
  const blobs = drawn.map(({model, heatmap}) => overlay(photo, heatmap, scale, specs[model]));
  return Object.fromEntries((await Promise.all(blobs)).map((blob, i) => [drawn[i].model, blob]));
}
