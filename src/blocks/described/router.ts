/** Puts the parts of a described router together: scores on the one side, selection and weights on the other. */
import { AtomoeError } from '../../errors.ts';
import type { Tensor } from '../../graph/tensor.ts';
import type { HooksDescription } from '../../models/layer/layer.ts';
import { PLAIN_WEIGH, type RouterDescription } from '../../models/layer/router.ts';
import { refuse, type RoutingSite } from './routing-site.ts';
import { addRouting, type DescribedRoutes } from './routing.ts';
import { addPerceptron, type ScoreSite } from './scores.ts';
import type { HostTensor } from './tensors.ts';

/** Scores, and how many of their experts a token may have. */
export interface ScoredTokens {
  readonly scores: Tensor;
  readonly most: number;
  readonly groupScores?: Tensor | undefined;
}

/** Where the routing of scores reads its tensors. */
export function routingSite(site: ScoreSite, { scores, most, groupScores }: ScoredTokens): RoutingSite {
  const { nodes, tensors, scope, experts, x } = site;
  return {
    builder: nodes.builder,
    label: nodes.label('route'),
    ...{ experts, most, scores, groupScores },
    sequences: () => nodes.sequences,
    layer: (reference, count) => () => {
      const { values } = tensors.get(reference, { ...scope, experts });
      if (values.length === count) return values;
      return refuse('tensors', `a tensor of ${values.length} values for ${count}`);
    },
    request: (name, shape) => nodes.given(name, shape),
    placed: (ids, room) => nodes.placed(ids, room),
    links: (name) => nodes.given(name, { type: 'f32', perToken: nodes.request.tokens }),
    ofTokenId: (reference, type, width) => {
      const table = tensors.get(reference, scope);
      if (type === 'u32') checkIds(table, experts);
      return nodes.ofToken(table, type, width);
    },
    ofHidden: (weight, activation) =>
      nodes.activate(nodes.dense('weight of experts', x, tensors.get(weight, scope)), activation),
  };
}

/** Rows of a table of ids have an expert once; ids from `experts` on are pads. */
function checkIds({ shape, values }: HostTensor, experts: number): void {
  const width = shape.at(-1) ?? 1;
  for (let first = 0; first < values.length; first += width) {
    const ids = values.subarray(first, first + width).filter((id) => id < experts);
    const wrong = ids.find((id, at) => !Number.isInteger(id) || id < 0 || ids.indexOf(id) !== at);
    if (wrong === undefined) continue;
    throw new AtomoeError(
      'bad-file',
      `row ${first / width} of a table of experts is ${[...ids].join(', ')}; wanted ids from 0 to ${experts - 1}, each once; write the file again`,
    );
  }
}

/** Adds transform, selection and weights; a network that drops entries reads what was chosen before. */
export function addChoice(
  site: ScoreSite,
  routing: RoutingSite,
  router: RouterDescription,
  { hooks, largest }: { readonly hooks?: HooksDescription | undefined; readonly largest: boolean },
): DescribedRoutes {
  const { drop } = router.select;
  const at = drop.findIndex((each) => each.kind === 'mask');
  const mask = drop[at];
  if (mask?.kind !== 'mask') return addRouting(routing, router, { ...(hooks && { hooks }), largest });
  if (drop.slice(at + 1).some(({ kind }) => kind === 'mask')) refuse('select.drop', 'a second mask network');
  const before = { ...router.select, drop: drop.slice(0, at) };
  const first = addRouting(
    { ...routing, label: `${routing.label} first` },
    { ...router, select: before, weigh: PLAIN_WEIGH },
    hooks ? { hooks } : {},
  );
  const read = site.nodes.concat([site.x, first.weights]);
  const verdicts = addPerceptron(site, mask.layers, read);
  const given = { kind: 'ids', name: 'chosen', drop: drop.slice(at) } as const;
  const { ranks: _ranks, replay: _replay, ...others } = hooks ?? {}; // hooks that choose have done so
  return addRouting(
    {
      ...routing,
      verdicts,
      request: (name, shape) => (name === 'chosen' ? first.ids : routing.request(name, shape)),
    },
    { ...router, select: given },
    { hooks: others, largest },
  );
}
