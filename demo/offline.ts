/** Keeps the page for the next visit, with or without a network (see sw.ts). The engine keeps the models. */
import { trustedScriptUrl } from '../src/worker/index.ts';

/** Registers the service worker; a browser or a window without them does without. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const script = trustedScriptUrl(new URL('sw.js', document.baseURI));
  navigator.serviceWorker.register(script).catch((error: unknown) => {
    console.info('Stories need a network here: the page could not be kept.', error);
  });
}
