'use client';

import { useAtomoe } from 'atomoe/react';
import { useState, type FormEvent } from 'react';

const generateOptions = { maxTokens: 200, temperature: 0 };

/** On the server it is rendered as it looks before anything is loaded; in the browser it opens an engine in a worker. */
export function Story({ model }: { model: string }) {
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
