// A verdict a few times a second on what the camera sees, and why there is none. All pages with a camera use this.

const EVERY = 200; // milliseconds between two looks at the camera
const PATIENCE = 5000; // milliseconds for which a verdict is shown without a newer one
const COUNTED = 3000; // milliseconds over which frames are counted
const LARGEST = 512; // pixels of the larger side of a frame: more than any model looks at
const BACK = {video: {facingMode: 'environment'}}; // on a phone

const fails = {
  NotFoundError: 'No camera was found. Connect one, or choose a photo.',
  NotAllowedError: 'The camera is not allowed. Allow it for this page in the browser, or choose a photo.',
};
// Why there is no camera, by the name of the browser's error.
export const cameraFails = (name) =>
  fails[name] ?? 'The camera does not start. Another program may use it. Close that, or choose a photo.';
export const NO_CAMERA_HERE = 'Browsers give the camera only to pages that come over https. Choose a photo.';

// Make the content of live.html work. `judge` turns a frame, a JPEG, into HTML with a verdict; it throws an error that
// says why there is none, and is `busy` if the next frame may have one.
export function startLive(section, judge) {
  const [video, button, board, rate] = ['video', 'button', '[data-board]', '[data-rate]'].map((part) =>
    section.querySelector(part));
  const off = board.innerHTML, [looking, failed] = section.querySelectorAll('template');
  let run = null; // what is filmed now

  button.addEventListener('click', () => run ? stop() : start());

  async function start() {
    if (button.ariaDisabled) return;
    button.ariaDisabled = true; // `disabled` takes the focus away
    try {
      if (!navigator.mediaDevices) throw new Error(NO_CAMERA_HERE);
      const stream = await navigator.mediaDevices.getUserMedia(BACK).catch(({name}) => {
        throw new Error(cameraFails(name));
      });
      film(stream);
    } catch ({message}) {
      fail(message);
    }
    button.ariaDisabled = null;
  }

  function film(stream) {
    const own = {stream, judging: false, shown: performance.now(), times: []};
    own.timer = setInterval(() => look(own), EVERY);
    stream.getVideoTracks()[0].addEventListener('ended', () => fail('The camera was taken away. Start it again.'));
    run = own;
    video.srcObject = stream;
    video.hidden = false;
    put(looking);
    button.textContent = 'Stop the camera';
  }

  function stop() {
    if (run) {
      clearInterval(run.timer);
      run.stream.getTracks().forEach((track) => track.stop());
    }
    run = video.srcObject = null;
    video.hidden = true;
    board.innerHTML = off;
    rate.textContent = '';
    button.textContent = 'Start the camera';
  }

  function fail(message) {
    stop();
    say(message);
  }

  function say(message) {
    put(failed);
    board.querySelector('p').textContent = message;
  }

  function put(template) {
    board.replaceChildren(template.content.cloneNode(true));
    rate.textContent = '';
  }

  // While a frame is judged, others are dropped, so that none wait. The camera is off when nobody sees the tab.
  async function look(own) {
    if (document.hidden || !section.checkVisibility()) return stop();
    const old = performance.now() - own.shown > PATIENCE;
    if (own.judging && old && board.querySelector('.cd-card')) put(looking);
    if (own.judging || !video.videoWidth) return;
    own.judging = true;
    try {
      const shown = await judge(await frameOf(video));
      if (own !== run) return;
      board.innerHTML = shown;
      own.shown = performance.now();
      own.times = [...own.times, own.shown].filter((time) => own.shown - time < COUNTED);
      rate.textContent = counted(own.times);
    } catch ({message, busy}) {
      if (own !== run) return;
      if (!busy) fail(message);
      else if (old) say(message);
    }
    own.judging = false;
  }
}

function counted(times) {
  const seconds = (times.at(-1) - times[0]) / 1000;
  return seconds > 0 ? `${((times.length - 1) / seconds).toFixed(1)} frames a second` : '';
}

function frameOf(video) {
  const {videoWidth, videoHeight} = video, scale = Math.min(1, LARGEST / Math.max(videoWidth, videoHeight));
  const [width, height] = [videoWidth, videoHeight].map((side) => Math.round(side * scale));
  const canvas = Object.assign(document.createElement('canvas'), {width, height});
  canvas.getContext('2d').drawImage(video, 0, 0, width, height);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.9));
}
