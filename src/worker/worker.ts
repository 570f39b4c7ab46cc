/** The worker's entry: the real engine served over `self`. Imported anywhere else, it does nothing. */
import { createEngine } from '../engine/index.ts';
import { hostEngine } from './host.ts';
import type { PortLike } from './protocol.ts';

if ('WorkerGlobalScope' in globalThis) serve(self as unknown as PortLike & { close(): void });

function serve(scope: PortLike & { close(): void }): void {
  hostEngine(scope, createEngine, () => scope.close());
  // Held for life: when the page gets this lock, the worker is gone (see open.ts).
  scope.addEventListener('message', (event: MessageEvent<{ kind: string; name?: string }>) => {
    const { kind, name } = event.data;
    if (kind !== 'hold' || name === undefined) return;
    void navigator.locks.request(name, () => {
      scope.postMessage({ kind: 'holding' });
      return new Promise(() => {});
    });
  });
}
