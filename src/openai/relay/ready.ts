/** The wait of a page that is about to ask `/v1`: the first requests of a first visit pass by the service worker. */
import { AtomoeError } from '../../errors.ts';
import { CLAIM } from './protocol.ts';

/** The part of `navigator.serviceWorker` that is used. */
export type WorkerContainer = Pick<
  ServiceWorkerContainer,
  'controller' | 'getRegistration' | 'addEventListener' | 'removeEventListener'
>;

/** How long an active worker may take to claim the page. */
const CLAIM_MS = 10_000;

/**
 * Waits until what this page asks reaches its service worker. Else it does not on a first visit, nor after a reload that passes
 * by the caches, and the server answers `/v1` with 404. The worker has to claim the page (`listenV1`).
 *
 * @throws {AtomoeError} bad-input - no service worker is registered for this page, it fails, or it does not claim the page
 */
export async function v1Ready(given?: WorkerContainer): Promise<void> {
  const container = given ?? (globalThis.navigator?.serviceWorker as WorkerContainer | undefined);
  if (!container) throw notReady('this page has no service workers', 'https or localhost; serve it so');
  if (container.controller) return;
  const registration = await container.getRegistration();
  if (!registration) {
    throw notReady(
      'no service worker is registered for this page',
      'one whose scope it is in; register it first',
    );
  }
  const worker = await activeWorker(registration);
  await claimed(container, worker);
}

/** The worker once it is active. */
async function activeWorker(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  for (;;) {
    const { active, waiting, installing } = registration;
    if (active) return active;
    const coming = waiting ?? installing;
    if (!coming || coming.state === 'redundant') {
      throw notReady('the service worker did not install', 'a script that runs; see the console');
    }
    await new Promise((resolve) => coming.addEventListener('statechange', resolve, { once: true }));
  }
}

/** Asks the worker to take over this page, and waits until it has. */
async function claimed(container: WorkerContainer, worker: ServiceWorker): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let look = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      look = () => container.controller && resolve();
      const late = () =>
        reject(
          notReady('the service worker does not claim this page', 'clients.claim(), as listenV1 calls it'),
        );
      timer = setTimeout(late, CLAIM_MS);
      container.addEventListener('controllerchange', look);
      worker.postMessage(CLAIM);
      look();
    });
  } finally {
    clearTimeout(timer);
    container.removeEventListener('controllerchange', look);
  }
}

function notReady(what: string, wanted: string): AtomoeError {
  return new AtomoeError('bad-input', `${what}, so that /v1 is not answered; wanted ${wanted}`);
}
