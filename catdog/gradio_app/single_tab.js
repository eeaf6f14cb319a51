// What the tab for one photo does besides Gradio's own. `element`, the headline, and `trigger` are given by Gradio,
// `drawing`, `refusal` and `largest` by single_tab.py, which also puts choosing.js and camera.js before this.

const inPhoto = (selector) => document.querySelector(`#cd-photo ${selector}`);
const isShown = () => inPhoto('.source-selection')?.getClientRects().length > 0;

// The only button of a headline asks once more: about the photo, or for the one at an address.
element.addEventListener('click', ({target}) => {
  if (target.closest('button')) trigger(target.closest('[data-again]')?.dataset.again ?? 'click');
});

// A photo that the browser cannot show (HEIC, or no photo at all) becomes a drawing.
document.addEventListener('error', (event) => {
  const photo = event.target.closest?.('#cd-photo img:not([src^="data:"])');
  if (photo) photo.src = drawing;
}, true);

const refuse = (message) => object(element, refusal, message);

// Gradio would drop without a word what it does not take, and what it shows as well. So it is given photos alone.
async function take(files) {
  const [photo] = files, reason = await obstacle([...files], largest);
  if (reason) refuse(reason);
  else if (reason === '') give(photo);
}

// Gradio takes dropped photos whatever it shows, if they have the type of a photo, which browsers do not know of all.
let giving = false;
function give(photo) {
  const dataTransfer = new DataTransfer();
  const known = photo.type.startsWith('image/');
  dataTransfer.items.add(known ? photo : new File([photo], photo.name, {type: 'image/unknown'}));
  giving = true;
  inPhoto('.upload-container').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer}));
  giving = false;
}

// A photo can be dropped and pasted anywhere on the tab. On no tab a browser may leave the page for what is dropped.
for (const type of ['dragenter', 'dragover', 'dragleave', 'drop']) document.addEventListener(type, dragged, true);

function dragged(event) {
  if (giving || isTyping(event)) return;
  event.preventDefault();
  if (!isShown()) return;
  event.stopPropagation();
  inPhoto('.upload-container').classList.toggle('cd-dragging', ['dragenter', 'dragover'].includes(event.type));
  if (event.type === 'drop') take(event.dataTransfer.files);
}

document.addEventListener('paste', (event) => {
  if (isShown() && !isTyping(event)) take(event.clipboardData.files);
});

document.addEventListener('change', (event) => {
  if (!event.target.matches('#cd-photo input[type=file]')) return;
  event.stopPropagation();
  if (event.target.files.length) take(event.target.files);
}, true);

// Gradio's buttons discard the photo before there is another. These ask first.
const chooser = document.createElement('input');
Object.assign(chooser, {type: 'file', accept: 'image/*,.heic,.heif,.avif', hidden: true});
element.after(chooser);
chooser.addEventListener('change', () => take(chooser.files));

const buttons = {
  '.upload-container > button': choose,
  '[aria-label="Upload file"]': (button) => {
    if (!inPhoto('.image-frame')) button.click(); // which only closes the camera
    choose();
  },
  '[aria-label="Capture from camera"]': async (button) => {
    const devices = await camera?.enumerateDevices() ?? [];
    if (!camera) refuse(NO_CAMERA_HERE);
    else if (!devices.some(({kind}) => kind === 'videoinput')) refuse(cameraFails('NotFoundError'));
    else button.click();
  },
  '[aria-label="Paste from clipboard"]': async () => {
    try {
      const items = await navigator.clipboard.read();
      const types = items.map((item) => [item, item.types.find((type) => type.startsWith('image/'))]);
      const blobs = await Promise.all(types.filter(([, type]) => type).map(([item, type]) => item.getType(type)));
      take(blobs.map((blob) => new File([blob], 'clipboard', {type: blob.type})));
    } catch {
      refuse('This browser does not let the page look into the clipboard. Press Ctrl and V, or ⌘ and V, instead.');
    }
  },
};
document.addEventListener('click', (event) => {
  const pressed = Object.keys(buttons).find((selector) => event.target.closest(`#cd-photo ${selector}`));
  if (!pressed || !event.isTrusted) return;
  event.stopPropagation();
  buttons[pressed](inPhoto(pressed));
}, true);

function choose() {
  chooser.value = ''; // or the same file would be no change
  chooser.click();
}

// Gradio says nothing when it gets no camera, and waits on.
const camera = navigator.mediaDevices;
const start = camera?.getUserMedia.bind(camera);
if (camera) {
  camera.getUserMedia = (wanted) => isShown() ? start(wanted).catch(({name}) => {
    refuse(cameraFails(name));
    return new Promise(() => {});
  }) : start(wanted);
}
