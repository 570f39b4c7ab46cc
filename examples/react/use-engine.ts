import { createWorkerEngine, type Engine } from 'atomoe';
import { useEffect, useState } from 'react';

/** Opens an engine with a model while a component is there. `problem` is what went wrong, or empty. */
export function useEngine(model: string): { engine: Engine | undefined; problem: string } {
  const [engine, setEngine] = useState<Engine>();
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const leaving = new AbortController();
    let opened: Engine | undefined;
    createWorkerEngine({ model, signal: leaving.signal })
      .then((made) => {
        opened = made;
        if (leaving.signal.aborted) made.dispose();
        else setEngine(made);
      })
      .catch((error: unknown) => {
        if (!leaving.signal.aborted) setProblem(String(error));
      });
    return () => {
      leaving.abort();
      opened?.dispose();
      setEngine(undefined);
    };
  }, [model]);
  return { engine, problem };
}
