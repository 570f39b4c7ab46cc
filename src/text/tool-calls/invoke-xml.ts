/**
 * MiniMax-M2, and DeepSeek since V3.2 with `｜DSML｜` in every tag: a section of calls with plain text for values:
 * `<minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke></minimax:tool_call>`. DeepSeek says with
 * each value whether it is a string.
 */
import { bodyOf, callOf, readEach, type CallFormat } from './format.ts';
import { jsonOfMembers, jsonOfText, type ParameterTypes } from './schema.ts';

const STRING: ReadonlySet<string> = new Set(['string']);
const OTHER: ReadonlySet<string> = new Set(['object', 'array', 'number', 'boolean', 'null']);

export const MINIMAX = invokeFormat('', ['minimax:tool_call'], ['<minimax:tool_call>']);

export const DSML = invokeFormat('｜DSML｜', ['｜DSML｜function_calls', '｜DSML｜tool_calls'], ['｜DSML｜']);

/** @param sections - names of the outermost tags; a region has the tags of one */
function invokeFormat(
  prefix: string,
  [first, ...others]: readonly [string, ...string[]],
  signs: readonly string[],
): CallFormat {
  const call = new RegExp(
    `<${prefix}invoke name="([^"]+)">(.*?)</${prefix}invoke>(?=\\s*(?:<${prefix}invoke |$))`,
    'gs',
  );
  const parameter = new RegExp(
    `<${prefix}parameter name="([^"]+)"(?: string="(true|false)")?>(.*?)</${prefix}parameter>` +
      `(?=\\s*(?:<${prefix}parameter |$))`,
    'gs',
  );
  const readGiven = (tool: string, body: string, types: ParameterTypes) => {
    if (body.replace(parameter, '').trim() !== '') return undefined;
    const members = Array.from(body.matchAll(parameter), ([, key = '', isString, text = '']) => {
      const said = isString === 'true' ? STRING : OTHER;
      return [key, jsonOfText(text, isString === undefined ? types(tool, key) : said)] as const;
    });
    return jsonOfMembers(members);
  };
  return {
    signs,
    tokens: signs,
    markers({ template, types }) {
      const section = others.find((name) => template.includes(`<${name}>`)) ?? first;
      const [open, close] = [`<${section}>`, `</${section}>`];
      return {
        open: [open],
        close,
        read: (region) =>
          readEach(bodyOf(region, [open], close), call, ([, name = '', body = '']) => {
            const json = readGiven(name, body, types);
            return json === undefined ? undefined : callOf(name, json);
          }),
        forced: undefined,
      };
    },
  };
}
