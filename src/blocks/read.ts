/** Data about a spec's routed experts, read from the blocks once, when a model is planned. */
import { isMoe, type ModelSpec } from '../models/spec.ts';
import type { ExpertPart } from '../weights/tensor-rows.ts';
import type { Blocks } from './table.ts';

/** A layer with routed experts. */
export interface ExpertLayer {
  readonly experts: number;
  readonly most: number; // maximum number of experts per token
  readonly grid: number | undefined; // side of their square grid
  readonly inWaves: boolean; // as in `ExpertKind`
  readonly inPages: boolean;
  readonly parts: Readonly<Record<string, ExpertPart>>;
  readonly together: readonly string[]; // parts with a common format
  readonly known: ((token: number) => ArrayLike<number>) | undefined; // as in `Router`
  readonly knownBy: string | undefined; // as in `Router`
}

/** The layers with routed experts, in execution order. */
export function expertLayers(
  { layers, hidden }: Pick<ModelSpec, 'layers' | 'hidden'>,
  blocks: Blocks,
): ExpertLayer[] {
  const moes = layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
  return moes.map((spec) => {
    const kind = blocks.expert(spec.expert);
    const router = blocks.router(spec.router);
    const { inWaves, inPages = false, together = [] } = kind;
    return {
      experts: spec.experts,
      most: router.most(spec.router),
      grid: router.grid?.(spec.experts),
      inWaves,
      inPages,
      parts: kind.parts(spec.expert, hidden),
      together,
      known: router.known?.(spec.router),
      knownBy: router.knownBy?.(spec.router),
    };
  });
}
