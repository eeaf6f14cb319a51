// Heat maps drawn over a photo, as catdog/pages/overlay.py draws them.

import site from "./site.js";
import {cropped, enlarged} from "./pixels.js";

const {for: speaking, against, strongest, gamma, leastScale, side} = site.overlay;
const COARSE = 4; // pixels a side that share an opacity

// One scale for the maps of several models.
export const scaleOf = (maps) => Math.max(leastScale, ...maps.flat(2).map(Math.abs));

// A copy of a canvas, at most `most` pixels a side.
export function reduced(canvas, most = side) {
  const factor = Math.min(1, most / Math.max(canvas.width, canvas.height));
  const size = [canvas.width, canvas.height].map((length) => Math.max(1, Math.round(length * factor)));
  const small = new OffscreenCanvas(...size), context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, 0, 0, ...size);
  return small;
}

// The photo under the map of a model, as a JPEG Blob.
export function overlay(photo, map, scale, {resize, shape: [modelHeight, modelWidth]}) {
  const {width, height} = photo;
  const drawn = new OffscreenCanvas(width, height), context = drawn.getContext("2d");
  context.drawImage(photo, 0, 0);
  const seen = resize === "crop" ? cropped(width, height, modelWidth / modelHeight) : [width, height];
  const [wide, high] = seen.map(Math.round);
  const values = enlarged(map, Math.ceil(wide / COARSE), Math.ceil(high / COARSE));
  const colours = new ImageData(values[0].length, values.length);
  values.flat().forEach((value, i) => {
    const opacity = 255 * strongest * Math.min(Math.abs(value / scale), 1) ** gamma;
    colours.data.set([...(value > 0 ? speaking : against), opacity], 4 * i);
  });
  const small = new OffscreenCanvas(colours.width, colours.height);
  small.getContext("2d").putImageData(colours, 0, 0);
  context.drawImage(small, Math.trunc((width - wide) / 2), Math.trunc((height - high) / 2), wide, high);
  return drawn.convertToBlob({type: "image/jpeg", quality: 0.8});
}
