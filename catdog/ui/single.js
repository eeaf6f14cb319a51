// What the tab for one photo does besides Gradio's own. `element`, the headline, and `trigger` are given by Gradio,
// `drawing` by single.py.

const inPhoto = (selector) => document.querySelector(`#cd-photo ${selector}`);
const uploads = () => inPhoto('.source-selection button:first-child');

// The only button of a headline asks once more.
element.addEventListener('click', (event) => { if (event.target.closest('button')) trigger('click'); });

// A photo that the browser cannot show (HEIC, or no photo at all) becomes a drawing.
document.addEventListener('error', (event) => {
  const photo = event.target.closest?.('#cd-photo img:not([src^="data:"])');
  if (photo) photo.src = drawing;
}, true);

// Gradio's button for uploads would throw the photo away and ask for none; this one asks, and until then it stays.
document.addEventListener('click', async (event) => {
  if (!event.isTrusted || !uploads()?.contains(event.target)) return;
  event.stopPropagation();
  const input = await chooser();
  input.value = ''; // or the same file would be no change
  input.click();
}, true);

// A photo can be pasted anywhere on the tab.
document.addEventListener('paste', async (event) => {
  const photo = [...event.clipboardData.files].find((file) => file.type.startsWith('image/'));
  if (!photo || !uploads()?.getClientRects().length) return;
  const files = new DataTransfer();
  files.items.add(photo);
  const input = await chooser();
  input.files = files.files;
  input.dispatchEvent(new Event('change', {bubbles: true}));
});

// The input for files, which Gradio's button brings back from the camera and from the clipboard.
async function chooser() {
  const find = () => inPhoto('input[type=file]');
  if (!inPhoto('.image-frame') || !find()) uploads().click();
  await new Promise(requestAnimationFrame);
  return find();
}
