// JPEG files that break off, as catdog/photo/jpeg_end.py and jpeg_scans.py take them.

import site from "./site.js";

const END = 0xd9, SCAN = 0xda, EXIF = 0xe1; // markers: the end of the image, the start of a scan, EXIF or XMP
const NO_FRAMES = [0xc4, 0xc8, 0xcc]; // markers among those of frames
const COEFFICIENTS = 64;
const BAND = 256; // rows that are compared at a time
// Instead of the data that are missing. A byte of 0xff would begin a marker.
const ANYTHING = Uint8Array.from({length: 4096}, (_, i) => i * i * 31 % 251);

// A Blob as it is if it holds its whole image, with an end if it lacks little more than that, and else nothing.
export async function completed(file) {
  const bytes = new Uint8Array(await file.arrayBuffer()), found = [...segments(bytes)];
  if (found.at(-1)?.[0] === END) return file;
  if (!hasAllScans(found)) return null;
  // Without its EXIF, as Chromium turns a photo even if it is asked not to, and rows are counted in the file.
  for (const [marker, segment] of found) if (marker === EXIF) segment.fill(0, 2);
  try {
    const blobs = [ended(bytes), ended(bytes, ANYTHING)];
    const [nothing, anything] = await Promise.all(blobs.map((blob) => createImageBitmap(blob)));
    return nothing.height - rowsAlike(nothing, anything) <= site.limits.missing * nothing.height ? ended(file) : null;
  } catch {
    return null; // it is damaged in another way
  }
}

const ended = (...parts) => new Blob([...parts, Uint8Array.of(0xff, END)], {type: "image/jpeg"});

// How many rows, from the top, have the same pixels in both.
function rowsAlike(one, other) {
  const {width, height} = one;
  const contexts = [one, other].map(() =>
    new OffscreenCanvas(width, BAND).getContext("2d", {willReadFrequently: true}));
  for (let top = 0; top < height; top += BAND) {
    const [left, right] = [one, other].map((bitmap, i) => {
      contexts[i].drawImage(bitmap, 0, -top);
      return new Uint32Array(contexts[i].getImageData(0, 0, width, Math.min(BAND, height - top)).data.buffer);
    });
    const place = left.findIndex((pixel, i) => pixel !== right[i]);
    if (place >= 0) return top + Math.floor(place / width);
  }
  return height;
}

// Whether the scans, the last of which may be cut off, give every coefficient its last bit.
function hasAllScans(found) {
  const exact = new Set();
  let components = 0;
  for (const [marker, segment] of found) {
    if (isFrame(marker) && segment.length > 7) components = segment[7];
    if (marker !== SCAN || segment.length < 3 || segment.length !== 6 + 2 * segment[2]) continue;
    const [first, last, approximation] = segment.slice(-3);
    if (approximation & 0x0f) continue;
    for (let name = 3; name < segment.length - 3; name += 2) {
      for (let i = first; i <= Math.min(last, COEFFICIENTS - 1); i += 1) exact.add(segment[name] * COEFFICIENTS + i);
    }
  }
  return components > 0 && exact.size === components * COEFFICIENTS;
}

// The marker of each segment of the first image, and its bytes from its length on; last the end, if there is one.
function* segments(bytes) {
  for (let i = 2; ;) {
    while (i < bytes.length && !(bytes[i] === 0xff && isMarker(bytes[i + 1]))) i += 1;
    if (i >= bytes.length) return;
    const marker = bytes[i + 1], length = Math.max(2, bytes[i + 2] << 8 | bytes[i + 3]);
    yield [marker, bytes.subarray(i + 2, i + 2 + length)];
    if (marker === END) return;
    i += 2 + length;
  }
}

const isFrame = (marker) => marker >= 0xc0 && marker <= 0xcf && !NO_FRAMES.includes(marker);

// Within compressed data, 0xff is followed by 0 or by the number of a restart marker.
const isMarker = (byte) => byte > 1 && byte < 0xff && !(byte >= 0xd0 && byte <= 0xd7);
