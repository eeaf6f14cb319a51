// What keeps a page from sending what a visitor chose, dropped or pasted, and how it says so. All pages use this.

// Why these files are not one photo that can be judged, in a sentence; empty if they may be. Nothing is read: what
// calls itself a photo, or nothing at all (HEIC in most browsers), is judged by whoever decodes it.
export function objection(files, largest) {
  if (!files.length) return 'There is no file here. Choose, drop or paste a photo.';
  if (files.length > 1) return `These are ${files.length} files. Choose one photo at a time.`;
  const [{name, size, type}] = files;
  const known = type && type !== 'application/octet-stream';
  if (known && !type.startsWith('image/') || /svg/.test(type) || /\.svgz?$/i.test(name)) {
    return `“${name}” is not a photo. Choose a JPEG, PNG, WebP, GIF, HEIC, AVIF, TIFF or BMP file.`;
  }
  return size > largest ? tooLarge(name, largest) : '';
}

export const tooLarge = (name, largest) =>
  `“${name}” is larger than the ${+(largest / 2 ** 20).toFixed(2)} MB that are accepted. Choose a smaller copy.`;

// Whether the browser can read a file: not a folder, nor what has been moved or changed.
export const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

// As `objection`, once it was tried to read the photo: what is dropped may be a folder. Null if others were chosen
// while it was read: a photo from a slow disk must not take the place of a later one.
let chosenLast;
export async function obstacle(files, largest) {
  chosenLast = files;
  const reason = objection(files, largest) || (await isReadable(files[0]) ? ''
    : `“${files[0].name}” cannot be read. If it is a folder, open it and choose one photo. If not, choose it again.`);
  return files === chosenLast ? reason : null;
}

// Whether text is pasted or dropped into a field for text. A browser would leave the page for a photo on such a field.
const FIELDS = 'input:not([type=file], [type=checkbox], [type=radio]), textarea';
export const isTyping = ({target, clipboardData, dataTransfer}) =>
  Boolean(target.closest?.(FIELDS)) && (clipboardData ?? dataTransfer).types.includes('text/plain');

// Show an alert, the banner in `html`, above the verdict in `headline`, which stays as its photo does. It takes the
// place of a headline without a verdict.
export function object(headline, html, message) {
  const made = document.createElement('template');
  made.innerHTML = html;
  const banner = made.content.firstElementChild;
  headline.querySelectorAll('[data-objection]').forEach((old) => old.remove());
  banner.dataset.objection = '';
  banner.querySelector('p').textContent = message;
  if (headline.querySelector('.cd-banner:not([data-accent=idle], [data-accent=error])')) headline.prepend(banner);
  else headline.replaceChildren(banner);
  banner.scrollIntoView({block: 'nearest'});
}
