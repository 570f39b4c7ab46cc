/** Finds the blocks that specs name: those of the family, or of the tables, whose code is loaded on demand. */
import { AtomoeError, invariant } from '../errors.ts';
import { isMoe, type BlockSpec, type ExpertSpec, type ModelSpec, type RouterSpec } from '../models/spec.ts';
import type { ExpertKind, Mixer, Router } from './block.ts';
import { EXPERT_KINDS } from './experts/index.ts';
import { MIXERS } from './mixers/index.ts';
import { ROUTERS } from './routers/index.ts';

/** Blocks supplied by a family from outside. They take precedence over built-in blocks of the same kind. */
export interface OwnBlocks {
  readonly mixers?: readonly Mixer[];
  readonly routers?: readonly Router[];
  readonly experts?: readonly ExpertKind[];
}

/** The blocks of one model. */
export interface Blocks {
  mixer(spec: BlockSpec): Mixer;
  router(spec: RouterSpec): Router;
  expert(spec: ExpertSpec): ExpertKind;
}

/** Blocks by kind, each loaded when a spec names it. */
type BlockTable<T> = Readonly<Record<string, () => T | Promise<T>>>;

/**
 * Loads the blocks that a spec names.
 *
 * @throws {AtomoeError} unsupported-model - a kind is unknown
 */
export async function loadBlocks(
  { layers }: Pick<ModelSpec, 'layers'>,
  own: OwnBlocks = {},
): Promise<Blocks> {
  const specs = layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block));
  const mixers = specs.filter((spec) => !isMoe(spec));
  const moes = specs.filter(isMoe);
  const kindsOf = (list: readonly { readonly kind: string }[]) => list.map(({ kind }) => kind);
  const [mixer, router, expert] = await Promise.all([
    load('mixer', kindsOf(mixers), own.mixers, MIXERS),
    load('router', kindsOf(moes.map((moe) => moe.router.score)), own.routers, ROUTERS),
    load('expert kind', kindsOf(moes.map((moe) => moe.expert)), own.experts, EXPERT_KINDS),
  ]);
  return {
    mixer: ({ kind }) => mixer(kind),
    router: ({ score }) => router(score.kind),
    expert: ({ kind }) => expert(kind),
  };
}

/** Starts to load blocks of the tables before a spec names them; `loadBlocks` waits for them. */
export function beginBlocks(kinds: readonly string[]): void {
  const tables: readonly BlockTable<unknown>[] = [MIXERS, ROUTERS, EXPERT_KINDS];
  for (const table of tables) {
    for (const kind of kinds) Promise.resolve(table[kind]?.()).catch(() => {});
  }
}

async function load<T extends { readonly kind: string }>(
  what: string,
  kinds: readonly string[],
  own: readonly T[] = [],
  table: BlockTable<T>,
): Promise<(kind: string) => T> {
  const blocks = [...new Set(kinds)].map((kind) => find(what, kind, own, table));
  const found = new Map((await Promise.all(blocks)).map((block) => [block.kind, block]));
  return (kind) => {
    const block = found.get(kind);
    invariant(block, () => `the ${what} "${kind}" is not loaded: no layer of the parsed spec names it`);
    return block;
  };
}

async function find<T extends { readonly kind: string }>(
  what: string,
  kind: string,
  own: readonly T[],
  table: BlockTable<T>,
): Promise<T> {
  const found = own.find((block) => block.kind === kind);
  if (found) return found;
  const listed = Object.hasOwn(table, kind) ? table[kind] : undefined;
  if (listed) return listed();
  const known = [...own.map((block) => block.kind), ...Object.keys(table)].join(', ');
  throw new AtomoeError(
    'unsupported-model',
    `no ${what} is called "${kind}"; wanted one of ${known}; a family from outside has its own in \`blocks\``,
  );
}
