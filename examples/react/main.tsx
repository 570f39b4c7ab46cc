import { StrictMode, useRef, useState, type FormEvent } from 'react';
import { createRoot } from 'react-dom/client';
import { useEngine } from './use-engine';

function Story({ model }: { model: string }) {
  const { engine, problem } = useEngine(model);
  const [prompt, setPrompt] = useState('Once upon a time, there was a little');
  const [story, setStory] = useState('');
  const [state, setState] = useState('');
  const stopping = useRef<AbortController>(undefined);
  const isTelling = state === 'telling';

  async function tell(event: FormEvent) {
    event.preventDefault();
    if (!engine) return;
    setStory(prompt);
    setState('telling');
    stopping.current = new AbortController();
    const session = engine.session();
    try {
      const options = { maxTokens: 200, temperature: 0, signal: stopping.current.signal };
      for await (const event of session.generate(prompt, options)) {
        if (event.kind === 'token') setStory((story) => story + event.text);
        if (event.kind === 'done') setState(event.reason);
      }
    } catch (error) {
      setState(String(error));
    } finally {
      session.dispose();
    }
  }

  return (
    <form onSubmit={tell}>
      <input
        aria-label="How the story begins"
        value={prompt}
        onChange={(event) => setPrompt(event.target.value)}
        size={40}
      />
      <button disabled={!engine || isTelling}>Tell</button>
      <button type="button" disabled={!isTelling} onClick={() => stopping.current?.abort()}>
        Stop
      </button>
      <p id="state" aria-live="polite">
        {problem || (engine ? state : 'loading')}
      </p>
      <output>{story}</output>
    </form>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <Story model="/models/fable-omni-8m/" />
  </StrictMode>,
);
