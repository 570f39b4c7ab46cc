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
  'context-full': 'The conversation is as long as this model can remember. Begin a new one.',
  shader: 'The graphics card refused a part of the model. A newer browser or graphics driver may help.',
};

const INSECURE =
  'Browsers let only secure pages use the graphics card. Open this page with an address that begins with https, or from ' +
  'localhost.';

/** The sentence for a visitor; undefined where the error's own message is about the model's files or what was typed. */
export function visitorSentence(
  code: ErrorCode,
  isSecure: boolean = globalThis.isSecureContext ?? true,
): string | undefined {
  if (code === 'no-webgpu' && !isSecure) return INSECURE;
  return SENTENCES[code];
}
