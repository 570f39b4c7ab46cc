/**
 * What the service worker does, without the worker: pages network first, hashed assets cache first. Models are none of
 * its business: the engine keeps them itself, and nothing is stored twice. Everything that it touches is handed in, so
 * that it is tested in Node.
 */

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
    const { scope } = this.#world;
    const isOwn = request.url.startsWith(scope) && !request.url.startsWith(`${scope}models/`);
    return isOwn && (request.method === 'GET' || request.method === 'HEAD');
  }

  /** @param later takes what continues after the answer */
  async answer(request: Request, later: (work: Promise<unknown>) => void): Promise<Response> {
    const url = stripped(request.url);
    if (url.startsWith(`${this.#world.scope}assets/`)) return this.#asset(request, url);
    return this.#page(request, url, later);
  }

  /** Keeps the page and all that it is built from, its workers included. */
  async keepPage(html?: string): Promise<void> {
    const { scope, fetch } = this.#world;
    const text = html ?? (await this.#store(scope, await fetch(scope, { cache: 'no-cache' })));
    await this.#keepAssets(text, new Set());
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
