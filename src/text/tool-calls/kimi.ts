/** Kimi K2 and Kimi Linear: a section of calls whose ids hold the names: `functions.NAME:INDEX`. */
import { bodyOf, callOf, readEach, type CallFormat } from './format.ts';

const OPEN = '<|tool_calls_section_begin|>';
const CLOSE = '<|tool_calls_section_end|>';
const BEGIN = '<|tool_call_begin|>';
const ARGUMENTS = '<|tool_call_argument_begin|>';
const END = '<|tool_call_end|>';

const CALL =
  /<\|tool_call_begin\|>([^<]*)<\|tool_call_argument_begin\|>(.*?)<\|tool_call_end\|>(?=\s*(?:<\|tool_call_begin\|>|$))/gs;

export const KIMI_ID = /^(?:functions\.)?(.+?):\d+$/;

export const KIMI: CallFormat = {
  signs: [OPEN],
  tokens: [OPEN, CLOSE],
  markers: () => ({
    open: [OPEN],
    close: CLOSE,
    read: (region) =>
      readEach(bodyOf(region, [OPEN], CLOSE), CALL, ([, head = '', json]) => {
        const id = head.trim();
        return callOf(KIMI_ID.exec(id)?.[1], json, id);
      }),
    forced: {
      begin: (name) => `${OPEN}${BEGIN}functions.${name}:0${ARGUMENTS}`,
      end: `${END}${CLOSE}`,
    },
  }),
  write(calls) {
    const texts = calls.map(({ id, name, arguments: json }, index) => {
      const named = id !== undefined && KIMI_ID.test(id) ? id : `functions.${name}:${index}`;
      return `${BEGIN}${named}${ARGUMENTS}${json}${END}`;
    });
    return `${OPEN}${texts.join('')}${CLOSE}`;
  },
};
