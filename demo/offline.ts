/** Keeps the page and the embedded models for the next visit, with or without a network (see sw.ts). */
import { trustedScriptUrl } from '../src/worker/index.ts';
import { EMBEDDED_FILES } from './sources.ts';

/** Registers the service worker; a browser or a window without them does without. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const script = trustedScriptUrl(new URL('sw.js', document.baseURI));
  navigator.serviceWorker.register(script).catch((error: unknown) => {
    console.info('Stories need a network here: the page could not be kept.', error);
  });
}

/** Keeps a model's files once they have been read. */
export async function keepModel(folderUrl: string): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const registration = await navigator.serviceWorker.ready;
  const urls = EMBEDDED_FILES.map((name) => new URL(name, folderUrl).href);
  registration.active?.postMessage({ kind: 'keep', urls });
}
