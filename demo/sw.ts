/** The service worker: wires the keeper to the browser. Built to `sw.js` beside the page. */
import { answerV1, claimV1, handlesV1, type V1Scope } from '../src/openai/relay/worker.ts';
import { isolated } from './offline/isolation.ts';
import { Keeper } from './offline/keeper.ts';

/** The part of a service worker's global scope that is used here; the DOM's types have none of it. */
interface WorkerScope {
  readonly registration: { readonly scope: string };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: WaitingEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: WaitingEvent & RequestEvent) => void): void;
}

interface WaitingEvent {
  waitUntil(promise: Promise<unknown>): void;
}

interface RequestEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const scope = self as unknown as WorkerScope;

const CACHE = 'atomoe-page';

/** What earlier versions of this page kept: whole models, which the engine keeps now. */
const OLD_CACHE = 'atomoe-demo';

const keeper = new Keeper({
  scope: scope.registration.scope,
  cache: () => caches.open(CACHE),
  fetch: (request, init) => fetch(request, init),
});

scope.addEventListener('install', (event) => {
  event.waitUntil(keeper.keepPage().then(() => scope.skipWaiting()));
});
scope.addEventListener('activate', (event) => {
  event.waitUntil(caches.delete(OLD_CACHE));
});
claimV1(self as unknown as V1Scope);
scope.addEventListener('fetch', (event) => {
  // Code of other pages here may ask the page that has a model.
  if (handlesV1(event.request)) return event.respondWith(answerV1(event.request).then(isolated));
  if (keeper.handles(event.request))
    event.respondWith(keeper.answer(event.request, (work) => event.waitUntil(work)).then(isolated));
});
