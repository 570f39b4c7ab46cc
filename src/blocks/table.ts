/** Finds the block of each kind: one of a family's own, or one of the tables. */
import { AtomoeError } from '../errors.ts';
import type { BlockSpec, ExpertSpec, RouterSpec } from '../models/spec.ts';
import type { ExpertKind, Mixer, Router } from './block.ts';
import { EXPERT_KINDS } from './experts/index.ts';
import { MIXERS } from './mixers/index.ts';
import { ROUTERS } from './routers/index.ts';

/** Blocks that come with a family from outside. They go before those of the same kind that Atomoe has. */
export interface OwnBlocks {
  readonly mixers?: readonly Mixer[];
  readonly routers?: readonly Router[];
  readonly experts?: readonly ExpertKind[];
}

/** All blocks that specs of one family may name. Each throws unsupported-model for a kind that is unknown. */
export interface Blocks {
  mixer(spec: BlockSpec): Mixer;
  router(spec: RouterSpec): Router;
  expert(spec: ExpertSpec): ExpertKind;
}

export function blocksOf({ blocks: own = {} }: { readonly blocks?: OwnBlocks } = {}): Blocks {
  return {
    mixer: ({ kind }) => find('mixer', kind, own.mixers, MIXERS),
    router: ({ score }) => find('router', score.kind, own.routers, ROUTERS),
    expert: ({ kind }) => find('expert kind', kind, own.experts, EXPERT_KINDS),
  };
}

function find<T extends { readonly kind: string }>(
  what: string,
  kind: string,
  own: readonly T[] = [],
  table: Readonly<Record<string, T>>,
): T {
  const found =
    own.find((block) => block.kind === kind) ?? (Object.hasOwn(table, kind) ? table[kind] : undefined);
  if (found) return found;
  const known = [...own.map((block) => block.kind), ...Object.keys(table)].join(', ');
  throw new AtomoeError(
    'unsupported-model',
    `no ${what} is called "${kind}"; wanted one of ${known}; a family from outside brings its own in \`blocks\``,
  );
}
