/** Addresses of models: which can be read, what of one may be shown, and where its secrets go. */
import { AtomoeError } from '../errors.ts';

/** An address without what must not be seen: a login becomes a header, and the query stays out of every text. */
export interface ModelUrl {
  /** With its query, without a login and a fragment. */
  readonly url: URL;
  readonly label: string;
  /** What a cache knows the model by: the label, and of the query what is no signature. It is hashed, never shown. */
  readonly identity: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What no message may repeat. */
  readonly secrets: readonly string[];
}

/** Schemes whose files no one can fetch from. All others are tried: apps name theirs as they like. */
const UNREADABLE = /^(about|data|ftp|javascript|mailto|tel|view-source|wss?):$/;

const FOLDER_ADVICE = 'give the address of a model folder or of a weight file';

/** @throws {AtomoeError} bad-input - no address, or of something that cannot be fetched */
export function parseModelUrl(text: string, headers: Readonly<Record<string, string>> = {}): ModelUrl {
  const url = parse(text);
  const { username, password } = url;
  const login = username === '' ? {} : { authorization: `Basic ${base64(username, password)}` };
  url.username = '';
  url.password = '';
  url.hash = '';
  const all = { ...login, ...headers };
  checkHeaders(all);
  const label = publicUrl(url);
  const query = lastingQuery(url);
  return {
    url,
    label,
    identity: query === '' ? label : `${label}?${query}`,
    headers: all,
    secrets: [
      ...plainAndEncoded(password === '' ? username : password),
      ...querySecrets(url),
      ...Object.values(all).flatMap(headerSecrets),
    ].filter((secret) => secret.length >= LEAST_SECRET),
  };
}

/** Whether a network is between. Apps and extensions have schemes of their own for their files. */
export function isRemote({ protocol }: URL): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** An address as people may see it. */
export function publicUrl(url: URL): string {
  const { protocol, host, pathname } = url;
  return `${protocol}//${host}${pathname}`;
}

/** The same of a text that may be none. */
export function publicLabel(text: string): string {
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]+:\/\//i.test(text) ? publicUrl(new URL(text)) : text;
}

/** A text in which no secret is left. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
}

/** What was thrown, or, where it repeats a secret, what is left of it. */
export function redactCause(cause: unknown, secrets: readonly string[]): unknown {
  const texts = [cause, (cause as { cause?: unknown } | undefined)?.cause].map((part) =>
    part instanceof Error ? `${part.message}\n${part.stack}` : String(part),
  );
  const isClean = texts.every((text) => secrets.every((secret) => !text.includes(secret)));
  return isClean ? cause : new Error(redact(cause instanceof Error ? cause.message : String(cause), secrets));
}

/** "org/name", as models are called on the hub, with advice on how to make it an address; else nothing. */
export function hubAdvice(text: string, before = ''): string {
  const name = /^(?:https?:\/\/(?:www\.)?huggingface\.co\/)?([\w][\w.-]*\/[\w][\w.-]*)\/?$/i.exec(text)?.[1];
  return name === undefined
    ? ''
    : `${before}for "${name}" of the Hugging Face hub give https://huggingface.co/${name}/resolve/main/`;
}

/** The same for a folder that turned out to be none: its last two names may have been meant so. */
export function hubAdviceFor(url: URL): string {
  const [org, name] = url.pathname.split('/').filter(Boolean).slice(-2);
  const isPlain = !/\/(resolve|raw)\//.test(url.pathname);
  return org !== undefined && name !== undefined && isPlain ? hubAdvice(`${org}/${name}`) : '';
}

