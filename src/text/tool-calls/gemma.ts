/** Gemma 4: `<|tool_call>call:NAME{KEY:VALUE,...}<tool_call|>`, with bare keys and strings between `<|"|>` tokens. */
import { bodyOf, callOf, type CallFormat } from './format.ts';
import { readWhole } from './literals.ts';

const OPEN = '<|tool_call>';
const CLOSE = '<tool_call|>';
const QUOTE = '<|"|>';

export const GEMMA: CallFormat = {
  signs: [`${OPEN}call:`],
  tokens: [OPEN, CLOSE],
  markers: () => ({
    open: [OPEN],
    close: CLOSE,
    read(region) {
      const call = readWhole(bodyOf(region, [OPEN], CLOSE), gemmaString, (reader) => {
        reader.expect('call:');
        const name = reader.match(/[^\s{}]+/y);
        reader.expect('{');
        return callOf(name, reader.object('}', ':'));
      });
      return call ? [call] : [];
    },
    forced: undefined,
  }),
};

function gemmaString(text: string, at: number) {
  if (!text.startsWith(QUOTE, at)) return undefined;
  const begin = at + QUOTE.length;
  const end = text.indexOf(QUOTE, begin);
  return end < 0 ? undefined : { value: text.slice(begin, end), end: end + QUOTE.length };
}
