import { invariant } from '../errors.ts';

/** How a shader uses a storage buffer. `write` is `read_write` in WGSL: the language has no write-only storage. */
export type Access = 'read' | 'write';

/** The type of a uniform parameter. */
export type ParamType = 'u32' | 'i32' | 'f32';

/** An optional feature of WebGPU that kernels use. */
export type Feature = 'shader-f16' | 'subgroups' | 'timestamp-query';

/** The storage bindings of a program, by name. */
export type Bindings = Readonly<Record<string, Access>>;

/** The uniform parameters of a program, by name. */
export type Params = Readonly<Record<string, ParamType>>;

/** A part of a program's WGSL: a shader file, a library file or a generated prelude. */
export interface Part {
  readonly name: string;
  /** The text, or what loads it where only some adapters need it. */
  readonly text: string | (() => Promise<string>);
}

/** The text of a part. */
export async function textOf({ text }: Part): Promise<string> {
  return typeof text === 'string' ? text : text();
}

/** The source of a pipeline, as plain values. Group 0 contains the bindings in order, then `params`. */
export interface Program {
  readonly key: string; // cache key, label and name in errors: `rms-norm/f32/sg64`
  readonly bindings: Bindings;
  readonly params: Params; // 4-byte scalars, packed in this order; empty: no uniform binding
  readonly parts: readonly Part[];
  readonly overrides: Readonly<Record<string, number>>;
  readonly features: readonly Feature[];
}

/** WGSL linked from several parts. */
export interface LinkedShader {
  readonly code: string;
  /** `file.wgsl:12` for a one-based line of `code`. */
  locate(line: number): string;
}

const DIRECTIVE = /^\s*(enable|requires|diagnostic)\b[^;]*;/;

/**
 * Concatenates a program's parts: directives first, without duplicates, then its parameters, where no part declares them, then
 * the texts, with a map from lines to files.
 */
export async function link({
  parts,
  bindings,
  params,
}: Pick<Program, 'parts' | 'bindings' | 'params'>): Promise<LinkedShader> {
  const texts = await Promise.all(parts.map(textOf));
  const directives = new Set<string>();
  const lines: string[] = [];
  const origins: string[] = [];
  for (const [at, { name }] of parts.entries()) {
    for (const [index, line] of (texts[at] ?? '').split('\n').entries()) {
      if (DIRECTIVE.test(line)) directives.add(line.trim());
      else {
        lines.push(line);
        origins.push(`${name}:${index + 1}`);
      }
    }
  }
  const head = [...directives];
  head.push(...paramLines(lines, { bindings, params }));
  return {
    code: [...head, ...lines].join('\n'),
    locate: (line) => origins[line - 1 - head.length] ?? `head ${line}`,
  };
}

/** What declares a program's parameters and their binding, where its own lines do not. */
function paramLines(
  own: readonly string[],
  { bindings, params }: Pick<Program, 'bindings' | 'params'>,
): string[] {
  const members = Object.entries(params).map(([name, type]) => `${name}:${type}`);
  if (members.length === 0) return [];
  const declared = [
    [/^struct Params\b/, `struct Params{${members.join()}}`],
    [
      /\bvar<uniform> ?params\b/,
      `@group(0)@binding(${Object.keys(bindings).length})var<uniform>params:Params;`,
    ],
  ] as const;
  return declared.filter(([line]) => !own.some((text) => line.test(text))).map(([, line]) => line);
}

/** What takes the place of marks, by name. */
type MarkValues = Readonly<Record<string, boolean | number | string>>;

/** Renders the `#if ${name}` and `${name}` marks of a shader file with the given values. */
export function render(part: Part, values: MarkValues): Part {
  const { name, text } = part;
  const filled = (given: string) => fill(name, given, values);
  return { name, text: typeof text === 'string' ? filled(text) : async () => filled(await text()) };
}

/** Lines that are left out become empty: the others keep their numbers. */
function fill(file: string, text: string, values: MarkValues): string {
  const valueOf = (name = ''): boolean | number | string => {
    const value = values[name];
    invariant(value !== undefined, () => `${file} has a mark \${${name}} without a value`);
    return value;
  };
  const taken: boolean[] = []; // the branches around a line
  const lines = text.split('\n').map((line) => {
    const filled = line.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => `${valueOf(name)}`);
    const [, mark, condition] = /^#(if|else|endif)(?: \$\{(\w+)\})?/.exec(line) ?? [];
    if (mark === undefined) return taken.every(Boolean) ? filled : '';
    const before = mark === 'if' ? undefined : taken.pop();
    if (mark === 'if') taken.push(Boolean(valueOf(condition)));
    if (mark === 'else') taken.push(!before);
    return '';
  });
  invariant(taken.length === 0, () => `${file} has an #if without its #endif`);
  return lines.join('\n');
}
