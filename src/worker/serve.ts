/** What a worker does: serves the real engine, or serves as one of its threads. */
import { createEngine } from '../engine/index.ts';
import { hostEngine } from './host.ts';
import type { PortLike } from './protocol.ts';
import { isThread, startThreads } from './threads.ts';

/** The global scope of a dedicated worker. */
export type Scope = EventTarget & PortLike & { readonly name?: string; close(): void };

/** Listens when it resolves. */
export async function serve(scope: Scope): Promise<void> {
  if (isThread(scope)) {
    const { serveAsThread } = await import('./serve-thread.ts');
    serveAsThread(scope);
    return;
  }
  hostEngine(
    scope,
    (options) => createEngine({ ...options, startThreads }),
    () => scope.close(),
  );
  scope.postMessage({ kind: 'alive' }); // the script was found and runs (see start.ts)
  // Held for life: when the page gets this lock, the worker is gone (see open.ts).
  scope.addEventListener('message', (event: MessageEvent<{ kind: string; name?: string }>) => {
    const { kind, name } = event.data;
    if (kind !== 'hold' || name === undefined) return;
    const held = navigator.locks.request(name, () => {
      scope.postMessage({ kind: 'holding' });
      return new Promise(() => {});
    });
    held.catch(() => {}); // a sandboxed frame has no locks
  });
}
