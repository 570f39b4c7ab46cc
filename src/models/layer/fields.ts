/** Readers of JSON values that name the path of what is wrong: the grammar of layer descriptions is written with them. */
import { AtomoeError } from '../../errors.ts';

/** Reads a value, or gives what stands for an absent one. */
export interface Field<T> {
  /** @throws {AtomoeError} bad-input - names the path */
  read(value: unknown, path: string): T;
  /** What an absent key means; fields without it have to be there. */
  readonly absent?: { readonly value: T };
}

/** What a field reads. */
export type Read<F> = F extends Field<infer T> ? T : never;

/** The fields of an object, by key. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

type OptionalKeys<F extends Fields> = { [K in keyof F]: undefined extends Read<F[K]> ? K : never }[keyof F];

/** What an object of these fields is. */
export type ReadAll<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: Read<F[K]> } & {
  readonly [K in OptionalKeys<F>]?: Exclude<Read<F[K]>, undefined>;
};

/** Objects that the text under `Tag` tells apart; `Common` are the fields of all that do not have them in another way. */
export type ReadTagged<
  K extends Readonly<Record<string, Fields>>,
  Tag extends string,
  Common extends Fields = Record<never, never>,
> = {
  [N in keyof K]: { readonly [T in Tag]: N } & ReadAll<K[N]> & ReadAll<Omit<Common, keyof K[N]>>;
}[keyof K];

let collected: AtomoeError[] | undefined; // while all that is wrong with fields is wanted, not the first of it

/** @throws {AtomoeError} bad-input - unless problems are collected, where the reader goes on with the next field */
export function wrong(path: string, value: unknown, wanted: string): never {
  const found = value === undefined ? 'is missing' : `is ${shown(value)}`;
  const problem = new AtomoeError('bad-input', `${path || 'the description'} ${found}; wanted ${wanted}`);
  if (!collected) throw problem;
  collected.push(problem);
  return undefined as never;
}

/** Everything that is wrong with the fields that a function reads, in their order. What is read is of no use then. */
export function collectProblems(read: () => unknown): readonly AtomoeError[] {
  const problems: AtomoeError[] = [];
  collected = problems;
  try {
    read();
  } finally {
    collected = undefined;
  }
  return problems;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** `a.b`, and `b` at the top. */
export function under(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`;
}

/** An absent key means a value. */
export function optional<T>(field: Field<T>): Field<T | undefined>;
export function optional<T>(field: Field<T>, value: T): Field<T>;
export function optional<T>(field: Field<T>, value?: T): Field<T | undefined> {
  return { read: (given, path) => field.read(given, path), absent: { value } };
}

/** A number; bounds are included unless `above` says otherwise. */
export function number({
  least = -Infinity,
  most = Infinity,
  above = -Infinity,
}: { readonly least?: number; readonly most?: number; readonly above?: number } = {}): Field<number> {
  const lower = above > -Infinity ? `above ${above}` : least > -Infinity ? `of at least ${least}` : '';
  const wanted = ['a number', lower, most < Infinity ? `up to ${most}` : ''].filter(Boolean).join(' ');
  return {
    read(value, path) {
      const isNumber = typeof value === 'number' && Number.isFinite(value);
      return isNumber && value >= least && value <= most && value > above
        ? value
        : wrong(path, value, wanted);
    },
  };
}

/** A whole number within bounds, which are included. */
export function integer(least = 0, most = 2 ** 32 - 1): Field<number> {
  return {
    read: (value, path) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
        ? value
        : wrong(path, value, `a whole number of ${least} to ${most}`),
  };
}

export const boolean: Field<boolean> = {
  read: (value, path) => (typeof value === 'boolean' ? value : wrong(path, value, 'true or false')),
};

/** A text that is not empty. */
export const text: Field<string> = {
  read: (value, path) => (typeof value === 'string' && value !== '' ? value : wrong(path, value, 'a text')),
};

/** One of some texts. */
export function choice<const T extends string>(...texts: readonly T[]): Field<T> {
  return {
    read: (value, path) =>
      texts.find((each) => each === value) ?? wrong(path, value, texts.map((each) => `"${each}"`).join(', ')),
  };
}

/** A list of values of one kind. */
export function list<T>(field: Field<T>, least = 0): Field<readonly T[]> {
  return {
    read(value, path) {
      if (!Array.isArray(value) || value.length < least) {
        return wrong(path, value, least > 0 ? `a list of at least ${least}` : 'a list');
      }
      return value.map((each, index) => field.read(each, under(path, index)));
    },
  };
}

/** An object with these keys and no others. */
export function record<F extends Fields>(fields: F): Field<ReadAll<F>> {
  return { read: (value, path) => readFields(fields, asObject(value, path), path) as ReadAll<F> };
}

/** An object that its `kind` tells apart; `common` are the keys of all kinds. */
export function kinds<
  const K extends Readonly<Record<string, Fields>>,
  C extends Fields = Record<never, never>,
>(table: K, common?: C): Field<ReadTagged<K, 'kind', C>> {
  return tagged('kind', table, common);
}

/** An object that the text under a key tells apart. */
export function tagged<
  const Tag extends string,
  const K extends Readonly<Record<string, Fields>>,
  C extends Fields = Record<never, never>,
>(tag: Tag, table: K, common?: C): Field<ReadTagged<K, Tag, C>> {
  return {
    read(value, path) {
      const object = asObject(value, path);
      if (!object) return undefined as never;
      const { [tag]: name, ...rest } = object;
      const fields = typeof name === 'string' && Object.hasOwn(table, name) ? table[name] : undefined;
      if (!fields) return wrong(under(path, tag), name, Object.keys(table).join(', '));
      return { [tag]: name, ...readFields({ ...common, ...fields }, rest, path) } as never;
    },
  };
}

/** The first field that takes the kind of value: a text, a number, a list or an object. */
export function either<T>(choose: (value: unknown) => Field<T>): Field<T> {
  return { read: (value, path) => choose(value).read(value, path) };
}

/** A field whose grammar refers to itself. */
export function later<T>(field: () => Field<T>): Field<T> {
  return { read: (value, path) => field().read(value, path) };
}

function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : wrong(path, value, 'an object');
}

function readFields<F extends Fields>(
  fields: F,
  values: Readonly<Record<string, unknown>> | undefined,
  path: string,
): ReadAll<F> | undefined {
  if (!values) return undefined;
  const known = Object.keys(fields).join(', ');
  for (const key of Object.keys(values)) {
    if (Object.hasOwn(fields, key)) continue;
    wrong(under(path, key), values[key], known === '' ? 'no further keys' : `only ${known}`);
  }
  const read = Object.entries(fields).map(([key, field]) => {
    const value = values[key];
    return [
      key,
      value === undefined && field.absent ? field.absent.value : field.read(value, under(path, key)),
    ];
  });
  return Object.fromEntries(read.filter(([, value]) => value !== undefined)) as ReadAll<F>;
}
