// Sends the frames of the live camera to the server. `element` is given by Gradio; camera.js comes before this.

// The query is that of the page: a private Space asks for a signature in it.
const address = `${window.gradio_config.root}/live${location.search}`;

const LONGEST = 20000; // milliseconds for which an answer is awaited

startLive(element.querySelector('section'), async (frame) => {
  const asked = {method: 'POST', body: frame, signal: AbortSignal.timeout(LONGEST)};
  const response = await fetch(address, asked).catch(() => null);
  const told = await (response?.ok ? response.text() : response?.json())?.catch(() => null);
  if (response?.ok && told) return told;
  const message = told?.error?.message ?? 'The server does not answer. Start the camera again.';
  throw Object.assign(new Error(message), {busy: response?.status === 429});
});
