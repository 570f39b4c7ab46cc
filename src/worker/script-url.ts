/**
 * Trusted Types. A page that enforces them starts a worker only from a `TrustedScriptURL`. Atomoe makes those with one
 * policy, named `atomoe-worker`: name it in the page's `trusted-types` directive. It blesses the origin that the
 * library itself was loaded from and nothing else.
 */
import { AtomoeError } from '../errors.ts';

/** The Trusted Types policy that a page with `trusted-types` has to allow. */
export const WORKER_POLICY_NAME = 'atomoe-worker';

interface TrustedScriptPolicy {
  createScriptURL(url: string): unknown;
}

interface TrustedTypesFactory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): TrustedScriptPolicy;
}

let policy: TrustedScriptPolicy | undefined; // a page may forbid making a policy twice

/**
 * Blesses the address of a script of this library.
 *
 * @returns what `new Worker` and `serviceWorker.register` accept: the address itself where there are no Trusted Types
 * @throws {AtomoeError} bad-input - the page's policy list lacks `atomoe-worker`
 * @throws {TypeError} the address is of another origin
 */
export function trustedScriptUrl(url: URL): string {
  const factory = (globalThis as { trustedTypes?: TrustedTypesFactory }).trustedTypes;
  if (!factory) return assertOwnOrigin(url.href);
  try {
    policy ??= factory.createPolicy(WORKER_POLICY_NAME, { createScriptURL: assertOwnOrigin });
  } catch (cause) {
    const message =
      `The page's content policy refuses the Trusted Types policy ${WORKER_POLICY_NAME}; ` +
      `wanted: trusted-types ${WORKER_POLICY_NAME}. Add it, or hand the engine a worker of your own.`;
    throw new AtomoeError('bad-input', message, { cause });
  }
  return policy.createScriptURL(url.href) as string; // the DOM's types do not know TrustedScriptURL
}

const made = new Set<string>();

/**
 * An address for a script of the library's own words. A sandboxed frame has no origin to share with a blob: Chromium runs
 * no module worker from one there, and gives a classic one no WebGPU. From a data address it does both.
 */
export function scriptOfText(text: string): URL {
  const isSandboxed = globalThis.origin === 'null';
  const href = isSandboxed
    ? `data:text/javascript;charset=utf-8,${encodeURIComponent(text)}`
    : URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  made.add(href);
  return new URL(href);
}

function assertOwnOrigin(url: string): string {
  if (made.has(url)) return url;
  const { origin, protocol } = new URL(url); // of blob:https://a.example/id it is https://a.example
  // Not that of `location`: a sandboxed frame has its address from a host, and no origin.
  const own = new Set([originOf(import.meta.url), globalThis.origin]);
  // Some apps' schemes have the origin null; so has data:, which anybody can write.
  const isKnown = origin !== 'null' || protocol === globalThis.location?.protocol;
  if (isKnown && own.has(origin)) return url;
  throw new TypeError(`${WORKER_POLICY_NAME} blesses ${[...own].join(' and ')}, not ${url}`);
}

/** Bundlers may leave no address, or that of a file on the machine which built the app. */
function originOf(url: string | undefined): string | undefined {
  return url === undefined || !URL.canParse(url) ? undefined : new URL(url).origin;
}
