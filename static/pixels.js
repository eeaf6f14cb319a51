// Photo file -> upright RGB pixels -> the pixels that a model takes, as catdog/photo does it in Python.

import {completed} from "./jpeg_end.js";
import site from "./site.js";
import {refusal} from "./wording.js";

const {limits, photos, notPhotos} = site;
const SHIFT = 22; // bits after the point of the weights below, as in Pillow
// EXIF orientation -> the transformation onto a canvas of this size.
const TURNS = {
  1: () => [1, 0, 0, 1, 0, 0],
  2: (width) => [-1, 0, 0, 1, width, 0],
  3: (width, height) => [-1, 0, 0, -1, width, height],
  4: (_, height) => [1, 0, 0, -1, 0, height],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (width) => [0, 1, -1, 0, width, 0],
  7: (width, height) => [0, -1, -1, 0, width, height],
  8: (_, height) => [0, -1, 1, 0, 0, height],
};

// Decode a Blob: {canvas, data, width, height}; data has 4 bytes per pixel, the last always 255.
export async function decode(file) {
  if (!file.size) throw refusal("empty");
  if (file.size > limits.bytes) throw refusal("file too large", {megabytes: limits.bytes / 2 ** 20});
  const head = await text(file.slice(0, 1024)).catch(() => { throw refusal("unreadable"); });
  requireAccepted(...sizeOfPng(head));
  const photo = first(photos, head);
  if (photo === "JPEG") file = await completed(file); // browsers show half of one without a word
  if (!file) throw refusal("damaged", {kind: photo});
  const webp = photo === "WebP", options = {colorSpaceConversion: "default"}; // profiles are applied
  let bitmap, turn;
  try {
    // Not every browser turns WebP.
    bitmap = await createImageBitmap(file, {...options, imageOrientation: webp ? "none" : "from-image"});
    turn = webp ? orientationOf(new DataView(await file.arrayBuffer())) : 1;
  } catch {
    const kind = first(notPhotos, head);
    if (photo) throw refusal(site.readable.includes(photo) ? "damaged" : "not read here", {kind: photo});
    throw refusal(kind ? "not a photo" : "unknown", {kind});
  }
  try {
    return drawn(bitmap, turn);
  } finally {
    bitmap.close();
  }
}

function drawn(bitmap, turn) {
  requireAccepted(bitmap.width, bitmap.height);
  const [width, height] = turn > 4 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.fillStyle = "white"; // for what is transparent
    context.fillRect(0, 0, width, height);
    context.setTransform(...TURNS[turn](width, height));
    context.drawImage(bitmap, 0, 0);
    return {canvas, data: context.getImageData(0, 0, width, height).data, width, height};
  } catch {
    throw refusal("no memory");
  }
}

function requireAccepted(width, height) {
  const received = `${width} x ${height}`;
  if (width * height > limits.pixels) throw refusal("too many pixels", {received, megapixels: limits.pixels / 1e6});
  if (Math.max(width, height) > limits.side) throw refusal("too long", {received, side: limits.side});
}

// A character for each byte.
const text = async (blob) => String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()));

const first = (kinds, head) => kinds.find(([, pattern, flags]) => new RegExp(pattern, flags).test(head))?.[0];

// From the header: the browser would decode it first.
function sizeOfPng(head) {
  if (!head.startsWith("\x89PNG")) return [0, 0];
  const number = (place) => [0, 1, 2, 3].reduce((sum, i) => sum * 256 + head.charCodeAt(place + i), 0);
  return [number(16), number(20)];
}

// The EXIF orientation in a WebP file, 1 to 8; 1 where it cannot be read.
function orientationOf(view) {
  try {
    let at = 12;
    while (view.getUint32(at) !== 0x45584946) at += 8 + view.getUint32(at + 4, true) + view.getUint32(at + 4, true) % 2;
    at += view.getUint32(at + 8) === 0x45786966 ? 14 : 8; // some programs write "Exif" before it, as in a JPEG
    const little = view.getUint16(at) === 0x4949, entries = at + view.getUint32(at + 4, little);
    for (let entry = entries + 2, i = view.getUint16(entries, little); i > 0; i -= 1, entry += 12) {
      if (view.getUint16(entry, little) !== 0x0112) continue;
      const turn = view.getUint16(entry + 8, little);
      return turn in TURNS ? turn : 1;
    }
  } catch {
    // beyond the end of the file: there is none
  }
  return 1;
}

