import type { RouteOutputs } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { ExpertNumbers, TokenRoutes } from '../api.ts';

/**
 * The experts of one token, without what fills the rows of rules that choose few, and without those that were dropped.
 *
 * @param rowOf - the token's row of a tensor; asked for ids, then weights, of one layer after another
 */
export function tokenRoutes(
  routes: readonly RouteOutputs[],
  rowOf: (tensor: Tensor) => ArrayLike<number>,
): TokenRoutes {
  const ids: number[][] = [];
  const weights: number[][] = [];
  for (const route of routes) {
    const chosen = Array.from(rowOf(route.ids));
    const isExpert = (_: number, rank: number) => (chosen[rank] ?? route.experts) < route.experts;
    ids.push(chosen.filter(isExpert));
    weights.push(Array.from(rowOf(route.weights)).filter(isExpert));
  }
  return { ids, weights };
}

/** The experts of all tokens of a step. @param read - the values of a tensor for all tokens */
export async function stepRoutes(
  routes: readonly RouteOutputs[],
  tokens: number,
  read: (tensor: Tensor) => ArrayLike<number> | Promise<ArrayLike<number>>,
): Promise<TokenRoutes[]> {
  const tensors = routes.flatMap(({ ids, weights }) => [ids, weights]);
  const entries = tensors.map(async (tensor) => [tensor, Array.from(await read(tensor))] as const);
  const values = new Map(await Promise.all(entries));
  return Array.from({ length: tokens }, (_, token) =>
    tokenRoutes(routes, (tensor) => {
      const first = token * tensor.perToken;
      return values.get(tensor)?.slice(first, first + tensor.perToken) ?? [];
    }),
  );
}

/** Routes with the numbers that experts had in the model that this one is made of. */
export function originals(
  routes: readonly TokenRoutes[],
  { numbers }: { readonly numbers?: ExpertNumbers | undefined },
): readonly TokenRoutes[] {
  if (!numbers) return routes;
  const { count, ids } = numbers;
  const original = (id: number, layer: number) => ids[layer]?.[id] ?? count;
  return routes.map((each) => ({
    ...each,
    ids: each.ids.map((own, layer) => own.map((id) => original(id, layer))),
  }));
}
