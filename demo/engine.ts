/** The engine behind the page: in a worker, unless `?worker=0`; on the faster of GPU and CPU, unless `?device=` says which. */
import type { DeviceKind, Engine } from '../src/engine/api.ts';
import { createWorkerEngine } from '../src/worker/index.ts';

const params = new URLSearchParams(location.search);

const KINDS: readonly DeviceKind[] = ['gpu', 'cpu', 'reference'];

/** What the address asks for, for tests and for the curious. */
export const QUERY = {
  device: KINDS.find((kind) => kind === params.get('device')) ?? 'auto',
  model: params.get('model'),
  threads: Number(params.get('threads')) || undefined,
  inPage: params.get('worker') === '0',
  tuning: params.get('tuning') === 'off' ? 'off' : 'auto',
} as const;

/** Ends the answers of the engine before. */
let stopServing: (() => void) | undefined;

/** Opens the engine, and lets other pages of this site ask it at `/v1` (see sw.ts). */
export async function openEngine(device: DeviceKind): Promise<Engine> {
  const engine = await openAlone(device);
  const { openaiFetch, serveV1 } = await import('../src/openai/index.ts');
  stopServing?.();
  stopServing = serveV1(openaiFetch(engine));
  return engine;
}

async function openAlone(device: DeviceKind): Promise<Engine> {
  if (import.meta.env.DEV && params.has('fake')) {
    const { openDemoFake } = await import('./fake.ts');
    return openDemoFake();
  }
  const { tuning, threads } = QUERY;
  const options = { tuning, ...(threads === undefined ? {} : { threads }) };
  if (!QUERY.inPage) return createWorkerEngine({ device, ...options });
  const { createEngine } = await import('../src/engine/index.ts');
  return createEngine({ device, ...options });
}
