/**
 * Trusted Types. A page that enforces them starts a worker only from a `TrustedScriptURL`. Atomoe makes those with one
 * policy, named `atomoe-worker`: name it in the page's `trusted-types` directive. It blesses the origin that the
 * library itself was loaded from and nothing else.
 */
import { AtomoeError } from '../errors.ts';

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

function assertOwnOrigin(url: string): string {
  const own = new URL(import.meta.url).origin;
  const { origin } = new URL(url); // of blob:https://a.example/id it is https://a.example
  if (origin === own || origin === globalThis.location?.origin) return url;
  throw new TypeError(`${WORKER_POLICY_NAME} blesses ${own}, not ${url}`);
}
