// What the models say of a frame of the live camera, as catdog/pages/live.py has it.

import {answerTo, ready} from "./asking.js";
import {Html} from "./filling.js";
import {banner, classes} from "./showing.js";
import site from "./site.js";
import {templates} from "./templates.js";
import {accent_of, headline, is_neither} from "./wording.js";

const {specs} = site;

export async function judged(frame) {
  await ready;
  const {comparison, message} = await answerTo(frame, {});
  if (!comparison) throw new Error(message);
  return shown(comparison);
}

export function shown(comparison) {
  return templates["live_verdict.html"]({
    headline: new Html(banner(headline(comparison, specs), "", accent_of(comparison, specs))),
    comparison,
    neither: is_neither(comparison),
    titles: Object.fromEntries(specs.map(({name, title}) => [name, title])),
    classes,
  });
}
