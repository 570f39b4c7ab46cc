/**
 * Qwen3-Coder, Qwen3.5, Nemotron 3, MiMo, Step 3.5 and Seed: a tag for the function and one for each parameter, whose values are plain
 * text: `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`, with line breaks between them.
 */
import { bodyOf, callOf, readEach, type CallFormat } from './format.ts';
import { jsonOfMembers, jsonOfText, type ParameterTypes } from './schema.ts';

const CALL = /<function=([^>\s]+)>(.*?)<\/function>(?=\s*(?:<function=|$))/gs;

/** The line breaks around a value are not part of it. A closing tag is one only where something else than text follows. */
const PARAMETER = /<parameter=([^>\n]+)>\n?(.*?)\n?<\/parameter>(?=\s*(?:<parameter=|$))/gs;

export const FUNCTION_XML: CallFormat = {
  signs: ['<parameter='],
  tokens: [],
  markers({ template, types }) {
    const tag = template.includes('<seed:tool_call>') ? 'seed:tool_call' : 'tool_call';
    const [open, close] = [`<${tag}>`, `</${tag}>`];
    return {
      open: [open],
      close,
      read: (region) =>
        readEach(bodyOf(region, [open], close), CALL, ([, name = '', body = '']) => {
          const json = readParameters(name, body, types);
          return json === undefined ? undefined : callOf(name, json);
        }),
      forced: undefined,
    };
  },
};

function readParameters(tool: string, body: string, types: ParameterTypes): string | undefined {
  if (body.replace(PARAMETER, '').trim() !== '') return undefined;
  return jsonOfMembers(
    Array.from(body.matchAll(PARAMETER), ([, key = '', text = '']) => [
      key,
      jsonOfText(text, types(tool, key)),
    ]),
  );
}
