/** Mistral: `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`, and since 2025 `[TOOL_CALLS]NAME[ARGS]{...}` for each call. */
import { allOrNone, callOf, readParts, type CallFormat, type ToolCall } from './format.ts';
import { readJsonCalls } from './json.ts';

const OPEN = '[TOOL_CALLS]';

/** One call. Some versions have an id between the name and the arguments, some have no `[ARGS]`. */
const CALL = /^\s*([^\s[{]+)(?:\[CALL_ID\]([^[]*))?(?:\[ARGS\])?(\s*\{.*)$/s;

export const MISTRAL: CallFormat = {
  signs: [OPEN],
  tokens: [OPEN],
  markers({ template }) {
    const list = template.includes(`${OPEN} [`) ? `${OPEN} [` : `${OPEN}[`;
    return {
      open: [OPEN],
      close: '',
      read(region) {
        return readParts(region.slice(OPEN.length).split(OPEN), (part) => {
          return part.trimStart().startsWith('[') ? readJsonCalls(part) : readNamed(part);
        });
      },
      forced: template.includes('[ARGS]')
        ? { begin: (name) => `${OPEN}${name}[ARGS]`, end: '' }
        : { begin: (name) => `${list}{"name": ${JSON.stringify(name)}, "arguments": `, end: '}]' },
    };
  },
};

function readNamed(part: string): readonly ToolCall[] {
  const [, name, id, json = ''] = CALL.exec(part) ?? [];
  return allOrNone([callOf(name, json, id)]);
}
