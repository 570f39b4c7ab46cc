/** Why a worker did not start, in a sentence that helps. */
import { saysMissingModule } from '../engine/failures.ts';
import { AtomoeError } from '../errors.ts';

/** What is known of a worker that did not start. */
export interface StartFailure {
  readonly address: URL | undefined; // undefined: not even that is known
  readonly violations: readonly Violation[]; // of the page's content policy, meanwhile
  readonly reason: string | undefined; // what the browser said
}

type Violation = Pick<SecurityPolicyViolationEvent, 'blockedURI' | 'effectiveDirective'>;

const OWN = 'or hand the engine a worker of your own that imports atomoe/worker';

/**
 * Finds the cause: the page's policy, else what the script's address answers.
 *
 * @param inline how the script inside the bundle failed, after the one behind an address
 */
export async function startError(file: StartFailure, inline?: StartFailure): Promise<AtomoeError> {
  const violation = violationOf(inline ?? file);
  if (violation && inline) return forbidden(violation, 'blob:', (await lookAt(file)).what);
  if (violation) return forbidden(violation, isFar(file) ? 'blob:' : undefined);
  const { code, what } = await lookAt(file);
  return new AtomoeError(
    code,
    `The engine's worker did not start: ${what}; wanted: a module script that runs. ` +
      `Serve all files of the package side by side, ${OWN}.`,
  );
}

function forbidden(violation: Violation, scheme: string | undefined, before?: string): AtomoeError {
  const whose =
    before === undefined ? "The page's content policy" : `${before}, and the page's content policy`;
  const wanted = ["worker-src 'self'", globalThis.origin === 'null' ? 'data:' : scheme].filter(Boolean);
  const nearer = scheme && before === undefined ? "serve the library from the page's own host, " : '';
  return new AtomoeError(
    'bad-input',
    `${whose} (${violation.effectiveDirective}) forbids the engine's worker; wanted: ${wanted.join(' ')}. ` +
      `Allow it, ${nearer}${OWN}.`,
  );
}

/** Of another host: started by a script of our own words that imports it. */
function isFar({ address }: StartFailure): boolean {
  return address !== undefined && address.origin !== globalThis.origin;
}

interface Finding {
  readonly code: 'network' | 'device-lost';
  readonly what: string;
}

const UNKNOWN: Finding = { code: 'device-lost', what: 'its script could not be loaded or run' };

async function lookAt({ address, reason }: StartFailure): Promise<Finding> {
  if (!address) return reason === undefined ? UNKNOWN : { ...UNKNOWN, what: reason };
  const name = `${address.origin}${address.pathname}`; // a query may hold somebody's key
  try {
    const response = await fetch(address);
    void response.body?.cancel();
    const type = response.headers.get('content-type') ?? 'of no type';
    if (!response.ok) return { code: 'network', what: `${name} answered ${response.status}` };
    if (!/javascript|ecmascript/i.test(type)) {
      return { code: 'network', what: `${name} is ${type}, as where a host sends a page for missing files` };
    }
  } catch {
    return { code: 'network', what: `${name} cannot be fetched, or not from this page (CORS, connect-src)` };
  }
  const why = reason ?? 'a script that it imports is missing, or the content policy (script-src) forbids it';
  const code = saysMissingModule(why) ? 'network' : 'device-lost';
  return { code, what: `${name} is there but does not run: ${why}` };
}

/** Pages violate their policies in many ways; a worker's address or blob is meant. */
function violationOf({ address, violations }: StartFailure): Violation | undefined {
  return violations.find(
    ({ blockedURI, effectiveDirective }) =>
      /^(worker|child|script|default)-src/.test(effectiveDirective) &&
      (blockedURI === 'blob' ||
        blockedURI === 'data' ||
        (blockedURI !== '' && address?.href.startsWith(blockedURI) === true)),
  );
}
