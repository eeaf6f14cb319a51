// What the buttons below a verdict do, on every page: copy the link of an example, and save what the models say, as a
// picture of what the page shows and as JSON.

const SAID = 2000; // milliseconds for which a button says that it has done its work
const MARGIN = 24, SHARPNESS = 2; // of a picture: pixels, and times those of the page
const PHOTOS = '#cd-photo img, #preview:not([hidden])';

const doing = {
  link: () => navigator.clipboard.writeText(location.href),
  json: (actions) => save(new Blob([actions.dataset.answer], {type: 'application/json'}), 'catdog.json'),
  picture: async () => save(await picture(), 'catdog.png'),
};

document.addEventListener('click', async ({target}) => {
  const button = target.closest('.cd-actions button:not([aria-disabled])');
  if (!button) return;
  const name = button.textContent;
  button.ariaDisabled = true; // `disabled` takes the focus away, and screen readers would not say what comes of it
  try {
    await doing[button.dataset.do](button.closest('.cd-actions'));
    button.textContent = button.dataset.done;
  } catch {
    button.textContent = button.dataset.failed; // the browser forbids it, or cannot
  }
  setTimeout(() => Object.assign(button, {textContent: name, ariaDisabled: null}), SAID);
});

function save(blob, name) {
  const link = Object.assign(document.createElement('a'), {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // it may still be read
}

// A PNG of banner and cards as they are shown, with the photo above if no heat map shows it.
async function picture() {
  const cards = document.querySelector('.cd-cards[data-state=done]'), shown = document.createElement('div');
  const photo = cards.querySelector('img.cd-map') ? null : document.querySelector(PHOTOS);
  const headline = document.querySelector('.cd-banner:not([data-objection])'), {width} = cards.getBoundingClientRect();
  const parts = [...photo ? [photo] : [], headline, cards];
  shown.append(...parts.map(copied));
  Object.assign(shown.style, {display: 'grid', gap: '16px', width: `${width}px`, padding: `${MARGIN}px`});
  for (const part of shown.children) Object.assign(part.style, {width: part.tagName === 'IMG' ? 'auto' : `${width}px`});
  const heights = parts.map((part) => part.getBoundingClientRect().height + 16);
  const size = [width + 2 * MARGIN, heights.reduce((sum, height) => sum + height) - 16 + 2 * MARGIN].map(Math.ceil);
  const inside = new XMLSerializer().serializeToString(shown);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}">
    <foreignObject width="100%" height="100%">${inside}</foreignObject></svg>`;
  const drawn = Object.assign(new Image(), {src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`});
  await drawn.decode();
  const [canvas, context] = canvasOf(...size.map((side) => SHARPNESS * side));
  context.fillStyle = groundOf(cards);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawn, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => blob ? resolve(blob) : reject(), 'image/png'));
}

// The first colour that lies behind an element.
function groundOf(element) {
  const colour = getComputedStyle(element).backgroundColor, around = element.parentElement;
  return around && /^(transparent|rgba\(.*, 0\))$/.test(colour) ? groundOf(around) : colour;
}

// A copy of an element that looks the same anywhere.
function copied(element) {
  const copy = element.cloneNode(true), originals = [element, ...element.querySelectorAll('*')];
  [copy, ...copy.querySelectorAll('*')].forEach((part, i) => {
    const style = getComputedStyle(originals[i]);
    const lasting = [...style].filter((name) => !/^(animation|transition|-webkit)/.test(name));
    lasting.forEach((name) => part.style.setProperty(name, style[name]));
    if (part.tagName === 'IMG') part.src = contentOf(originals[i]);
    if (part.tagName === 'DETAILS') part.open ||= getComputedStyle(originals[i].firstElementChild).display === 'none';
  });
  return copy;
}

function contentOf(image) {
  const [canvas, context] = canvasOf(image.naturalWidth, image.naturalHeight);
  context.drawImage(image, 0, 0);
  return canvas.toDataURL('image/jpeg', 0.9);
}

function canvasOf(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  return [canvas, canvas.getContext('2d')];
}
