import { useAtomoe } from 'atomoe/react';
import { StrictMode, useState, type FormEvent } from 'react';
import { createRoot } from 'react-dom/client';

const generateOptions = { maxTokens: 200, temperature: 0 };

/** Opens an engine in a worker while it is shown. */
function Story({ model }: { model: string }) {
  const chat = useAtomoe({ model, generateOptions });
  const [prompt, setPrompt] = useState('Once upon a time, there was a little');

  function tell(event: FormEvent) {
    event.preventDefault();
    chat.clear();
    void chat.send(prompt);
  }

  return (
    <form onSubmit={tell}>
      <input
        aria-label="How the story begins"
        value={prompt}
        onChange={(event) => setPrompt(event.target.value)}
        size={40}
      />
      <button disabled={!chat.isReady}>Tell</button>
      <button type="button" disabled={chat.status !== 'replying'} onClick={chat.stop}>
        Stop
      </button>
      <p id="state" aria-live="polite">
        {chat.error?.message ?? chat.progress?.text ?? chat.status}
      </p>
      <output>{chat.messages.map(({ text }) => text).join('')}</output>
    </form>
  );
}

function App() {
  const [isShown, setShown] = useState(true);
  return (
    <>
      {isShown && <Story model="/models/fable-omni-8m/" />}
      <button onClick={() => setShown(!isShown)}>{isShown ? 'Close' : 'Open'}</button>
    </>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
