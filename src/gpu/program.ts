import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
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
  readonly text: string;
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

/** Concatenates parts: directives first, without duplicates, then the texts, with a map from lines to files. */
export function link(parts: readonly Part[]): LinkedShader {
  const directives = new Set<string>();
  const lines: string[] = [];
  const origins: string[] = [];
  for (const part of parts) {
    for (const [index, line] of part.text.split('\n').entries()) {
      if (DIRECTIVE.test(line)) directives.add(line.trim());
      else {
        lines.push(line);
        origins.push(`${part.name}:${index + 1}`);
      }
    }
  }
  const head = [...directives];
  return {
    code: [...head, ...lines].join('\n'),
    locate: (line) => origins[line - 1 - head.length] ?? `directive ${line}`,
  };
}

/** Renders the `#if ${name}` and `${name}` marks of a shader file with the given values. */
export function render(part: Part, values: Readonly<Record<string, boolean | number | string>>): Part {
  const strings: string[] = [];
  const names: string[] = [];
  let rest = part.text;
  for (let mark = /\$\{(\w+)\}/.exec(rest); mark; mark = /\$\{(\w+)\}/.exec(rest)) {
    strings.push(rest.slice(0, mark.index));
    names.push(mark[1] ?? '');
    rest = rest.slice(mark.index + mark[0].length);
  }
  strings.push(rest);
  const filled = names.map((name) => {
    const value = values[name];
    invariant(value !== undefined, () => `${part.name} has a mark \${${name}} without a value`);
    return value;
  });
  const template = Object.assign([...strings], { raw: strings });
  return { name: part.name, text: wgsl(template, ...filled) };
}