function parse(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'blob:' || url?.protocol === 'data:') {
    throw new AtomoeError(
      'bad-input',
      `a ${url.protocol} address is one file, and a model is several; wanted its folder; give the files themselves: ` +
        `File objects, or an object that opens them by name`,
    );
  }
  // A scheme of one letter is a drive of Windows.
  const isReadable = url && /^[a-z][a-z0-9+.-]+:$/.test(url.protocol) && !UNREADABLE.test(url.protocol);
  if (isReadable && url.href.startsWith(`${url.protocol}//`)) return url;
  const shown = JSON.stringify(text.replace(/[?#].*/s, '').replace(/\/\/[^/]*@/, '//'));
  throw new AtomoeError(
    'bad-input',
    `${shown} is not an http or https URL; ${hubAdvice(text) || FOLDER_ADVICE}${diskAdvice(text)}`,
  );
}

function diskAdvice(text: string): string {
  return /^([a-z]:[\\/]|[\\/~.])/i.test(text)
    ? '; a folder of this disk is opened by nodeFolder() of atomoe/node'
    : '';
}

/**
 * Headers that HTTP allows. Messages say which is wrong and why; its value, which may be a secret, they never show.
 *
 * @throws {AtomoeError} bad-input
 */
export function checkHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    checkName(name);
    const shown = JSON.stringify(name.slice(0, 60));
    if (typeof value !== 'string') {
      throw wrongHeader(
        `the value of ${shown} is of type ${typeof value}`,
        'text',
        'change it, or leave it out',
      );
    }
    if (!isHeaderValue(value)) {
      const why = `the value of ${shown} is none that HTTP allows: it has ${forbiddenIn(value)} in it`;
      throw wrongHeader(why, 'one line of Latin-1 text', 'correct it');
    }
    checked[name] = value;
  }
  return checked;
}

/** What follows a character that no name has may be a value that got there by mistake: it is not shown. */
function checkName(name: string): void {
  const [start = ''] = /^[\w!#$%&'*+.^`|~-]*/.exec(name) ?? [];
  if (start === name && name !== '') return;
  const rest = name.slice(start.length);
  const why =
    name === ''
      ? 'a name is empty'
      : `the name that begins with ${JSON.stringify(start.slice(0, 60))} is none that HTTP allows: it has ` +
        `${JSON.stringify(String.fromCodePoint(rest.codePointAt(0) ?? 0))} in it`;
  throw wrongHeader(why, 'letters, digits and dashes', 'correct it, or leave it out');
}

function wrongHeader(what: string, wanted: string, advice: string): AtomoeError {
  return new AtomoeError('bad-input', `headers: ${what}; wanted ${wanted}; ${advice}`);
}

function isHeaderValue(value: string): boolean {
  try {
    new Headers([['x', value]]);
    return true;
  } catch {
    return false;
  }
}

function forbiddenIn(value: string): string {
  if (/[\r\n]/.test(value)) return 'a line break';
  return /[^\0-\xff]/.test(value) ? 'a character beyond Latin-1' : 'a control character';
}

/** Shorter ones would black out half of every message, and hide nothing. */
const LEAST_SECRET = 4;

function plainAndEncoded(text: string): string[] {
  return [text, decodeURIComponent(text)];
}

function querySecrets({ search, searchParams }: URL): string[] {
  if (search === '') return [];
  const raw = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  return [search, ...raw, ...searchParams.values()];
}

function headerSecrets(value: string): string[] {
  const parts = value.split(/\s+/).filter((part) => !/^(basic|bearer|token|digest)$/i.test(part));
  return [value, ...parts];
}

/** Names of what signs an address for a while: Amazon's, Google's, Azure's, and what others call it. */
const SIGNATURE =
  /^(x-(amz|goog|oss|cos)-.*|sig|signature|s[evrpkt]|st|sk.*|spr|sip|key|.*token|.*secret|auth.*|policy|key-pair-id|expires?|e|api_?key|access_?key.*|googleaccessid|awsaccesskeyid|hash|h|hmac|md5|ts|t)$/i;

function lastingQuery({ searchParams }: URL): string {
  return new URLSearchParams([...searchParams].filter(([name]) => !SIGNATURE.test(name))).toString();
}

function base64(username: string, password: string): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}
