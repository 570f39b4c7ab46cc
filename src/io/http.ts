import { HttpFile, openHttpFile } from './http-file.ts';
import type { HttpTarget } from './http-reply.ts';
import type { HttpOptions } from './http-request.ts';
import { hubAdviceFor, isRemote, parseModelUrl, publicUrl, type ModelUrl } from './http-url.ts';
import { baseName, isWeightFile, pathSegments } from './names.ts';
import type { FileSource, FolderSource, OpenFileOptions } from './source.ts';

/**
 * A folder on a web server, or one weight file of it; in an app or an extension, one of its own. Files are read by HTTP
 * ranges; a server that does not do ranges is asked for the beginning of a file until its weights are wanted, and then
 * for all of it, once.
 *
 * @param url - absolute; a folder with or without its last slash, or the URL of a weight file. A folder's query goes to
 *   its files: it may sign them
 * @throws {AtomoeError} bad-input - no address that can be fetched, or headers that HTTP does not allow
 */
export function httpFolder(url: string, options: HttpOptions = {}): FolderSource {
  const model = parseModelUrl(url, options.headers);
  const { pathname } = model.url;
  const entry = isWeightFile(pathname) ? decodeURIComponent(baseName(pathname)) : undefined;
  const folder = new HttpFolder(model, entry, options);
  const advice = hubAdviceFor(model.url);
  return {
    label: model.label,
    identity: model.identity,
    ...(advice === '' ? {} : { advice }),
    ...(entry === undefined ? {} : { entry }),
    open: (name, opening) => folder.open(name, opening),
  };
}

class HttpFolder {
  readonly #model: ModelUrl;
  readonly #base: URL;
  readonly #entry: string | undefined;
  readonly #http: HttpOptions;
  /** The server gave this page a file: what it refuses of the others is not there. */
  #hasGiven = false;

  constructor(model: ModelUrl, entry: string | undefined, http: HttpOptions) {
    this.#model = model;
    this.#entry = entry;
    this.#http = http;
    this.#base = new URL(model.url);
    if (entry === undefined && !this.#base.pathname.endsWith('/')) this.#base.pathname += '/';
  }

  async open(name: string, options: OpenFileOptions = {}): Promise<FileSource | undefined> {
    const target = this.#target(name);
    const { signal, mostBytes, patience } = options;
    const first = patience === 'short' ? { ...this.#http, ...shortPatience(this.#http) } : this.#http;
    const opened = await openHttpFile(name, target, { http: this.#http, first, mostBytes }, signal);
    if (opened instanceof HttpFile) this.#hasGiven = true;
    if (opened instanceof HttpFile || opened === undefined) return opened;
    // Object stores say 403 of what they do not have, and others leave the permission to read out of a 404.
    if (options.isOptional === true && this.#hasGiven) return undefined;
    throw opened.error;
  }

  #target(name: string): HttpTarget {
    const { label, headers, secrets, url } = this.#model;
    const path = pathSegments(name, label).map(encodeURIComponent).join('/');
    // An entry keeps its query, which may sign that file alone.
    const isLocal = !isRemote(url);
    if (name === this.#entry) return { href: url.href, label, headers, secrets, isLocal };
    const file = new URL(path, this.#base);
    if (this.#entry === undefined) file.search = this.#base.search;
    return { href: file.href, label: publicUrl(file), headers, secrets, isLocal };
  }
}

/** For callers that have something to continue with when the server does not answer. */
const SHORT_ATTEMPTS = 2;
const SHORT_STALL_MS = 5000;
const SHORT_DELAY_MS = 1000;

function shortPatience({ attempts = SHORT_ATTEMPTS, stallTimeoutMs = SHORT_STALL_MS }: HttpOptions) {
  return {
    attempts: Math.min(attempts, SHORT_ATTEMPTS),
    stallTimeoutMs: Math.min(stallTimeoutMs, SHORT_STALL_MS),
    mostDelayMs: SHORT_DELAY_MS,
  };
}
