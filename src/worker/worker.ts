/** The worker's entry: the real engine served over `self`. Imported anywhere else, it does nothing. */
import { createEngine } from '../engine/index.ts';
import { hostEngine } from './host.ts';
import type { PortLike } from './protocol.ts';
import { servedAsThread, startThreads } from './threads.ts';

if ('WorkerGlobalScope' in globalThis) serve(self as unknown as Scope);

type Scope = PortLike & { readonly name?: string; close(): void };

function serve(scope: Scope): void {
  if (servedAsThread(scope)) return;
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
