/** Hooks and tensors of a request: what the routers of its steps read. Loaded with the first request that has any. */
import type { ModelGraph } from '../../graph/node.ts';
import type { RequestTensors, RoutingHooks } from '../api.ts';
import type { StepTensors } from '../run/given-tensors.ts';
import type { StepHooks } from '../run/hooks.ts';
import { readHooks, type HookedModel } from './hooks.ts';
import { readTensors } from './request-tensors.ts';

/** The model that a request is for. */
export interface RequestedModel extends HookedModel {
  readonly decode: Pick<ModelGraph, 'requested'>;
}

/** What steps read of a request. */
export interface RequestContext {
  readonly hooks: StepHooks | undefined;
  readonly given: StepTensors | undefined;
  readonly text: string; // equal where the same tokens have the same keys and values
}

/**
 * Checks the hooks and tensors of a request.
 *
 * @param tokens - positions that it may run
 * @throws {AtomoeError} bad-input
 */
export function readContext(
  {
    hooks,
    tensors,
  }: { readonly hooks?: RoutingHooks | undefined; readonly tensors?: RequestTensors | undefined },
  model: RequestedModel,
  tokens: number,
): RequestContext {
  const { requested = [] } = model.decode;
  const given =
    tensors !== undefined || requested.length > 0 ? readTensors(tensors ?? {}, requested, tokens) : undefined;
  return {
    hooks: hooks && readHooks(hooks, model),
    given,
    text: JSON.stringify(given ? { ...hooks, tensors: given.plain } : hooks),
  };
}

/** The context that `text` stands for, for a session that holds so many tokens. */
export function contextOf(text: string, model: RequestedModel, tokens: number): Omit<RequestContext, 'text'> {
  const { tensors, ...hooks } = JSON.parse(text || '{}') as RoutingHooks & { tensors?: RequestTensors };
  const isHooked = Object.keys(hooks).length > 0;
  return readContext({ tensors, ...(isHooked ? { hooks } : {}) }, model, tokens);
}
