// What compiled Jinja2 templates call: the rules of Jinja2 and Python where JavaScript has others.

import {fixed} from "./digits.js";
import * as wording from "./wording.js";

export const globals = {wording, accent: wording.accent, accent_of: wording.accent_of};

// Text that is HTML already.
export class Html {
  constructor(text) { this.text = text; }
  toString() { return this.text; }
}

const ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;"};

export const escaped = (value) =>
  value instanceof Html ? value.text : String(value ?? "").replace(/[&<>"']/g, (character) => ENTITIES[character]);

// Empty lists and objects are false.
export function truthy(value) {
  if (value instanceof Html) return value.text !== "";
  return value && typeof value === "object" ? Object.keys(value).length > 0 : !!value;
}

export const contains = (container, item) => Array.isArray(container) ? container.includes(item) : item in container;

export const each = (items, body) => items.forEach((item, i) =>
  body(item, {index: i + 1, index0: i, last: i === items.length - 1}));

export const filters = {
  percent: wording.percent,
  grouped: wording.grouped,
  capitalize: (text) => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase(),
  length: (items) => items.length,
  items: Object.entries,
  format: (pattern, number) => pattern.replace("%.2f", fixed(number, 2)),
};
