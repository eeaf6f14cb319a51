// Hands Gradio only the files that the server takes, and names the others in `element`: Gradio would refuse them all.
// `largest`, `together` and `refusal` are given by many_tab.py, which also puts choosing.js before this.

const input = () => document.querySelector('#cd-files input[type=file]');
const isShown = () => document.querySelector('#cd-files')?.getClientRects().length > 0;
const megabytes = (bytes) => `${+(bytes / 2 ** 20).toFixed(2)} MB`;
const MOST_NAMES = 5;

const refuse = (message) => object(element, refusal, message);

async function fitting(files) {
  element.replaceChildren();
  const readable = await Promise.all(files.map(isReadable)), left = files.filter((file, i) => !readable[i]);
  const large = files.filter((file, i) => readable[i] && file.size > largest);
  const rest = files.filter((file) => !left.includes(file) && !large.includes(file));
  const size = rest.reduce((sum, file) => sum + file.size, 0);
  const most = megabytes(together);
  if (size > together) refuse(`These files have ${megabytes(size)}; at most ${most} are accepted at once.`);
  else if (!files.length) refuse(objection([]));
  else if (large.length) refuse(`Left out, because they have more than ${megabytes(largest)}: ${named(large)}.`);
  else if (left.length) refuse(`Left out, because they cannot be read: ${named(left)}. Put folders into a zip.`);
  return size > together ? [] : rest;
}

function named(files) {
  const names = files.slice(0, MOST_NAMES).map(({name}) => `“${name}”`).join(', ');
  return files.length > MOST_NAMES ? `${names} and ${files.length - MOST_NAMES} others` : names;
}

// Gradio takes dropped files where its input is.
let giving = false;
async function take(files) {
  const dataTransfer = new DataTransfer();
  (await fitting([...files])).forEach((file) => dataTransfer.items.add(file));
  if (!dataTransfer.files.length) return;
  giving = true;
  input()?.parentElement.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer}));
  giving = false;
}

document.addEventListener('change', (event) => {
  if (event.target !== input()) return;
  event.stopPropagation();
  if (event.target.files.length) take(event.target.files);
}, true);

// Files can be dropped and pasted anywhere on the tab.
document.addEventListener('drop', (event) => {
  if (giving || !isShown()) return;
  event.preventDefault();
  event.stopPropagation();
  take(event.dataTransfer.files);
}, true);
document.addEventListener('paste', (event) => { if (isShown()) take(event.clipboardData.files); });
