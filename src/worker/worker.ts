/**
 * The worker's entry: the real engine served over `self`. Imported anywhere else, it does nothing.
 *
 * It only imports. A bundler lets its later chunks import what they share from the entry, and WebKit evaluates a
 * worker's entry once more when a chunk imports it: a second engine would answer for the first.
 */
import type { Scope } from './serve.ts';

if ('WorkerGlobalScope' in globalThis) {
  start(self as unknown as Scope).catch((error: unknown) => reportError(error)); // a page hears of no rejection
}

async function start(scope: Scope): Promise<void> {
  const early: MessageEvent[] = []; // a page with a worker of its own does not wait until this one listens
  const hear = (event: Event): void => void early.push(event as MessageEvent);
  scope.addEventListener('message', hear);
  const { serve } = await import('./serve.ts');
  await serve(scope);
  scope.removeEventListener('message', hear);
  for (const { data, ports } of early)
    scope.dispatchEvent(new MessageEvent('message', { data, ports: [...ports] }));
}
