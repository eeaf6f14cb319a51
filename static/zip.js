// Zips of photos, by the rules of catdog/collection/intake.py. Nothing is unpacked before it is asked for.

import site from "./site.js";
import {asRefusal, grouped, refusal} from "./wording.js";

const {limits} = site;
const END = 0x06054b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50; // how records begin
const STORED = 0, DEFLATED = 8;
const LONGEST_END = 22 + 0xffff; // bytes, with a comment
const BLOCK = 0xffff; // most bytes in a block that is not compressed

// The folders and the file name of a path, with either kind of slash.
export const partsOf = (name) => name.split(/[/\\]/);

const view = async (blob, from, to) => new DataView(await blob.slice(from, to).arrayBuffer());

export async function isZip(file) {
  const head = await view(file, 0, 4).catch(() => null);
  return head?.byteLength === 4 && [LOCAL, END].includes(head.getUint32(0, true));
}

// The files in a zip that `isKept` wants: {name, content, problem, read}; `content` is the same for equal files,
// `problem` is why it is refused, and read() returns its bytes as a Blob. Raises what prevents reading any.
export async function filesIn(zip, isKept) {
  const entries = (await directory(zip).catch((error) => { throw asRefusal(error, "damaged zip"); }))
    .filter(({name}) => !name.endsWith("/") && isKept(name));
  if (!entries.length) throw refusal("empty zip");
  if (entries.length > limits.photos) {
    throw refusal("many in zip", {files: grouped(entries.length), most: limits.photos});
  }
  const bytes = entries.reduce((sum, {size}) => sum + size, 0);
  if (bytes > limits.unpacked) throw refusal("unpacked", {megabytes: limits.unpacked / 2 ** 20});
  return entries.map((entry) => ({
    name: entry.name,
    content: entry.size ? `${entry.crc} ${entry.size}` : null, // empty files are no copies of each other
    problem: problemOf(entry),
    read: () => unpacked(zip, entry).catch((error) => { throw asRefusal(error, "damaged in zip"); }),
  }));
}

function problemOf({name, encrypted, method, size}) {
  if (/\.zip$/i.test(name)) return refusal("nested zip");
  if (partsOf(name).length > limits.deepest + 1) return refusal("deep", {deepest: limits.deepest});
  if (encrypted) return refusal("encrypted");
  if (![STORED, DEFLATED].includes(method)) return refusal("packed");
  return size > limits.bytes ? refusal("large", {megabytes: limits.bytes / 2 ** 20}) : null;
}

// What the list at the end of a zip says of each file.
async function directory(zip) {
  const tail = await view(zip, Math.max(0, zip.size - LONGEST_END));
  let end = tail.byteLength - 22;
  while (tail.getUint32(end, true) !== END) end -= 1; // before the beginning, that is an error
  const count = tail.getUint16(end + 10, true);
  const [size, from] = [12, 16].map((place) => tail.getUint32(end + place, true));
  if (size > limits.index) throw refusal("many in zip", {files: grouped(count), most: limits.photos});
  const list = await view(zip, from, from + size), entries = [];
  for (let at = 0; entries.length < count;) {
    if (list.getUint32(at, true) !== ENTRY) throw new Error("it is not what its list says");
    const [nameBytes, extra, comment] = [28, 30, 32].map((place) => list.getUint16(at + place, true));
    const flags = list.getUint16(at + 8, true), name = new Uint8Array(list.buffer, at + 46, nameBytes);
    entries.push({
      name: new TextDecoder(flags & 0x800 ? "utf-8" : "windows-1252").decode(name),
      encrypted: Boolean(flags & 1),
      method: list.getUint16(at + 10, true),
      crc: list.getUint32(at + 16, true),
      packed: list.getUint32(at + 20, true),
      size: list.getUint32(at + 24, true),
      offset: list.getUint32(at + 42, true),
    });
    at += 46 + nameBytes + extra + comment;
  }
  return entries;
}

// The browser checks the size and the sum of what it unpacks if a file looks like one of gzip.
async function unpacked(zip, {offset, packed, method, crc, size}) {
  const header = await view(zip, offset, offset + 30);
  if (header.getUint32(0, true) !== LOCAL) throw new Error("it is not where the list says");
  const start = offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const content = zip.slice(start, start + packed);
  const compressed = method === STORED ? blocks(content) : [content];
  const gzip = new Blob([Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0), ...compressed, Uint32Array.of(crc, size)]);
  const reader = gzip.stream().pipeThrough(new DecompressionStream("gzip")).getReader(), read = [];
  for (let received = 0; ;) {
    const {done, value} = await reader.read();
    if (done) return new Blob(read);
    received += value.length;
    if (received > size) throw new Error("it is larger than the list says");
    read.push(value);
  }
}

function blocks(content) {
  const parts = [];
  for (let from = 0; from === 0 || from < content.size; from += BLOCK) {
    const block = content.slice(from, from + BLOCK), last = from + BLOCK >= content.size;
    parts.push(Uint8Array.of(Number(last), block.size, block.size >> 8, ~block.size, ~block.size >> 8), block);
  }
  return parts;
}
