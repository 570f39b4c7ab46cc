/** What an error means to somebody who looks at a page: they cannot change options, and need not know of them. */
import type { ErrorCode } from '../errors.ts';

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  'no-webgpu':
    'No graphics card can be used here: this browser has no WebGPU, or it is switched off. Chrome or Edge from 113 on, ' +
    'Safari from 26 on and Firefox from 141 on have it; a newer graphics driver may help.',
  'limit-too-small': 'This model is too large for this graphics card. Choose a smaller model.',
  'out-of-memory':
    'The graphics card has no memory left for this model. Close other tabs, or choose a smaller model.',
  'device-lost': 'The graphics card stopped working for this page. The text so far is kept.',
  'storage-full': 'The disk is full: the model cannot be kept on this device. Make room, then try again.',
  'storage-locked': 'Another tab of this site uses this model. Close that tab, then try again.',
  'context-full': 'The conversation is as long as this model can remember. Begin a new one.',
  shader: 'The graphics card refused a part of the model. A newer browser or graphics driver may help.',
};

const INSECURE =
  'Browsers let only secure pages use the graphics card. Open this page with an address that begins with https, or from ' +
  'localhost.';

const OFFLINE =
  'This device is offline. What has come of the model is kept where the browser keeps files; the rest comes when the connection ' +
  'is back.';

const UNREACHED =
  'The model’s host does not answer, or the connection broke off. What has come of the model is kept where the browser keeps ' +
  'files. Check the connection, then try again.';

const STALE =
  'A part of this page did not load: the connection broke off, or the page has a new version. Reload the page.';

/** What a page knows of itself. */
export interface PageFacts {
  readonly isSecure: boolean;
  readonly isOnline: boolean;
}

function pageFacts(): PageFacts {
  return { isSecure: globalThis.isSecureContext ?? true, isOnline: globalThis.navigator?.onLine ?? true };
}

/**
 * The sentence for a visitor; undefined where the error's own message is about the model's files or what was typed.
 *
 * @param message - the error's own: what a code does not tell is read from it
 */
export function visitorSentence(
  code: ErrorCode,
  message = '',
  { isSecure, isOnline }: PageFacts = pageFacts(),
): string | undefined {
  if (code === 'no-webgpu' && !isSecure) return INSECURE;
  if (code === 'network' && !isOnline) return OFFLINE;
  if (code === 'network' && message.includes(' could not be read: ')) return UNREACHED;
  if (code === 'network' && message.startsWith('a file of Atomoe')) return STALE;
  const [, where, file] = /^(.*): (\S+) is missing \(/.exec(message) ?? [];
  if (code !== 'bad-file' || where === undefined) return SENTENCES[code];
  return file === 'config.json'
    ? `There is no model at ${where}. Look for a slip in the address, or ask whoever gave it to you.`
    : `The model at ${where} is not whole: a part of it is missing. Open another copy of it, or all of its files together.`;
}
