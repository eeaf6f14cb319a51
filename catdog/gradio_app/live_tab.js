// Sends the frames of the live camera to the server. `element` is given by Gradio; camera.js comes before this.

// The query is that of the page: a private Space asks for a signature in it.
const address = `${window.gradio_config.root}/live${location.search}`;

startLive(element.querySelector('section'), async (frame) => {
  const response = await fetch(address, {method: 'POST', body: frame}).catch(() => null);
  if (response?.ok) return response.text();
  const told = await response?.json().catch(() => null);
  const message = told?.error?.message ?? 'The server does not answer. Start the camera again.';
  throw Object.assign(new Error(message), {busy: response?.status === 429});
});
