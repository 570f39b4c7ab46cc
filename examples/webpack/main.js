import { createWorkerEngine } from 'atomoe';

const form = document.querySelector('form');
const [tell, stop] = form.querySelectorAll('button');
const prompt = form.querySelector('input');
const output = document.querySelector('output');
const state = document.querySelector('#state');

async function main() {
  // In an app of yours: wherever the model is served.
  const engine = await createWorkerEngine({ model: '../../demo/public/models/fable-omni-8m/' });
  const session = engine.session();
  let stopping = new AbortController();

  async function tellStory() {
    output.textContent = prompt.value;
    stopping = new AbortController();
    const options = { maxTokens: 200, temperature: 0, signal: stopping.signal };
    for await (const event of session.generate(prompt.value, options)) {
      if (event.kind === 'token') output.textContent += event.text;
      if (event.kind === 'done') state.textContent = event.reason;
    }
  }

  stop.addEventListener('click', () => stopping.abort());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    tell.disabled = true;
    tellStory()
      .catch(showError)
      .finally(() => (tell.disabled = false));
  });
  tell.disabled = stop.disabled = false;
}

/** Whatever goes wrong is an `AtomoeError` with a code and a message that says what to do. */
function showError(error) {
  state.textContent = String(error);
}

main().catch(showError);
