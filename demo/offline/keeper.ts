/**
 * What the service worker does, without the worker: pages network first, hashed assets and models cache first, byte
 * ranges out of whole files. Everything that it touches is handed in, so that it is tested in Node.
 */
import { answerFrom } from './ranges.ts';

export interface KeeperWorld {
  readonly scope: string; // the folder of the page, with its last slash
  readonly cache: () => Promise<Pick<Cache, 'match' | 'put'>>;
  readonly fetch: (request: Request | string, init?: RequestInit) => Promise<Response>;
}

/** A built file carries eight characters of its content's hash before its ending. */
const HASHED_NAME = /[\w.-]+-[\w-]{8}\.(?:js|css|wasm)/g;

export class Keeper {
  readonly #world: KeeperWorld;

  constructor(world: KeeperWorld) {
    this.#world = world;
  }

  /** Whether a request is this page's own business. */
  handles(request: Request): boolean {
    return (
      request.url.startsWith(this.#world.scope) && (request.method === 'GET' || request.method === 'HEAD')
    );
  }

  /** @param later takes what goes on after the answer */
  async answer(request: Request, later: (work: Promise<unknown>) => void): Promise<Response> {
    const url = stripped(request.url);
    if (url.startsWith(`${this.#world.scope}models/`)) return this.#model(request, url);
    if (url.startsWith(`${this.#world.scope}assets/`)) return this.#asset(request, url);
    return this.#page(request, url, later);
  }

  /** Keeps the page and all that it is built from, its workers included. */
  async keepPage(html?: string): Promise<void> {
    const { scope, fetch } = this.#world;
    const text = html ?? (await this.#store(scope, await fetch(scope, { cache: 'no-cache' })));
    await this.#keepAssets(text, new Set());
  }

  /** Keeps model files whole, and renews those that the server has changed. All or none of them are replaced. */
  async keepFiles(urls: readonly string[]): Promise<void> {
    const cache = await this.#world.cache();
    const stale = await Promise.all(urls.map(async (url) => ((await this.#isFresh(url)) ? [] : [url])));
    const fetched = await Promise.all(
      stale.flat().map(async (url) => ({ url, response: await this.#fetchWhole(url) })),
    );
    if (fetched.some(({ response }) => !response)) return; // another time
    for (const { url, response } of fetched) if (response) await cache.put(url, response);
  }

  /**
   * The whole file, or nothing. Past the browser's own cache: Chromium 156 answers for a file that it has read in
   * ranges with a 200 that lacks some of the bytes (17,111,937 of 17,125,200 after thirty ranges). That costs a second
   * download on the first visit; `no-store` can go when a full GET after ranges gives the file.
   */
  async #fetchWhole(url: string): Promise<Response | undefined> {
    const response = await this.#world.fetch(url, { cache: 'no-store' });
    if (response.status !== 200) return undefined;
    const body = await response.blob();
    const saidBytes = response.headers.get('content-encoding')
      ? null
      : response.headers.get('content-length');
    if (saidBytes !== null && Number(saidBytes) !== body.size) return undefined;
    return new Response(body, { headers: response.headers });
  }

  async #isFresh(url: string): Promise<boolean> {
    const kept = await (await this.#world.cache()).match(url);
    if (!kept) return false;
    const now = await this.#world.fetch(url, { method: 'HEAD', cache: 'no-cache' });
    const isSame = (name: string): boolean => kept.headers.get(name) === now.headers.get(name);
    return now.ok && isSame('etag') && isSame('last-modified') && isSame('content-length');
  }

  /** Cache first; a file that is not kept comes from the network as it was asked for. */
  async #model(request: Request, url: string): Promise<Response> {
    const cache = await this.#world.cache();
    const kept = await cache.match(url);
    if (kept) return answerFrom(kept, request);
    try {
      return await this.#world.fetch(request);
    } catch (error) {
      // Of a kept model all files are kept; a probe for one more finds nothing, network or not.
      if (await cache.match(new URL('config.json', url).href)) return new Response(null, { status: 404 });
      throw error;
    }
  }

  /** Cache first: a hashed name never changes what it holds. */
  async #asset(request: Request, url: string): Promise<Response> {
    const kept = await (await this.#world.cache()).match(url);
    if (kept) return kept;
    const response = await this.#world.fetch(request);
    await this.#store(url, response.clone());
    return response;
  }

  /** Network first: a new version is seen at once, and the old one when there is no network. */
  async #page(request: Request, url: string, later: (work: Promise<unknown>) => void): Promise<Response> {
    try {
      const response = await this.#world.fetch(request);
      if (request.method === 'GET') {
        const stored = this.#store(url, response.clone());
        // Its scripts are kept behind the visitor's back; a network that goes away in between is no harm.
        later(stored.then((html) => this.keepPage(html)).catch(() => {}));
      }
      return response;
    } catch (error) {
      const kept = await (await this.#world.cache()).match(url);
      if (kept) return kept;
      throw error;
    }
  }

  /** Follows the hashed names in the page, in its scripts, and in theirs: a worker is named by a script only. */
  async #keepAssets(text: string, seen: Set<string>): Promise<void> {
    const cache = await this.#world.cache();
    for (const [name] of text.matchAll(HASHED_NAME)) {
      const url = `${this.#world.scope}assets/${name}`;
      if (seen.has(url)) continue;
      seen.add(url);
      const kept = await cache.match(url);
      const response = kept ?? (await this.#world.fetch(url));
      const content = kept ? await kept.text() : await this.#store(url, response);
      await this.#keepAssets(content, seen);
    }
  }

  /** Keeps a good whole response; returns its text, or nothing of a bad one. */
  async #store(url: string, response: Response): Promise<string> {
    if (response.status !== 200) return '';
    const copy = response.clone();
    await (await this.#world.cache()).put(url, response);
    return copy.text();
  }
}

/** Query and fragment choose how a page behaves, not what it is. */
function stripped(url: string): string {
  return url.replace(/[?#].*$/, '');
}
