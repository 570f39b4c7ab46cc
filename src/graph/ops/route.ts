import { AtomoeError } from '../../errors.ts';
import type { RouteOutput, RouteRule } from '../../kernels/routing/route-rule.ts';
import {
  MAX_ROUTE_SCORES,
  route,
  routeParams,
  routeScores,
  routeScoresParams,
  routeScoresVariants,
  routeVariants,
} from '../../kernels/routing/route.ts';
import { routeBindings } from '../../kernels/routing/route-parts.ts';
import { dispatch, type LowerContext } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Ref, Tensor, Weight } from '../tensor.ts';

/** What a rule reads besides the scores. */
export interface RouteInputTensors {
  readonly vectors?: Weight | Tensor; // f32 [rows, scored]
  readonly requestVectors?: Tensor; // f32 [rows, scored], which follow those of the layer in number
  readonly tokenMask?: Tensor; // f32 [tokens, experts]
  readonly givenLogits?: Tensor; // f32 [tokens, scored]
  readonly groupScores?: Tensor; // f32 [tokens, groups]
  readonly givenIds?: Tensor; // u32 [tokens, places]
  readonly importance?: Tensor; // f32 [tokens]
  readonly kinds?: Tensor; // u32 [tokens]
  readonly protection?: Tensor; // u32 [tokens]
  readonly verdicts?: Tensor; // f32 [tokens, places]
  readonly rawWeights?: Tensor; // f32 [tokens, experts] or [tokens, most]
}

/** The kernel's name of each input. */
const BINDINGS = {
  vectors: 'vectors',
  requestVectors: 'request_vectors',
  tokenMask: 'token_mask',
  givenLogits: 'given_logits',
  groupScores: 'group_scores',
  givenIds: 'given_ids',
  importance: 'importance',
  kinds: 'kinds',
  protection: 'protection',
  verdicts: 'verdicts',
  rawWeights: 'raw_weights',
} as const satisfies Record<keyof RouteInputTensors, string>;

/** Values that a rule writes besides its routes: f32 [tokens, scored], or `largest` [tokens]. */
export type RouteOutputTensors = { readonly [N in RouteOutput]?: Tensor };

/** Inputs, outputs and attributes of a rule. */
export interface RouteIo {
  readonly scores: Tensor; // f32 [tokens, experts + nullExperts]
  readonly inputs?: RouteInputTensors;
  readonly ids: Tensor; // u32 [tokens, most]
  readonly weights: Tensor; // f32 [tokens, most]
  readonly outputs?: RouteOutputTensors;
  readonly experts: number;
  readonly most: number;
  readonly rule: RouteRule;
}

/** Inputs, outputs and attributes of the steps of a rule. */
export interface RouteScoresIo {
  readonly scores: Tensor; // f32 [tokens, experts + nullExperts]
  readonly inputs?: Pick<RouteInputTensors, 'vectors' | 'requestVectors' | 'tokenMask'>;
  readonly outputs: Omit<RouteOutputTensors, 'values'>;
  readonly experts: number;
  readonly rule: Pick<RouteRule, 'steps' | 'nullExperts' | 'layerVectors'>;
}

/** Chooses the experts of each token by a routing rule, and computes their weights. */
export const routeNode = defineCoreOp<RouteIo>({
  name: 'route',
  reads: ({ scores, inputs = {} }) => [scores, ...Object.values(inputs)],
  writes: ({ ids, weights, outputs = {} }) => [ids, weights, ...Object.values(outputs)],
  lower(context, { scores, inputs, ids, weights, outputs = {}, experts, most, rule }) {
    const scored = experts + (rule.nullExperts ?? 0);
    const variants = routeVariants(rule, namesOf(outputs), scored);
    const buffers = { scores, ids, weights, ...outputs, ...bound(inputs) };
    const [first] = variants;
    check(context, scored, first && routeBindings(first), buffers);
    return [
      context.choose(
        route,
        variants,
        `${first && stagesOf(route.key(first))} ${scored} of ${most}`,
        (variant) =>
          dispatch(route, variant, {
            buffers: needed(routeBindings(variant), buffers),
            params: ({ tokens }) => routeParams(rule, { tokens, experts, most }),
            size: ({ tokens }) => ({ tokens, scored }),
          }),
      ),
    ];
  },
});

/** The steps of a routing rule alone, before an op that reads whole sequences. */
export const routeScoresNode = defineCoreOp<RouteScoresIo>({
  name: 'route-scores',
  reads: ({ scores, inputs = {} }) => [scores, ...Object.values(inputs)],
  writes: ({ outputs }) => Object.values(outputs),
  lower(context, { scores, inputs, outputs, experts, rule }) {
    const scored = experts + (rule.nullExperts ?? 0);
    const variants = routeScoresVariants(rule, namesOf(outputs), scored);
    const buffers = { scores, ...outputs, ...bound(inputs) };
    const [first] = variants;
    check(context, scored, first && routeBindings(first), buffers);
    return [
      context.choose(
        routeScores,
        variants,
        `${first && stagesOf(routeScores.key(first))} ${scored}`,
        (variant) =>
          dispatch(routeScores, variant, {
            buffers: needed(routeBindings(variant), buffers),
            params: ({ tokens }) => routeScoresParams(rule, { tokens, experts }),
            size: ({ tokens }) => ({ tokens, scored }),
          }),
      ),
    ];
  },
});

function namesOf(outputs: RouteOutputTensors): RouteOutput[] {
  return Object.keys(outputs) as RouteOutput[];
}

/** The stages in a key, without kernel and form. */
function stagesOf(key: string): string {
  return key.split('/')[1] ?? key;
}

/** The inputs by the kernel's names. */
function bound(inputs: RouteInputTensors = {}): Record<string, Ref> {
  return Object.fromEntries(
    (Object.entries(inputs) as [keyof RouteInputTensors, Ref][]).map(([name, ref]) => [BINDINGS[name], ref]),
  );
}

/** The buffers that a program binds. */
function needed<B extends object>(
  bindings: B,
  buffers: Readonly<Record<string, Ref>>,
): { [N in keyof B]: Ref } {
  const entries = Object.keys(bindings).map((name) => [name, buffers[name]]);
  return Object.fromEntries(entries) as { [N in keyof B]: Ref };
}

/** @throws {AtomoeError} unsupported-model - too many experts or bindings; bad-input - an input that the rule names is missing */
function check(
  { limits }: Pick<LowerContext, 'limits'>,
  scored: number,
  bindings: object | undefined,
  buffers: Readonly<Record<string, Ref>>,
): void {
  if (!bindings) {
    throw new AtomoeError(
      'unsupported-model',
      `a routing rule over ${scored} experts; the GPU's kernel has at most ${MAX_ROUTE_SCORES}, use the CPU`,
    );
  }
  const names = Object.keys(bindings);
  const missing = names.find((name) => !buffers[name]);
  if (missing !== undefined) {
    throw new AtomoeError('bad-input', `a routing rule reads ${missing}, which its node is not given`);
  }
  if (names.length > limits.maxStorageBuffers) {
    throw new AtomoeError(
      'unsupported-model',
      `a routing rule binds ${names.length} buffers (${names.join(', ')}), this adapter allows ${limits.maxStorageBuffers}; use the CPU`,
    );
  }
}
