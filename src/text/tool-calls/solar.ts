/** Solar Open: a section of calls, each with an id, a name and JSON. */
import { bodyOf, callOf, readEach, type CallFormat } from './format.ts';

const OPEN = '<|tool_calls|>';
const CLOSE = '<|calls|>';

const CALL =
  /<\|tool_call:begin\|>([^<]*)<\|tool_call:name\|>([^<]*)<\|tool_call:args\|>(.*?)<\|tool_call:end\|>(?=\s*(?:<\|tool_call:begin\|>|$))/gs;

export const SOLAR: CallFormat = {
  signs: ['<|tool_call:begin|>'],
  tokens: ['<|tool_call:begin|>', '<|tool_call:args|>'],
  markers: () => ({
    open: [OPEN],
    close: CLOSE,
    read: (region) =>
      readEach(bodyOf(region, [OPEN], CLOSE), CALL, ([, id = '', name = '', json]) =>
        callOf(name.trim(), json, id.trim()),
      ),
    // Ends its turn: `<|calls|>` is an end token.
    forced: {
      begin: (name) => `${OPEN}<|tool_call:begin|>0<|tool_call:name|>${name}<|tool_call:args|>`,
      end: `<|tool_call:end|>${CLOSE}`,
    },
  }),
};
