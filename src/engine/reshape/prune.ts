/** Leaves experts out of a model, with the rows of routers that score them. */
import { copyTensor, type TensorToWrite } from '../../containers/safetensors-writer.ts';
import { AtomoeError } from '../../errors.ts';
import type { MoeSpec } from '../../models/spec.ts';
import { mostSalient, saliencyOf, type ExpertUse, type SaliencyName } from '../../experts/study/saliency.ts';
import { denseNames } from '../load/dense-names.ts';
import { originalIds } from '../load/expert-numbers.ts';
import type { Drafted } from '../load/planning.ts';
import {
  changeable,
  keptParts,
  moesOf,
  renamed,
  tensorsOfRouter,
  withExpertCount,
  withSection,
  type ReshapedModel,
} from './reshaped.ts';

/**
 * The experts of each layer to keep: the `count` most salient, as many of each group of a router with groups.
 *
 * @param use - by layer with experts
 * @returns ascending ids, by layer with experts
 * @throws {AtomoeError} bad-input - not as many can be kept; as `changeable`
 */
export function chooseExperts(
  drafted: Drafted,
  use: readonly ExpertUse[],
  count: number,
  by: SaliencyName,
): number[][] {
  const { experts, moes } = changeable(drafted);
  checkCount(drafted, experts, count);
  return moes.map(({ router }, bank) => {
    const sums = use[bank];
    if (sums?.uses.length !== experts) {
      throw new AtomoeError(
        'bad-input',
        `experts were used in ${use.length} layers of ${use[0]?.uses.length ?? 0}; the model has ${moes.length} layers of ${experts}; ` +
          'wanted a trace of this model',
      );
    }
    return mostSalient(saliencyOf(sums, by), count, router.select.groups?.count);
  });
}

function checkCount(
  { checkpoint: { label }, expertLayers, spec }: Drafted,
  experts: number,
  count: number,
): void {
  const least = Math.max(...expertLayers.map(({ most }) => most));
  if (!Number.isInteger(count) || count < least || count >= experts) {
    throw new AtomoeError(
      'bad-input',
      `${label}: ${count} experts are to be kept of ${experts}, of which a token uses ${least}; wanted ${least} to ${experts - 1}`,
    );
  }
  for (const { router } of moesOf(spec)) {
    const { groups, k } = router.select;
    if (!groups) continue;
    const fewest = Math.max(groups.by === 'sumOfTopTwo' ? 2 : 1, Math.ceil(k / groups.keep));
    if (count % groups.count === 0 && count / groups.count >= fewest) continue;
    throw new AtomoeError(
      'bad-input',
      `${label}: ${count} experts are to be kept, the router has ${groups.count} groups; wanted a multiple of ${groups.count} from ` +
        `${fewest * groups.count} on, so that groups stay equal`,
    );
  }
}

/**
 * The model with some experts of each layer.
 *
 * @param kept - ascending ids of its experts, by layer with experts, as many in each
 * @throws {AtomoeError} as `changeable`; unsupported-model - a router without parts for experts, or types that safetensors has not
 */
export function pruned(drafted: Drafted, kept: readonly (readonly number[])[]): ReshapedModel {
  const { checkpoint, expertLayers, context } = drafted;
  const { experts, moes } = changeable(drafted);
  const { signal } = context;
  const divided = new Map<string, readonly number[]>(); // tensors with parts of all experts: those that are kept
  const single: TensorToWrite[] = [];
  for (const [bank, ids] of kept.entries()) {
    const own = new Set(Object.values(expertLayers[bank]?.parts ?? {}).map(({ rows }) => rows.tensor));
    for (const name of [...own, ...routerOf(moes[bank], checkpoint.label)]) {
      if (!name.includes('{expert}')) divided.set(name, ids);
      else single.push(...ids.map((id, index) => copyAs(name, id, index)));
    }
  }
  function copyAs(name: string, from: number, to: number): TensorToWrite {
    const of = (expert: number) => name.replaceAll('{expert}', String(expert));
    return renamed(copyTensor(checkpoint, of(from), { signal }), of(to));
  }
  const names = new Set([...denseNames(drafted), ...divided.keys()]);
  const others = [...names].map((name) => {
    const ids = divided.get(name);
    return ids
      ? keptParts(checkpoint, name, { experts, kept: ids, signal })
      : copyTensor(checkpoint, name, { signal });
  });
  const counts = { from: experts, to: kept[0]?.length ?? experts };
  const { count, ids } = originalIds(
    checkpoint,
    moes.map(() => experts),
  );
  const numbers = { count, ids: kept.map((own, bank) => own.map((id) => ids[bank]?.[id] ?? id)) };
  return {
    config: withSection(withExpertCount(checkpoint, counts), 'experts', numbers),
    tensors: [...others, ...single],
  };
}

function routerOf(moe: MoeSpec | undefined, label: string): string[] {
  return moe ? tensorsOfRouter(moe.router, label) : [];
}
