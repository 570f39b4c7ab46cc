/** Hooks of pruned models name experts by the numbers of the original, as their routes do. */
import { AtomoeError } from '../../errors.ts';
import { under, wrong } from '../../models/layer/fields.ts';
import type { ExpertNumbers, LayerHooks, RouteReplay } from '../api.ts';

/**
 * The hooks of a layer with experts, in the model's own numbers. A mask may name experts that were left out.
 *
 * @param path - of the hooks, in errors
 * @throws {AtomoeError} bad-input - names the JSON path
 */
export function ownHooks(
  hooks: LayerHooks,
  { count, ids }: ExpertNumbers,
  { bank, path }: { readonly bank: number; readonly path: string },
): LayerHooks {
  const kept = ids[bank] ?? [];
  const { bias, steer, mask, ...rest } = hooks;
  if (bias && bias.length !== count) {
    throw new AtomoeError(
      'bad-input',
      `${under(path, 'bias')} is a list of ${bias.length}; wanted ${count} numbers, one for each expert of the original model`,
    );
  }
  const outside = mask?.findIndex((id) => id >= count) ?? -1;
  if (outside >= 0) {
    wrong(under(under(path, 'mask'), outside), mask?.[outside], `an expert of 0 to ${count - 1}`);
  }
  const steered = steer && ownIds(steer.experts, kept, under(path, 'steer.experts'));
  return {
    ...rest,
    ...(bias ? { bias: kept.map((id) => bias[id] ?? 0) } : {}),
    ...(steer && steered ? { steer: { ...steer, experts: steered } } : {}),
    ...(mask ? { mask: mask.map((id) => kept.indexOf(id)).filter((id) => id >= 0) } : {}),
  };
}

/** A replay in the model's own numbers. @throws {AtomoeError} bad-input - names an expert that was left out */
export function ownReplay(replay: RouteReplay, { ids }: ExpertNumbers): RouteReplay {
  const tokens = replay.trace.tokens.map((routes, token) => ({
    ...routes,
    ids: routes.ids.map((chosen, bank) =>
      ownIds(chosen, ids[bank] ?? [], `hooks.replay.trace.tokens.${token}.ids.${bank}`),
    ),
  }));
  return { ...replay, trace: { ...replay.trace, tokens } };
}

function ownIds(experts: readonly number[], kept: readonly number[], path: string): number[] {
  return experts.map((id, at) => {
    const own = kept.indexOf(id);
    return own >= 0 ? own : wrong(under(path, at), id, 'an expert that the pruned model has');
  });
}
