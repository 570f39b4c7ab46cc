/**
 * What a service worker and a page with an engine say to each other, over one port for each request. The worker asks all pages
 * who has an engine, and keeps nothing: a browser ends it between requests.
 */

/** Marks the worker's question among a page's messages; its port comes with it. */
export const QUESTION = 'atomoe-v1';

/** A page asks the worker to take it over. */
export const CLAIM = 'atomoe-v1-claim';

/** Service worker to page. */
export type ToPage =
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly url: string;
      readonly body: ArrayBuffer | undefined;
    }
  | { readonly kind: 'pull' } // one more part of the body
  | { readonly kind: 'abort' };

/** Page to service worker. */
export type ToRelay =
  | { readonly kind: 'here'; readonly lock: string } // held for as long as the page lives
  | {
      readonly kind: 'head';
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
    }
  | { readonly kind: 'part'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'failed'; readonly message: string };
