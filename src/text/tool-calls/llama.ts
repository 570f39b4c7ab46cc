/**
 * Llama 3.1 and later: a reply that is JSON, `{"name": NAME, "parameters": {...}}`, bare or behind a token. Other replies may be JSON, too:
 * the name must be that of a tool.
 */
import { bodyOf, readParts, type CallFormat } from './format.ts';
import { readJsonCalls } from './json.ts';

/** Between several calls. */
const SEPARATOR = /[;\s]+(?=\{"name":)/;

const OPENS = ['<|python_tag|>', '<|python_start|>'];

export const LLAMA: CallFormat = {
  signs: ['ipython', ...OPENS],
  tokens: ['<|python_tag|>'],
  markers: ({ isTool }) => ({
    open: OPENS,
    start: ['{"name":', '{"type":'],
    close: '',
    read(region) {
      const body = bodyOf(region, OPENS, '<|python_end|>');
      const whole = readJsonCalls(body);
      const calls = whole.length > 0 ? whole : readParts(body.split(SEPARATOR), readJsonCalls);
      return calls.every(({ name }) => isTool(name)) ? calls : [];
    },
    forced: { begin: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `, end: '}' },
  }),
};
