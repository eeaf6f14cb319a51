// What the tab for one photo does besides Gradio's own. `element`, the headline, and `trigger` are given by Gradio,
// `drawing` by single_tab.py.

const inPhoto = (selector) => document.querySelector(`#cd-photo ${selector}`);
const uploads = () => inPhoto('.source-selection button:first-child');

// The only button of a headline asks once more.
element.addEventListener('click', (event) => { if (event.target.closest('button')) trigger('click'); });

// A photo that the browser cannot show (HEIC, or no photo at all) becomes a drawing.
document.addEventListener('error', (event) => {
  const photo = event.target.closest?.('#cd-photo img:not([src^="data:"])');
  if (photo) photo.src = drawing;
}, true);

// Gradio's button for uploads would discard the photo and not ask for another. This one asks, and keeps it until then.
const chooser = Object.assign(document.createElement('input'), {type: 'file', accept: 'image/*', hidden: true});
element.after(chooser);
chooser.addEventListener('change', () => give(chooser.files[0]));
document.addEventListener('click', (event) => {
  if (!event.isTrusted || !uploads()?.contains(event.target)) return;
  if (inPhoto('.image-frame')) event.stopPropagation(); // without a photo, Gradio's own handler closes the camera
  chooser.value = ''; // or the same file would be no change
  chooser.click();
}, true);

// A photo can be pasted anywhere on the tab.
document.addEventListener('paste', (event) => {
  const photo = [...event.clipboardData.files].find((file) => file.type.startsWith('image/'));
  if (photo && uploads()?.getClientRects().length) give(photo);
});

// Gradio takes dropped photos whatever it shows.
function give(photo) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(photo);
  inPhoto('.upload-container').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer}));
}
