/**
 * GLM-4.5 and later, Hunyuan 3 and 4, LongCat: a name, and a key and a value for each argument, whose values are plain text:
 * `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`. Hunyuan has a separator behind the name and
 * `<tool_calls>` around all calls. LongCat's tags begin with `longcat_`, those of Hunyuan 4 end with `:opensource`.
 */
import { bodyOf, callOf, readEach, type CallFormat, type CallModel, type ToolCall } from './format.ts';
import { jsonOfMembers, jsonOfText } from './schema.ts';

export const ARG_KEYS: CallFormat = {
  signs: ['<arg_key>', '<arg_key:opensource>', '<longcat_arg_key>'],
  tokens: [],
  markers(model) {
    const { template } = model;
    const [, prefix = '', suffix = ''] = /<(longcat_)?arg_key(:opensource)?>/.exec(template) ?? [];
    const tag = (name: string) => `<${prefix}${name}${suffix}>`;
    const end = (name: string) => `</${prefix}${name}${suffix}>`;
    const [open, close] = [tag('tool_call'), end('tool_call')];
    const isWrapped = template.includes(tag('tool_calls'));
    const [outerOpen, outerClose] = isWrapped ? [tag('tool_calls'), end('tool_calls')] : [open, close];
    const call = new RegExp(`${open}(.*?)${close}(?=\\s*(?:${open}|$))`, 'gs');
    const named = new RegExp(`^\\s*([^\\s<]+)\\s*(?:${tag('tool_sep')})?(.*)$`, 's');
    const pair = new RegExp(
      `${tag('arg_key')}(.*?)${end('arg_key')}\\s*${tag('arg_value')}(.*?)${end('arg_value')}` +
        `(?=\\s*(?:${tag('arg_key')}|$))`,
      'gs',
    );
    const readCall = (text: string): ToolCall | undefined => {
      const [, name = '', pairs = ''] = named.exec(text) ?? [];
      return readPairs(name, pairs, pair, model);
    };
    return {
      open: [outerOpen],
      close: outerClose,
      read(region) {
        const body = bodyOf(region, [outerOpen], outerClose);
        if (isWrapped) return readEach(body, call, ([, text = '']) => readCall(text));
        // Without its end a name or an argument may be half of one.
        const one = region.endsWith(close) ? readCall(body) : undefined;
        return one ? [one] : [];
      },
      forced: undefined,
    };
  },
};

function readPairs(name: string, pairs: string, pair: RegExp, { types }: CallModel): ToolCall | undefined {
  if (pairs.replace(pair, '').trim() !== '') return undefined;
  const members = Array.from(pairs.matchAll(pair), ([, key = '', text = '']) => {
    return [key.trim(), jsonOfText(text, types(name, key.trim()))] as const;
  });
  return callOf(name, jsonOfMembers(members));
}
