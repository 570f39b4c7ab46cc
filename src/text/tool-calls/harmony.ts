/** gpt-oss: `<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{...}<|call|>`. */
import { callOf, type CallFormat } from './format.ts';

export const HARMONY: CallFormat = {
  signs: ['<|channel|>analysis<|message|>'],
  tokens: [],
  markers: () => ({
    open: [
      '<|channel|>commentary to=functions.',
      '<|channel|>analysis to=functions.',
      '<|start|>assistant to=functions.',
    ],
    close: '<|call|>',
    read(region) {
      const [, name, json = ''] =
        / to=functions\.([^\s<]+).*?<\|message\|>(.*?)(?:<\|call\|>)?$/s.exec(region) ?? [];
      const call = callOf(name, json);
      return call ? [call] : [];
    },
    // Ends its turn: `<|call|>` is an end token.
    forced: {
      begin: (name) => `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>`,
      end: '<|call|>',
    },
  }),
};
