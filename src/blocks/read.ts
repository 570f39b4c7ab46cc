/** What blocks tell of a spec's routed experts, as plain data: asked once, when a model is planned. */
import { isMoe, type ModelSpec } from '../models/spec.ts';
import type { ExpertPart } from '../weights/tensor-rows.ts';
import type { Blocks } from './table.ts';

/** A layer with routed experts. */
export interface ExpertLayer {
  readonly experts: number;
  readonly most: number; // experts of one token at most
  readonly grid: number | undefined; // the side of their square
  readonly inWaves: boolean; // as `ExpertKind` says
  readonly inPages: boolean;
  readonly parts: Readonly<Record<string, ExpertPart>>;
  readonly together: readonly string[]; // parts that have one format
}

/** The layers with routed experts, in the order in which a step needs them. */
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
    };
  });
}