// The largest centred part of this size that has an aspect, width by height.
export function cropped(width, height, aspect) {
  return [Math.min(width, height * aspect), Math.min(height, width / aspect)];
}

// Resize to a model's input, bilinear and antialiased as Pillow does it: Uint8Array (high * wide * channels).
export function resized({data, width, height}, [high, wide, channels], resize) {
  const [seenWidth, seenHeight] = resize === "crop" ? cropped(width, height, wide / high) : [width, height];
  const [left, top] = [(width - seenWidth) / 2, (height - seenHeight) / 2];
  const across = weights(width, left, left + seenWidth, wide, triangle, 1);
  const down = weights(height, top, top + seenHeight, high, triangle, 1);
  const rows = new Uint8Array(height * wide * 3);
  for (let y = 0; y < height; y += 1) {
    pass(data, y * width * 4, 4, rows, y * wide * 3, 3, across);
  }
  const result = new Uint8Array(high * wide * 3);
  for (let x = 0; x < wide; x += 1) {
    pass(rows, x * 3, wide * 3, result, x * 3, wide * 3, down);
  }
  return channels === 3 ? result : grey(result);
}

// As Pillow's mode L, after the luma of ITU-R 601.
const grey = (colours) => Uint8Array.from({length: colours.length / 3}, (_, i) =>
  (19595 * colours[3 * i] + 38470 * colours[3 * i + 1] + 7471 * colours[3 * i + 2] + 0x8000) >> 16);

// One line of three channels; `step` is the distance of its pixels.
function pass(source, from, step, target, to, targetStep, {starts, counts, factors, most}) {
  for (let i = 0; i < starts.length; i += 1) {
    let red = 1 << (SHIFT - 1), green = red, blue = red;
    let at = from + starts[i] * step;
    for (let k = i * most, end = k + counts[i]; k < end; k += 1, at += step) {
      red += source[at] * factors[k];
      green += source[at + 1] * factors[k];
      blue += source[at + 2] * factors[k];
    }
    const place = to + i * targetStep;
    target[place] = red >> SHIFT;
    target[place + 1] = green >> SHIFT;
    target[place + 2] = blue >> SHIFT;
  }
}

// For each of `size` outputs over the span from..to of `length` inputs: the first input, how many, and whole factors.
function weights(length, from, to, size, filter, reach) {
  const {starts, counts, factors, most} = exact(length, from, to, size, filter, reach);
  return {starts, counts, factors: Int32Array.from(factors, (value) => Math.round(value * 2 ** SHIFT)), most};
}

function exact(length, from, to, size, filter, reach) {
  const scale = (to - from) / size, stretch = Math.max(scale, 1), support = reach * stretch;
  const most = 2 * Math.ceil(support) + 1;
  const starts = new Int32Array(size), counts = new Int32Array(size), factors = new Float64Array(size * most);
  for (let i = 0; i < size; i += 1) {
    const centre = from + (i + 0.5) * scale;
    starts[i] = Math.max(0, Math.trunc(centre - support + 0.5));
    counts[i] = Math.min(length, Math.trunc(centre + support + 0.5)) - starts[i];
    let sum = 0;
    for (let k = 0; k < counts[i]; k += 1) {
      factors[i * most + k] = filter((starts[i] + k - centre + 0.5) / stretch);
      sum += factors[i * most + k];
    }
    for (let k = 0; k < counts[i]; k += 1) factors[i * most + k] /= sum;
  }
  return {starts, counts, factors, most};
}

// Enlarge rows of numbers, bicubic as Pillow does it: rows of numbers again.
export function enlarged(rows, width, height) {
  const across = exact(rows[0].length, 0, rows[0].length, width, cubic, 2);
  const down = exact(rows.length, 0, rows.length, height, cubic, 2);
  const line = (values, {starts, counts, factors, most}) => Array.from(starts, (start, i) => {
    let sum = 0;
    for (let k = 0; k < counts[i]; k += 1) sum += values[start + k] * factors[i * most + k];
    return sum;
  });
  return transposed(transposed(rows.map((row) => line(row, across))).map((column) => line(column, down)));
}

const transposed = (rows) => rows[0].map((_, i) => rows.map((row) => row[i]));

const triangle = (x) => Math.max(0, 1 - Math.abs(x));

function cubic(x) {
  const far = Math.abs(x), a = -0.5;
  if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
  return far < 2 ? (((far - 5) * far + 8) * far - 4) * a : 0;
}
