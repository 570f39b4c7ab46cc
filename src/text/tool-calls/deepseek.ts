/**
 * DeepSeek: a section of calls. V3 and R1 write a type, a name and fenced JSON, V3.1 a name and JSON:
 * `<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME`, a line with three backticks and `json`, the JSON and three backticks, or
 * `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{...}`, each with `<｜tool▁call▁end｜>` behind it.
 */
import { bodyOf, callOf, readEach, type CallFormat } from './format.ts';

const OPEN = '<｜tool▁calls▁begin｜>';
const CLOSE = '<｜tool▁calls▁end｜>';
const BEGIN = '<｜tool▁call▁begin｜>';
const SEPARATOR = '<｜tool▁sep｜>';
const END = '<｜tool▁call▁end｜>';

const CALL = new RegExp(`${BEGIN}([^<]*)${SEPARATOR}(.*?)${END}(?=\\s*(?:${BEGIN}|$))`, 'gs');
const FENCED = /^([^\n]+)\n```(?:json)?\n(.*)\n```\s*$/s;

export const DEEPSEEK: CallFormat = {
  signs: [OPEN],
  tokens: [OPEN, CLOSE],
  markers({ template }) {
    const isFenced = template.includes('```json');
    return {
      open: [OPEN],
      close: CLOSE,
      read: (region) =>
        readEach(bodyOf(region, [OPEN], CLOSE), CALL, ([, head = '', body = '']) => {
          const [, name = head, json = body] = FENCED.exec(body) ?? [];
          return callOf(name.trim(), json);
        }),
      forced: {
        begin: (name) =>
          isFenced
            ? `${OPEN}${BEGIN}function${SEPARATOR}${name}\n\`\`\`json\n`
            : `${OPEN}${BEGIN}${name}${SEPARATOR}`,
        end: `${isFenced ? '\n```' : ''}${END}${CLOSE}`,
      },
    };
  },
};
