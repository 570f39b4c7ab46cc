/** The text of a shader in the build: the same program in fewer bytes. Tests run it, too. */

/**
 * Spaces that WGSL does not need. Those stay that part two words, or a word and a mark `${name}`; two operators; what
 * `<` and `>` compare, which would look like `array<f32>`; and a minus from the number behind it, which some parsers take
 * for its sign.
 */
const SPACES = /(?<![\w}<>-]) +(?![=+\-*/%<>!&|^~$])|(?<![=+\-*/%<>!&|^~]) +(?![\w$<>])/g;

/** A function in the layout of our shaders: it begins and ends at the margin. */
const FUNCTION = /^fn [^]*?^\}/gm;

/** Parameters, which programs are linked with from their records. */
const PARAMS = /^struct Params \{[^}]*\}|^@group.*\bvar<uniform> params: Params;$/gm;

/** An identifier, unless it is a member, a mark or part of a number. */
const NAME = /(?<![\w.]|\$\{)[A-Za-z_]\w*/g;

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');

/**
 * A shader without comments, without unneeded spaces, and with short names inside of functions. Lines stay where they are, so
 * compile errors still name the right one.
 */
export function bareShader(text: string): string {
  // Shaders have line comments only and WGSL has no strings.
  const code = text
    .replaceAll(/[ \t]*\/\/.*$/gm, '')
    .replaceAll(PARAMS, (lines) => lines.replaceAll(/[^\n]/g, ''))
    .replaceAll(FUNCTION, withShortNames);
  return mapCode(code, (line) => line.trimStart().replaceAll(SPACES, ''));
}

/**
 * A function whose parameters and variables have a letter each: their first, unless it is taken. No letter is one that the
 * function has already, for itself or for something outside of it. Marks may become any name, so functions with
 * some (other than `#if`) stay as they are.
 */
function withShortNames(code: string): string {
  if (/^(?!#).*\$\{/m.test(code)) return code;
  const used = new Set(code.match(NAME));
  const names = new Map<string, string>();
  for (const name of ownNames(code)) {
    if (name.length === 1) continue;
    const letter = [name.slice(0, 1), ...LETTERS].find((each) => !used.has(each));
    if (letter === undefined) break;
    used.add(letter);
    names.set(name, letter);
  }
  return mapCode(code, (line) => line.replaceAll(NAME, (name) => names.get(name) ?? name));
}

/** Changes all lines but those of marks. */
function mapCode(code: string, change: (line: string) => string): string {
  return code
    .split('\n')
    .map((line) => (line.startsWith('#') ? line : change(line)))
    .join('\n');
}

/** The parameters and variables of a function, in their order. */
function ownNames(code: string): Set<string> {
  const head = code.slice(0, code.indexOf('{\n'));
  const parameters = [...head.matchAll(/\b(\w+): /g)];
  const variables = [...code.matchAll(/\b(?:let|var|const) (\w+)/g)];
  return new Set([...parameters, ...variables].flatMap(([, name]) => name ?? []));
}
